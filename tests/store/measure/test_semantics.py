"""Super-classes and confusions of labels that share clusters, against chance counted by hand."""

import doctest
from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import store.measure.semantics
from store.measure.semantics import (
    average_ranks,
    confusion_agreement,
    confusion_matrix,
    superclass_sharing,
    together,
)

SEEDS = st.integers(0, 2**32 - 1)


def random_clusters(random: np.random.Generator, n_filters: int, n_labels: int) -> np.ndarray:
    """(N_f, K): numbers of clusters, -1 for the labels in none."""
    return random.integers(-1, 3, (n_filters, n_labels)).astype(np.int32)


def pairs_by_hand(cluster_of: np.ndarray) -> list[tuple[int, int]]:
    """Every pair of labels in one cluster, once for each filter."""
    return [
        (i, j)
        for row in cluster_of.tolist()
        for i, j in combinations(range(len(row)), 2)
        if row[i] == row[j] and row[i] != -1
    ]


@given(SEEDS, st.integers(1, 5), st.integers(2, 7))
def test_together_counts_filters(seed: int, n_filters: int, n_labels: int) -> None:
    cluster_of = random_clusters(np.random.default_rng(seed), n_filters, n_labels)
    counts = together(cluster_of)
    found = pairs_by_hand(cluster_of)
    for i, j in combinations(range(n_labels), 2):
        assert counts[i, j] == counts[j, i] == found.count((i, j))
    assert np.array_equal(np.diag(counts), (cluster_of >= 0).sum(axis=0))


@given(SEEDS, st.integers(1, 4), st.integers(2, 5))
def test_sharing_and_its_expectation_are_those_of_all_renamings(seed: int, n_filters: int, n_labels: int) -> None:
    random = np.random.default_rng(seed)
    cluster_of = random_clusters(random, n_filters, n_labels)
    kinds = random.choice(["", "fish", "tree"], n_labels, p=[0.2, 0.4, 0.4]).tolist()
    named = [label for label in range(n_labels) if kinds[label]]
    pairs = [(i, j) for i, j in pairs_by_hand(cluster_of) if kinds[i] and kinds[j]]
    found = superclass_sharing(together(cluster_of), kinds, renamings=20)
    assert found.pairs == len(pairs) and found.sharing == sum(kinds[i] == kinds[j] for i, j in pairs)
    if not pairs:
        assert found[2:] == (None,) * 4
        return
    assert found.share == found.sharing / len(pairs)
    shares = []
    for order in permutations(named):
        renamed = dict(zip(named, order, strict=True))
        shares.append(np.mean([kinds[renamed[i]] == kinds[renamed[j]] for i, j in pairs]))
    assert found.expected == pytest.approx(np.mean(shares))
    assert found.p is None or 0 < found.p <= 1
    if max(shares) == min(shares):
        assert (found.z, found.p) == (None, None)


