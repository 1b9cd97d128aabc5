"""The loops under `bootstrap`: one filter at a time, in every resample and at every threshold.

A filter's clusters hold nothing but elements above the threshold, so the noise is what is above minus the sum of the
squared cluster sizes. That is all that a resample needs at a threshold: the matrix is made once, and counted for each.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from store.measure.kernels import (
    NO_CLUSTER,
    _maximum,
    count_above,
    cut_bits,
    field_matrix,
    find_clusters,
    zero_sum_matrix,
)

# What is added up over filters, at [resample, threshold]:
FILTERS, NOISE, CLUSTERS, LABELS, SQUARES, NOISE_ALL = range(6)
N_TOTALS = 6


@nb.njit(nogil=True, cache=True)
def resample_filters(
    first, last, means, weights, thresholds, swept, at, order, zero_sum, cluster_of, totals, same, overlap
):
    """Measure the filters first..last-1 in every resample.

    means (R, K, N_f, S) and weights (N_f, K, S) float32; thresholds (T,): all of them in the first `swept` resamples,
    thresholds[at] alone in the others; zero_sum as in `measure_factors`; cluster_of (N_f, K): the clusters that are
    looked for at thresholds[at]. Adds to totals (R, T, N_TOTALS) int64, and at each cluster's number to same (N_f, K):
    resamples in which it is found again, and to overlap (N_f, K): its best Jaccard with any.
    """
    n_resamples, n_labels = means.shape[:2]
    matrix = np.empty((n_labels, n_labels), np.float32)
    bits = matrix.view(np.int32)
    row_maximum = np.empty(n_labels, np.int32)
    found = np.empty(n_labels, np.int32)
    sizes = np.empty(n_labels, np.int32)
    for f in range(first, last):
        by_position = np.ascontiguousarray(weights[f].T)
        for r in range(n_resamples):
            field_matrix(means[r, :, f, :], by_position, matrix)
            if zero_sum:
                zero_sum_matrix(matrix, matrix)
            maximum = _maximum(matrix, bits, row_maximum)
            if not (maximum > 0 and maximum < np.inf):
                continue
            for t in range(len(thresholds)):
                if r >= swept and t != at:
                    continue
                cut = cut_bits(thresholds[t], maximum)
                n_clusters = find_clusters(bits, row_maximum, cut, order, found, sizes)
                above = np.int64(0)
                for i in range(n_labels):
                    if row_maximum[i] <= cut:
                        continue
                    above += count_above(bits[i], cut)
                labels = np.int64(0)
                squares = np.int64(0)
                for cluster in range(n_clusters):
                    labels += sizes[cluster]
                    squares += np.int64(sizes[cluster]) * sizes[cluster]
                total = totals[r, t]
                total[NOISE_ALL] += above - squares
                if n_clusters > 0:
                    total[FILTERS] += 1
                    total[NOISE] += above - squares
                    total[CLUSTERS] += n_clusters
                    total[LABELS] += labels
                    total[SQUARES] += squares
                if t == at:
                    _look_for(cluster_of[f], found, sizes, n_clusters, same[f], overlap[f])


@nb.njit(nogil=True, cache=True)
def _look_for(wanted: NDArray, found: NDArray, sizes: NDArray, n_found: int, same: NDArray, overlap: NDArray) -> None:
    """Add what one resample says of each wanted cluster; wanted and found (K,) as `find_clusters` fills them."""
    n_labels = len(wanted)
    n_wanted = 0
    for label in range(n_labels):
        n_wanted = max(n_wanted, wanted[label] + 1)
    common = np.empty(n_found, np.int64)
    for cluster in range(n_wanted):
        common[:] = 0
        size = 0
        for label in range(n_labels):
            if wanted[label] == cluster:
                size += 1
                if found[label] != NO_CLUSTER:
                    common[found[label]] += 1
        best = 0.0
        for other in range(n_found):
            best = max(best, common[other] / (size + sizes[other] - common[other]))
        overlap[cluster] += best
        if best == 1.0:
            same[cluster] += 1
