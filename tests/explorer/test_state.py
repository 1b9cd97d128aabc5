"""A view as an address, there and back, whatever somebody writes into it."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")
from explorer.state import (
    MOST_PINS,
    FilterSort,
    LabelSort,
    NullChoice,
    Style,
    View,
    Weights,
    default_layer,
    fitted,
    from_address,
    to_address,
)
from store.file.read import Run
from store.measure.afcc import SilencingOrder
from tests.explorer_runs import make_run

names = st.text(max_size=40)


ranges = st.none() | st.lists(st.integers(0, 10**8), min_size=2, max_size=2).map(sorted).map(tuple)


spans = st.none() | st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=2).map(sorted).map(tuple)


views = st.builds(
    View,
    store=names, layer=names, store_b=names, layer_b=names,
    threshold=st.floats(0, 1), filter=st.integers(0, 10**8), label=st.integers(0, 10**8),
    order=st.sampled_from(["stored", "reversed", "random"]), average=st.sampled_from(["clustered", "all"]),
    filter_b=st.integers(0, 10**8), holds=st.integers(-1, 10**8), gallery_page=st.integers(1, 10**8),
    style=st.sampled_from(get_args(Style)), sort=st.sampled_from(get_args(FilterSort)),
    label_sort=st.sampled_from(get_args(LabelSort)), ascending=st.booleans(), log=st.booleans(),
    clusters=ranges, largest=ranges, noise=ranges, maximum=spans,
    null=st.sampled_from(get_args(NullChoice)), silencing=st.sampled_from(get_args(SilencingOrder)),
    weights=st.sampled_from(get_args(Weights)),
    silenced=st.integers(0, 10**8), seed=st.integers(0, 10**8), test_input=st.integers(0, 10**8),
)  # fmt: skip


@given(views)
def test_an_address_gives_the_same_view_to_the_bit(view: View) -> None:
    assert from_address(to_address(view)) == view


def test_defaults_are_not_in_the_address() -> None:
    assert to_address(View()) == {}


@given(st.dictionaries(st.sampled_from([*View.__dataclass_fields__, "other"]), st.text(max_size=300)))
def test_any_address_gives_a_view_in_range(parameters: dict[str, str]) -> None:
    view = from_address(parameters)
    assert 0 <= view.threshold <= 1 and view.filter >= 0 and view.label >= 0
    assert view.order in ("stored", "reversed", "random") and view.average in ("clustered", "all")
    assert view.gallery_page >= 1 and view.holds >= -1 and view.sort in get_args(FilterSort)
    assert all(span is None or 0 <= span[0] <= span[1] for span in (view.clusters, view.largest, view.noise))
    assert from_address(to_address(view)) == view


@pytest.mark.parametrize(
    "address",
    [
        {"sort": "__class__"}, {"style": "Permuted"}, {"gallery_page": "-1"}, {"gallery_page": "0"}, {"holds": "-1"},
        {"noise": "5-2"},
        {"maximum": "2~1"}, {"maximum": "nan~inf"}, {"maximum": "1"},
        {"noise": "1"}, {"noise": "-"}, {"clusters": "1-2-3"}, {"largest": "1-٣"}, {"log": "True"},
        {"gallery_page": "9" * 50}, {"ascending": "yes"}, {"label_sort": ""}, {"filter_b": "1e3"},
    ],
)  # fmt: skip
def test_what_cannot_be_in_an_address_is_left_out(address: dict[str, str]) -> None:
    assert from_address(address) == View()


@pytest.mark.parametrize("threshold", ["nan", "inf", "-0.1", "1.01", "1e999", "", "0.3.1", "０．９９９９９９x"])
def test_a_threshold_that_is_none_is_the_papers(threshold: str) -> None:
    assert from_address({"threshold": threshold}).threshold == 0.3


@given(views)
def test_a_fitted_view_is_in_the_run(run: Run, view: View) -> None:
    fit = fitted(view, run)
    assert fit.layer in run.layers
    assert fit.filter < run.layers[fit.layer].n_filters and fit.label < run.n_labels and fit.holds < run.n_labels


def test_the_default_layer_has_the_best_accuracy_or_is_the_deepest(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path / "x.h5"))
    assert default_layer(run).name == "10"
    run.layers["7"].record["test_accuracy"] = 0.99
    assert default_layer(run).name == "7"
    for layer in run.layers.values():
        layer.record["test_accuracy"] = "unknown"
    assert default_layer(run).name == "10"


def test_pins_are_in_the_address():
    view = View(pins=(("10", 156), ("features.4/x", 3)))
    assert to_address(view) == {"pins": "10/156,features.4/x/3"}
    assert from_address(to_address(view)) == view
    assert from_address({"pins": "10/-1,10,/3,7/2,7/2,,8/x"}).pins == (("7", 2),)
    assert len(from_address({"pins": ",".join(f"7/{k}" for k in range(99))}).pins) == MOST_PINS
