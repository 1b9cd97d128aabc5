"""CIFAR-100's super-classes, and the choice of K labels."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precompute.images.subsets import CIFAR10_LABELS, CIFAR100_LABELS, CIFAR100_SUPERCLASSES, label_subset, superclasses
from tests import ROOT

REAL = ROOT.parent / "shared" / "data"
SUPERCLASSES = superclasses(CIFAR100_LABELS)

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(2, 100)


def test_twenty_superclasses_of_five_labels():
    assert len(CIFAR100_SUPERCLASSES) == 20
    assert {len(labels) for labels in CIFAR100_SUPERCLASSES.values()} == {5}
    assert len(set(CIFAR100_LABELS)) == 100
    assert Counter(SUPERCLASSES) == dict.fromkeys(CIFAR100_SUPERCLASSES, 5)


@pytest.mark.parametrize(("name", "labels"), [("cifar10", CIFAR10_LABELS), ("cifar100", CIFAR100_LABELS)])
def test_names_and_their_order_are_the_data_sets_own(name, labels):
    strips = REAL / name / "train"
    if not strips.is_dir():
        pytest.skip(f"needs the real images' class names in ../shared/data/{name}")
    assert labels == sorted({path.name.split(".")[0] for path in strips.iterdir()})


def test_a_label_of_another_data_set_has_no_superclass():
    assert superclasses(["maple_tree", "airplane"]) == ["trees", ""]


@given(seed=seeds, n_labels=counts)
def test_k_labels_ascending_without_repetition(seed, n_labels):
    chosen = label_subset(SUPERCLASSES, n_labels, seed)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == n_labels
    assert set(chosen) <= set(range(100))


@given(seed=seeds, one=counts, other=counts)
def test_the_labels_of_a_smaller_k_are_among_those_of_a_larger_one(seed, one, other):
    fewer, more = sorted((one, other))
    assert set(label_subset(SUPERCLASSES, fewer, seed)) <= set(label_subset(SUPERCLASSES, more, seed))


@given(seed=seeds, n_labels=counts)
def test_any_two_superclasses_differ_by_at_most_one_label(seed, n_labels):
    taken = Counter(SUPERCLASSES[label] for label in label_subset(SUPERCLASSES, n_labels, seed))
    of_each = [taken[name] for name in CIFAR100_SUPERCLASSES]
    assert max(of_each) - min(of_each) <= 1


@given(seed=seeds, n_labels=st.integers(2, 10))
def test_a_data_set_without_superclasses_is_one_group(seed, n_labels):
    chosen = label_subset([""] * 10, n_labels, seed)
    assert len(set(chosen)) == n_labels
    assert set(chosen) <= set(label_subset([""] * 10, 10, seed)) == set(range(10))


def test_a_seed_always_gives_the_same_labels_and_another_seed_others():
    """The numbers stand here because results on disk depend on them."""
    assert len({tuple(label_subset(SUPERCLASSES, 20, seed)) for seed in range(50)}) == 50
    assert label_subset([""] * 10, 3, 0) == [0, 1, 8]
    first_twenty = [0, 3, 12, 13, 15, 20, 24, 26, 30, 35, 39, 50, 56, 60, 61, 62, 63, 69, 73, 78]
    assert label_subset(SUPERCLASSES, 20, 0) == first_twenty


def test_every_label_is_chosen_by_some_seed():
    taken = Counter(label for seed in range(200) for label in label_subset(SUPERCLASSES, 20, seed))
    assert len(taken) == 100
    assert max(taken.values()) < 4 * min(taken.values())  # 40 expected of each
