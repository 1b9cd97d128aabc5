"""Invariants of the definitions, equality with the plain program, and golden values."""

import doctest
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import store.measure.layer
from store import LayerMeasure, estimates, measure_factored, measure_layer, permutation, scan_order
from store.measure.layer import fields_from_factors
from tests import reference
from tests.builders import GRID, SUBNORMAL, assert_same, random_fields

THRESHOLDS = st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.9, 1.0])
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def layers(draw: st.DrawFn) -> np.ndarray:
    """(N_f, K, K) of few different values, so that ties and clusters are common; hypothesis makes them smaller."""
    n_labels = draw(st.integers(2, 7))
    shape = (draw(st.integers(1, 4)), n_labels, n_labels)
    values = [*GRID.tolist(), math.nan, math.inf, -math.inf, SUBNORMAL.item(), 3e38]
    few = draw(st.lists(st.sampled_from(values), min_size=1, max_size=4))
    return draw(hnp.arrays(np.float32, shape, elements=st.sampled_from(few)))


def clipped(fields: np.ndarray, layer: LayerMeasure) -> np.ndarray:
    """B (filter, input_label, output_label), by the definition."""
    with np.errstate(invalid="ignore"):
        above = fields.astype(np.float64) > (layer.threshold * layer.maximum.astype(np.float64))[:, None, None]
    return above & ~layer.silent[:, None, None]


# ---- invariants


@given(layers(), THRESHOLDS, SEEDS)
def test_the_clusters_are_those_of_the_greedy_scan(fields: np.ndarray, threshold: float, seed: int) -> None:
    order = scan_order("random", fields.shape[1], seed)
    layer = measure_layer(fields, threshold, order)
    for above, cluster_of, n_clusters in zip(clipped(fields, layer), layer.cluster_of, layer.n_clusters, strict=True):
        # every diagonal 1 is in exactly one cluster, numbered from 0 without a gap, and nothing else is in one
        assert np.array_equal(cluster_of >= 0, above.diagonal())
        assert set(cluster_of[cluster_of >= 0].tolist()) == set(range(n_clusters))
        members: dict[int, list[int]] = {}
        for label in order:
            if cluster_of[label] >= 0:
                members.setdefault(int(cluster_of[label]), []).append(int(label))
        assert list(members) == sorted(members)  # the label that opens a cluster comes first of those that are left
        for cluster in members.values():
            assert above[np.ix_(cluster, cluster)].all()  # all ones, in both directions
        for number, cluster in members.items():
            for later, others in members.items():
                for label in others if later > number else []:
                    # a label that waits could not have joined the members that were placed before it
                    before = [m for m in cluster if list(order).index(m) < list(order).index(label)]
                    assert before
                    assert not (above[label, before].all() and above[before, label].all())


@given(layers(), THRESHOLDS)
def test_signal_internal_and_external_are_all_that_is_above(fields: np.ndarray, threshold: float) -> None:
    layer = measure_layer(fields, threshold, counts=np.ones(fields.shape[1]))
    above = clipped(fields, layer)
    others = fields.shape[1] - 1
    rows = layer.signal + others * (layer.noise_internal + layer.noise_external)
    assert np.array_equal(np.rint(rows), above.sum(axis=(0, 2)))
    assert np.allclose(rows, np.rint(rows), rtol=0, atol=1e-9)
    assert np.array_equal(layer.n_above, above.sum(axis=(1, 2)))
    assert layer.n_above.sum() == layer.noise.sum() + (layer.cluster_sizes**2).sum()
    assert layer.signal.sum() == layer.cluster_sizes.sum() == (layer.cluster_of >= 0).sum()
    assert layer.n_clusters.sum() == layer.cluster_sizes.size
    assert round(layer.noise_external.sum() * others) == layer.noise.sum()
    sums = layer.signal_field + others * (layer.noise_internal_field + layer.noise_external_field)
    everything = np.where(above, fields, 0).astype(np.float64).sum(axis=(0, 2))
    assert np.allclose(sums, everything, rtol=1e-12, atol=0)


