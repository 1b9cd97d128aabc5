"""How alike two clusterings are."""

import doctest

import numpy as np
import pytest

import store.measure.clusters
from store.measure.clusters import cluster_jaccard


def test_the_elements_in_common_of_those_in_either() -> None:
    one = np.array([[0, 0, 1, -1], [-1] * 4, [0, 1, -1, -1], [0, 0, 0, 0]])
    other = np.array([[0, 0, -1, 1], [-1] * 4, [1, 0, -1, -1], [-1] * 4])
    assert cluster_jaccard(one, other).tolist() == pytest.approx([4 / 6, 1, 1, 0])  # numbers of clusters do not count
    assert cluster_jaccard(one, other).tolist() == cluster_jaccard(other, one).tolist()


def test_the_example_in_the_documentation() -> None:
    result = doctest.testmod(store.measure.clusters)
    assert result.failed == 0 and result.attempted > 0
