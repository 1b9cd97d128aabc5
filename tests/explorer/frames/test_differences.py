"""Two layers or runs side by side: what is subtracted from what, and which label is which."""

import pytest

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")
from explorer.frames import differences
from explorer.frames import layer as frames
from store.file.read import Run
from store.measure.layer import LayerMeasure


def test_differences_are_b_minus_a() -> None:
    frame = differences.of_numbers({"n": 2.0, "N_c": None, "silent": 0.0}, {"n": 3.0, "N_c": 1.0, "silent": 2.0})
    assert frame["B - A"].to_list() == [1.0, None, 2.0]
    assert frame["B / A"].to_list() == [1.5, None, None]


def test_labels_of_two_runs_are_matched_by_name(run: Run, layer_10: LayerMeasure) -> None:
    a = frames.labels(run, layer_10)
    b = a.reverse().with_columns(pl.col("signal") + 1)
    frame = differences.of_labels(a, b)
    assert frame.height == run.n_labels
    assert (frame["signal, B - A"] == 1).all() and (frame["noise_I, B - A"] == 0).all()
