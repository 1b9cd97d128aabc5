"""Whether clusters mean something: super-classes of their labels, and what the probe mistakes for what.

Both are questions about pairs of labels, and pairs that share a label are not independent. So chance is a random
renaming of the labels as a whole (Mantel's test): the clusters stay, the names go round. Arrays in, arrays out.

>>> import numpy as np
>>> cluster_of = np.array([[0, 0, 1, 1], [0, 0, -1, -1], [-1, 0, 1, 1]])
>>> found = superclass_sharing(together(cluster_of), ["fish", "fish", "tree", "tree"])
>>> found.pairs, found.share, round(found.expected, 3)  # of the pairs in a cluster, each shares its super-class
(4, 1.0, 0.333)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure import kernels
from store.measure.nulls import Seed

RENAMINGS = 1000


class Sharing(NamedTuple):
    """How often two labels of one cluster share a super-class. None where a number is undefined."""

    pairs: int  # pairs of labels with a super-class that are in one cluster, counted in every filter
    sharing: int  # of them, those that share it
    share: float | None  # sharing / pairs
    expected: float | None  # of a random renaming, exactly
    z: float | None  # (share - expected) / spread of the renamings
    p: float | None  # of a renaming that shares as often or more: (1 + such renamings) / (1 + renamings)


class Agreement(NamedTuple):
    """Whether labels that share clusters are mistaken for each other more often. None where a number is undefined."""

    correlation: float | None  # Spearman's, over all pairs of labels: filters in one cluster against confusions
    z: float | None
    p: float | None  # of a renaming that correlates as much or more
    confused_together: float | None  # mean share of confusions, over pairs in one cluster of at least one filter
    confused_apart: float | None  # over the other pairs


def together(cluster_of: NDArray[np.integer]) -> NDArray[np.int64]:
    """cluster_of (N_f, K), as in `LayerMeasure` -> (K, K): filters in which two labels are in one cluster.

    On the diagonal, the filters that have the label in a cluster: its signal.
    """
    cluster_of = np.ascontiguousarray(cluster_of)
    if cluster_of.ndim != 2:
        raise ValueError(f"cluster_of: expected (filters, labels), got shape {cluster_of.shape}")
    counts = np.zeros((cluster_of.shape[1],) * 2, np.int64)
    kernels.count_pairs(cluster_of, counts)
    return counts


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, n_labels: int) -> NDArray[np.int32]:
    """Test inputs of label i that were taken for label j: labels and predicted (inputs,) -> (K, K)."""
    of_input, answer = np.asarray(labels), np.asarray(predicted)
    for name, array in (("labels", of_input), ("predicted", answer)):
        if array.dtype.kind not in "iu" or array.ndim != 1 or array.shape != of_input.shape:
            raise ValueError(f"{name}: expected one label an input, got {array.dtype} {array.shape}")
        if array.size and not (array.min() >= 0 and array.max() < n_labels):
            raise ValueError(f"{name}: expected 0 to {n_labels - 1}, found {array.min()} to {array.max()}")
    pairs = of_input.astype(np.int64) * n_labels + answer.astype(np.int64)
    return np.bincount(pairs, minlength=n_labels**2).reshape(n_labels, n_labels).astype(np.int32)


def superclass_sharing(
    pairs: NDArray[np.int64], superclasses: Sequence[str], renamings: int = RENAMINGS, seed: Seed = 0
) -> Sharing:
    """Pairs (K, K) from `together`, and the super-class of each label, "" where it has none: such labels are left out.

    Of M labels, of which m_c have super-class c, a pair shares it under a random renaming with the probability
    sum over c of m_c (m_c - 1) / (M (M - 1)), whatever the clusters are: the expectation of a hypergeometric draw.
    """
    names = np.asarray(superclasses, dtype=str)
    if names.shape != (len(pairs),):
        raise ValueError(f"superclasses: expected one a label, {len(pairs)}, got shape {names.shape}")
    _square("pairs", pairs, len(pairs))
    named = np.flatnonzero(names != "")
    among = pairs[np.ix_(named, named)]
    total = (int(among.sum()) - int(np.trace(among))) // 2
    _, of_label, members = np.unique(names[named], return_inverse=True, return_counts=True)
    same = [(i, j) for i in range(len(named)) for j in range(i) if of_label[i] == of_label[j]]
    left, right = np.array(same, np.int64).reshape(-1, 2).T  # the pairs that share a super-class
    sharing = int(among[left, right].sum())
    if total == 0:
        return Sharing(total, sharing, None, None, None, None)
    expected = float((members * (members - 1)).sum() / (len(named) * (len(named) - 1)))
    renamed = np.array(
        [among[order[left], order[right]].sum() for order in _renamings(len(named), renamings, seed)], np.float64
    )
    z, p = _against_renamings(sharing, renamed, expected * total)
    return Sharing(total, sharing, sharing / total, expected, z, p)


def confusion_agreement(
    pairs: NDArray[np.int64], confusion: ArrayLike, renamings: int = RENAMINGS, seed: Seed = 0
) -> Agreement:
    """Pairs (K, K) from `together`, and confusion (K, K): test inputs of label i that the probe takes for label j.

    A pair's confusions are the share of i's inputs taken for j and of j's taken for i, halved. Labels without test
    inputs are left out.
    """
    counts = np.asarray(confusion)
    _square("confusion", counts, len(pairs))
    _square("pairs", pairs, len(pairs))
    if counts.dtype.kind not in "iu" or (counts.size and counts.min() < 0):
        raise ValueError("confusion: expected numbers of test inputs")
    inputs = counts.sum(axis=1)
    seen = np.flatnonzero(inputs)
    shares = counts[np.ix_(seen, seen)] / inputs[seen, None]
    among = pairs[np.ix_(seen, seen)]
    left, right = np.triu_indices(len(seen), 1)
    confused, shared = (shares[left, right] + shares[right, left]) / 2, among[left, right]
    apart, joined = (float(confused[of].mean()) if of.any() else None for of in (shared == 0, shared > 0))
    if not (_varies(confused) and _varies(shared)):
        return Agreement(None, None, None, joined, apart)
    target = _standardised(average_ranks(confused))
    ranked = np.zeros(among.shape)
    ranked[left, right] = ranked[right, left] = _standardised(average_ranks(shared))
    correlation = float(ranked[left, right] @ target)
    renamed = np.array(
        [ranked[order[left], order[right]] @ target for order in _renamings(len(seen), renamings, seed)], np.float64
    )
    z, p = _against_renamings(correlation, renamed, 0.0)
    return Agreement(correlation, z, p, joined, apart)


def average_ranks(values: NDArray[np.number]) -> NDArray[np.float64]:
    """Ranks from 1, ties given the mean of theirs: (n,) -> (n,)."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranked: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranked


