"""The gauge: what may be added to a probe's weights, what it changes, and that the zero-sum gauge takes it away."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import store.measure.gauge
from store.file.read import Run
from store.measure.afcc import to_blocks, what_if
from store.measure.fields import Fields
from store.measure.gauge import GAUGES, common_part, common_weights, other_gauge, shifted, zero_sum
from store.measure.layer import THRESHOLD, fields_from_factors, measure_factored, measure_layer
from store.measure.nulls import chance, rotated, shuffled
from tests import ROOT, reference
from tests.builders import MEASURED, assert_same, random_fields

SEEDS = st.integers(0, 2**32 - 1)


def factors(seed: int, n_filters: int, n_labels: int, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Class means that are not negative, as after a ReLU, and weights."""
    random = np.random.default_rng(seed)
    means = random.exponential(1, (n_filters, n_labels, positions)).astype(np.float32)
    return means, random.standard_normal((n_filters, n_labels, positions), np.float32)


def assert_same_counts(measured: object, wanted: object) -> None:
    """All but the fields themselves, which rounding may change."""
    for name in MEASURED:
        if name != "maximum" and not name.endswith("_field"):
            assert np.array_equal(getattr(measured, name), getattr(wanted, name), equal_nan=True), name


# ---- the definition


@given(SEEDS, st.integers(1, 6), st.integers(2, 9), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_dense_factored_and_the_plain_program_are_one(
    seed: int, n_filters: int, n_labels: int, threshold: float
) -> None:
    means, weights = factors(seed, n_filters, n_labels, 1 + seed % 4)
    fields = fields_from_factors(means, weights)
    before = fields.copy()
    plain = [reference.zero_sum(matrix) for matrix in fields.tolist()]
    found = zero_sum(fields)
    assert found.tolist() == plain and fields.tobytes() == before.tobytes()
    counts = np.arange(1, n_labels + 1)
    wanted = reference.measure_layer(plain, threshold, None, [float(count) for count in counts])
    dense = measure_layer(fields, threshold, None, counts, "zero-sum")
    assert_same(dense, wanted)
    assert_same(dense, measure_layer(found, threshold, None, counts))
    assert_same(measure_factored(means, weights, threshold, None, counts, "zero-sum"), dense)


@given(SEEDS, st.integers(2, 8))
def test_matrices_that_make_trouble_are_measured_as_the_definition_says(seed: int, n_labels: int) -> None:
    """Infinities, NaN, zeros of both signs, subnormal and huge fields."""
    fields = random_fields(np.random.default_rng(seed), 6, n_labels)
    found = zero_sum(fields)
    plain = np.array([reference.zero_sum(matrix) for matrix in fields.tolist()], np.float32)
    assert np.array_equal(found, plain, equal_nan=True)
    assert not np.signbit(found[found == 0]).any()
    for threshold in (0.0, 0.3, 1.0):
        assert_same(measure_layer(fields, threshold, gauge="zero-sum"), measure_layer(found, threshold))


@given(SEEDS, st.integers(1, 5), st.integers(2, 9), st.integers(1, 4))
def test_every_answer_of_fields_is_of_the_gauge(seed: int, n_filters: int, n_labels: int, positions: int) -> None:
    pair = factors(seed, n_filters, n_labels, positions)
    as_trained = fields_from_factors(*pair)
    expected = zero_sum(as_trained)
    layers = [Fields(as_trained), Fields(factors=pair), Fields(factors=pair).as_matrices()]
    for trained in layers:
        fields = trained.in_gauge("zero-sum")
        assert fields.matrices().tobytes() == expected.tobytes()
        assert all(fields.matrix(f).tobytes() == expected[f].tobytes() for f in range(n_filters))
        assert fields.as_matrices().matrices().tobytes() == expected.tobytes()
        assert_same(fields.measure(0.4), measure_layer(expected, 0.4))
        for label in range(n_labels):
            row, column = fields.of_label(label)
            assert row.tobytes() == expected[:, label].tobytes()
            assert column.tobytes() == np.ascontiguousarray(expected[:, :, label]).tobytes()
        squares = (expected.astype(np.float64) ** 2).sum((1, 2))
        np.testing.assert_allclose(fields.squares(), squares, rtol=1e-4)
        assert fields.ranks().tolist() == [min(positions, n_labels - 1)] * n_filters
        assert fields.in_gauge("as trained").matrices().tobytes() == as_trained.tobytes()
        assert fields.in_gauge("zero-sum") is fields and trained.in_gauge("as trained") is trained


def test_what_is_not_finite_is_no_warning_and_has_no_rank() -> None:
    means, weights = factors(0, 3, 4, 2)
    weights[0, 1, 0], weights[1, 2, 1] = np.inf, np.nan
    for trained in (Fields(factors=(means, weights)), Fields(fields_from_factors(means, weights))):
        fields = trained.in_gauge("zero-sum")
        assert fields.measure().silent.tolist() == [True, True, False]
        assert np.isnan(fields.ranks()).tolist() == np.isnan(fields.squares()).tolist() == [True, True, False]
        row, column = fields.of_label(1)
        assert np.array_equal(row, fields.matrices()[:, 1], equal_nan=True)
        assert np.array_equal(column, fields.matrices()[:, :, 1], equal_nan=True)


def test_no_matrix_of_a_factored_layer_is_kept_and_arrays_are_shared() -> None:
    pair = factors(0, 3, 4, 2)
    fields = Fields(factors=pair).in_gauge("zero-sum")
    fields.measure(), fields.matrix(1), fields.of_label(0), fields.squares(), fields.ranks()
    assert not fields.is_dense and fields.factors is pair
    assert all(one is other for one, other in zip(fields.arrays, pair, strict=True))
    dense = Fields(fields_from_factors(*pair))
    assert dense.in_gauge("zero-sum").arrays[0] is dense.arrays[0]


def test_what_is_no_gauge_is_refused() -> None:
    for wrong in ("zero sum", "", None):
        with pytest.raises(ValueError, match="expected 'as trained' or 'zero-sum'"):
            Fields(np.ones((1, 2, 2), np.float32), gauge=wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="gauge"):
            measure_layer(np.ones((1, 2, 2), np.float32), gauge=wrong)  # type: ignore[arg-type]
    assert [other_gauge(gauge) for gauge in GAUGES] == list(reversed(GAUGES))


# ---- what may be added


@given(SEEDS, st.integers(1, 5), st.sampled_from([2, 4, 8]), st.integers(1, 4))
def test_where_nothing_is_rounded_the_zero_sum_bits_do_not_depend_on_what_is_added(
    seed: int, n_filters: int, n_labels: int, positions: int
) -> None:
    """Small whole numbers, and a power of two of labels: sums, products and means are exact."""
    random = np.random.default_rng(seed)
    means = random.integers(0, 9, (n_filters, n_labels, positions)).astype(np.float32)
    weights = random.integers(-9, 10, (n_filters, n_labels, positions)).astype(np.float32)
    v = random.integers(-50, 51, (n_filters, positions))
    once = zero_sum(fields_from_factors(means, weights))
    assert zero_sum(fields_from_factors(means, shifted(weights, v))).tobytes() == once.tobytes()
    assert zero_sum(once).tobytes() == once.tobytes()
    shift = np.einsum("fis,fs->fi", means, v)[:, :, None]
    assert np.array_equal(fields_from_factors(means, shifted(weights, v)), fields_from_factors(means, weights) + shift)


@pytest.mark.parametrize("seed", range(5))
def test_any_shift_leaves_predictions_and_the_zero_sum_measures_and_changes_those_as_trained(seed: int) -> None:
    n_filters, n_labels, positions = 30, 20, 3
    means, weights = factors(seed, n_filters, n_labels, positions)
    random = np.random.default_rng(seed)
    v = random.normal(0.3, 1, (n_filters, positions))
    moved = shifted(weights, v)
    inputs = np.abs(random.standard_normal((200, n_filters * positions), np.float32))
    labels = random.integers(0, n_labels, 200)
    every = np.ones((n_filters, n_labels), bool)
    before, after = (what_if(to_blocks(inputs), w, labels, every) for w in (weights, moved))
    assert np.array_equal(after.predicted, before.predicted)
    difference = after.logits.astype(np.float64) - before.logits
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), 0, atol=1e-4)  # softmax: the same
    assert np.abs(difference).max() > 1  # though the logits are not

    here, there = Fields(factors=(means, weights)), Fields(factors=(means, moved))
    once, again = here.in_gauge("zero-sum"), there.in_gauge("zero-sum")
    np.testing.assert_allclose(again.matrices(), once.matrices(), rtol=0, atol=1e-5)
    assert_same_counts(again.measure(), once.measure())
    assert not np.array_equal(there.measure().cluster_of, here.measure().cluster_of)


