"""The definitions of the design as a plain Python program: lists and loops, straight from the words.

It shares nothing with `store`, and is what `store` is compared with: for equality in the tests, for speed in the
benchmarks. Fields are lists of lists of lists of Python floats, as `array.tolist()` gives them; float32 values are
exact in those, so that every comparison and every sum here is in float64.
"""

import math
from ctypes import c_float
from types import SimpleNamespace

Matrix = list[list[float]]  # of one filter: row = input label, column = output label


def fields_from_factors(class_means: list[Matrix], probe_weights: list[Matrix]) -> list[Matrix]:
    """F[f, i, j] = sum over s, in order, in float64, of A[f, i, s] w[f, j, s], rounded once to float32."""
    fields = []
    for means, weights in zip(class_means, probe_weights, strict=True):
        matrix = []
        for means_of_label in means:
            row = []
            for weights_of_output in weights:
                total = 0.0
                for mean, weight in zip(means_of_label, weights_of_output, strict=True):
                    total += mean * weight
                row.append(c_float(total).value)
            matrix.append(row)
        fields.append(matrix)
    return fields


def zero_sum(matrix: Matrix) -> Matrix:
    """F[i, j] - mean over j: summed in order in float64, the difference rounded once to float32."""
    found = []
    for row in matrix:
        total = 0.0
        for value in row:
            total += value
        mean_of_row = total / len(row)
        found.append([c_float(value - mean_of_row).value for value in row])
    return found


def largest(matrix: Matrix) -> float:
    """The largest element; NaN if any is."""
    maximum = -math.inf
    for row in matrix:
        for value in row:
            if math.isnan(value):
                return math.nan
            if value > maximum:
                maximum = value
    return maximum


def is_silent(maximum: float) -> bool:
    return not (maximum > 0 and math.isfinite(maximum))


def clip(matrix: Matrix, threshold: float) -> list[list[bool]]:
    """B[i, j] = F[i, j] > threshold x max(F), strictly; nothing of a silent filter is above."""
    maximum = largest(matrix)
    if is_silent(maximum):
        return [[False for _ in row] for row in matrix]
    cut = threshold * maximum
    return [[value > cut for value in row] for row in matrix]


def find_clusters(above: list[list[bool]], order: list[int]) -> list[list[int]]:
    """The first diagonal 1 in no cluster opens one; each later one joins if it is all 1 with every member; repeat."""
    clusters: list[list[int]] = []
    placed: set[int] = set()
    while True:
        waiting = [label for label in order if above[label][label] and label not in placed]
        if not waiting:
            return clusters
        members = [waiting[0]]
        for label in waiting[1:]:
            if all(above[label][member] and above[member][label] for member in members):
                members.append(label)
        clusters.append(members)
        placed.update(members)


def permutation(cluster_of: list[int]) -> list[int]:
    """Labels of clusters first, larger clusters before smaller, in the order found; then the rest in label order."""
    clusters: dict[int, list[int]] = {}
    for label, cluster in enumerate(cluster_of):
        if cluster != -1:
            clusters.setdefault(cluster, []).append(label)
    shown = sorted(clusters, key=lambda cluster: (-len(clusters[cluster]), cluster))
    rest = [label for label, cluster in enumerate(cluster_of) if cluster == -1]
    return [label for cluster in shown for label in clusters[cluster]] + rest


def mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else math.nan


def measure_layer(
    fields: list[Matrix],
    threshold: float = 0.3,
    order: list[int] | None = None,
    counts: list[float] | None = None,
) -> SimpleNamespace:
    """Everything that `store.measure_layer` gives, under the same names, as numbers and lists."""
    n_labels = len(fields[0])
    others = n_labels - 1
    order = list(range(n_labels)) if order is None else order
    layer = SimpleNamespace(cluster_of=[], n_clusters=[], noise=[], n_above=[], maximum=[], silent=[], cluster_sizes=[])
    signal, internal, external = ([0] * n_labels for _ in range(3))
    signal_field, internal_field, external_field = ([0.0] * n_labels for _ in range(3))
    for matrix in fields:
        above = clip(matrix, threshold)
        clusters = find_clusters(above, order)
        cluster_of = [-1] * n_labels
        for number, members in enumerate(clusters):
            for label in members:
                cluster_of[label] = number
        noise = 0
        for i in range(n_labels):
            row_signal = row_internal = row_external = 0.0
            for j in range(n_labels):
                if not above[i][j]:
                    continue
                if cluster_of[i] == -1 or cluster_of[i] != cluster_of[j]:
                    noise += 1
                    external[i] += 1
                    row_external += matrix[i][j]
                elif i == j:
                    signal[i] += 1
                    row_signal += matrix[i][j]
                else:
                    internal[i] += 1
                    row_internal += matrix[i][j]
            signal_field[i] += row_signal
            internal_field[i] += row_internal
            external_field[i] += row_external
        layer.cluster_of.append(cluster_of)
        layer.n_clusters.append(len(clusters))
        layer.noise.append(noise)
        layer.n_above.append(sum(row.count(True) for row in above))
        layer.maximum.append(largest(matrix))
        layer.silent.append(is_silent(largest(matrix)))
        layer.cluster_sizes.extend(len(members) for members in clusters)
    layer.signal = [float(count) for count in signal]
    layer.noise_internal = [count / others for count in internal]
    layer.noise_external = [count / others for count in external]
    layer.signal_field = layer.noise_internal_field = layer.noise_external_field = None
    if counts is not None:  # accumulated fields: the mean times the number of test inputs of the label
        layer.signal_field = [value * count for value, count in zip(signal_field, counts, strict=True)]
        layer.noise_internal_field = [v * count / others for v, count in zip(internal_field, counts, strict=True)]
        layer.noise_external_field = [v * count / others for v, count in zip(external_field, counts, strict=True)]
    with_clusters = [f for f, number in enumerate(layer.n_clusters) if number > 0]
    layer.mean_clusters = mean([layer.n_clusters[f] for f in with_clusters])
    layer.mean_cluster_size = mean(layer.cluster_sizes)
    layer.mean_noise = mean([layer.noise[f] for f in with_clusters])
    layer.mean_clusters_all = mean(layer.n_clusters)
    layer.mean_cluster_size_all = mean(layer.cluster_sizes)
    layer.mean_noise_all = mean(layer.noise)
    return layer
