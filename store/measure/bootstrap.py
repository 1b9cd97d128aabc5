"""The sample: how far a layer's numbers and clusters would move with other test inputs. Arrays in, arrays out.

A resample draws, within each label, as many test inputs as the label has, with replacement. Its class means are means
of the features weighted with how often each input was drawn, a matrix product a label; its fields, clusters and noise
follow as the layer's own do. The spread over resamples is the standard error (Efron, 1979); a cluster is *sure* where
its very labels form a cluster in at least half of them.

The features are what the file has of them, or bfloat16 activations at precompute; sums over inputs are float32, whose
rounding (1e-6) is far below the spread. The probe's weights stay: it was trained on other inputs.

>>> import numpy as np
>>> random = np.random.default_rng(0)
>>> labels = np.repeat([0, 1], 50)
>>> features = np.where(labels == 0, 2, 1)[:, None, None] + random.standard_normal((100, 1, 1)) * 0.1
>>> weights = np.float32([[[1.0], [-1.0]]])  # one filter, two outputs, one position
>>> found = bootstrap(columns_of(features.astype(np.float32)), labels, weights, resamples=50)
>>> found.share.tolist(), found.sure().tolist()  # its one cluster, label 0, is there in all of them
([1.0], [True])
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure import bootstrap_kernels as kernels
from store.measure.fields import Fields
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD, LayerMeasure
from store.measure.summary import THRESHOLDS
from store.measure.threads import n_shares, parallel_ranges

Array = NDArray[np.float32]
Columns = Callable[[int, int], Array]  # (first, last) filter -> their features, (inputs, filters, S)

RESAMPLES = 200  # a standard error is then known to 5% of itself: 1 / sqrt(2 x 199)
SWEPT = 50  # of them, at the thresholds at which no cluster is followed: to 10%
FEWEST = 20  # to 16%
SURE = 0.5  # share of resamples
QUANTITIES = ("n", "N_c", "C_s", "signal", "noise_I", "noise_E")  # means as the paper's tables have them
BIASED = 0.65  # standard errors: with a bias of as many, estimate +- 1.96 of them holds the truth 90 times in 100

_BLOCK_BYTES = 64 << 20  # of resampled class means at a time
_MOST_WORK = 5e10  # multiply-adds and comparisons: a fraction of what training a network takes


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """What resamples of the test inputs say of a layer. Clusters: those of `measured`, filter by filter, as found."""

    thresholds: tuple[float, ...]
    observed: NDArray[np.float64]  # (T, 6): QUANTITIES of the inputs as they are; NaN where undefined
    draws: NDArray[np.float64]  # (R, T, 6): of each resample; NaN where undefined, or not measured (see SWEPT)
    measured: LayerMeasure  # at the threshold at which clusters are followed
    share: NDArray[np.float64]  # (clusters,): of the resamples in which the very same labels form a cluster
    jaccard: NDArray[np.float64]  # (clusters,): mean over the resamples of the best Jaccard with a cluster of theirs

    @property
    def errors(self) -> NDArray[np.float64]:
        """(T, 6): standard errors. NaN where fewer than two resamples define the number."""
        return _over_defined(self.draws, lambda values: values.std(ddof=1))

    @property
    def bias(self) -> NDArray[np.float64]:
        """(T, 6): the resamples' mean minus what was observed: by about as much is the latter off the truth."""
        return _over_defined(self.draws, lambda values: values.mean()) - self.observed

    def sure(self, least: float = SURE) -> NDArray[np.bool_]:
        """(clusters,): which are found in at least this share of the resamples."""
        return self.share >= least


