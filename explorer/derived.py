"""What the pages show beside `store.measure`: sweeps, a filter's rank and share, and what two labels have in common.

Arrays in, arrays out, as there.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.measure import LayerMeasure, ratio

SWEEP = tuple(round(0.05 * step, 2) for step in range(1, 20))  # 0.05 to 0.95


class SweepPoint(NamedTuple):
    """A layer at one threshold. NaN where a mean or a ratio is undefined."""

    threshold: float
    noise: float  # n
    noise_all: float
    n_clusters: float  # N_c
    n_clusters_all: float
    cluster_size: float  # C_s
    snr_internal: float  # mean signal / mean noise_I over the labels, counted
    snr_external: float


def sweep_point(measured: LayerMeasure) -> SweepPoint:
    signal = float(measured.signal.mean())
    return SweepPoint(
        measured.threshold,
        measured.mean_noise,
        measured.mean_noise_all,
        measured.mean_clusters,
        measured.mean_clusters_all,
        measured.mean_cluster_size,
        ratio(signal, float(measured.noise_internal.mean())),
        ratio(signal, float(measured.noise_external.mean())),
    )


def field_squares(
    fields: NDArray[np.float32] | None, factors: tuple[NDArray[np.float32], NDArray[np.float32]] | None
) -> NDArray[np.float64]:
    """(N_f,): the sum of F^2 of each filter, from fields (N_f, K, K) or from class means and weights (N_f, K, S).

    From the factors it is the trace of (A^T A)(w^T w), so no matrix of K x K is made.
    """
    if fields is not None:
        flat = fields.reshape(len(fields), -1)
        return np.array([np.dot(row, row) for row in flat.astype(np.float64)])
    assert factors is not None
    means, weights = factors
    return np.array(
        [
            np.sum((a.T @ a) * (w.T @ w))
            for a, w in ((means[f].astype(np.float64), weights[f].astype(np.float64)) for f in range(len(means)))
        ]
    )


def rank(matrix: NDArray[np.float32]) -> int:
    """Numerical rank of (K, K): singular values above K times the rounding of a float32."""
    return _rank(matrix.astype(np.float64), len(matrix))


def rank_from_factors(class_means: NDArray[np.float32], weights: NDArray[np.float32]) -> int:
    """The same of A w^T, from (K, S) each: with A = Q R and w = P T it has the singular values of R T^T, (S, S)."""
    if not (np.isfinite(class_means).all() and np.isfinite(weights).all()):
        return 0
    left, right = (np.asarray(np.linalg.qr(array.astype(np.float64), "r")) for array in (class_means, weights))
    return _rank(left @ right.T, len(class_means))


def _rank(matrix: NDArray[np.float64], n_labels: int) -> int:
    if not np.isfinite(matrix).all():
        return 0
    return int(np.linalg.matrix_rank(matrix, rtol=n_labels * float(np.finfo(np.float32).eps)))


def label_rows(
    fields: NDArray[np.float32] | None,
    factors: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    label: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What one label causes on every output, and what every label causes on its output: (N_f, K) each.

    From the factors with the same bits as `store.measure.fields_from_factors`: in order over s, rounded once.
    """
    if fields is not None:
        return fields[:, label, :], fields[:, :, label]
    assert factors is not None
    means, weights = factors
    row, column = np.zeros((2, *means.shape[:2]))
    for s in range(means.shape[2]):
        row += means[:, label, s, None].astype(np.float64) * weights[:, :, s]
        column += means[:, :, s].astype(np.float64) * weights[:, label, s, None]
    return row.astype(np.float32), column.astype(np.float32)


class Partners(NamedTuple):
    """What a label has in common with each label, counted over the filters of a layer: (K,) each."""

    clusters: NDArray[np.int64]  # filters in which both are in one cluster
    noise_to: NDArray[np.int64]  # filters in which element (label, other) is noise: its inputs raise the other's output
    noise_from: NDArray[np.int64]  # filters in which element (other, label) is noise


def partners(measured: LayerMeasure, rows: tuple[NDArray[np.float32], NDArray[np.float32]], label: int) -> Partners:
    own = measured.cluster_of[:, label, None]
    together = (own >= 0) & (measured.cluster_of == own)  # (filter, label)
    cut = np.where(measured.silent, np.inf, measured.threshold * measured.maximum.astype(np.float64))[:, None]
    row, column = ((array > cut) & ~together for array in rows)
    counts = [array.sum(axis=0) for array in (together, row, column)]
    counts[0][label] = 0  # a label shares its clusters with others
    return Partners(*counts)
