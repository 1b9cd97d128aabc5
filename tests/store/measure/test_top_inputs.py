"""Which inputs drive a filter: against a plain loop, in the order of equals, and which pictures there is room for."""

import numpy as np
import pytest

from store.measure import top_inputs as measure
from store.measure.top_inputs import MOST, to_show, top_inputs


@pytest.mark.parametrize(("n_inputs", "at_once"), [(5, 1 << 24), (60, 1), (60, 1 << 24)])
def test_as_a_plain_loop_finds_them(n_inputs: int, at_once: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measure, "_VALUES_AT_ONCE", at_once)
    random = np.random.default_rng(0)
    features = random.integers(0, 6, (n_inputs, 7, 3)).astype(np.float32)  # many are equal
    labels, weights = random.integers(0, 4, n_inputs), random.standard_normal((7, 4, 3)).astype(np.float32)
    found = top_inputs(lambda first, last: features[:, first:last], labels, weights)
    assert found.inputs.shape == found.positions.shape == found.values.shape == (7, 2, min(MOST, n_inputs))
    for f in range(7):
        own = features[:, f] * weights[f, labels]
        totals = features[:, f].sum(1, dtype=np.float64) / 3, own.sum(1, dtype=np.float64)
        for ranking, (parts, total) in enumerate(zip((features[:, f], own), totals, strict=True)):
            value = total.astype(np.float32)
            order = np.lexsort((np.arange(n_inputs), -value))[:MOST].tolist()
            assert found.inputs[f, ranking].tolist() == order
            assert found.positions[f, ranking].tolist() == [int(parts[x].argmax()) for x in order]
            assert found.values[f, ranking].tolist() == value[order].tolist()
    assert np.array_equal(found.numbers[..., 0], found.inputs) and found.numbers.shape[-1] == 2


def test_every_filter_has_its_first_picture_before_any_has_its_second():
    inputs = np.array([[[5, 1], [5, 2]], [[7, 3], [7, 4]], [[7, 5], [9, 6]]], np.int32)  # (filter, ranking, rank)
    assert to_show(inputs, 10, 10) is None
    assert to_show(inputs, 11, 2).tolist() == [5, 7]  # type: ignore[union-attr]
    assert to_show(inputs, 11, 3).tolist() == [5, 7, 9]  # type: ignore[union-attr]
    assert to_show(inputs, 11, 4).tolist() == [1, 5, 7, 9]  # type: ignore[union-attr]
    assert len(to_show(inputs, 100, 99)) == 8  # type: ignore[arg-type]
