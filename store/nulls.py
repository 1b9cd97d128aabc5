"""Chance: what n, N_c, C_s and the SNRs are where the mechanism cannot be at work. Arrays in, arrays out, with seeds.

    labels shuffled   the output labels permuted at random: what a filter raises has nothing to do with what it sees
    rotated filters   activations and weights of a layer rotated together by a random orthogonal matrix over filters:
                      every logit stays as it was, the "filters" are others. After a ReLU activations have no sign, and
                      rotated they have: two negatives give elements above the threshold as well, so n and N_c rise
                      also where filters have nothing to lose. C_s and SNR_E are what this null is fair to
    random order      the greedy scan in random orders of the labels
    reversed order    the greedy scan from the last label to the first: one draw, no spread

Of each null, a number of draws is measured like the layer itself, and the layer's statistics are set beside theirs.

>>> import numpy as np
>>> fields = np.stack([np.diag([1.0, 0.9, 0.0, 0.0]), np.diag([0.0, 0.0, 1.0, 0.9])]).astype(np.float32)
>>> shuffled = chance("labels shuffled", fields=fields, samples=20, seed=0)
>>> signal, noise = shuffled.of("signal"), shuffled.of("noise_external")
>>> signal.observed > signal.mean, noise.observed < noise.mean  # the largest elements lie off the diagonal
(True, True)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure import THRESHOLD, LayerMeasure, measure_factored, measure_layer, ratio, scan_order

Null = Literal["labels shuffled", "rotated filters", "random order", "reversed order"]
Average = Literal["clustered", "all"]  # means of n and N_c over the filters with a cluster (the paper's), or over all
Seed = int | np.random.Generator

NULLS: tuple[Null, ...] = get_args(Null)
SAMPLES = 20
MAX_ROTATED = 8192  # filters: the matrix that rotates them takes 8 bytes x their square


class Statistics(NamedTuple):
    """What is compared: a layer's means at one threshold. NaN where one is undefined."""

    noise: float  # n
    n_clusters: float  # N_c
    cluster_size: float  # C_s
    signal: float  # the mean over the labels, counted
    noise_internal: float
    noise_external: float
    snr_internal: float  # mean signal / mean noise_I
    snr_external: float


def statistics(measured: LayerMeasure, average: Average = "clustered") -> Statistics:
    signal, internal, external = (
        float(values.mean()) for values in (measured.signal, measured.noise_internal, measured.noise_external)
    )
    return Statistics(
        measured.mean_noise_all if average == "all" else measured.mean_noise,
        measured.mean_clusters_all if average == "all" else measured.mean_clusters,
        measured.mean_cluster_size,  # the same over all
        signal,
        internal,
        external,
        ratio(signal, internal),
        ratio(signal, external),
    )


class Against(NamedTuple):
    """One statistic beside its null. None where it is undefined."""

    observed: float | None
    mean: float | None  # over the draws; None where it is undefined in any of them: the others would be a selection
    std: float | None  # between the draws, with one degree of freedom less; None for a single one
    z: float | None  # (observed - mean) / std; None where the draws do not differ
    low: float | None  # the smallest of the draws
    high: float | None  # the largest


@dataclass(frozen=True, eq=False)
class Chance:
    """A layer's statistics beside those of the draws of a null."""

    null: str
    observed: Statistics
    draws: NDArray[np.float64]  # (samples, statistics), in the order of `Statistics`; NaN where one is undefined

    def of(self, name: str) -> Against:
        """One statistic by its name in `Statistics`."""
        place = Statistics._fields.index(name)
        observed = _or_none(self.observed[place])
        values = self.draws[:, place]
        if np.isnan(values).any():
            return Against(observed, None, None, None, None, None)
        differ = values.min() < values.max()  # where not, rounding alone would leave a spread that is not there
        mean = float(values.mean() if differ else values[0])
        if len(values) < 2:
            return Against(observed, mean, None, None, None, None)
        std = float(values.std(ddof=1)) if differ else 0.0
        z = (observed - mean) / std if differ and observed is not None else None
        return Against(observed, mean, std, z, float(values.min()), float(values.max()))


