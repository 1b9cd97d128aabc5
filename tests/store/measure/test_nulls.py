"""Null models: what they keep, what they change, and that a number that is undefined is None."""

import doctest
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import store.measure.nulls
from store.measure.fields import Fields
from store.measure.layer import fields_from_factors, measure_factored, measure_layer, scan_order
from store.measure.nulls import (
    MAX_ROTATED,
    NULLS,
    STATISTICS,
    Chance,
    against,
    chance,
    rotated,
    rotation,
    shuffled,
    statistics,
)
from store.measure.summary import summary
from tests.builders import assert_same

SEEDS = st.integers(0, 2**32 - 1)


def factors(seed: int, n_filters: int, n_labels: int, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Class means that are not negative, and weights that favour every filter's own labels, as training leaves them."""
    random = np.random.default_rng(seed)
    means = random.exponential(1, (n_filters, n_labels, positions)).astype(np.float32)
    weights = random.standard_normal((n_filters, n_labels, positions), np.float32)
    weights += np.where(means.mean(axis=2, keepdims=True) > 1.5, np.float32(2), np.float32(0))
    return means, weights


# ---- rotated filters


@given(SEEDS, st.integers(1, 12), st.integers(2, 6), st.integers(1, 5))
def test_rotation_leaves_every_logit_and_every_position_as_it_was(
    seed: int, n_filters: int, n_labels: int, positions: int
) -> None:
    means, weights = factors(seed, n_filters, n_labels, positions)
    turned = rotated(Fields(factors=(means, weights)), seed).factors
    assert [array.dtype for array in turned] == [np.float32] * 2
    before, after = (np.einsum("fis,fjs->sij", *pair, dtype=np.float64) for pair in ((means, weights), turned))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


def test_rotation_of_a_whole_layer_leaves_logits_within_one_in_ten_thousand_and_changes_the_filters() -> None:
    means, weights = factors(0, 256, 20, 4)
    turned = rotated(Fields(factors=(means, weights)), 1).factors
    before, after = (fields_from_factors(*pair) for pair in ((means, weights), turned))
    logits, others = (fields.sum(axis=0, dtype=np.float64) for fields in (before, after))
    assert np.abs(others - logits).max() <= 1e-4 * np.abs(logits).max()
    observed, null = measure_layer(before), measure_factored(*turned)
    assert not np.array_equal(observed.cluster_of, null.cluster_of)
    assert abs(observed.mean_clusters - null.mean_clusters) > 0.2  # it can be told from the layer that it was


@given(SEEDS, st.integers(1, 40))
def test_a_rotation_is_orthogonal(seed: int, n_filters: int) -> None:
    q = rotation(n_filters, seed)
    np.testing.assert_allclose(q @ q.T, np.eye(n_filters), atol=1e-12)


def test_all_rotations_are_equally_likely() -> None:
    """Haar: elements of mean 0 and mean square 1/n; without R's signs, LAPACK's first element is never positive."""
    drawn = np.array([rotation(3, seed) for seed in range(2000)])
    assert np.abs(drawn.mean(axis=0)).max() < 0.06  # 4.6 times 0.577 / sqrt(2000)
    assert np.abs((drawn**2).mean(axis=0) - 1 / 3).max() < 0.04
    assert abs(np.linalg.det(drawn).mean()) < 0.1  # as many reflections
    assert np.array_equal(rotation(3, 5), drawn[5])


def test_too_many_filters_are_not_rotated() -> None:
    with pytest.raises(ValueError, match=f"{MAX_ROTATED + 1} filters: at most {MAX_ROTATED}"):
        rotation(MAX_ROTATED + 1, 0)


def test_what_is_not_finite_is_not_spread_over_all_filters() -> None:
    for spoilt in range(2):
        layer = factors(0, 4, 3, 2)
        layer[spoilt][1, 1, 1] = np.inf
        with pytest.raises(ValueError, match="not finite"):
            rotated(Fields(factors=layer), 0)


# ---- labels shuffled


@given(SEEDS, st.integers(1, 6), st.integers(2, 7), st.integers(1, 4), st.booleans())
def test_shuffling_permutes_output_labels_of_fields_and_of_weights_alike(
    seed: int, n_filters: int, n_labels: int, positions: int, each_filter: bool
) -> None:
    means, weights = factors(seed, n_filters, n_labels, positions)
    fields = fields_from_factors(means, weights)
    both = (Fields(fields), Fields(factors=(means, weights)))
    renamed, same = (shuffled(layer, seed, each_filter).matrices() for layer in both)
    assert renamed.tobytes() == same.tobytes()
    outputs = [[fields[f].T.tolist().index(column) for column in renamed[f].T.tolist()] for f in range(n_filters)]
    assert all(sorted(order) == list(range(n_labels)) for order in outputs)
    assert each_filter or all(order == outputs[0] for order in outputs)


def test_a_permutation_for_each_filter_expects_the_same_and_spreads_less() -> None:
    """Why one for the layer is taken: filters that share what they see make a layer's draws differ more."""
    random = np.random.default_rng(0)
    shared = random.standard_normal((1, 8, 8)).astype(np.float32)
    fields = (shared + 0.1 * random.standard_normal((60, 8, 8))).astype(np.float32)
    of_layer, of_filter = (
        [shuffled(Fields(fields), seed, each).measure().signal.mean() for seed in range(400)] for each in (False, True)
    )
    assert np.mean(of_layer) == pytest.approx(np.mean(of_filter), rel=0.05)
    assert np.std(of_layer) > 3 * np.std(of_filter)


def test_shuffled_labels_leave_no_more_signal_than_chance() -> None:
    """Over all permutations, each element is on the diagonal equally often: signal is the mean of a row's ones."""
    fields = np.abs(np.random.default_rng(1).standard_normal((40, 6, 6))).astype(np.float32)
    expected = measure_layer(fields).n_above.sum() / 6 / 6
    null = chance("labels shuffled", Fields(fields), samples=300)
    assert null.of("signal").mean == pytest.approx(expected, rel=0.03)


# ---- draws and what is made of them


def test_statistics_are_the_layers() -> None:
    means, weights = factors(2, 20, 6, 2)
    measured = measure_factored(means, weights)
    found = summary(measured)
    assert statistics(found) == tuple(getattr(found, name) for name in STATISTICS)
    assert (found.noise, found.n_clusters, found.cluster_size) == (
        measured.mean_noise,
        measured.mean_clusters,
        measured.mean_cluster_size,
    )
    assert found.signal == measured.signal.mean() and found.noise_external == measured.noise_external.mean()
    assert found.snr_internal == found.signal / found.noise_internal
    assert found.snr_external == found.signal / found.noise_external


@pytest.mark.parametrize("null", NULLS)
def test_draws_can_be_had_again_and_do_not_depend_on_their_number(null) -> None:
    means, weights = factors(3, 15, 6, 2)
    fields = Fields(factors=(means, weights))
    few, many = (chance(null, fields, threshold=0.2, samples=samples, seed=7) for samples in (2, 5))
    assert len(many.draws) == (1 if null == "reversed order" else 5)
    assert np.array_equal(few.draws, many.draws[: len(few.draws)], equal_nan=True)
    assert few.observed == many.observed == summary(measure_factored(means, weights, 0.2))
    if null != "reversed order":
        assert not np.array_equal(few.draws, chance(null, fields, threshold=0.2, samples=2, seed=8).draws)
        assert len(np.unique(many.draws, axis=0)) > 1


@pytest.mark.parametrize("null", [null for null in NULLS if null != "rotated filters"])
def test_fields_and_factors_are_the_same_layer(null) -> None:
    means, weights = factors(4, 10, 5, 3)
    fields = fields_from_factors(means, weights)
    draws = [
        chance(null, held, samples=3).draws
        for held in (Fields(fields), Fields(factors=(means, weights)), Fields(fields, (means, weights)))
    ]
    assert np.array_equal(draws[0], draws[1], equal_nan=True) and np.array_equal(draws[0], draws[2], equal_nan=True)


def test_orders_are_those_of_the_scan() -> None:
    means, weights = factors(5, 30, 8, 1)
    fields = fields_from_factors(means, weights)
    backwards = summary(measure_layer(fields, order=scan_order("reversed", 8)))
    assert chance("reversed order", Fields(fields)).draws.tolist() == [list(statistics(backwards))]
    turned = chance("reversed order", Fields(fields), order=scan_order("reversed", 8))
    assert turned.observed == backwards
    random = chance("random order", Fields(fields), samples=10)
    above = STATISTICS.index("signal")
    assert (random.draws[:, above] == random.observed.signal).all()  # any order places every diagonal 1 in a cluster
    same = random.of("signal")  # and where the draws do not differ, the mean is what they are, and there is no z
    assert (same.mean, same.std, same.z) == (random.observed.signal, 0, None)


def test_draws_that_do_not_differ_have_their_own_mean() -> None:
    layer = measure_layer(np.where(np.eye(3, dtype=bool), np.float32(1), np.float32(0.1))[None].repeat(7, axis=0))
    value = 31.55  # whose mean over 20 is another number in float64
    assert np.full(20, value).mean() != value
    null = Chance("", summary(layer)._replace(signal=value), np.full((20, 8), value))
    assert null.of("signal") == (value, value, 0, None, value, value)


def test_mean_spread_z_and_band_are_those_of_the_draws() -> None:
    means, weights = factors(6, 20, 6, 2)
    null = chance("labels shuffled", Fields(factors=(means, weights)), samples=12)
    for place, name in enumerate(STATISTICS):
        values, found = null.draws[:, place], null.of(name)
        assert found.observed == statistics(null.observed)[place]
        assert found.mean == pytest.approx(values.mean()) and found.std == pytest.approx(values.std(ddof=1))
        assert found.z == pytest.approx((found.observed - found.mean) / found.std)
        assert (found.low, found.high) == (min(values), max(values))
    one = chance("labels shuffled", Fields(factors=(means, weights)), samples=1).of("noise")
    assert one.mean is not None and (one.std, one.z, one.low, one.high) == (None,) * 4


def test_what_is_undefined_is_none() -> None:
    silent = chance("labels shuffled", Fields(np.zeros((3, 4, 4), np.float32)), samples=3)
    for name in ("noise", "n_clusters", "cluster_size", "snr_internal", "snr_external"):
        assert silent.of(name) == (None,) * 6
    assert silent.of("signal")[:3] == (0, 0, 0) and silent.of("signal").z is None
    # one filter of one element: shuffled, it is off the diagonal in some draws, and then there is no cluster
    fields = np.zeros((1, 3, 3), np.float32)
    fields[0, 0, 0] = 1
    null = chance("labels shuffled", Fields(fields), samples=10)
    assert 0 < np.isnan(null.draws[:, 2]).sum() < 10
    size = null.of("cluster_size")
    assert (size.observed, size.mean, size.z) == (1.0, None, None)  # a mean of the others would be a selection


def test_other_layers_can_be_the_null() -> None:
    layers = [measure_factored(*factors(seed, 20, 6, 2)) for seed in range(4)]
    null = against("untrained network", layers[0], layers[1:])
    assert null.null == "untrained network" and null.draws.shape == (3, len(STATISTICS))
    assert null.of("noise").mean == pytest.approx(np.mean([layer.mean_noise for layer in layers[1:]]))
    with pytest.raises(ValueError, match=r"untrained: measured at threshold 0\.5, the layer at 0\.3"):
        against("untrained", layers[0], [measure_factored(*factors(1, 20, 6, 2), threshold=0.5)])
    with pytest.raises(ValueError, match="no draw"):
        against("untrained", layers[0], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"null": "noise"}, "null: expected one of labels shuffled"),
        ({"null": "labels shuffled", "samples": 0}, "samples"),
        ({"null": "rotated filters"}, "fields alone cannot be rotated"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chance(fields=Fields(np.ones((2, 3, 3), np.float32)), **arguments)


def test_drawing_leaves_the_layer_as_it_was() -> None:
    means, weights = factors(7, 10, 5, 2)
    fields = fields_from_factors(means, weights)
    before = measure_layer(fields), means.copy(), weights.copy()
    for null in NULLS:
        chance(null, Fields(fields, (means, weights)), samples=2)
    assert_same(measure_layer(fields), before[0])
    assert np.array_equal(means, before[1]) and np.array_equal(weights, before[2])


def test_the_example_in_the_documentation() -> None:
    assert doctest.testmod(store.measure.nulls).failed == 0 and doctest.testmod(store.measure.nulls).attempted > 0


def test_means_are_over_filters_with_clusters_or_over_all_for_the_layer_and_its_draws_alike() -> None:
    means, weights = factors(2, 20, 6, 2)
    of = {
        average: chance("labels shuffled", Fields(factors=(means, weights)), threshold=0.9, samples=4, average=average)
        for average in ("clustered", "all")
    }
    measured = measure_factored(means, weights, 0.9)
    every = of["all"].observed
    assert statistics(every, "all")[:2] == (measured.mean_noise_all, measured.mean_clusters_all)
    assert every.cluster_size == of["clustered"].observed.cluster_size
    draw = shuffled(Fields(factors=(means, weights)), np.random.default_rng(0).spawn(4)[0]).measure(0.9)
    assert of["all"].draws[0, :2].tolist() == [draw.mean_noise_all, draw.mean_clusters_all]
    assert of["clustered"].draws[0, :2].tolist() == [draw.mean_noise, draw.mean_clusters]
    assert draw.mean_clusters_all < draw.mean_clusters  # else the two could not be told apart