@given(layers(), THRESHOLDS, SEEDS)
def test_permuting_labels_permutes_results(fields: np.ndarray, threshold: float, seed: int) -> None:
    n_labels = fields.shape[1]
    order, renamed = scan_order("random", n_labels, seed), scan_order("random", n_labels, seed + 1)
    counts = np.arange(1, n_labels + 1)
    layer = measure_layer(fields, threshold, order, counts)
    # label k of the second layer is label renamed[k] of the first
    permuted_fields = fields[:, renamed][:, :, renamed]
    permuted = measure_layer(permuted_fields, threshold, np.argsort(renamed)[order], counts[renamed])
    assert np.array_equal(permuted.cluster_of, layer.cluster_of[:, renamed])
    for name in ("n_clusters", "noise", "n_above", "maximum", "silent", "cluster_sizes"):
        assert np.array_equal(getattr(permuted, name), getattr(layer, name), equal_nan=True), name
    for name in ("signal", "noise_internal", "noise_external"):
        assert np.array_equal(getattr(permuted, name), getattr(layer, name)[renamed]), name
        assert np.allclose(getattr(permuted, f"{name}_field"), getattr(layer, f"{name}_field")[renamed], rtol=1e-12)


@given(st.integers(1, 4), st.integers(2, 7), st.integers(1, 4), THRESHOLDS, SEEDS)
def test_factored_equals_dense_to_the_bit(
    n_filters: int, n_labels: int, positions: int, threshold: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shape = (n_filters, n_labels, positions)
    means, weights = (random.choice(random.standard_normal(5, np.float32), shape) for _ in range(2))
    order, counts = random.permutation(n_labels), random.integers(1, 100, n_labels)
    fields = fields_from_factors(means, weights)
    assert_same(
        measure_factored(means, weights, threshold, order, counts), measure_layer(fields, threshold, order, counts)
    )
    assert np.array_equal(fields, np.array(reference.fields_from_factors(means.tolist(), weights.tolist())))


def test_a_field_is_summed_in_float64_in_order_and_rounded_once() -> None:
    large = 2.0**60
    means, weights = np.ones((1, 2, 4), np.float32), np.ones((1, 2, 4), np.float32)
    means[0, 0] = [large, 1, -large, 1]  # in float64: large + 1 is large, so what is left is the last 1
    means[0, 1] = [1, 2**-30, 0, -1]  # lost in float32
    assert np.array_equal(fields_from_factors(means, weights)[0], np.array([[1, 1], [2**-30, 2**-30]], np.float32))
    product = fields_from_factors(np.full((1, 2, 1), 3.3, np.float32), np.full((1, 2, 1), 1e38, np.float32))
    assert np.array_equal(product, np.full((1, 2, 2), np.float32(3.3) * np.float32(1e38)))


@given(layers(), THRESHOLDS, st.integers(-40, 20))
def test_scaling_a_filter_by_a_power_of_two_changes_no_clipped_number(
    fields: np.ndarray, threshold: float, exponent: int
) -> None:
    fields = np.where(np.abs(fields) < 100, fields, 1).astype(np.float32)  # finite, and far from over- and underflow
    fields[np.abs(fields) < 1e-3] = 0
    layer, scaled = measure_layer(fields, threshold), measure_layer(fields * np.float32(2.0**exponent), threshold)
    assert_same(scaled, LayerMeasure(**{**vars(layer), "maximum": layer.maximum * np.float32(2.0**exponent)}))


@given(layers(), st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_a_higher_threshold_leaves_no_more_above(fields: np.ndarray, thresholds: list[float]) -> None:
    counts = [measure_layer(fields, threshold).n_above for threshold in [0, *sorted(thresholds), 1]]
    assert all((after <= before).all() for before, after in pairwise(counts))
    assert not counts[-1].any()  # nothing is strictly above the maximum


@given(layers(), THRESHOLDS)
def test_a_filter_without_positive_finite_maximum_is_silent(fields: np.ndarray, threshold: float) -> None:
    layer = measure_layer(fields, threshold)
    largest = fields.max(axis=(1, 2))  # NaN if any element is
    assert np.array_equal(layer.maximum, largest, equal_nan=True)
    assert np.array_equal(layer.silent, ~(np.isfinite(largest) & (largest > 0)))
    for counted in (layer.n_clusters, layer.noise, layer.n_above):
        assert not counted[layer.silent].any()
    assert (layer.cluster_of[layer.silent] == -1).all()


@given(hnp.arrays(np.int32, st.integers(1, 12), elements=st.integers(-1, 4)))
def test_permutation_puts_larger_clusters_first(cluster_of: np.ndarray) -> None:
    assert permutation(cluster_of).tolist() == reference.permutation(cluster_of.tolist())
    assert sorted(permutation(cluster_of)) == list(range(len(cluster_of)))


# ---- the plain program


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.3, 0.5, 0.97, 1.0])
def test_thousands_of_random_matrices_equal_the_plain_program(threshold: float) -> None:
    random = np.random.default_rng(int(threshold * 100))
    clusters = silent = 0
    for n_labels in [2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15] * 4:
        fields = random_fields(random, 24, n_labels)
        order, counts = random.permutation(n_labels), random.integers(1, 500, n_labels)
        layer = measure_layer(fields, threshold, order, counts)
        plain = reference.measure_layer(fields.tolist(), threshold, order.tolist(), counts.tolist())
        assert_same(layer, plain)
        assert_same(measure_layer(fields, threshold), reference.measure_layer(fields.tolist(), threshold))
        clusters, silent = clusters + layer.cluster_sizes.size, silent + layer.silent.sum()
    assert silent > 100
    assert clusters > 500 or threshold > 0.9  # the matrices do have what is tested