def bootstrap(
    columns: Columns,
    labels: ArrayLike,
    probe_weights: Array,
    thresholds: Sequence[float] = THRESHOLDS,
    at: float = THRESHOLD,
    resamples: int = RESAMPLES,
    swept: int = SWEPT,
    seed: int = 0,
    order: ArrayLike | None = None,
    gauge: Gauge = AS_TRAINED,
) -> Bootstrap:
    """Resample the test inputs of a layer.

    columns: features of a range of filters, see `columns_of`; labels (inputs,), each of the K at least once;
    probe_weights (N_f, K, S) float32; at: where clusters are followed, in all resamples; at the other thresholds the
    first `swept` of them are measured; order as in `measure_layer`, gauge of the fields. A range of filters
    is asked for at a time, so that the resampled class means never take more than 64 MiB. Resample r has the same
    inputs however many filters there are. Raises ValueError that names the argument.
    """
    if resamples < 2:
        raise ValueError(f"resamples: expected at least 2, got {resamples}")
    n_filters, n_labels, n_positions = probe_weights.shape
    of_input = np.asarray(labels)
    sizes = np.bincount(of_input, minlength=n_labels)
    if len(sizes) != n_labels or sizes.min() == 0:
        raise ValueError(f"labels: expected each of 0 to {n_labels - 1} at least once, got {len(set(of_input))}")
    by_label = np.argsort(of_input, kind="stable")
    counts = _resampled(sizes, resamples, seed)
    cuts = np.array(sorted({float(threshold) for threshold in (*thresholds, at)}))
    place = int(np.searchsorted(cuts, at))
    weights = np.ascontiguousarray(probe_weights, np.float32)
    scan = np.arange(n_labels) if order is None else np.asarray(order, np.int64)
    draws = np.zeros((resamples, len(cuts), kernels.N_TOTALS), np.int64)
    same, overlap = np.zeros((n_filters, n_labels), np.int64), np.zeros((n_filters, n_labels))
    own = np.zeros((1, len(cuts), kernels.N_TOTALS), np.int64)
    clusters = np.full((n_filters, n_labels), -1, np.int32)
    means = np.empty((n_filters, n_labels, n_positions), np.float32)
    step = max(1, _BLOCK_BYTES // (4 * resamples * n_labels * n_positions))
    ones = [np.ones((1, size), np.float32) for size in sizes]
    for first in range(0, n_filters, step):
        block = slice(first, min(first + step, n_filters))
        features = columns(block.start, block.stop)[by_label].reshape(len(of_input), -1)
        plain = _means(ones, features, block.stop - first, dtype=np.float64)
        means[block] = plain[0].transpose(1, 0, 2)  # (filter, label, position)
        clusters[block] = Fields(factors=(means[block], weights[block]), gauge=gauge).measure(at, order).cluster_of
        nothing = np.zeros((2, block.stop - first, n_labels))
        unfound = (clusters[block], own, nothing[0].astype(np.int64), nothing[1])
        _count(plain, weights[block], cuts, 1, -1, scan, gauge, *unfound)
        drawn = _means(counts, features, block.stop - first)
        found = (clusters[block], draws, same[block], overlap[block])
        _count(drawn, weights[block], cuts, swept, place, scan, gauge, *found)
    measured = Fields(factors=(means, weights), gauge=gauge).measure(at, order)
    is_cluster = np.arange(n_labels) < measured.n_clusters[:, None]
    quantities = _quantities(draws, n_labels)
    quantities[swept:, np.arange(len(cuts)) != place] = np.nan
    wanted = np.isin(cuts, np.asarray(thresholds, float))
    return Bootstrap(
        tuple(float(cut) for cut in cuts[wanted]),
        _quantities(own, n_labels)[0, wanted],
        quantities[:, wanted],
        measured,
        same[is_cluster] / resamples,
        overlap[is_cluster] / resamples,
    )


def columns_of(features: Array) -> Columns:
    """Features in memory: (inputs, N_f, S) float32."""
    return lambda first, last: features[:, first:last]


def affordable(n_filters: int, n_labels: int, n_positions: int) -> int:
    """How many resamples a layer gets: 200, of one with many labels fewer, but no fewer than 20."""
    work = n_filters * n_labels**2 * (n_positions + 8)  # a matrix, and most thresholds in a quarter of the resamples
    return int(np.clip(_MOST_WORK // work, FEWEST, RESAMPLES))


def _resampled(sizes: NDArray[np.int64], resamples: int, seed: int) -> list[Array]:
    """A label, (R, its inputs): how often each input is drawn."""
    random = np.random.default_rng(seed)
    found = []
    for size in sizes:
        drawn = random.integers(size, size=(resamples, size)) + np.arange(resamples)[:, None] * size
        found.append(np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size).astype(np.float32))
    return found


def _means(counts: list[Array], features: Array, n_filters: int, dtype: type = np.float32) -> Array:
    """Weighted means: counts, a label (R, its inputs), and features (inputs, columns) by label -> (R, K, N_f, S)."""
    means = np.empty((len(counts[0]), len(counts), features.shape[1]), np.float32)
    end = 0
    for label, weight in enumerate(counts):
        start, end = end, end + weight.shape[1]
        with np.errstate(invalid="ignore", over="ignore"):  # a filter that is not finite is silent, as everywhere
            of_label: NDArray[np.floating] = np.asarray(features[start:end], dtype)
            means[:, label] = weight.astype(dtype) @ of_label / weight.shape[1]
    return means.reshape(*means.shape[:2], n_filters, -1)


def _count(
    means: Array,
    weights: Array,
    cuts: NDArray[np.float64],
    swept: int,
    at: int,
    order: NDArray[np.int64],
    gauge: Gauge,
    cluster_of: NDArray[np.int32],
    totals: NDArray[np.int64],
    same: NDArray[np.int64],
    overlap: NDArray[np.float64],
) -> None:
    """Add what a range of filters gives, on the cores; a sum for each thread."""
    n_filters, n_labels = cluster_of.shape
    zero_sum = gauge != AS_TRAINED
    parts = np.zeros((n_shares(n_filters), *totals.shape), np.int64)

    def task(share: int, first: int, last: int) -> None:
        kernels.resample_filters(
            first, last, means, weights, cuts, swept, at, order, zero_sum, cluster_of, parts[share], same, overlap
        )

    parallel_ranges(task, n_filters, work=len(means) * n_filters * n_labels**2)
    totals += parts.sum(axis=0)


def _quantities(totals: NDArray[np.int64], n_labels: int) -> NDArray[np.float64]:
    """(R, T, N_TOTALS) -> (R, T, 6). Signal and noises are means over the labels."""
    filters, noise, clusters, labels, squares, noise_all = np.moveaxis(totals.astype(np.float64), -1, 0)
    pairs = n_labels * (n_labels - 1)
    with np.errstate(invalid="ignore"):  # no filter has a cluster: 0 / 0
        averages = [noise / filters, clusters / filters, labels / clusters]
    return np.stack([*averages, labels / n_labels, (squares - labels) / pairs, noise_all / pairs], axis=-1)


def _over_defined(
    draws: NDArray[np.float64], over: Callable[[NDArray[np.float64]], np.floating]
) -> NDArray[np.float64]:
    """(R, T, 6) -> (T, 6), over the resamples in which a number is defined, if these are two at least."""
    found = np.full(draws.shape[1:], np.nan)
    for place in np.ndindex(*found.shape):
        values = draws[(slice(None), *place)]
        values = values[np.isfinite(values)]
        if len(values) >= 2:
            found[place] = over(values)
    return found
