"""A layer's summaries in its record are what measuring it gives, or are none."""

import json
import math

import numpy as np
import pytest

from store.file.summary_results import of_layer, to_record
from store.measure.fields import Fields
from store.measure.summary import THRESHOLDS, Summary, summary


def summaries(scale: float = 1.0) -> list[Summary]:
    fields = Fields((scale * np.random.default_rng(0).normal(size=(6, 5, 5))).astype(np.float32))
    return [summary(fields.measure(threshold)) for threshold in THRESHOLDS]


def read(record: object, threshold: float = 0.3) -> Summary | None:
    return of_layer(json.loads(json.dumps({"summary": record}, allow_nan=False)), threshold)


@pytest.mark.parametrize("scale", [1.0, 0.0, -1.0])
def test_they_come_back_to_the_bit(scale):
    made = summaries(scale)
    assert any(math.isnan(one.cluster_size) for one in made) == (scale == 0.0)
    for threshold, one in zip(THRESHOLDS, made, strict=True):
        assert repr(read(to_record(made), threshold)) == repr(one)  # where NaN is equal to NaN


def test_what_is_infinite_comes_back():
    one = Summary(0.3, least_snr_internal=math.inf)
    assert read(to_record([one])).least_snr_internal == math.inf


def test_a_threshold_that_was_not_measured_has_none():
    assert read(to_record(summaries()), 0.31) is None
    assert of_layer({}, 0.3) is None


WHOLE = to_record(summaries())


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"threshold": 0.3},
        {name: column for name, column in WHOLE.items() if name != "noise"},
        WHOLE | {"noise": WHOLE["noise"][1:]},
        WHOLE | {"noise": "x" * 19},
        WHOLE | {"noise": [-1.0] * 19},
        WHOLE | {"noise": [True] * 19},
        WHOLE | {"noise": ["1"] * 19},
        WHOLE | {"noise": [[]] * 19},
        WHOLE | {"silent": [0.5] * 19},
        WHOLE | {"silent": [None] * 19},
        WHOLE | {"threshold": [0.3] * 1001},
        WHOLE | {"threshold": {"0.3": 1}},
    ],
)
def test_what_is_not_as_it_should_be_is_none(record):
    assert read(record) is None
