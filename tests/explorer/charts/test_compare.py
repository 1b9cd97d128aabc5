"""The charts of two layers or runs side by side."""

import json

import numpy as np
import pytest

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")
from explorer.charts import compare as charts_compare
from explorer.frames import differences


def test_a_comparison_names_both_axes_and_marks_the_threshold() -> None:
    shares = differences.shares(np.array([1, 2, 2]), np.array([2, 3]))
    axes = json.dumps(charts_compare.distributions(*shares, "n, noise", "heads").to_dict())
    assert '"title": "n, noise"' in axes and '"title": "part of the heads"' in axes
    points = pl.DataFrame({"threshold": [0.2, 0.4], "n": [3.0, 1.0]})
    marked = json.dumps(charts_compare.sweeps(points, points, "n", "n, noise", 0.45).to_dict())
    assert "present threshold 0.45" in marked and "the paper's 0.3" in marked
    assert '"symbolType": "stroke"' in marked
