"""What field matrices say: clip, cluster, permute, and the statistics of a layer and of its labels.

Arrays in, arrays out: no file, network or widget. The words are the paper's (Meir et al., "Universality of underlying
mechanism for successful deep learning"); equations and supplement are cited where a number comes from.

    field    F[f, i, j]: what the test inputs of label i cause on output j through filter f alone, on average
    clip     B[f, i, j] = F[f, i, j] > threshold * max(F[f]), strictly, compared in float64
    silent   a filter whose maximum is not positive and finite: nothing is above, it has no cluster
    cluster  labels whose elements with each other are all 1, found by a greedy scan along the diagonal
    noise    elements that are 1 and outside the clusters

>>> import numpy as np
>>> fields = np.array([[[1.0, 0.8, 0.0, 0.1], [0.9, 0.7, 0.4, 0.0], [0.0, 0.0, 0.5, 0.0], [0.0] * 4]], np.float32)
>>> layer = measure_layer(fields, threshold=0.3)
>>> layer.cluster_of, layer.noise  # labels 0 and 1 share a cluster, label 2 has its own; element (1, 2) is noise
(array([[ 0,  0,  1, -1]], dtype=int32), array([1]))
>>> permutation(layer.cluster_of[0])
array([0, 1, 2, 3])
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure import kernels
from store.measure.gauge import AS_TRAINED, Gauge, is_zero_sum
from store.measure.threads import n_shares, parallel_ranges

THRESHOLD = 0.3  # supplement, "Explanations for Figure 1"

ScanOrder = Literal["stored", "reversed", "random"]


@dataclass(frozen=True, eq=False)
class LayerMeasure:
    """What one threshold makes of a layer of N_f filters and K labels."""

    threshold: float
    cluster_of: NDArray[np.int32]  # (N_f, K): number of the label's cluster in its filter, in the order found, or -1
    n_clusters: NDArray[np.int64]  # (N_f,)
    noise: NDArray[np.int64]  # (N_f,): n, the elements that are 1 and outside clusters
    n_above: NDArray[np.int64]  # (N_f,): the elements that are 1
    maximum: NDArray[np.float32]  # (N_f,): the largest field; NaN where a field is NaN
    silent: NDArray[np.bool_]  # (N_f,)
    cluster_sizes: NDArray[np.int64]  # (clusters,): labels of each cluster, filter by filter, in the order found
    signal: NDArray[np.float64]  # (K,): clusters that hold the label
    noise_internal: NDArray[np.float64]  # (K,): row elements inside the label's clusters, off the diagonal, / (K - 1)
    noise_external: NDArray[np.float64]  # (K,): row elements above the threshold outside clusters, / (K - 1)
    signal_field: NDArray[np.float64] | None = None  # the same elements, adding up accumulated fields
    noise_internal_field: NDArray[np.float64] | None = None
    noise_external_field: NDArray[np.float64] | None = None

    @property
    def cut(self) -> NDArray[np.float64]:
        """(N_f,): what an element of each filter must be above (see `clip`); infinite where the filter is silent."""
        cut = np.full(self.silent.shape, np.inf)
        cut[~self.silent] = self.threshold * self.maximum[~self.silent].astype(np.float64)
        return cut

    @property
    def mean_clusters(self) -> float:
        """N_c: clusters a filter, over the filters with at least one. NaN if there is none, as for all the means."""
        return _mean(self.n_clusters[self.n_clusters > 0])

    @property
    def mean_cluster_size(self) -> float:
        """C_s: labels a cluster, over all clusters."""
        return _mean(self.cluster_sizes)

    @property
    def mean_noise(self) -> float:
        """n: noise elements a filter, over the filters with at least one cluster."""
        return _mean(self.noise[self.n_clusters > 0])

    @property
    def mean_clusters_all(self) -> float:
        """N_c over all filters."""
        return _mean(self.n_clusters)

    @property
    def mean_cluster_size_all(self) -> float:
        """C_s over all filters: the same number, since a filter without clusters adds none to the mean."""
        return self.mean_cluster_size

    @property
    def mean_noise_all(self) -> float:
        """n over all filters; a silent filter has none."""
        return _mean(self.noise)


def measure_layer(
    fields: NDArray[np.float32],
    threshold: float = THRESHOLD,
    order: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    gauge: Gauge = AS_TRAINED,
) -> LayerMeasure:
    """Measure a layer from its field matrices.

    fields (N_f, K, K) float32; threshold in [0, 1], a fraction of each filter's maximum; order (K,), the labels in the
    order of the greedy scan (default: as stored); counts (K,), test inputs a label: given, the result has the
    accumulated fields (Figure 2B) as well; gauge: of the fields, as given or zero-sum (see `gauge`). Raises ValueError
    or TypeError that name the argument.
    """
    fields = _float32("fields", fields, ("filters", "labels", "labels"))
    if fields.shape[1] != fields.shape[2]:
        raise ValueError(f"fields: expected square matrices (filters, labels, labels), got shape {fields.shape}")
    return _measure(kernels.measure_dense, (fields,), threshold, order, counts, gauge)


def measure_factored(
    class_means: NDArray[np.float32],
    probe_weights: NDArray[np.float32],
    threshold: float = THRESHOLD,
    order: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    gauge: Gauge = AS_TRAINED,
) -> LayerMeasure:
    """Measure a layer from class means and probe weights, (N_f, K, S) float32 each, one matrix a core at a time.

    The result is identical, to the bit, to `measure_layer(fields_from_factors(class_means, probe_weights), ...)`.
    """
    class_means, probe_weights = _factors(class_means, probe_weights)
    arrays = (class_means, probe_weights)
    return _measure(kernels.measure_factors, arrays, threshold, order, counts, gauge)


def fields_from_factors(class_means: NDArray[np.float32], probe_weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """F[f, i, j] = sum over s of class_means[f, i, s] * probe_weights[f, j, s]: (N_f, K, S) twice -> (N_f, K, K).

    The sum runs over s in order, in float64, and is rounded once to float32.
    """
    class_means, probe_weights = _factors(class_means, probe_weights)
    n_filters, n_labels, n_positions = class_means.shape
    fields = np.empty((n_filters, n_labels, n_labels), np.float32)

    def fill(share: int, first: int, last: int) -> None:
        kernels.fill_fields(first, last, class_means, probe_weights, fields)

    parallel_ranges(fill, n_filters, work=fields.size * n_positions)
    return fields


def clip(fields: NDArray[np.float32], cut: ArrayLike) -> NDArray[np.bool_]:
    """Which fields are above, strictly, compared in float64; cut from `LayerMeasure.cut`, of a shape that broadcasts.

    Compared as Python's or float32 numbers, an element that is the threshold rounded to float32 would be taken for
    equal to it.
    """
    return np.greater(fields, np.asarray(cut, np.float64))


def permutation(cluster_of: NDArray[np.integer]) -> NDArray[np.int64]:
    """The label order that shows one filter's clusters as diagonal blocks (Figure 1, right).

    cluster_of (K,) as in `LayerMeasure`. Labels of clusters first, larger clusters before smaller, in the order found;
    then the rest in label order.
    """
    cluster_of = np.asarray(cluster_of)
    if cluster_of.ndim != 1:
        raise ValueError(f"cluster_of: expected one filter's row (labels,), got shape {cluster_of.shape}")
    clustered = np.flatnonzero(cluster_of >= 0)
    sizes = np.bincount(cluster_of[clustered], minlength=1)
    of = cluster_of[clustered]
    return np.concatenate([clustered[np.lexsort((of, -sizes[of]))], np.flatnonzero(cluster_of < 0)])


def scan_order(order: ScanOrder, n_labels: int, seed: int = 0) -> NDArray[np.int64]:
    """The order in which the greedy scan visits the labels: (K,)."""
    if order == "stored":
        return np.arange(n_labels)
    if order == "reversed":
        return np.arange(n_labels)[::-1].copy()
    if order == "random":
        return np.random.default_rng(seed).permutation(n_labels)
    raise ValueError(f"order: expected 'stored', 'reversed' or 'random', got {order!r}")


class Estimates(NamedTuple):
    """Eqs. (1)-(4): what the layer means alone would give for a label. NaN where a ratio is undefined."""

    signal: float  # Eq. (1): C_s * N_c * N_f / K
    noise_internal: float  # Eq. (2): (C_s - 1) / (K - 1) * signal
    noise_external: float  # Eq. (3): n * N_f / K^2
    snr_internal: float  # signal / noise_internal
    snr_external: float  # Eq. (4): signal / noise_external = C_s * N_c * K / n


def estimates(
    n_filters: int, n_labels: int, mean_clusters: float, mean_cluster_size: float, mean_noise: float
) -> Estimates:
    """Eqs. (1)-(4) from the layer means.

    >>> layer_10 = estimates(512, 100, mean_clusters=2.6, mean_cluster_size=2.0, mean_noise=16.3)  # Table 1
    >>> [round(value, 2) for value in layer_10[:3]]
    [26.62, 0.27, 0.83]
    """
    signal = mean_cluster_size * mean_clusters * n_filters / n_labels
    noise_internal = (mean_cluster_size - 1) / (n_labels - 1) * signal
    noise_external = mean_noise * n_filters / n_labels**2
    return Estimates(
        signal, noise_internal, noise_external, ratio(signal, noise_internal), ratio(signal, noise_external)
    )


def ratio(signal: float, noise: float) -> float:
    """signal / noise, NaN where there is no noise to divide by."""
    return signal / noise if noise > 0 else float("nan")


def _measure(
    kernel: Callable[..., None],
    arrays: tuple[NDArray[np.float32], ...],
    threshold: float,
    order: ArrayLike | None,
    counts: ArrayLike | None,
    gauge: Gauge,
) -> LayerMeasure:
    n_filters, n_labels = arrays[0].shape[:2]
    threshold = _threshold(threshold)
    order = _order(order, n_labels)
    zero_sum = is_zero_sum(gauge)
    inputs = None if counts is None else _counts(counts, n_labels)
    maximum = np.empty(n_filters, np.float32)
    silent = np.empty(n_filters, np.bool_)
    n_clusters, noise, n_above = np.zeros((3, n_filters), np.int64)
    cluster_of = np.zeros((n_filters, n_labels), np.int32)  # of its own: it is kept, and would keep what it is part of
    sizes = np.zeros((n_filters, n_labels), np.int32)  # of each filter's clusters, then zeros
    filters = (maximum, silent, n_clusters, noise, n_above, cluster_of, sizes)
    labels = np.zeros((n_shares(n_filters), 3, n_labels), np.int64)  # elements a label; a sum for each thread
    fields = np.zeros((3, n_filters if inputs is not None else 0, n_labels))  # the same, adding up fields

    def measure(share: int, first: int, last: int) -> None:
        kernel(first, last, *arrays, threshold, order, filters, labels[share], fields, zero_sum)

    parallel_ranges(measure, n_filters, work=n_filters * n_labels * n_labels)

    signal, internal, external = labels.sum(axis=0)
    others = n_labels - 1
    result = LayerMeasure(
        threshold=threshold,
        cluster_of=cluster_of,
        n_clusters=n_clusters,
        noise=noise,
        n_above=n_above,
        maximum=maximum,
        silent=silent,
        cluster_sizes=sizes[sizes > 0].astype(np.int64),
        signal=signal.astype(np.float64),
        noise_internal=internal / others,
        noise_external=external / others,
    )
    if inputs is None:
        return result
    signal, internal, external = (kernels.sum_over_filters(rows) * inputs for rows in fields)
    return replace(
        result,
        signal_field=signal,
        noise_internal_field=internal / others,
        noise_external_field=external / others,
    )


def _mean(values: NDArray[np.int64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _threshold(threshold: float) -> float:
    if not isinstance(threshold, (int, float, np.number)) or not 0 <= threshold <= 1:  # also refuses NaN
        raise ValueError(f"threshold: expected a fraction of the maximum from 0 to 1, got {threshold!r}")
    return float(threshold) + 0.0  # -0.0 becomes 0.0, whose bit pattern is the least that is not negative


def _order(order: ArrayLike | None, n_labels: int) -> NDArray[np.int64]:
    if order is None:
        return np.arange(n_labels)
    labels = np.asarray(order)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not np.array_equal(np.sort(labels), np.arange(n_labels)):
        raise ValueError(f"order: expected each of the labels 0 to {n_labels - 1} once, got {str(order)[:80]}")
    return labels.astype(np.int64)


def _counts(counts: ArrayLike, n_labels: int) -> NDArray[np.float64]:
    numbers = np.asarray(counts)
    if numbers.dtype.kind not in "iuf" or numbers.shape != (n_labels,):
        raise ValueError(f"counts: expected one number a label, shape ({n_labels},), got {str(counts)[:80]}")
    if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
        raise ValueError("counts: expected numbers of test inputs, found a negative or non-finite one")
    return numbers.astype(np.float64)


def _float32(name: str, array: NDArray[np.float32], axes: tuple[str, ...]) -> NDArray[np.float32]:
    array = np.asarray(array)
    if array.dtype != np.float32:
        raise TypeError(f"{name}: expected float32, got {array.dtype}; convert it where the rounding is meant")
    if array.ndim != len(axes) or 0 in array.shape or array.shape[1] < 2:
        expected = ", ".join(axes)
        raise ValueError(f"{name}: expected ({expected}) with at least 2 labels, got shape {array.shape}")
    return np.ascontiguousarray(array)


def _factors(
    class_means: NDArray[np.float32], probe_weights: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axes = ("filters", "labels", "positions")
    class_means = _float32("class_means", class_means, axes)
    probe_weights = _float32("probe_weights", probe_weights, axes)
    if class_means.shape != probe_weights.shape:
        raise ValueError(
            f"class_means {class_means.shape} and probe_weights {probe_weights.shape}: expected one shape "
            "(filters, labels, positions)"
        )
    return class_means, probe_weights
