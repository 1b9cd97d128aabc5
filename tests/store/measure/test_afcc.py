"""Masks, exact accuracies, silencing, and one input's logits, each against the plain sum in float64."""

import doctest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import store.measure.afcc
from store.file.read import Run
from store.file.write import write_run
from store.measure.afcc import (
    EXTERNAL,
    INTERNAL,
    REST,
    SIGNAL,
    afcc_mask,
    from_bfloat16,
    parts_of_row,
    silencing,
    silencing_order,
    split_logits,
    to_blocks,
    what_if,
)
from store.measure.layer import fields_from_factors, measure_factored, measure_layer
from tests.builders import random_fields, small_run

SEEDS = st.integers(0, 2**32 - 1)


def layer(seed: int, n_inputs: int, n_filters: int, n_labels: int, positions: int):
    """features (inputs, N_f, S) as bfloat16 can hold them, many zero; weights (N_f, K, S); labels (inputs,)."""
    random = np.random.default_rng(seed)
    features = np.maximum(random.standard_normal((n_inputs, n_filters, positions), np.float32), 0)
    bits = (features.view(np.uint32) >> 16).astype(np.uint16)
    weights = random.standard_normal((n_filters, n_labels, positions), np.float32)
    return bits, weights, random.integers(0, n_labels, n_inputs), random


