"""What a layer's record says of its sample: written and read again, and whatever a stranger writes there."""

import json
import math

import numpy as np
import pytest

from store.file.sample_results import is_biased, of_layer, to_record
from store.measure.bootstrap import QUANTITIES, bootstrap, columns_of
from store.measure.halves import Alike
from tests.store.measure.test_bootstrap import drawn_layer


def test_a_record_is_read_as_it_was_measured() -> None:
    features, labels, weights = drawn_layer(0)
    measured = bootstrap(columns_of(features), labels, weights, resamples=20, seed=3)
    record = json.loads(json.dumps(to_record(measured, 3, Alike(0.25, 0.75)), allow_nan=False))
    found = of_layer({"sample": record})
    assert found is not None and found.resamples == 20 and found.halves == Alike(0.25, 0.75)
    for t, threshold in enumerate(measured.thresholds):
        for k, name in enumerate(QUANTITIES):
            error, bias = measured.errors[t, k], measured.bias[t, k]
            read = found.error(threshold, name)
            assert (read is None) == math.isnan(error)
            assert read is None or read == pytest.approx(error, rel=1e-3)
            assert found.is_biased(threshold, name) == is_biased(bias, error)
    assert found.error(0.31, "n") is None
    assert found.clusters is not None and found.clusters.threshold == 0.3
    assert np.allclose(found.clusters.share, measured.share, atol=0.01)
    assert np.allclose(found.clusters.jaccard, measured.jaccard, atol=0.01)
    assert np.array_equal(found.clusters.sure(), measured.sure())


@pytest.mark.parametrize("record", [{}, {"sample": None}, {"sample": [1]}, {"sample": "text"}])
def test_no_record_is_none(record: dict[str, object]) -> None:
    assert of_layer(record) is None


@pytest.mark.parametrize(
    "clusters",
    [
        None,
        [],
        {"threshold": 0.3},
        {"threshold": 0.3, "share": "101", "jaccard": "100"},
        {"threshold": 0.3, "share": "-1", "jaccard": "100"},
        {"threshold": 0.3, "share": "5 6", "jaccard": "100"},
        {"threshold": 0.3, "share": "9" * 5000, "jaccard": "100"},
        {"threshold": 0.3, "share": "٣", "jaccard": "3"},  # a digit, but not ours
        {"threshold": 3, "share": "50", "jaccard": "50"},
        {"threshold": 0.3, "share": [50], "jaccard": [50]},
    ],
)
def test_clusters_that_are_none_are_left_out(clusters: object) -> None:
    found = of_layer({"sample": {"clusters": clusters}})
    assert found is not None and found.clusters is None


def test_numbers_that_are_none_are_left_out() -> None:
    sample = {
        "resamples": True,
        "thresholds": [0.3, "0.4", 7, 0.5, 0.6],
        "errors": {"n": [1.5, 2, 3, -1], "N_c": "many", "C_s": [10**400], "signal": [None, 1, 1, 2]},
        "halves": {"identical": 2, "jaccard": 0.5},
    }
    found = of_layer({"sample": sample})
    assert found is not None and found.resamples is None and found.halves is None
    assert found.errors == {0.3: {"n": 1.5}, 0.5: {"signal": 2.0}, 0.6: {}}
