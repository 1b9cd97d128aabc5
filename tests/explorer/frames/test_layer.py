"""What the pages show, without a page: frames, charts, pictures, and the view's way through the address."""

import json
import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")

from explorer.charts import compare as charts_compare
from explorer.charts import gallery as pictures
from explorer.charts import layer as charts
from explorer.frames import differences
from explorer.frames import layer as frames
from explorer.parts import elements
from explorer.state import (
    FilterSort,
    LabelSort,
    NullChoice,
    View,
    Weights,
    default_layer,
    fitted,
    from_address,
    to_address,
)
from store.file.read import Run
from store.measure.afcc import SilencingOrder
from store.measure.fields import Fields
from store.measure.labels import partners as label_partners
from store.measure.layer import LayerMeasure, measure_layer
from store.measure.summary import summary
from tests.explorer_runs import VGG16, make_run

names = st.text(max_size=40)
ranges = st.none() | st.lists(st.integers(0, 10**8), min_size=2, max_size=2).map(sorted).map(tuple)
spans = st.none() | st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=2).map(sorted).map(tuple)
views = st.builds(
    View,
    store=names, layer=names, store_b=names, layer_b=names,
    threshold=st.floats(0, 1), filter=st.integers(0, 10**8), label=st.integers(0, 10**8),
    order=st.sampled_from(["stored", "reversed", "random"]), average=st.sampled_from(["clustered", "all"]),
    filter_b=st.integers(0, 10**8), holds=st.integers(-1, 10**8), gallery_page=st.integers(1, 10**8),
    style=st.sampled_from(get_args(pictures.Style)), sort=st.sampled_from(get_args(FilterSort)),
    label_sort=st.sampled_from(get_args(LabelSort)), ascending=st.booleans(), log=st.booleans(),
    clusters=ranges, largest=ranges, noise=ranges, maximum=spans,
    null=st.sampled_from(get_args(NullChoice)), silencing=st.sampled_from(get_args(SilencingOrder)),
    weights=st.sampled_from(get_args(Weights)),
    silenced=st.integers(0, 10**8), seed=st.integers(0, 10**8), test_input=st.integers(0, 10**8),
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(make_run(tmp_path_factory.mktemp("run") / "run.h5"))


@pytest.fixture(scope="module")
def layer_10(run: Run) -> LayerMeasure:
    return run.layers["10"].measure(0.3)


# ---- The view and its address ---------------------------------------------------------------------------------------


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


# ---- Frames ---------------------------------------------------------------------------------------------------------


def test_the_paper_table_has_what_was_measured_and_what_was_published(tmp_path: Path) -> None:
    labels = [(f"label {k}", "") for k in range(100)]
    with Run(make_run(tmp_path / "x.h5", {"4": (3, 2), "10": VGG16["10"]}, labels)) as run:
        measures = {name: layer.measure() for name, layer in run.layers.items()}
        table = frames.paper_table(run, measures, "clustered")
        signal = frames.signal_table(run, measures, "clustered")
    assert table["layer"].to_list() == ["10", "4"]
    top = table.row(0, named=True)
    assert (top["n, paper"], top["N_c, paper"], top["C_s, paper"]) == (16.3, 2.6, 2.0)
    assert (top["N_f"], top["F_s"], top["FC_s"]) == (512, "2x2", 2048)
    assert top["n"] == measures["10"].mean_noise
    assert signal["noise_E"][0] == measures["10"].noise_external.mean()


def test_where_nothing_was_published_the_paper_table_has_no_place_for_it(run: Run) -> None:
    arch = run.manifest["network"] | {"arch": "timm:resnet18"}
    run.manifest["network"], before = arch, run.manifest["network"]
    try:
        table = frames.paper_table(run, {"10": run.layers["10"].measure()}, "clustered")
    finally:
        run.manifest["network"] = before
    assert not [column for column in table.columns if "paper" in column] and table["n"].null_count() == 0


def test_what_is_undefined_is_null_everywhere(run: Run) -> None:
    nothing = measure_layer(-np.ones((4, 20, 20), np.float32), 0.3, counts=run.test_inputs)
    layer = replace_filters(run, 4)
    for frame in (
        frames.paper_table(run, {"10": nothing}, "clustered"),
        frames.signal_table(run, {"10": nothing}, "clustered"),
        frames.depth(run, {"10": nothing}, "clustered"),
        frames.filters(nothing, np.zeros(4)),
        frames.labels(run, nothing),
        frames.clusters(run, nothing.cluster_of[0]),
        frames.elements(run, layer[0], nothing, 0),
        frames.filters_of_label(run, nothing, 0, np.zeros(4, np.float32)),
        frames.sweep([summary(nothing)], "clustered"),
        frames.sweep([summary(nothing)], "all"),
    ):
        for name in frame.columns:
            if frame[name].dtype.is_float():
                assert frame[name].is_nan().sum() in (0, None), name
    numbers = frames.layer_numbers(run.layers["10"], nothing, "clustered")
    assert numbers["N_c"] is None and numbers["SNR_E"] is None and numbers["silent"] == 4


def replace_filters(run: Run, n_filters: int) -> np.ndarray:
    return -np.ones((n_filters, run.n_labels, run.n_labels), np.float32)


def test_filters_agree_with_the_measure(run: Run, layer_10: LayerMeasure) -> None:
    fields = run.layers["10"].fields().matrices()
    frame = frames.filters(layer_10, Fields(fields).squares())
    assert frame["clusters"].to_list() == layer_10.n_clusters.tolist()
    assert frame["labels in clusters"].sum() == layer_10.cluster_sizes.sum()
    assert frame["largest cluster"].max() == layer_10.cluster_sizes.max()
    assert math.isclose(frame["share of fields"].sum(), 1)


def test_every_element_above_the_threshold_is_listed_once(run: Run, layer_10: LayerMeasure) -> None:
    for f in range(run.layers["10"].n_filters):
        frame = frames.elements(run, run.layers["10"].field(f), layer_10, f)
        assert frame.height == layer_10.n_above[f]
        assert (frame["part"] == "noise").sum() == layer_10.noise[f]
        assert (frame["part"] == "signal").sum() == (layer_10.cluster_of[f] >= 0).sum()
        assert frame.filter(pl.col("cluster").is_null())["part"].is_in(["noise"]).all()


def test_clusters_are_listed_largest_first_with_all_their_labels(run: Run, layer_10: LayerMeasure) -> None:
    for f in range(run.layers["10"].n_filters):
        frame = frames.clusters(run, layer_10.cluster_of[f])
        assert frame["labels"].to_list() == sorted(frame["labels"].to_list(), reverse=True)
        assert frame.height == layer_10.n_clusters[f]
        assert sum(len(row.split(", ")) for row in frame["names"]) == (layer_10.cluster_of[f] >= 0).sum()


def test_a_label_has_as_many_filters_as_signal(run: Run, layer_10: LayerMeasure) -> None:
    fields = run.layers["10"].fields().matrices()
    for label in range(run.n_labels):
        frame = frames.filters_of_label(run, layer_10, label, fields[:, label, label])
        assert frame.height == layer_10.signal[label]


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


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=200))
def test_a_histogram_counts_every_value_once(values: list[int]) -> None:
    frame = frames.histogram(np.array(values))
    assert frame["count"].sum() == len(values)
    assert frame.height <= 32