def plain_logits(features: np.ndarray, weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(inputs, K) float64, by the definition."""
    masked = np.where(mask[:, :, None], weights, 0).astype(np.float64)
    return np.einsum("xfs,fjs->xj", features.astype(np.float64), masked)


def assert_first_largest(predicted: np.ndarray, logits: np.ndarray) -> None:
    largest = logits.max(axis=1)
    for answer, row, most in zip(predicted, logits, largest, strict=True):
        assert row[answer] == most and (row[:answer] < most).all()


# ---- masks and accuracies


@given(SEEDS, st.sampled_from([0.1, 0.3, 0.6]))
def test_a_mask_keeps_the_labels_of_clusters_and_nothing_else(seed: int, threshold: float) -> None:
    fields = random_fields(np.random.default_rng(seed), 5, 6)
    measured = measure_layer(fields, threshold)
    mask = afcc_mask(measured.cluster_of)
    for f in range(5):
        above = np.diagonal(fields[f]) > threshold * np.float64(measured.maximum[f])
        assert np.array_equal(mask[f], above & ~measured.silent[f])  # every diagonal 1 is in exactly one cluster
    assert mask.sum() == measured.cluster_sizes.sum()


@given(SEEDS, st.integers(1, 20), st.integers(1, 5), st.integers(2, 7), st.integers(1, 9), st.floats(0, 1))
def test_what_if_is_the_masked_probe(
    seed: int, n_inputs: int, n_filters: int, n_labels: int, positions: int, share: float
) -> None:
    bits, weights, labels, random = layer(seed, n_inputs, n_filters, n_labels, positions)
    mask = random.random((n_filters, n_labels)) < share
    found = what_if(to_blocks(bits), weights, labels, mask)
    exact = plain_logits(from_bfloat16(bits), weights, mask)
    assert found.logits.dtype == np.float32 and found.logits.shape == (n_inputs, n_labels)
    np.testing.assert_allclose(found.logits, exact, rtol=1e-7, atol=1e-13)
    assert_first_largest(found.predicted, found.logits)
    right = found.predicted == labels
    assert found.accuracy == right.mean()
    for label in range(n_labels):
        own = right[labels == label]
        assert found.accuracy_of_label[label] == own.mean() if own.size else np.isnan(found.accuracy_of_label[label])
        assert found.lost[label] == (own.size > 0 and not own.any())
    assert np.array_equal(found.unconnected, ~mask.any(axis=0))
    assert not found.logits[:, found.unconnected].any()
    assert found.weights_kept == np.count_nonzero(np.repeat(mask[:, :, None], positions, axis=2))


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_what_if_is_what_torch_answers(share: float) -> None:
    """Several blocks of inputs, on all cores. In float32 torch itself is off: it may decide near-ties otherwise."""
    bits, weights, labels, random = layer(1, 3001, 64, 20, 4)
    mask = random.random((64, 20)) < share
    found = what_if(to_blocks(bits), weights, labels, mask)
    flat = torch.from_numpy(from_bfloat16(bits).reshape(3001, -1))
    masked = torch.from_numpy(np.where(mask[:, :, None], weights, 0).transpose(1, 0, 2).reshape(20, -1).copy())
    in_float64 = flat.double() @ masked.double().T
    assert np.array_equal(found.predicted, in_float64.float().argmax(1).numpy())
    in_float32 = flat @ masked.T
    others = in_float32.argmax(1).numpy() != found.predicted
    gap = in_float64.topk(2, dim=1).values.diff(dim=1).abs().numpy()[:, 0]
    assert (gap[others] < 1e-4).all() and others.sum() <= 3
    assert found.accuracy == pytest.approx((in_float32.argmax(1).numpy() == labels).mean(), abs=1e-3)


def test_an_input_that_meets_no_kept_weight_gets_the_first_label_as_from_torch() -> None:
    features = np.zeros((3, 2, 1), np.float32)
    features[2] = 1
    weights = np.array([[[1], [2], [2]], [[0], [1], [1]]], np.float32)
    found = what_if(to_blocks(features), weights, [0, 1, 2], np.ones((2, 3), bool))
    assert found.predicted.tolist() == [0, 0, 1]  # all equal; and outputs 1 and 2 equal
    assert found.predicted.tolist() == torch.from_numpy(found.logits).argmax(1).tolist()
    assert found.lost.tolist() == [False, True, True]


def test_logits_are_summed_in_float64_in_order_and_rounded_once() -> None:
    large = np.float32(2**60)
    features = np.ones((1, 4), np.float32)
    weights = np.array([[[large, 1, -large, 1], [1, 2**-30, 0, -1]]], np.float32)
    found = what_if(to_blocks(features), weights, [0], np.ones((1, 2), bool))
    assert found.logits.tolist() == [[1, 2**-30]]


def test_the_mean_of_a_labels_logits_is_the_sum_of_the_kept_fields() -> None:
    bits, weights, labels, _ = layer(2, 400, 12, 5, 3)
    features = from_bfloat16(bits)
    means = np.stack([features[labels == i].mean(axis=0, dtype=np.float64) for i in range(5)], axis=1)
    measured = measure_factored(means.astype(np.float32), weights)
    mask = afcc_mask(measured.cluster_of)
    assert mask.any() and not mask.all()
    found = what_if(to_blocks(bits), weights, labels, mask)
    fields = fields_from_factors(means.astype(np.float32), weights)
    kept = np.where(mask[:, None, :], fields, 0).sum(axis=0, dtype=np.float64)
    averages = np.stack([found.logits[labels == i].mean(axis=0) for i in range(5)])
    np.testing.assert_allclose(averages, kept, rtol=1e-4, atol=1e-5)


def test_float32_features_and_their_bfloat16_bits_give_the_same_bits() -> None:
    bits, weights, labels, random = layer(3, 300, 4, 3, 2)
    mask = random.random((4, 3)) < 0.5
    as_bits, as_floats = (what_if(to_blocks(f), weights, labels, mask) for f in (bits, from_bfloat16(bits)))
    assert as_bits.logits.tobytes() == as_floats.logits.tobytes()
    flat = what_if(to_blocks(bits.reshape(300, -1)), weights, labels, mask)
    assert flat.logits.tobytes() == as_bits.logits.tobytes()
    every = np.arange(1 << 16, dtype=np.uint16)
    as_torch = torch.from_numpy(every.view(np.int16)).view(torch.bfloat16).float().numpy()
    assert from_bfloat16(every).view(np.uint32).tolist() == as_torch.view(np.uint32).tolist()


def test_what_if_of_a_file(tmp_path: Path) -> None:
    """What the explorer does: features, labels and weights from a run that kept them."""
    content = small_run()
    layer = content.layers[0]
    layer.test_features &= 0x3F7F  # finite: no exponent of all ones
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        read = run.layers["10"]
        mask = afcc_mask(read.measure(0.3).cluster_of)
        found = what_if(to_blocks(read.test_features), read.probe_weights, run.label_of_test_input, mask)
    exact = plain_logits(from_bfloat16(layer.test_features), layer.probe_weights, mask)
    np.testing.assert_allclose(found.logits, exact, rtol=1e-6, atol=1e-12)
    assert found.accuracy == (exact.astype(np.float32).argmax(axis=1) == content.label_of_test_input).mean()


# ---- silencing


@given(SEEDS, st.integers(1, 9), st.integers(1, 12))
def test_silencing_is_the_probe_without_those_filters_at_every_point(seed: int, n_filters: int, step: int) -> None:
    bits, weights, labels, random = layer(seed, 30, n_filters, 4, 2)
    mask, order = random.random((n_filters, 4)) < 0.6, random.permutation(n_filters)
    features = to_blocks(bits)
    curve = silencing(features, weights, labels, mask, order, step)
    assert curve.silenced.tolist() == [*range(0, n_filters, step), n_filters]
    for silenced, accuracy in zip(curve.silenced, curve.accuracy, strict=True):
        left = mask.copy()
        left[order[:silenced]] = False
        assert accuracy == what_if(features, weights, labels, left).accuracy
    assert curve.accuracy[-1] == (labels == 0).mean()  # nothing is left: all logits are equal, exactly


def test_orders_of_silencing() -> None:
    fields = np.zeros((4, 3, 3), np.float32)
    fields[0] = np.diag([1, 0, 0])  # maximum 1, no noise
    fields[1, 0] = [5, 5, 5]  # two noise elements
    fields[2, 0] = [3, 3, 0]  # one
    fields[3] = np.nan
    measured = measure_layer(fields)
    assert measured.noise.tolist() == [0, 2, 1, 0]
    assert silencing_order("noisiest", measured).tolist() == [1, 2, 0, 3]
    assert silencing_order("smallest maximum", measured).tolist() == [0, 2, 1, 3]
    random = silencing_order("random", measured, seed=3)
    assert sorted(random) == [0, 1, 2, 3] and random.tolist() == silencing_order("random", measured, seed=3).tolist()
    assert len({tuple(silencing_order("random", measured, seed)) for seed in range(9)}) > 1
    with pytest.raises(ValueError, match="'noisiest'"):
        silencing_order("loudest", measured)  # type: ignore[arg-type]


# ---- one input


@given(SEEDS, st.sampled_from([0.1, 0.3, 0.6]))
def test_the_parts_of_a_row_are_those_that_were_counted(seed: int, threshold: float) -> None:
    fields = random_fields(np.random.default_rng(seed), 12, 6)
    measured = measure_layer(fields, threshold)
    for label in range(6):
        parts = parts_of_row(measured, fields[:, label], label)
        counts = [np.count_nonzero(parts == part) for part in (SIGNAL, INTERNAL, EXTERNAL, REST)]
        assert counts[0] == measured.signal[label]
        assert counts[1] == round(5 * measured.noise_internal[label])
        assert counts[2] == round(5 * measured.noise_external[label])
        assert sum(counts) == 12 * 6
        assert not (parts[:, np.arange(6) != label] == SIGNAL).any()


def test_the_split_of_one_input_adds_up_to_its_logits() -> None:
    bits, weights, labels, _ = layer(4, 50, 16, 5, 4)
    features = from_bfloat16(bits)
    means = np.stack([features[labels == i].mean(axis=0) for i in range(5)], axis=1)
    fields = fields_from_factors(means, weights)
    measured = measure_layer(fields)
    everything = what_if(to_blocks(bits), weights, labels, np.ones((16, 5), bool))
    clusters = what_if(to_blocks(bits), weights, labels, afcc_mask(measured.cluster_of))
    for x in range(50):
        parts = parts_of_row(measured, fields[:, labels[x]], int(labels[x]))
        split = split_logits(features[x], weights, parts)
        np.testing.assert_allclose(split.logits, split.given.sum(axis=0), rtol=0, atol=1e-12)
        np.testing.assert_allclose(split.logits, everything.logits[x], rtol=1e-6, atol=1e-6)
        kept = np.where(afcc_mask(measured.cluster_of), split.given, 0).sum(axis=0)
        np.testing.assert_allclose(kept, clusters.logits[x], rtol=1e-6, atol=1e-6)
        for part in (SIGNAL, INTERNAL, EXTERNAL, REST):
            by_hand = sum(split.given[f, 2] for f in range(16) if parts[f, 2] == part)
            assert split.by_part[part, 2] == pytest.approx(by_hand, abs=1e-12)
        ranked = split.ranked(2)
        assert sorted(ranked) == list(range(16)) and (np.diff(split.given[ranked, 2]) <= 0).all()
    assert {SIGNAL, INTERNAL, EXTERNAL, REST} == set(np.unique(parts))


# ---- refused


def good() -> dict[str, Any]:
    bits, weights, labels, _ = layer(5, 10, 3, 4, 2)
    return {"features": to_blocks(bits), "probe_weights": weights, "labels": labels, "mask": np.ones((3, 4), bool)}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"probe_weights": np.ones((3, 4, 2))}, TypeError, "probe_weights: expected float32"),
        ({"probe_weights": np.ones((2, 4, 2), np.float32)}, ValueError, "probe_weights: .* for 6 features"),
        ({"probe_weights": np.full((3, 4, 2), np.nan, np.float32)}, ValueError, "probe_weights: .*not finite"),
        ({"labels": np.zeros(9, int)}, ValueError, r"labels: .*\(10,\)"),
        ({"labels": np.full(10, 4)}, ValueError, "labels: expected 0 to 3, found 4"),
        ({"labels": np.full(10, -1)}, ValueError, "labels: expected 0 to 3"),
        ({"labels": np.zeros(10)}, ValueError, "labels"),
        ({"mask": np.ones((3, 4))}, ValueError, "mask: expected bool"),
        ({"mask": np.ones((4, 3), bool)}, ValueError, "mask"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, Any], error: type, message: str) -> None:
    assert what_if(**good()).accuracy >= 0
    with pytest.raises(error, match=message):
        what_if(**(good() | changes))


@pytest.mark.parametrize(("order", "step"), [([0, 1], 1), ([0, 1, 1], 1), ([0.0, 1.0, 2.0], 1), ([0, 1, 2], 0)])
def test_orders_that_are_none_are_refused(order: list[float], step: int) -> None:
    with pytest.raises(ValueError, match=r"order|step"):
        silencing(**good(), order=order, step=step)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("as_bits", [False, True])
def test_features_that_are_not_finite_are_refused(value: float, as_bits: bool) -> None:
    features = np.ones((300, 4), np.float32)
    features[299, 3] = value
    given = (features.view(np.uint32) >> 16).astype(np.uint16) if as_bits else features
    with pytest.raises(ValueError, match="features: found one that is not finite"):
        to_blocks(given)


def test_features_of_another_type_or_shape_are_refused() -> None:
    with pytest.raises(TypeError, match="float32, or bfloat16"):
        to_blocks(np.ones((2, 2)))  # type: ignore[arg-type]
    for shape in [(4,), (0, 4), (1, 2, 3, 4)]:
        with pytest.raises(ValueError, match="features"):
            to_blocks(np.ones(shape, np.float32))
    with pytest.raises(ValueError, match="cluster_of"):
        afcc_mask(np.zeros(4, np.int32))


def test_the_example_in_the_documentation() -> None:
    assert doctest.testmod(store.measure.afcc).failed == 0 and doctest.testmod(store.measure.afcc).attempted > 0