def test_a_tie_with_the_threshold_is_not_above() -> None:
    ten, tie = np.float32(10), np.float32(3)  # 0.3 * 10 is 3.0 in float64
    fields = np.array([[[ten, np.nextafter(tie, ten)], [np.nextafter(tie, -ten), tie]]])
    layer = measure_layer(fields, 0.3)
    assert (layer.n_above[0], layer.noise[0], layer.cluster_of[0].tolist()) == (2, 1, [0, -1])
    assert measure_layer(np.array([[[ten, tie], [tie, ten]]]), 0.3).cluster_of[0].tolist() == [0, 1]
    # 0.3 as float32 is 0.300000012, more than 0.3: above, unless the comparison is made in float32
    assert measure_layer(np.array([[[1, 0.3], [0, 0]]], np.float32), 0.3).n_above[0] == 2
    assert measure_layer(np.array([[[1, 0.3], [0, 0]]], np.float32), float(np.float32(0.3))).n_above[0] == 1


@pytest.mark.parametrize("threshold", [-0.0, 0.0, 0])
def test_at_threshold_zero_only_positive_elements_are_above(threshold: float) -> None:
    fields = np.array([[[1, -0.0], [-1, 0]], [[-0.0, SUBNORMAL], [0, 0]]], np.float32)
    assert measure_layer(fields, threshold).n_above.tolist() == [1, 1]


def test_the_scan_goes_in_the_given_order() -> None:
    # 0 agrees with 1, 1 with 2, but not 0 with 2: who comes first takes label 1
    fields = np.array([[[1, 1, 0], [1, 1, 1], [0, 1, 1]]], np.float32)
    assert measure_layer(fields).cluster_of[0].tolist() == [0, 0, 1]
    assert measure_layer(fields, order=scan_order("reversed", 3)).cluster_of[0].tolist() == [1, 0, 0]
    assert measure_layer(fields, order=[1, 2, 0]).cluster_of[0].tolist() == [1, 0, 0]
    one_way = np.array([[[1, 1], [0, 1]]], np.float32)  # 1 in one direction only: no cluster of two
    assert measure_layer(one_way).cluster_of[0].tolist() == [0, 1]


# ---- golden values


def test_estimates_are_the_papers() -> None:
    layer_10 = estimates(512, 100, mean_clusters=2.6, mean_cluster_size=2.0, mean_noise=16.3)  # Table 1
    assert [round(layer_10.signal, 1), *(round(noise, 2) for noise in layer_10[1:3])] == [26.6, 0.27, 0.83]
    assert layer_10.snr_internal == pytest.approx(99)  # (K - 1) / (C_s - 1)
    assert layer_10.snr_external == pytest.approx(2.0 * 2.6 * 100 / 16.3)  # Eq. (4), right-hand side
    layer_4 = estimates(128, 100, mean_clusters=5.1, mean_cluster_size=2.8, mean_noise=552.4)
    assert round(layer_4.noise_external, 2) == 7.07  # not the 29 of the paper's text
    assert round(layer_4.signal) == 18
    assert math.isnan(estimates(512, 100, 2.6, 1.0, 0.0).snr_internal)


def test_docstrings_of_the_module_hold() -> None:
    result = doctest.testmod(store.measure.layer)
    assert result.attempted >= 5 and result.failed == 0
