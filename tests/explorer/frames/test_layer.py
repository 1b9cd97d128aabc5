"""What the pages show, without a page: frames, charts, pictures, and the view's way through the address."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")

from explorer.frames import layer as frames
from store.file.read import Run
from store.measure.fields import Fields
from store.measure.labels import partners as label_partners
from store.measure.layer import LayerMeasure, measure_layer
from store.measure.summary import summary
from tests.explorer_runs import VGG16, make_run

# ---- The view and its address ---------------------------------------------------------------------------------------


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
        for side in ("input", "output"):
            assert [run.label_names[label] for label in frame[f"{side} id"]] == frame[f"{side} label"].to_list()
        assert (frame["part"] == "noise").sum() == layer_10.noise[f]
        assert (frame["part"] == "signal").sum() == (layer_10.cluster_of[f] >= 0).sum()
        assert frame.filter(pl.col("cluster").is_null())["part"].is_in(["noise"]).all()


def test_clusters_are_listed_largest_first_with_all_their_labels(run: Run, layer_10: LayerMeasure) -> None:
    for f in range(run.layers["10"].n_filters):
        frame = frames.clusters(run, layer_10.cluster_of[f])
        assert frame["labels"].to_list() == sorted(frame["labels"].to_list(), reverse=True)
        assert frame.height == layer_10.n_clusters[f]
        assert frame["names"].list.len().sum() == (layer_10.cluster_of[f] >= 0).sum()
        for ids, names in zip(frame["label ids"].to_list(), frame["names"].to_list(), strict=True):
            assert [run.label_names[label] for label in ids] == names
            assert len({layer_10.cluster_of[f, label] for label in ids}) == 1


def test_a_label_has_as_many_filters_as_signal(run: Run, layer_10: LayerMeasure) -> None:
    fields = run.layers["10"].fields().matrices()
    for label in range(run.n_labels):
        frame = frames.filters_of_label(run, layer_10, label, fields[:, label, label])
        assert frame.height == layer_10.signal[label]
        for row in frame.iter_rows(named=True):
            assert [run.label_names[other] for other in row["with ids"]] == row["with"]
            assert len(row["with"]) == row["cluster size"] - 1 and label not in row["with ids"]


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


# ---- Charts and pictures --------------------------------------------------------------------------------------------