def _renamings(n_labels: int, renamings: int, seed: Seed) -> list[NDArray[np.int64]]:
    if renamings < 2:
        raise ValueError(f"renamings: expected at least 2, got {renamings}")
    random = np.random.default_rng(seed)
    return [random.permutation(n_labels) for _ in range(renamings)]


def _against_renamings(
    found: float, renamed: NDArray[np.float64], expected: float
) -> tuple[float | None, float | None]:
    """z from the exact expectation and the spread of the renamings, and p; None where these do not differ."""
    tolerance = 1e-12 * max(1.0, abs(found))  # of a renaming that gives the same up to rounding
    if renamed.max() - renamed.min() <= tolerance:
        return None, None
    p = (1 + np.count_nonzero(renamed >= found - tolerance)) / (1 + len(renamed))
    return (found - expected) / float(renamed.std(ddof=1)), float(p)


def _standardised(ranked: NDArray[np.float64]) -> NDArray[np.float64]:
    """So that the scalar product of two is Pearson's correlation."""
    centred = ranked - ranked.mean()
    scaled: NDArray[np.float64] = centred / np.sqrt(centred @ centred)
    return scaled


def _varies(values: NDArray[np.number]) -> bool:
    return values.size > 1 and bool(values.min() < values.max())


def _square(name: str, array: NDArray[np.integer], n_labels: int) -> None:
    if array.shape != (n_labels, n_labels):
        raise ValueError(f"{name}: expected (labels, labels) for {n_labels} labels, got shape {array.shape}")
