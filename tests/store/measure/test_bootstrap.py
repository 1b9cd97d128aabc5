"""Resampling, against the same done plainly in NumPy; coverage where the truth is known; and halves."""

import doctest
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import store.measure.bootstrap
import store.measure.halves
from store.measure.bootstrap import QUANTITIES, affordable, bootstrap, columns_of
from store.measure.gauge import AS_TRAINED, GAUGES, Gauge
from store.measure.halves import alike, halves_alike, in_first_half, other_half
from store.measure.layer import LayerMeasure, measure_factored
from store.measure.summary import THRESHOLDS, summary
from store.measure.threads import n_shares


def numbers(measured: LayerMeasure) -> list[float]:
    found = summary(measured)
    return [found.noise, found.n_clusters, found.cluster_size, found.signal, found.noise_internal, found.noise_external]


def drawn_layer(
    seed: int, n_labels: int = 6, n_filters: int = 5, positions: int = 2, inputs: int = 12
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Features of integers, whose sums are exact in float32, so that every way to add them up gives the same bits."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(n_labels), np.arange(inputs, inputs + n_labels)))
    truth = random.integers(0, 9, (n_labels, n_filters, positions))
    features = truth[labels] + random.integers(-6, 7, (len(labels), n_filters, positions))
    weights = random.standard_normal((n_filters, n_labels, positions))
    return np.maximum(features, 0).astype(np.float32), labels, weights.astype(np.float32)


def plainly(features, labels, weights, threshold, resamples, seed, gauge=AS_TRAINED):
    """The same draws, one after another: numbers, and of each cluster the share and the mean best Jaccard."""
    n_labels = weights.shape[1]
    random = np.random.default_rng(seed)
    drawn = []
    for label in range(n_labels):
        own = np.flatnonzero(labels == label)
        drawn.append(own[random.integers(len(own), size=(resamples, len(own)))])

    def clusters(measured: LayerMeasure, f: int) -> list[set[int]]:
        of = measured.cluster_of[f]
        return [set(np.flatnonzero(of == cluster).tolist()) for cluster in range(of.max() + 1)]

    def measured(picks: list[NDArray[np.int64]]) -> LayerMeasure:
        means = np.stack([features[of].mean(axis=0, dtype=np.float64) for of in picks], axis=1)
        return measure_factored(means.astype(np.float32), weights, threshold, gauge=gauge)

    whole = measured([np.flatnonzero(labels == label) for label in range(n_labels)])
    each = [measured([of[r] for of in drawn]) for r in range(resamples)]
    share, jaccard = [], []
    for f in range(len(weights)):
        for wanted in clusters(whole, f):
            best = [max((len(wanted & c) / len(wanted | c) for c in clusters(one, f)), default=0.0) for one in each]
            share.append(np.mean([value == 1 for value in best]))
            jaccard.append(np.mean(best))
    return numbers(whole), np.array([numbers(one) for one in each]), share, jaccard


@pytest.mark.parametrize("gauge", GAUGES)
@pytest.mark.parametrize(("seed", "threshold"), [(0, 0.3), (1, 0.05), (2, 0.8), (3, 0.5)])
def test_it_is_resampling_done_plainly(seed: int, threshold: float, gauge: Gauge) -> None:
    features, labels, weights = drawn_layer(seed)
    columns, at = columns_of(features), (threshold,)
    found = bootstrap(columns, labels, weights, at, threshold, resamples=30, seed=seed, gauge=gauge)
    observed, draws, share, jaccard = plainly(features, labels, weights, threshold, 30, seed, gauge)
    assert np.allclose(found.observed[0], observed, rtol=1e-12, equal_nan=True)
    close = np.isclose(found.draws[:, 0], draws, rtol=1e-12, equal_nan=True)
    assert close.mean() > 0.98, "a float32 mean rounded another way may move a tie, no more"
    assert np.allclose(found.share, share, atol=0.04) and np.allclose(found.jaccard, jaccard, atol=0.04)
    assert np.allclose(found.errors[0], np.nanstd(draws, axis=0, ddof=1), rtol=0.05, equal_nan=True)
    assert 0 < found.share.mean() < 1 and (found.jaccard >= found.share).all()


def test_all_thresholds_at_once_are_those_one_by_one() -> None:
    features, labels, weights = drawn_layer(4)
    found = bootstrap(columns_of(features), labels, weights, resamples=12, swept=5)
    assert found.thresholds == THRESHOLDS and found.draws.shape == (12, 19, len(QUANTITIES))
    for place, threshold in enumerate(THRESHOLDS):
        alone = bootstrap(columns_of(features), labels, weights, (threshold,), threshold, resamples=12)
        assert np.array_equal(found.observed[place], alone.observed[0], equal_nan=True)
        measured = 12 if threshold == 0.3 else 5
        assert np.array_equal(found.draws[:measured, place], alone.draws[:measured, 0], equal_nan=True)
        assert np.isnan(found.draws[measured:, place]).all()
        if threshold == 0.3:
            assert np.array_equal(found.share, alone.share) and np.array_equal(found.jaccard, alone.jaccard)


def test_filters_block_by_block_on_any_number_of_cores_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, weights = drawn_layer(5, n_labels=12, n_filters=40)
    asked = []

    def columns(first: int, last: int) -> NDArray[np.float32]:
        asked.append((first, last))
        return features[:, first:last]

    whole = bootstrap(columns, labels, weights, resamples=100, swept=100)
    monkeypatch.setattr(store.measure.bootstrap, "_BLOCK_BYTES", 4 * 100 * 12 * 2 * 7)
    monkeypatch.setattr(store.measure.threads, "n_shares", lambda items: min(items, 3))
    monkeypatch.setattr(store.measure.bootstrap, "n_shares", lambda items: min(items, 3))
    blocks = bootstrap(columns, labels, weights, resamples=100, swept=100)
    assert asked == [(0, 40), *((first, min(first + 7, 40)) for first in range(0, 40, 7))]
    for name in ("draws", "observed", "share", "jaccard"):
        assert np.array_equal(getattr(whole, name), getattr(blocks, name), equal_nan=True), name
    assert n_shares(1) == 1


def test_inputs_that_do_not_differ_leave_no_doubt() -> None:
    _, labels, weights = drawn_layer(6)
    truth = np.random.default_rng(0).integers(1, 9, (6, 5, 2)).astype(np.float32)
    found = bootstrap(columns_of(truth[labels]), labels, weights, resamples=10)
    errors = found.errors
    assert np.nanmax(errors) < 1e-12 and (found.share == 1).all() and (found.jaccard == 1).all()
    assert found.sure().all() and np.nanmax(np.abs(found.bias)) < 1e-12


def test_a_silent_layer_has_no_clusters_to_doubt() -> None:
    _, labels, weights = drawn_layer(7)
    found = bootstrap(columns_of(np.zeros((len(labels), 5, 2), np.float32)), labels, weights, resamples=4)
    assert found.share.size == 0 and np.isnan(found.errors[:, :3]).all()  # n, N_c and C_s of nothing
    assert (found.errors[:, 3:] == 0).all()  # signal and noises are 0


@pytest.mark.parametrize(
    ("change", "message"),
    [({"resamples": 1}, "resamples: expected at least 2"), ({"labels": [0, 0, 1]}, "labels: expected each of 0 to 5")],
)
def test_what_cannot_be_resampled_is_refused(change: dict[str, Any], message: str) -> None:
    features, labels, weights = drawn_layer(0)
    with pytest.raises(ValueError, match=message):
        arguments: dict[str, Any] = {"columns": columns_of(features), "labels": labels, "probe_weights": weights}
        bootstrap(**(arguments | change))


def test_the_number_of_resamples_falls_where_there_are_many_labels() -> None:
    assert affordable(512, 100, 4) == affordable(64, 10, 256) == 200
    assert affordable(1280, 1000, 49) == 20 < affordable(1000, 300, 1) < 200


def covered(samples: int, n_labels: int, n_filters: int, inputs: int, resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """Many data sets of one truth: the shares of estimate +- 1.96 standard errors that hold the mean over the data
    sets, and the mean standard error / the spread of the estimates, for each of QUANTITIES."""
    random = np.random.default_rng(0)
    truth = np.maximum(random.standard_normal((n_labels, n_filters, 1)) + 0.5, 0)
    weights = (truth.transpose(1, 0, 2) - truth.mean(axis=0)[:, None]).astype(np.float32)
    labels = np.repeat(np.arange(n_labels), inputs)
    found = []
    for seed in range(samples):
        noise = np.random.default_rng(seed).standard_normal((len(labels), n_filters, 1))
        features = np.maximum(truth[labels] + noise, 0).astype(np.float32)
        found.append(bootstrap(columns_of(features), labels, weights, (0.3,), 0.3, resamples, seed=seed))
    estimates, errors = (np.array([getattr(one, name)[0] for one in found]) for name in ("observed", "errors"))
    inside = np.abs(estimates - estimates.mean(axis=0)) <= 1.96 * errors
    return inside.mean(axis=0), errors.mean(axis=0) / estimates.std(axis=0, ddof=1)


def test_intervals_hold_what_they_should_on_a_small_truth() -> None:
    held, ratio = covered(samples=40, n_labels=8, n_filters=24, inputs=50, resamples=60)
    assert (held[0] >= 0.85) and 0.75 < ratio[0] < 1.35  # 60 data sets know their own spread to 9%


@pytest.mark.slow
def test_intervals_hold_what_they_should() -> None:
    held, ratio = covered(samples=200, n_labels=20, n_filters=64, inputs=100, resamples=200)
    assert 0.93 <= held[0] <= 0.98 and abs(ratio[0] - 1) < 0.1, (held, ratio)


def test_halves_are_every_second_input_of_a_label() -> None:
    labels = np.array([1, 0, 1, 1, 0, 2, 2, 0])
    assert in_first_half(labels).tolist() == [True, True, False, True, False, True, False, True]
    features, labels, weights = drawn_layer(8)
    first = in_first_half(labels)

    def means(chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
        of_label = [features[chosen & (labels == label)].mean(axis=0, dtype=np.float64) for label in range(6)]
        return np.stack(of_label, axis=1).astype(np.float32)

    counts = np.bincount(labels)
    half = means(first)
    other = other_half(means(np.ones(len(labels), bool)), half, counts)
    assert np.allclose(other, means(~first), rtol=1e-5, atol=1e-5)
    found = halves_alike(means(np.ones(len(labels), bool)), half, weights, counts)
    measured = [measure_factored(one, weights).cluster_of for one in (half, other)]
    assert found == alike(*measured) and 0 < found.identical < 1 and found.jaccard > found.identical
    with pytest.raises(ValueError, match="label 1 has 1 test inputs"):
        other_half(half, half, np.array([2, 1, 3, 3, 3, 3]))


def test_the_examples_in_the_documentation() -> None:
    for module in (store.measure.bootstrap, store.measure.halves):
        result = doctest.testmod(module)
        assert result.attempted > 0 and result.failed == 0