@given(SEEDS, st.integers(1, 4), st.integers(2, 40), st.floats(0, 1000))
def test_twice_is_once_within_two_roundings(seed: int, n_filters: int, n_labels: int, common: float) -> None:
    fields = np.random.default_rng(seed).standard_normal((n_filters, n_labels, n_labels), np.float32)
    fields += np.float32(common)
    once = zero_sum(fields)
    moved = np.abs(zero_sum(once).astype(np.float64) - once)
    assert (moved <= 2.0**-23 * np.abs(once).max(axis=2, keepdims=True)).all()


@pytest.mark.parametrize("seed", range(20))
def test_twice_measures_as_once(seed: int) -> None:
    once = zero_sum(fields_from_factors(*factors(seed, 20, 30, 4)))
    for threshold in (0.1, THRESHOLD, 0.7):
        assert_same_counts(measure_layer(once, threshold, gauge="zero-sum"), measure_layer(once, threshold))


# ---- how much there is of it


def test_the_common_part_is_what_the_zero_sum_gauge_takes_of_the_squares() -> None:
    _, weights = factors(1, 4, 5, 3)
    rest = weights.astype(np.float64) - common_weights(weights)[:, None, :]
    whole = (weights.astype(np.float64) ** 2).sum()
    assert common_part(weights) ** 2 == pytest.approx(1 - (rest**2).sum() / whole, abs=1e-12)
    assert common_part(np.ones((2, 5, 3), np.float32)) == pytest.approx(1)
    assert common_part(rest.astype(np.float32)) < 1e-7
    assert math.isnan(common_part(np.zeros((2, 5, 3), np.float32)))
    assert common_part(shifted(rest.astype(np.float32), 100.0)) > 0.99


