"""Two halves of the test inputs: how alike their clusters are. Arrays in, arrays out.

The first half is every second input of each label, from its first on. Nothing but the sample tells the two apart, so
no two sets of inputs, training and test say, can be expected to give clusters that are more alike than these.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.measure.clusters import cluster_jaccard
from store.measure.fields import Fields
from store.measure.layer import THRESHOLD

Array = NDArray[np.float32]


class Alike(NamedTuple):
    """Two clusterings of a layer, filter by filter."""

    identical: float  # share of the filters whose clusters are the same
    jaccard: float  # mean over filters: elements in clusters of both / of either; 1 where neither has any


def in_first_half(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(inputs,): every second input of each label, from its first on."""
    by_label = np.argsort(labels, kind="stable")
    _, starts, sizes = np.unique(labels[by_label], return_index=True, return_counts=True)
    number = np.empty(len(labels), np.int64)  # of the input within its label
    number[by_label] = np.arange(len(labels)) - np.repeat(starts, sizes)
    first: NDArray[np.bool_] = number % 2 == 0
    return first


def other_half(means: Array, first: Array, counts: NDArray[np.integer]) -> Array:
    """(n A - n_1 A_1) / n_2: class means of all inputs and of the first half, (N_f, K, S), counts (K,) of all."""
    if counts.min() < 2:
        raise ValueError(f"label {int(counts.argmin())} has {int(counts.min())} test inputs: they have no two halves")
    n = counts.astype(np.float64)[:, None]
    n_1 = (counts - counts // 2).astype(np.float64)[:, None]
    return ((n * means - n_1 * first) / (n - n_1)).astype(np.float32)


def alike(a: NDArray[np.integer], b: NDArray[np.integer]) -> Alike:
    """Two times cluster_of (N_f, K), as `LayerMeasure` has it.

    >>> alike(np.array([[0, 0, 1]]), np.array([[1, 1, -1]]))  # of 5 elements 4 are in clusters of both
    Alike(identical=0.0, jaccard=0.8)
    """
    jaccard = cluster_jaccard(a, b)
    return Alike(float(np.mean(jaccard == 1)), float(np.mean(jaccard)))


def halves_alike(
    means: Array, first: Array, weights: Array, counts: NDArray[np.integer], threshold: float = THRESHOLD
) -> Alike:
    """How alike the clusters of the two halves are, under the same probe; arguments as for `other_half`."""
    second = other_half(means, first, counts)
    one, two = (Fields(factors=(half, weights)).measure(threshold).cluster_of for half in (first, second))
    return alike(one, two)