def test_clusters_of_super_classes_are_far_from_chance_and_random_ones_are_not() -> None:
    random = np.random.default_rng(0)
    kinds = [str(label // 5) for label in range(20)]
    of_kind = np.where(random.random((40, 20)) < 0.5, np.arange(20) // 5, -1)
    found = superclass_sharing(together(of_kind), kinds)
    assert (found.share, found.p) == (1.0, 1 / 1001) and found.z > 10
    assert found.expected == pytest.approx(4 / 19)
    z = [superclass_sharing(together(random_clusters(random, 3, 20)), kinds, renamings=200).z for _ in range(60)]
    assert abs(np.mean(z)) < 0.5 and 0.7 < np.std(z) < 1.4


def test_labels_without_partners_have_no_chance_of_sharing() -> None:
    """20 labels of CIFAR-100, one from each super-class: nothing can be shared, and no z is made up."""
    found = superclass_sharing(together(np.array([[0, 0, 1]])), ["fish", "tree", "food"])
    assert found == (1, 0, 0.0, 0.0, None, None)
    assert superclass_sharing(together(np.array([[0, 0, 1]])), ["", "", ""]) == (0, 0, None, None, None, None)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_ranks_are_averages_over_ties(values: list[int]) -> None:
    wanted = [sum(v < value for v in values) + (values.count(value) + 1) / 2 for value in values]
    assert average_ranks(np.array(values)).tolist() == wanted


def test_a_confusion_matrix_counts_every_input_once() -> None:
    found = confusion_matrix([0, 0, 2, 2, 2], [0, 1, 2, 2, 0], 4)
    assert found.dtype == np.int32
    assert found.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


def spearman_by_hand(first: Sequence[float], second: Sequence[float]) -> float:
    a, b = (np.array([sum(v < x for v in of) + (of.count(x) + 1) / 2 for x in of]) for of in (first, second))
    return float(np.corrcoef(a, b)[0, 1])


@given(SEEDS, st.integers(4, 7))
def test_agreement_is_spearmans_correlation_over_pairs(seed: int, n_labels: int) -> None:
    random = np.random.default_rng(seed)
    pairs = together(random_clusters(random, 4, n_labels))
    confusion = random.integers(0, 6, (n_labels, n_labels))
    confusion[:, 0] += 1  # every label has test inputs
    found = confusion_agreement(pairs, confusion, renamings=20)
    rates = confusion / confusion.sum(axis=1, keepdims=True)
    both = list(combinations(range(n_labels), 2))
    confused = [float(rates[i, j] + rates[j, i]) / 2 for i, j in both]
    shared = [int(pairs[i, j]) for i, j in both]
    for mean, wanted in ((found.confused_together, True), (found.confused_apart, False)):
        values = [rate for rate, count in zip(confused, shared, strict=True) if (count > 0) == wanted]
        assert mean == (pytest.approx(np.mean(values)) if values else None)
    if len(set(shared)) == 1 or len(set(confused)) == 1:
        assert found[:3] == (None,) * 3
    else:
        assert found.correlation == pytest.approx(spearman_by_hand(confused, shared))


def test_confusion_that_follows_clusters_is_far_from_chance_and_another_is_not() -> None:
    random = np.random.default_rng(1)
    pairs = together(np.where(random.random((60, 12)) < 0.6, np.arange(12) // 3, -1))
    follows = np.diag(np.full(12, 80)) + 2 * pairs + random.integers(0, 3, (12, 12))
    found = confusion_agreement(pairs, follows)
    assert found.correlation > 0.5 and found.z > 4 and found.p < 0.01
    assert found.confused_together > 2 * found.confused_apart
    z = [confusion_agreement(pairs, random.integers(0, 20, (12, 12)), renamings=200).z for _ in range(60)]
    assert abs(np.mean(z)) < 0.5 and 0.6 < np.std(z) < 1.4


def test_labels_without_test_inputs_are_left_out() -> None:
    random = np.random.default_rng(2)
    pairs, confusion = together(random_clusters(random, 5, 6)), random.integers(1, 9, (6, 6))
    wider, more = np.pad(pairs, (0, 1), constant_values=7), np.pad(confusion, (0, 1))
    assert confusion_agreement(wider, more) == confusion_agreement(pairs, confusion)


def test_a_seed_gives_the_same_chance() -> None:
    random = np.random.default_rng(3)
    pairs, kinds = together(random_clusters(random, 6, 9)), ["a", "b", "c"] * 3
    assert superclass_sharing(pairs, kinds, seed=4) == superclass_sharing(pairs, kinds, seed=4)
    assert superclass_sharing(pairs, kinds, seed=4).z != superclass_sharing(pairs, kinds, seed=5).z


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: together(np.zeros(3, np.int32)), "cluster_of"),
        (lambda: superclass_sharing(np.zeros((3, 3), int), ["a", "b"]), "superclasses: expected one a label, 3"),
        (lambda: superclass_sharing(np.zeros((3, 2), int), ["a", "b", "c"]), "pairs"),
        (lambda: superclass_sharing(np.ones((3, 3), int), ["a", "b", "c"], renamings=1), "renamings"),
        (lambda: confusion_agreement(np.zeros((3, 3), int), np.zeros((2, 2), int)), "confusion"),
        (lambda: confusion_matrix([0, 3], [0, 1], 3), "labels: expected 0 to 2, found 0 to 3"),
        (lambda: confusion_matrix([0, 1], [0, -1], 3), "predicted: expected 0 to 2, found -1 to 0"),
        (lambda: confusion_matrix([0, 1], [0], 3), "predicted: expected one label an input"),
        (lambda: confusion_matrix([0.0], [0], 3), "labels: expected one label an input"),
        (lambda: confusion_agreement(np.zeros((2, 2), int), np.zeros((2, 2))), "confusion: expected numbers"),
        (lambda: confusion_agreement(np.zeros((2, 2), int), [[1, -1], [0, 1]]), "confusion: expected numbers"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_the_example_in_the_documentation() -> None:
    result = doctest.testmod(store.measure.semantics)
    assert result.failed == 0 and result.attempted > 0