# ---- What labels have in common --------------------------------------------------------------------------------------


def test_partners_are_symmetric_and_add_up_to_the_noise(run: Run, layer_10: LayerMeasure) -> None:
    fields = run.layers["10"].fields().matrices()
    found = [label_partners(layer_10, Fields(fields).of_label(i), i) for i in range(run.n_labels)]
    clusters = np.array([partner.clusters for partner in found])
    noise_to = np.array([partner.noise_to for partner in found])
    noise_from = np.array([partner.noise_from for partner in found])
    assert np.array_equal(clusters, clusters.T)
    assert np.array_equal(noise_to, noise_from.T)
    assert noise_to.sum() == layer_10.noise.sum()
    np.testing.assert_allclose(noise_to.sum(axis=1) / (run.n_labels - 1), layer_10.noise_external)


# ---- How numbers are written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        ("B - A", [16384.0, 0.25, None], "%.5g"),  # 16380 in four digits
        ("CSR", [137268.0, 5.5], "%.6g"),
        ("measured", [17110.0, 17108.0], "%.5g"),
        ("A", [0.123456, 12.0], "%.4g"),
        ("A", [math.inf, None], "%.4g"),
        ("field", [3e38], "%.4g"),
        ("signal, B - A", [0.5], "%.2f"), ("noise_I A", [0.5], "%.3f"), ("n, B - A", [0.5], "%.1f"),
        ("SNR_E, by chance", [0.5], "%.1f"), ("C_s, z", [0.5], "%.1f"),
        ("silent, B - A", [1, 2], None), ("given", [123456, 2], None), ("of something else", [0.5], None),
    ],
)  # fmt: skip
def test_whole_numbers_are_written_whole(column: str, values: list[float | None], wanted: str | None) -> None:
    assert elements.number_format(column, pl.Series(values)) == wanted


# ---- Charts and pictures --------------------------------------------------------------------------------------------