def chance(
    null: Null,
    *,
    fields: NDArray[np.float32] | None = None,
    factors: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    threshold: float = THRESHOLD,
    samples: int = SAMPLES,
    seed: Seed = 0,
    order: ArrayLike | None = None,
    average: Average = "clustered",
) -> Chance:
    """A layer against `samples` draws of a null.

    fields (N_f, K, K), or factors: class means and probe weights (N_f, K, S) each, or both, which then are the same
    layer; threshold and order as in `measure_layer`. Draw k is the same however many there are. Raises ValueError where
    filters cannot be rotated: there are fields alone, a value is not finite, or filters are more than MAX_ROTATED.
    """
    if samples < 1:
        raise ValueError(f"samples: expected at least 1, got {samples}")
    if fields is None and factors is None:
        raise ValueError("fields or factors: expected one of them")
    observed = _measured(fields, factors, threshold, order)
    measured = _draws(null, fields, factors, threshold, samples, np.random.default_rng(seed), order)
    return against(null, observed, measured, average)


def against(
    null: str,
    observed: LayerMeasure,
    draws: Iterator[LayerMeasure] | Sequence[LayerMeasure],
    average: Average = "clustered",
) -> Chance:
    """A measured layer against others that were measured at the same threshold: an untrained network's, say."""
    rows = []
    for draw in draws:
        if draw.threshold != observed.threshold:
            raise ValueError(f"{null}: measured at threshold {draw.threshold}, the layer at {observed.threshold}")
        rows.append(statistics(draw, average))
    if not rows:
        raise ValueError(f"{null}: no draw to compare with")
    return Chance(null, statistics(observed, average), np.array(rows, np.float64))


def shuffled_fields(fields: NDArray[np.float32], seed: Seed, each_filter: bool = False) -> NDArray[np.float32]:
    """Fields (N_f, K, K) with the output labels, their last axis, permuted at random.

    One permutation for all filters, as if the outputs had been given wrong names: the filters of a layer are not
    independent of each other, and keep what they have in common, so that the draws differ as layers would. With
    `each_filter` a permutation for each: the same expectation of whatever is added up over filters, but draws that
    differ far less, since what filters share is gone as well; a z-score over those would call anything significant.
    """
    outputs = _permuted(fields.shape[0], fields.shape[2], seed, each_filter)
    return np.take_along_axis(fields, outputs[:, None, :], axis=2)


def shuffled_weights(probe_weights: NDArray[np.float32], seed: Seed, each_filter: bool = False) -> NDArray[np.float32]:
    """The same for probe weights (N_f, K, S); the same seed gives the same permutations as for fields."""
    outputs = _permuted(probe_weights.shape[0], probe_weights.shape[1], seed, each_filter)
    return np.take_along_axis(probe_weights, outputs[:, :, None], axis=1)


def rotation(n_filters: int, seed: Seed) -> NDArray[np.float64]:
    """A random orthogonal matrix (N_f, N_f), all rotations and reflections equally likely (Haar).

    QR of a matrix of normal numbers, with the signs that make R's diagonal positive: without them, the choice of signs
    is the algorithm's and not chance's (Mezzadri, 2007).
    """
    if n_filters > MAX_ROTATED:
        raise ValueError(f"{n_filters} filters: at most {MAX_ROTATED} can be rotated, for want of memory")
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((n_filters, n_filters)))
    rotated: NDArray[np.float64] = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return rotated


