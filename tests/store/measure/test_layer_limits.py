"""What `store.measure` does with large layers (threads, memory) and with arguments that make no sense."""

import math
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from benchmarks.timing import peak_above
from store import measure_factored, measure_layer, permutation, scan_order
from store.measure.layer import fields_from_factors
from tests.builders import assert_same, random_fields


@pytest.mark.parametrize("cores", [1, 2, 3, 64])
def test_threads_change_nothing(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    random = np.random.default_rng(cores)
    n_filters, n_labels = 67, 100  # 670,000 elements, enough for threads; 67 filters do not divide evenly
    means, weights = random.standard_normal((2, n_filters, n_labels, 2), np.float32)
    counts, order = random.integers(1, 100, n_labels), random.permutation(n_labels)
    fields = fields_from_factors(means, weights)
    layer = measure_layer(fields, 0.3, order, counts)
    assert_same(measure_factored(means, weights, 0.3, order, counts), layer)
    alone = [measure_layer(fields[f : f + 1], 0.3, order, counts) for f in range(n_filters)]  # too small for threads
    for name in ("cluster_of", "n_clusters", "noise", "n_above", "maximum", "silent", "cluster_sizes"):
        assert np.array_equal(getattr(layer, name), np.concatenate([getattr(one, name) for one in alone])), name
    assert np.array_equal(layer.signal, sum(one.signal for one in alone))
    others = n_labels - 1
    for name in ("signal_field", "noise_internal_field", "noise_external_field"):
        assert np.allclose(getattr(layer, name), sum(getattr(one, name) for one in alone), rtol=1e-12), name
    assert round((layer.noise_external * others).sum()) == layer.noise.sum()


def test_measure_factored_holds_a_few_matrices_at_a_time() -> None:
    n_filters, n_labels = 100, 1000
    matrix = 4 * n_labels * n_labels
    means, weights = np.random.default_rng(0).standard_normal((2, n_filters, n_labels, 1), np.float32)
    measure_factored(means[:2], weights[:2])  # compile first
    tracemalloc.start()  # it sees numpy's arrays
    measure_factored(means, weights, counts=np.ones(n_labels))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * matrix  # the results alone are nearly one; all matrices would be 100


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak of a part of a process")
@pytest.mark.parametrize("held_by_the_test", [0, 50])
def test_nor_do_its_compiled_loops(held_by_the_test: int) -> None:
    """They allocate where tracemalloc does not look, so the whole process is looked at; `held`: the test can fail."""
    setup = """
        import numpy as np
        from store import measure_factored
        means, weights = np.random.default_rng(0).standard_normal((2, 100, 1000, 1), np.float32)
        measure_factored(means[:, :2], weights[:, :2])  # compile, or load, first
    """
    call = f"(measure_factored(means, weights), np.ones(({held_by_the_test}, 1000, 1000), np.float32))"
    matrices = peak_above(setup, call) / (4 * 1000 * 1000)
    assert (matrices < 4 + min(os.cpu_count() or 1, 16)) == (held_by_the_test == 0)  # a matrix for each thread


def test_memory_that_may_only_be_read_is_enough() -> None:
    fields = random_fields(np.random.default_rng(0), 5, 4)
    wanted = measure_layer(fields.copy())
    fields.flags.writeable = False
    assert_same(measure_layer(fields), wanted)
    assert_same(measure_layer(np.asfortranarray(fields)), wanted)


ONE = np.ones((2, 3, 3), np.float32)
REFUSED = {
    "fields: float64": lambda: measure_layer(ONE.astype(np.float64)),
    "fields: one matrix": lambda: measure_layer(ONE[0]),
    "fields: not square": lambda: measure_layer(ONE[:, :2]),
    "fields: no filter": lambda: measure_layer(ONE[:0]),
    "fields: one label": lambda: measure_layer(ONE[:, :1, :1]),
    "class_means: integers": lambda: measure_factored(ONE.astype(np.int32), ONE),
    "class_means: one filter": lambda: measure_factored(ONE[0], ONE),
    "probe_weights: float16": lambda: measure_factored(ONE, ONE.astype(np.float16)),
    "probe_weights: other positions": lambda: measure_factored(ONE, ONE[:, :, :2]),
    "probe_weights: other filters": lambda: fields_from_factors(ONE, ONE[:1]),
    "threshold: negative": lambda: measure_layer(ONE, -0.1),
    "threshold: above 1": lambda: measure_layer(ONE, 1.1),
    "threshold: NaN": lambda: measure_layer(ONE, math.nan),
    "threshold: text": lambda: measure_layer(ONE, "0.3"),  # type: ignore[arg-type]
    "threshold: none": lambda: measure_layer(ONE, None),
    "order: a label missing": lambda: measure_layer(ONE, order=[0, 1]),
    "order: a label twice": lambda: measure_layer(ONE, order=[0, 1, 1]),
    "order: from 1": lambda: measure_layer(ONE, order=[1, 2, 3]),
    "order: two axes": lambda: measure_layer(ONE, order=[[0, 1, 2]]),
    "order: fractions": lambda: measure_layer(ONE, order=[0.9, 1.2, 2.0]),
    "order: text": lambda: measure_layer(ONE, order=["a", "b", "c"]),
    "order: unknown word": lambda: scan_order("sideways", 3),  # type: ignore[arg-type]
    "counts: a label missing": lambda: measure_layer(ONE, counts=[1, 2]),
    "counts: a number": lambda: measure_layer(ONE, counts=3),
    "counts: text": lambda: measure_layer(ONE, counts=["a", "b", "c"]),
    "counts: negative": lambda: measure_layer(ONE, counts=[1, 2, -3]),
    "counts: NaN": lambda: measure_layer(ONE, counts=[1, 2, math.nan]),
    "cluster_of: two axes": lambda: permutation(np.zeros((2, 3), np.int32)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_refused_by_name(case: str) -> None:
    with pytest.raises((TypeError, ValueError), match=case.split(":")[0]):
        REFUSED[case]()


@pytest.mark.parametrize("positions", [1, 2])
def test_a_zero_field_has_no_sign(positions: int) -> None:
    """However it comes about: a product that underflows, a product with zero, a sum."""
    class_means = np.zeros((1, 2, positions), np.float32)
    probe_weights = np.zeros((1, 2, positions), np.float32)
    class_means[0, :, 0] = [1e-30, -1]
    probe_weights[0, :, 0] = [-1e-30, 0]
    fields = fields_from_factors(class_means, probe_weights)
    assert not np.signbit(fields[fields == 0]).any()
    assert (fields == 0).sum() == 3
