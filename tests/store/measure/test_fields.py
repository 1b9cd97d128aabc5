"""`Fields`: matrices and factors are one layer, whatever is asked of it."""

import doctest

import numpy as np
import pytest

import store.measure.fields
from store.measure.fields import Fields
from store.measure.layer import fields_from_factors, measure_layer
from tests.builders import assert_same


def factors(seed: int, n_filters: int, n_labels: int, positions: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    means, weights = random.standard_normal((2, n_filters, n_labels, positions)).astype(np.float32)
    return np.abs(means), weights


@pytest.mark.parametrize(("n_labels", "positions"), [(5, 1), (6, 4), (3, 9)])
def test_matrices_and_factors_are_one_layer(n_labels: int, positions: int) -> None:
    pair = factors(n_labels, 7, n_labels, positions)
    matrices = fields_from_factors(*pair)
    both = [Fields(matrices), Fields(factors=pair), Fields(factors=pair).as_matrices(), Fields(matrices, lambda: pair)]
    for fields in both:
        assert (len(fields), fields.n_labels) == (7, n_labels)
        assert fields.matrices().tobytes() == matrices.tobytes()
        assert all(np.array_equal(fields.matrix(f), matrices[f]) for f in range(7))
        assert_same(fields.measure(0.4), measure_layer(matrices, 0.4))
        for label in range(n_labels):
            row, column = fields.of_label(label)
            assert np.array_equal(row, matrices[:, label]) and np.array_equal(column, matrices[:, :, label])
        np.testing.assert_allclose(fields.squares(), (matrices.astype(np.float64) ** 2).sum((1, 2)), rtol=1e-5)
    assert [fields.is_dense for fields in both] == [True, False, True, True]
    assert [fields.has_factors for fields in both] == [False, True, True, True]


def test_what_is_read_only_where_it_is_needed_is_not_read_for_less() -> None:
    pair = factors(0, 3, 4, 2)
    read = []
    fields = Fields(fields_from_factors(*pair), lambda: read.append(1) or pair)
    fields.measure(), fields.matrix(1), fields.of_label(2), fields.squares()
    assert read == []
    assert fields.factors is pair and read == [1]


def test_what_is_no_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="expected matrices, or class means"):
        Fields()
    with pytest.raises(ValueError, match="matrices alone"):
        _ = Fields(np.ones((1, 2, 2), np.float32)).factors


def test_ranks() -> None:
    random = np.random.default_rng(8)
    columns = random.standard_normal((5, 30, 4)).astype(np.float32)
    rows = random.standard_normal((5, 30, 4)).astype(np.float32)
    for f in range(5):  # rank f
        columns[f, :, f:] = 0

    def of_both(means: np.ndarray, weights: np.ndarray) -> list[list[float]]:
        layers = Fields(factors=(means, weights)), Fields(fields_from_factors(means, weights))
        return [layer.ranks().tolist() for layer in layers]

    assert of_both(columns, rows) == [[0, 1, 2, 3, 4]] * 2
    assert of_both(*factors(0, 4, 6, 1)) == [[1] * 4] * 2  # a 1x1 layer, whatever it has learned
    assert of_both(*factors(0, 4, 6, 9)) == [[6] * 4] * 2  # more positions than labels
    columns[2, 3, 1] = np.nan  # of a matrix that is not finite it is undefined, not 0
    for found in of_both(columns, rows):
        assert np.isnan(found).tolist() == [False, False, True, False, False]


def test_the_rank_is_the_least_of_what_bounds_it() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        n_labels, positions, rank = random.integers(2, 30), random.integers(1, 30), random.integers(1, 30)
        parts = [random.standard_normal((n, rank)).astype(np.float32) for n in (n_labels, positions)]
        means, weights = parts[0] @ parts[1].T, random.standard_normal((n_labels, positions)).astype(np.float32)
        fields = Fields(factors=(means[None], weights[None]))
        wanted = [min(n_labels, positions, rank)]
        assert fields.ranks().tolist() == Fields(fields.matrices()).ranks().tolist() == wanted


def test_the_example_in_the_documentation() -> None:
    result = doctest.testmod(store.measure.fields)
    assert result.failed == 0 and result.attempted > 0