def rotated(
    class_means: NDArray[np.float32], probe_weights: NDArray[np.float32], seed: Seed
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Class means and weights (N_f, K, S) of a layer whose filters are mixed by one random rotation: A' = QA, w' = Qw.

    The sum over filters of A'[f, i, s] w'[f, j, s] is that of A and w, at each position and so for every logit, since Q
    is orthogonal. Multiplied in float64, rounded once to float32. Raises ValueError where a value is not finite: it
    would be in every filter.
    """
    if not (np.isfinite(class_means).all() and np.isfinite(probe_weights).all()):
        raise ValueError("class means or weights that are not finite cannot be rotated")
    q = rotation(len(class_means), seed)
    means, weights = (
        (q @ array.reshape(len(array), -1).astype(np.float64)).astype(np.float32).reshape(array.shape)
        for array in (class_means, probe_weights)
    )
    return means, weights


def ranks(fields: NDArray[np.float32]) -> NDArray[np.float64]:
    """Numerical rank of each field matrix, (N_f, K, K) -> (N_f,): singular values above K roundings of a float32.

    NaN where a matrix is not finite. A layer of 1x1 filters has fields of rank one, whatever it has learned, so a part
    of its clusters is algebra: what is above the threshold is so by the product of two numbers.
    """
    return np.array([_rank(matrix.astype(np.float64), matrix.shape[0]) for matrix in fields])


def ranks_from_factors(class_means: NDArray[np.float32], probe_weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """The same from class means and weights (N_f, K, S) each, without making a matrix of K x K.

    With A = QR and w = PT, A w^T has the singular values of R T^T, whose sides are at most S.
    """
    found = np.empty(len(class_means))
    for f, (means, weights) in enumerate(zip(class_means, probe_weights, strict=True)):
        if not (np.isfinite(means).all() and np.isfinite(weights).all()):
            found[f] = np.nan
            continue
        left, right = (np.asarray(np.linalg.qr(array.astype(np.float64), "r")) for array in (means, weights))
        found[f] = _rank(left @ right.T, len(means))
    return found


def _rank(matrix: NDArray[np.float64], n_labels: int) -> float:
    if not np.isfinite(matrix).all():
        return float("nan")
    return float(np.linalg.matrix_rank(matrix, rtol=n_labels * float(np.finfo(np.float32).eps)))


def _permuted(n_filters: int, n_labels: int, seed: Seed, each_filter: bool) -> NDArray[np.int64]:
    """(N_f or 1, K): what stands at each output."""
    rows = np.tile(np.arange(n_labels), (n_filters if each_filter else 1, 1))
    return np.random.default_rng(seed).permuted(rows, axis=1)


def _draws(
    null: Null,
    fields: NDArray[np.float32] | None,
    factors: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    threshold: float,
    samples: int,
    random: np.random.Generator,
    order: ArrayLike | None,
) -> Iterator[LayerMeasure]:
    """The draws of a null, measured one after another, so that no two are in memory at once."""
    if null == "reversed order":
        samples = 1
    if null not in NULLS:
        raise ValueError(f"null: expected one of {', '.join(NULLS)}, got {null!r}")
    n_labels = fields.shape[1] if fields is not None else factors[0].shape[1] if factors is not None else 0
    for draw in random.spawn(samples):
        match null:
            case "labels shuffled":
                if fields is not None:
                    yield measure_layer(shuffled_fields(fields, draw), threshold, order)
                elif factors is not None:
                    yield measure_factored(factors[0], shuffled_weights(factors[1], draw), threshold, order)
            case "rotated filters":
                if factors is None:
                    raise ValueError("fields alone cannot be rotated; class means and weights can")
                yield measure_factored(*rotated(*factors, draw), threshold, order)
            case "random order" | "reversed order":
                turned = draw.permutation(n_labels) if null == "random order" else scan_order("reversed", n_labels)
                yield _measured(fields, factors, threshold, turned)


def _measured(
    fields: NDArray[np.float32] | None,
    factors: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    threshold: float,
    order: ArrayLike | None,
) -> LayerMeasure:
    if fields is not None:
        return measure_layer(fields, threshold, order)
    assert factors is not None
    return measure_factored(*factors, threshold, order)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
