"""What a layer's record says of its sample: written and read again, and whatever a stranger writes there."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from store.file.format import FormatError
from store.file.read import Run
from store.file.sample_results import is_biased, of_layer, to_record
from store.file.write import write_run
from store.measure.afcc import from_bfloat16
from store.measure.bootstrap import QUANTITIES, bootstrap, columns_of
from store.measure.halves import Alike
from tests.builders import small_run
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


def test_a_layer_with_test_features_is_resampled_at_any_threshold(tmp_path: Path) -> None:
    content = small_run()
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        assert run.layers["13"].bootstrap() is None
        layer = run.layers["10"]
        found = layer.bootstrap(0.37, resamples=30)
        features = from_bfloat16(content.layers[0].test_features)
        labels, weights = content.label_of_test_input, content.layers[0].probe_weights
    wanted = bootstrap(columns_of(features), labels, weights, (0.37,), 0.37, resamples=30)
    assert found is not None and found.thresholds == (0.37,)
    assert np.array_equal(found.draws, wanted.draws, equal_nan=True) and np.array_equal(found.share, wanted.share)


def test_a_label_without_a_test_input_is_the_files_fault(tmp_path: Path) -> None:
    content = small_run()
    content.label_of_test_input[:] = 1
    write_run(tmp_path / "run.h5", content)
    with (
        Run(tmp_path / "run.h5") as run,
        pytest.raises(FormatError, match="layers/10: labels: expected each"),
    ):
        run.layers["10"].bootstrap()