def test_the_example_holds_the_figures_that_the_documentation_gives() -> None:
    """n as trained, with one standard deviation of the weights added to all of them, taken away, and zero-sum."""
    wanted = {
        "7": (134.1, 330.7, 51.2, 134.0, 0.0048),
        "10": (14.4, 25.1, 10.2, 14.4, 0.0044),
        "13": (294.1, 461.7, 162.5, 293.5, 0.0292),
    }
    with Run(ROOT / "explorer" / "example.h5") as run:
        for name, (trained, more, less, zero, common) in wanted.items():
            layer = run.layers[name]
            means, weights = layer.class_means, layer.probe_weights
            one = float(weights.std(dtype=np.float64))
            for amount, noise in ((0.0, trained), (one, more), (-one, less)):
                fields = Fields(factors=(means, shifted(weights, amount)))
                assert fields.measure().mean_noise == pytest.approx(noise, abs=0.06)
                assert fields.in_gauge("zero-sum").measure().mean_noise == pytest.approx(zero, abs=0.06)
            assert layer.measure(gauge="zero-sum").mean_noise == pytest.approx(zero, abs=0.06)
            assert layer.common_part == pytest.approx(common, abs=5e-5)
        assert run.layers["2"].common_part is None  # the packed file has its matrices alone


# ---- nulls


def test_nulls_are_drawn_in_the_gauge_of_the_layer() -> None:
    pair = factors(3, 12, 8, 2)
    pair = pair[0], shifted(pair[1], 0.7)
    matrices = Fields(fields_from_factors(*pair))
    trained = Fields(factors=pair)
    for drawn in (rotated, shuffled):
        found = drawn(trained.in_gauge("zero-sum"), 5)
        assert (
            found.gauge == "zero-sum" and found.matrices().tobytes() == zero_sum(drawn(trained, 5).matrices()).tobytes()
        )
    assert_same(
        shuffled(matrices.in_gauge("zero-sum"), 5).measure(), shuffled(trained.in_gauge("zero-sum"), 5).measure()
    )
    by_gauge = [chance("rotated filters", trained.in_gauge(gauge), samples=3).of("noise") for gauge in GAUGES]
    assert by_gauge[0].observed != by_gauge[1].observed and by_gauge[0].mean != by_gauge[1].mean


def test_the_example_in_the_documentation() -> None:
    result = doctest.testmod(store.measure.gauge)
    assert result.failed == 0 and result.attempted > 0
