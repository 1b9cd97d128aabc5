"""The loops under `measure`: one filter at a time, compiled by numba, free of the interpreter lock.

Every loop follows the definitions in `measure` and nothing else. Two choices make them fast:

- Non-negative IEEE floats order as their bit patterns do, read as signed integers; so the maximum and the comparison
  with the threshold run on integers, where the compiler may use vector instructions (for floats, NaN forbids it).
- All counts of a clipped matrix follow from its row sums and its clusters, so a Boolean matrix is never stored; and
  rows whose maximum is not above the threshold, most of them, are not looked at twice.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

NO_CLUSTER = -1

_INFINITY = np.int32(0x7F800000)  # the bit pattern of float32 infinity; above it (sign removed) are the NaNs
_MAGNITUDE = np.int32(0x7FFFFFFF)


@nb.njit(nogil=True, cache=True)
def field_matrix(class_mean: NDArray, weight: NDArray, out: NDArray) -> None:
    """out[i, j] = sum_s class_mean[i, s] * weight[s, j]: summed in order in float64, rounded once to float32.

    class_mean (K, S), weight (S, K) and out (K, K), all float32. A product of two float32 is exact in float64, so
    neither fused multiply-add nor the processor changes a bit. A zero is written without a sign, also where a small
    negative sum is rounded to it.
    """
    n_labels, n_positions = class_mean.shape
    if n_positions == 1:  # one product, rounded once: float32 arithmetic is that already
        for i in range(n_labels):
            for j in range(n_labels):
                out[i, j] = class_mean[i, 0] * weight[0, j] + np.float32(0)
        return
    row = np.empty(n_labels, np.float64)
    for i in range(n_labels):
        row[:] = 0.0
        for s in range(n_positions):
            mean = np.float64(class_mean[i, s])
            for j in range(n_labels):
                row[j] += mean * np.float64(weight[s, j])
        for j in range(n_labels):
            out[i, j] = np.float32(row[j]) + np.float32(0)


@nb.njit(nogil=True, cache=True)
def _mean(row: NDArray) -> float:
    """Summed in order in float64; of float32 (K,)."""
    total = 0.0
    for j in range(row.shape[0]):
        total += np.float64(row[j])
    return total / row.shape[0]


@nb.njit(nogil=True, cache=True)
def zero_sum_matrix(fields: NDArray, out: NDArray) -> None:
    """out[i, j] = fields[i, j] - the mean of row i: (K, K) float32 each, which may be the same memory.

    The difference is taken in float64 and rounded once to float32. A zero is written without a sign.
    """
    n_labels = fields.shape[0]
    for i in range(n_labels):
        mean = _mean(fields[i])
        for j in range(n_labels):
            out[i, j] = np.float32(np.float64(fields[i, j]) - mean) + np.float32(0)


@nb.njit(nogil=True, cache=True)
def _maximum(fields: NDArray, bits: NDArray, row_maximum: NDArray) -> np.float32:
    """The largest element of a matrix, NaN if any element is; `bits` is the same memory as int32.

    Fills row_maximum (K,) with the largest bit pattern of each row.
    """
    largest = np.int32(-0x80000000)
    largest_magnitude = np.int32(0)
    for i in range(bits.shape[0]):
        row = np.int32(-0x80000000)
        row_magnitude = np.int32(0)
        for j in range(bits.shape[1]):  # branches and int32 throughout: numba's own `max` and `&` widen to int64
            pattern = bits[i, j]
            if pattern > row:
                row = pattern
            magnitude = np.int32(pattern & _MAGNITUDE)
            if magnitude > row_magnitude:
                row_magnitude = magnitude
        row_maximum[i] = row
        if row > largest:
            largest = row
        if row_magnitude > largest_magnitude:
            largest_magnitude = row_magnitude
    if largest_magnitude > _INFINITY:
        return np.float32(np.nan)
    if largest > 0:
        return np.array([largest], np.int32).view(np.float32)[0]
    return fields.max()  # nothing is positive, and negative floats order the other way round


@nb.njit(nogil=True, cache=True)
def cut_bits(threshold: float, maximum: np.float32) -> np.int32:
    """The bit pattern of the largest float32 that is not above threshold * maximum (taken in float64).

    For a float32 x: x > threshold * maximum in float64 if and only if x > that float32.
    """
    exact = threshold * np.float64(maximum)
    bits = np.array([exact], np.float64).astype(np.float32).view(np.int32)
    if np.float64(bits.view(np.float32)[0]) > exact:
        bits[0] -= 1
    return bits[0]


@nb.njit(nogil=True, cache=True)
def count_above(row: NDArray, cut: np.int32) -> np.int32:
    """Elements of a row of bit patterns, (K,) int32, that are above the cut."""
    above = np.int32(0)
    for j in range(row.shape[0]):
        above += np.int32(row[j] > cut)
    return above


@nb.njit(nogil=True, cache=True)
def find_clusters(
    bits: NDArray, row_maximum: NDArray, cut: np.int32, order: NDArray, cluster_of: NDArray, sizes: NDArray
) -> int:
    """The greedy scan of the supplement, in the given order of labels; returns the number of clusters.

    bits (K, K) int32, and the largest of each row: element (i, j) is 1 where bits[i, j] > cut. Fills cluster_of (K,)
    with each label's cluster, numbered as found, or -1, and sizes (K,) with the number of labels of each.
    """
    n_labels = bits.shape[0]
    waiting = np.empty(n_labels, np.int64)  # labels whose diagonal element is 1, in no cluster yet, in scan order
    n_waiting = 0
    for label in order:
        cluster_of[label] = NO_CLUSTER
        if row_maximum[label] > cut and bits[label, label] > cut:
            waiting[n_waiting] = label
            n_waiting += 1
    members = np.empty(n_waiting, np.int64)
    n_clusters = 0
    while n_waiting > 0:
        n_members = 0
        n_left = 0
        for position in range(n_waiting):
            label = waiting[position]
            joins = True
            for m in range(n_members):
                member = members[m]
                if bits[label, member] <= cut or bits[member, label] <= cut:
                    joins = False
                    break
            if joins:  # the first label that waits opens the cluster: it has no member to agree with
                members[n_members] = label
                n_members += 1
                cluster_of[label] = n_clusters
            else:
                waiting[n_left] = label
                n_left += 1
        sizes[n_clusters] = n_members
        n_clusters += 1
        n_waiting = n_left
    return n_clusters


@nb.njit(nogil=True, cache=True)
def _measure_filter(f, fields, threshold, order, filters, labels, sums, row_maximum):
    """Measure one (K, K) matrix.

    Writes row f of the arrays in `filters`, adds to each label's elements in `labels` (3, K): signal, internal,
    external, and adds up their fields in sums (3, N_f, K), unless it has no filters. row_maximum (K,) is scratch.
    """
    maximum, silent, n_clusters, noise, n_above, cluster_of, cluster_sizes = filters
    n_labels = fields.shape[0]
    bits = fields.view(np.int32)
    maximum[f] = _maximum(fields, bits, row_maximum)
    silent[f] = not (maximum[f] > 0 and maximum[f] < np.inf)
    if silent[f]:
        cluster_of[f] = NO_CLUSTER
        return
    cut = cut_bits(threshold, maximum[f])
    sizes = cluster_sizes[f]
    n_clusters[f] = find_clusters(bits, row_maximum, cut, order, cluster_of[f], sizes)
    for i in range(n_labels):
        if row_maximum[i] <= cut:
            continue
        row = count_above(bits[i], cut)
        cluster = cluster_of[f, i]
        external = np.int64(row)
        if cluster != NO_CLUSTER:
            external -= sizes[cluster]
            labels[0, i] += 1
            labels[1, i] += sizes[cluster] - 1
        labels[2, i] += external
        n_above[f] += row
        noise[f] += external
        if sums.shape[1] == 0:
            continue
        for j in range(n_labels):
            if bits[i, j] > cut:
                if cluster == NO_CLUSTER or cluster_of[f, j] != cluster:
                    sums[2, f, i] += np.float64(fields[i, j])
                elif i == j:
                    sums[0, f, i] = np.float64(fields[i, j])
                else:
                    sums[1, f, i] += np.float64(fields[i, j])


@nb.njit(nogil=True, cache=True)
def measure_dense(first, last, fields, threshold, order, filters, labels, sums, zero_sum):
    """Measure the filters first..last-1 of fields (N_f, K, K), as they are or `zero_sum`."""
    n_labels = fields.shape[1]
    row_maximum = np.empty(n_labels, np.int32)
    side = n_labels if zero_sum else 0
    matrix = np.empty((side, side), np.float32)
    for f in range(first, last):
        if zero_sum:
            zero_sum_matrix(fields[f], matrix)
            _measure_filter(f, matrix, threshold, order, filters, labels, sums, row_maximum)
        else:
            _measure_filter(f, fields[f], threshold, order, filters, labels, sums, row_maximum)


@nb.njit(nogil=True, cache=True)
def measure_factors(first, last, class_means, weights, threshold, order, filters, labels, sums, zero_sum):
    """Measure the filters first..last-1 of class_means and weights (N_f, K, S) each, one matrix at a time."""
    n_labels = class_means.shape[1]
    matrix = np.empty((n_labels, n_labels), np.float32)
    row_maximum = np.empty(n_labels, np.int32)
    for f in range(first, last):
        field_matrix(class_means[f], np.ascontiguousarray(weights[f].T), matrix)
        if zero_sum:
            zero_sum_matrix(matrix, matrix)
        _measure_filter(f, matrix, threshold, order, filters, labels, sums, row_maximum)


@nb.njit(nogil=True, cache=True)
def fill_fields(first, last, class_means, weights, out):
    """The matrices of the filters first..last-1 into out (N_f, K, K)."""
    for f in range(first, last):
        field_matrix(class_means[f], np.ascontiguousarray(weights[f].T), out[f])


@nb.njit(nogil=True, cache=True)
def fill_zero_sum(first, last, fields, out):
    """The matrices first..last-1 of fields (N_f, K, K), zero-sum, into out (N_f, K, K)."""
    for f in range(first, last):
        zero_sum_matrix(fields[f], out[f])


@nb.njit(nogil=True, cache=True)
def fill_means(first, last, fields, out):
    """The means of the rows of the matrices first..last-1 of fields (N_f, K, K) into out (N_f, K)."""
    for f in range(first, last):
        for i in range(fields.shape[1]):
            out[f, i] = _mean(fields[f, i])


@nb.njit(nogil=True, cache=True)
def fill_means_of_factors(first, last, class_means, weights, out):
    """The same, of the products of class_means and weights (N_f, K, S) each, one matrix at a time."""
    n_labels = class_means.shape[1]
    matrix = np.empty((n_labels, n_labels), np.float32)
    for f in range(first, last):
        field_matrix(class_means[f], np.ascontiguousarray(weights[f].T), matrix)
        for i in range(n_labels):
            out[f, i] = _mean(matrix[i])


@nb.njit(nogil=True, cache=True)
def sum_over_filters(rows: NDArray) -> NDArray:
    """(N_f, K) -> (K,), added filter by filter in order, so that every implementation gets the same bits."""
    total = np.zeros(rows.shape[1], np.float64)
    for f in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            total[i] += rows[f, i]
    return total


@nb.njit(nogil=True, cache=True)
def count_pairs(cluster_of: NDArray, together: NDArray) -> None:
    """Add to together (K, K) the number of filters in which two labels are in one cluster; cluster_of (N_f, K)."""
    n_filters, n_labels = cluster_of.shape
    for f in range(n_filters):
        for i in range(n_labels):
            cluster = cluster_of[f, i]
            if cluster == NO_CLUSTER:
                continue
            for j in range(n_labels):
                together[i, j] += cluster_of[f, j] == cluster
