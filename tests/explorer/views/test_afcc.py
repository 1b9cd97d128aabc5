"""The AFCC page, run without a browser: what it shows is what `store.measure.afcc` and the run's manifest say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file import afcc_results
from store.file.read import Run
from store.file.write import write_run
from store.measure.afcc import WhatIf, afcc_mask, silencing, silencing_order, to_blocks, what_if
from store.measure.layer import measure_factored
from tests.builders import edit_manifest
from tests.explorer_runs import INPUTS, afcc_between, cifar100_labels, make_run

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.charts import afcc as charts_afcc
from explorer.data import source
from explorer.data import what_if as page_what_if
from explorer.frames import afcc as frames_afcc
from explorer.state import View
from tests.explorer.views.test_pages import HOSTILE, address, open_app, shown, table, unfold, unharmed  # noqa: F401


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Layers 7 and 10 have test features, layer 10 results of AFCC; layer 4 has neither."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "run.h5", features=("7", "10"), afcc=("10",), afcc_between=afcc_between("4", "7", "10"))
    return folder


def metrics(at: Any) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def answers(run: Run, layer: str, threshold: float, silent: Any = ()) -> WhatIf:
    found = run.layers[layer]
    mask = afcc_mask(found.measure(threshold).cluster_of)
    mask[list(silent)] = False
    return what_if(to_blocks(found.test_features), found.probe_weights, run.label_of_test_input, mask)


def test_the_accuracy_follows_the_threshold_and_is_exact(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="afcc", layer="7")
    with Run(folder / "run.h5") as run:
        for threshold in (0.3, 0.55, 0.9):
            at.slider(key="choose_threshold").set_value(threshold).run()
            unharmed(at)
            result, found = answers(run, "7", threshold), metrics(at)
            assert found["accuracy, clusters"] == f"{result.accuracy:.4f}"
            assert found["weights kept"] == f"{result.weights_kept:,}"
            assert found["labels lost"] == str(int(result.lost.sum()))
            assert found["unconnected"] == str(int(result.unconnected.sum()))
        assert result.unconnected.any()  # and these are named
        names = [run.label_names[label] for label in np.flatnonzero(result.unconnected)]
        assert f"Unconnected: {', '.join(names)}." in shown(at)
        unfold(at, "afcc_labels")
        rows = table(at, "clusters only").set_index("label")
        assert np.array_equal(rows["clusters only"].sort_index(), result.accuracy_of_label)


def test_the_weights_kept_stand_beside_the_papers_estimate(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="afcc", layer="4")
    with Run(folder / "run.h5") as run:
        layer = run.layers["4"]
        measured = layer.measure(0.3)
    estimate = layer.n_filters * layer.positions * measured.mean_cluster_size * measured.mean_clusters
    found = metrics(at)
    assert found["weights kept"] == f"{(measured.cluster_of >= 0).sum() * layer.positions:,}"
    assert found["N_f F_s C_s N_c"] == f"{estimate:,.0f}"


def test_the_papers_stands_beside_ours(open_app, tmp_path: Path) -> None:  # noqa: F811
    make_run(tmp_path / "a.h5", {"4": (6, 1), "10": (6, 2)}, cifar100_labels(), features=("10",))
    for layer, there in (("10", True), ("4", False)):
        at = open_app("--store", tmp_path, page="afcc", layer=layer)
        unharmed(at)
        assert ("about 10,800 of 204,800 weights here" in shown(at)) == there


def test_without_features_it_says_how_to_get_them(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="afcc", layer="4")
    unharmed(at)
    codes = [block.value for block in at.code]
    same = f"python -m precompute --arch vgg16 --data cifar100 --layers 4 7 10 --out {folder / 'run.h5'}"
    assert f"{same} --features 4" in codes and f"{same} --afcc 4" in codes  # whole: it can be run as it stands
    assert "accuracy, clusters" not in metrics(at)
    unfold(at, "python")
    code = next(block.value for block in at.code if "afcc_mask" in block.value)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["kept"].shape == (12, 20)


@pytest.mark.parametrize("order", ["noisiest", "smallest maximum", "random"])
@pytest.mark.parametrize("weights", ["clusters", "all"])
def test_filters_are_silenced(open_app, folder: Path, order: str, weights: str) -> None:  # noqa: F811
    at = open_app("--store", folder, page="afcc", layer="10")
    at.selectbox(key="choose_silencing").set_value(order).run()
    at.selectbox(key="choose_weights").set_value(weights).run()
    seed = 0
    if order == "random":
        seed = 5
        at.number_input(key="choose_seed").set_value(seed).run()
    at.number_input(key="choose_silenced").set_value(9).run()
    unharmed(at)
    wanted = {"silenced": "9"} | {
        name: value
        for name, value in {"silencing": order, "weights": weights, "seed": str(seed)}.items()
        if value not in ("noisiest", "clusters", "0")
    }
    assert address(at).items() >= wanted.items()
    unfold(at, "silencing_table")
    with Run(folder / "run.h5") as run:
        layer, labels = run.layers["10"], run.label_of_test_input
        measured = layer.measure(0.3)
        filters = silencing_order(order, measured, seed)  # type: ignore[arg-type]
        mask = afcc_mask(measured.cluster_of) | (weights == "all")
        curve = silencing(to_blocks(layer.test_features), layer.probe_weights, labels, mask, filters)
        alone = answers(run, "10", 0.3, filters[:9])
    said = "in random order" if order == "random" else f"the {order} first"
    assert f"In these numbers 9 of the {layer.n_filters} filters are silenced, {said}" in shown(at)
    unfold(at, "python")
    names: dict[str, Any] = {}
    exec(next(block.value for block in at.code if "afcc_mask" in block.value), names)
    assert names["result"].accuracy == alone.accuracy
    rows = table(at, "silenced")
    assert rows["accuracy"].tolist() == curve.accuracy[rows["silenced"]].tolist()
    assert rows["silenced"].iloc[-1] == layer.n_filters
    assert metrics(at)["accuracy, clusters"] == f"{alone.accuracy:.4f}"


@pytest.mark.parametrize("number", [0, 731, 20 * INPUTS - 1])
def test_an_inputs_logits_are_split_exactly(open_app, folder: Path, number: int) -> None:  # noqa: F811
    at = open_app("--store", folder, page="afcc", layer="7", threshold="0.2")
    at.number_input(key="choose_test_input").set_value(number).run()
    unharmed(at)
    assert address(at).get("test_input", "0") == str(number)
    unfold(at, "logits_table")
    with Run(folder / "run.h5") as run:
        layer = run.layers["7"]
        features, weights = to_blocks(layer.test_features), layer.probe_weights
        everything = what_if(features, weights, run.label_of_test_input, np.ones(weights.shape[:2], bool))
        names = run.label_names
    logits = everything.logits[number]
    totals = table(at, "given").groupby("place")["given"].sum()
    largest = np.argsort(-logits, kind="stable")[:7]
    np.testing.assert_allclose(totals.to_numpy()[:7], logits[largest], rtol=1e-6)
    predicted, own = names[int(everything.predicted[number])], names[number // INPUTS]
    assert f"<dd>{predicted}</dd>" in shown(at) and f"<dd>{own}</dd>" in shown(at)
    rankings = [frame.value for frame in at.dataframe if "kept" in frame.value and "filter" in frame.value]
    assert len(rankings) == 1 + (predicted != own)
    for rows in rankings:
        assert sorted(rows["filter"]) == list(range(16)) and rows["given"].is_monotonic_decreasing
    np.testing.assert_allclose(rankings[0]["given"].sum(), logits.max(), rtol=1e-6)


def test_the_runs_results_are_shown(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="afcc", layer="10")
    unharmed(at)
    with Run(folder / "run.h5") as run:
        record = run.layers["10"].record["afcc"]
    rows = table(at, "probe trained again").set_index("mask")
    assert rows.index[0] == "clusters" and set(rows.index) == set(record["masks"])
    for name, mask in record["masks"].items():
        assert rows.loc[name, "kept"] == mask["kept"] and rows.loc[name, "before"] == mask["before"]
        assert rows.loc[name, "probe trained again"] == mask["probe_trained"][-1]
    assert "slower for one input: it takes 1.62 times" in shown(at)
    assert "slower for a batch" not in shown(at)
    assert len(table(at, "trained again")) == 6
    assert "Layers 4, 7, 10. 2 epochs, made up" in shown(at)


def test_charts_are_of_what_the_tables_hold(folder: Path) -> None:
    with Run(folder / "run.h5") as run:
        results = afcc_results.of_layer(run.layers["10"].record)
        between = afcc_results.between(run.manifest)
    assert results is not None and between is not None
    epochs = frames_afcc.epochs(results)
    assert epochs.height == 6 * 11  # five masks, one of them trained twice; epoch 0 is before
    for picture in (charts_afcc.epochs(epochs), charts_afcc.between(frames_afcc.between(between))):
        json.dumps(picture.to_dict())
    assert frames_afcc.likeness(results.alike_of_filter)["count"].sum() == 24


# ---- What a stranger's file may say ---------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def spoilt(data: Any, entry: Any) -> Any:
    """The same structure, with anything at some of its places."""
    if data.draw(st.integers(0, 6)) == 0:
        return data.draw(anything)
    if isinstance(entry, dict):
        return {name: spoilt(data, value) for name, value in entry.items()}
    if isinstance(entry, list):
        return [spoilt(data, value) for value in entry[:4]]
    return entry


@given(st.data())
def test_no_entry_raises(data: Any) -> None:
    record = {"afcc": spoilt(data, RECORD)}
    manifest = {"afcc_between": spoilt(data, afcc_between("4", "7", "10"))}
    layer, between = afcc_results.of_layer(record), afcc_results.between(manifest)
    if layer is not None:
        assert frames_afcc.masks(layer).height == len(layer.masks)
        frames_afcc.train_and_test(layer, measure_factored(*np.ones((2, 2, 3, 1), np.float32)))
        charts_afcc.epochs(frames_afcc.epochs(layer)).to_dict()
        assert frames_afcc.likeness(layer.alike_of_filter)["count"].sum() <= len(layer.alike_of_filter)
        if layer.costs is not None:
            frames_afcc.costs(layer.costs)
            assert all(times > 1 for times in layer.costs.slower.values())
    if between is not None:
        charts_afcc.between(frames_afcc.between(between)).to_dict()


RECORD = {
    "threshold": 0.3, "weights": 100, "accuracy": 0.5, "probe_recipe": "a", "network_recipe": "b",
    "train_clusters": {"n": 1.0, "N_c": 2.0, "C_s": 3.0,
                       "alike": {"identical": 0.5, "mean": 0.75, "of_filter": [0.5, 1.0]}},
    "masks": {"clusters": {"kept": 9, "before": 0.1, "probe_trained": [0.2, 0.3], "network_trained": [0.4]},
              "random weights": {"kept": 9, "before": 0.1, "probe_trained": [0.2]}},
    "costs": {"dense_bytes": 1, "sparse_bytes": 2, "dense_multiply_adds": 3, "sparse_multiply_adds": 4,
              "dense_seconds_1": 1e-5, "sparse_seconds_1": 2e-5, "dense_seconds_100": 0, "sparse_seconds_100": None},
}  # fmt: skip


def test_a_whole_entry_is_taken_as_it_is() -> None:
    found = afcc_results.of_layer({"afcc": RECORD})
    assert found is not None and found.costs is not None
    assert found.masks[0] == afcc_results.Mask("clusters", 9, 0.1, (0.2, 0.3), (0.4,))
    assert found.costs.slower == {1: 2.0}
    assert afcc_results.of_layer({}) is None and afcc_results.between({"afcc_between": 3}) is None


@pytest.mark.parametrize(
    "entry",
    [7, "text", [], {}, {"masks": 3, "costs": [], "train_clusters": "x"}, {"masks": {name: {} for name in HOSTILE}},
     {"threshold": 1e300, "masks": {HOSTILE[0]: {"kept": 10**300, "before": "much", "probe_trained": [None, {}, 2]}},
      "probe_recipe": HOSTILE[0], "network_recipe": HOSTILE[3], "train_clusters": {"alike": {"of_filter": ["x", 5]}},
      "costs": {"dense_seconds_1": -1, "sparse_seconds_1": [1]}}],
)  # fmt: skip
def test_hostile_results_are_shown_as_text_or_left_out(open_app, tmp_path: Path, entry: Any) -> None:  # noqa: F811
    labels = [(name, name) for name in HOSTILE]
    path = make_run(tmp_path / "hostile.h5", labels=labels, features=("10",))
    between = {
        "layers": [HOSTILE[0], 7], "recipe": HOSTILE[2],
        "masks": {HOSTILE[1]: [{"layers": HOSTILE, "kept": "x", "trained": 9}, 4]},
    }  # fmt: skip
    edit_manifest(path, layers__2__afcc=entry, afcc_between=between)
    at = open_app("--store", path, page="afcc", layer="10", threshold="0.9")
    unharmed(at)
    for kind in ("markdown", "caption", "subheader", "info", "warning"):
        assert not [element for element in at.get(kind) if "evil" in str(element.value)], kind
    for element in at.get("html"):
        if not element.proto.unsafe_allow_javascript:
            assert "<img" not in element.proto.body and "<script" not in element.proto.body
    for kind in ("selectbox", "button", "slider", "number_input", "toggle", "metric", "expander"):
        assert not [element for element in at.get(kind) if "evil" in str(element.label)], kind


def test_features_that_are_not_finite_are_a_message(open_app, tmp_path: Path) -> None:  # noqa: F811
    path = make_run(tmp_path / "nan.h5", features=("10",))
    with Run(path) as run:
        content = run.content()
    content.layers[2].test_features[7, 3] = 0x7FC0
    write_run(path, content)
    at = open_app("--store", path, page="afcc", layer="10")
    assert not at.exception
    assert any("cannot be shown" in error.value for error in at.error) and "not finite" in shown(at)


# ---- What is kept ---------------------------------------------------------------------------------------------------


def test_features_are_kept_up_to_so_many_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = source.Source(folder, only="run.h5").files()[0]
    page_what_if.FEATURES.clear()
    seven = page_what_if.features(file, "7")
    assert page_what_if.features(file, "7") is seven
    monkeypatch.setattr(page_what_if.FEATURES, "most", seven.nbytes)
    page_what_if.features(file, "10")
    assert not page_what_if.FEATURES.has((file, "7")) and page_what_if.FEATURES.has((file, "10"))


def test_features_beyond_the_limit_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = source.Source(folder, only="run.h5").files()[0]
    page_what_if.FEATURES.clear()
    monkeypatch.setattr(page_what_if, "_MAX_FEATURES_BYTES", 1000)
    with pytest.raises(source.SourceError, match="test features of layer 7"):
        page_what_if.features(file, "7")


def test_results_do_not_keep_their_logits(folder: Path) -> None:
    file = source.Source(folder, only="run.h5").files()[0]
    assert page_what_if.masked(file, View(layer="7", threshold=0.4)).logits.size == 0
    assert page_what_if.unmasked(file, "7").logits.size == 0


@pytest.mark.parametrize("kept", [False, True])
def test_the_image_of_the_input_is_shown_where_the_run_kept_it(kept: bool, open_app, tmp_path: Path) -> None:  # noqa: F811
    make_run(tmp_path / "run.h5", {"4": (4, 1)}, features=("4",), thumbnails=kept)
    at = open_app("--store", tmp_path, page="afcc", layer="4", test_input="3")
    unharmed(at)
    assert len(at.get("image")) == kept