def test_every_chart_is_a_specification_that_asks_for_nothing_outside(run: Run, layer_10: LayerMeasure) -> None:
    measures = {name: layer.measure() for name, layer in run.layers.items()}
    labels = frames.labels(run, layer_10)
    points = frames.sweep([summary(layer_10)], "clustered")
    fields = run.layers["10"].fields().matrices()
    tiles = frames.filters(layer_10, Fields(fields).squares()).head(5)
    picture = pictures.gallery(list(fields[:5]), list(range(5)), layer_10, "permuted", 4)
    partners = label_partners(layer_10, Fields(fields).of_label(0), 0)
    for chart in (
        charts.depth(frames.depth(run, measures, "all"), ["signal", "noise_I", "noise_E"], "elements", log=True),
        charts.histogram(frames.histogram(layer_10.noise), "n", "filters"),
        charts.sweep(points, ["SNR_I", "SNR_E"], "SNR", 0.3, log=True),
        charts.figure_2(labels, "", selected=3),
        charts.figure_2(labels, ", fields", log=True),
        charts.partners(frames.partner_labels(run, partners), "filter"),
        charts.history(frames.history(run.history())),
        charts_compare.sweeps(points, points, "n", "n, noise", 0.3),
        charts_compare.scatter(differences.of_labels(labels, labels), "signal"),
        charts.gallery(tiles, picture, 4, "filter"),
    ):
        specification = chart.to_dict()
        specification.pop("$schema")
        assert "http" not in json.dumps(specification)


def test_a_comparison_names_both_axes_and_marks_the_threshold() -> None:
    shares = differences.shares(np.array([1, 2, 2]), np.array([2, 3]))
    axes = json.dumps(charts_compare.distributions(*shares, "n, noise", "heads").to_dict())
    assert '"title": "n, noise"' in axes and '"title": "part of the heads"' in axes
    points = pl.DataFrame({"threshold": [0.2, 0.4], "n": [3.0, 1.0]})
    marked = json.dumps(charts_compare.sweeps(points, points, "n", "n, noise", 0.45).to_dict())
    assert "present threshold 0.45" in marked and "the paper's 0.3" in marked
    assert '"symbolType": "stroke"' in marked


def test_neighbouring_charts_have_one_height_with_a_key_and_without(run: Run) -> None:
    depth = frames.depth(run, {name: layer.measure() for name, layer in run.layers.items()}, "all")
    points = pl.DataFrame({"threshold": [0.2], "n": [3.0], "N_c": [1.0]})
    pictures_of = [charts.depth(depth, names, "t") for names in (["n"], ["N_c", "C_s"])]
    pictures_of += [charts.sweep(points, names, "t", 0.3) for names in (["n"], ["n", "N_c"])]
    assert len({picture.to_dict()["height"] for picture in pictures_of}) == 1


def test_figure_2_has_the_papers_colours_and_dashed_means(run: Run, layer_10: LayerMeasure) -> None:
    specification = json.dumps(charts.figure_2(frames.labels(run, layer_10)).to_dict())
    assert all(colour in specification for colour in (charts.SIGNAL, charts.INTERNAL, charts.EXTERNAL))
    assert "strokeDash" in specification


@pytest.mark.parametrize("style", ["fields", "clipped", "permuted"])
@pytest.mark.parametrize("n_labels", [2, 30, 100, 250, 1000])
def test_a_tile_is_about_a_hundred_pixels(style: pictures.Style, n_labels: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(n_labels, n_labels)).astype(np.float32)
    measured = measure_layer(matrix[None], 0.3)
    pixels = pictures.tile(matrix, measured, 0, style)
    assert pixels.shape[0] == pixels.shape[1] and 50 < len(pixels) <= 200


def test_a_tile_shows_signal_white_noise_yellow_and_nothing_black() -> None:
    matrix = np.array([[1, 0.9, 0], [0.8, 0.7, 0.6], [0, 0, 0]], np.float32)
    pixels = pictures.tile(matrix, measure_layer(matrix[None], 0.3), 0, "clipped")
    step = len(pixels) // 3
    seen = pixels[step // 2 :: step, step // 2 :: step][:3, :3].tolist()
    assert seen[0] == [list(pictures.WHITE), list(pictures.WHITE), list(pictures.GROUND)]
    assert seen[1] == [list(pictures.WHITE), list(pictures.WHITE), list(pictures.NOISE)]


def test_a_tile_of_bad_fields_is_drawn() -> None:
    matrix = np.full((4, 4), -1, np.float32)
    matrix[1, 2] = np.nan
    measured = measure_layer(matrix[None], 0.3)
    for style in ("fields", "clipped", "permuted"):
        assert pictures.tile(matrix, measured, 0, style).shape[2] == 3
