"""The live matrix as a widget, without a browser: its traits, and what a saved cell holds.

In JupyterLab and in marimo it is looked at in explorer/browser/test_notebook.py.
"""

import base64
import io
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

anywidget = pytest.importorskip("anywidget", reason="anywidget is in the extra [notebook]")

from PIL import Image
from traitlets import TraitError

from explorer import notebook
from explorer.frames.telling import like_the_papers
from explorer.matrix.pack import LayerData, layer_numbers
from explorer.notebook import show
from explorer.notebook.live import LiveMatrix
from explorer.notebook.still import CELL
from store.file.read import Run
from store.measure.layer import scan_order
from tests import ROOT
from tests.builders import write_small
from tests.explorer_runs import cifar100_labels, make_run


def saved(widget: Any) -> int:
    """Bytes of the widget and its output in a saved notebook: buffers are base64 there."""
    state = widget.get_state()
    data, _ = widget._repr_mimebundle_()
    buffers = [base64.b64encode(value).decode() for value in state.values() if isinstance(value, bytes)]
    rest = {name: value for name, value in state.items() if not isinstance(value, bytes)}
    plain = json.dumps([rest, buffers, data], default=lambda value: value.get_state() and "layout")
    return len(plain)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Layer 10 of VGG-16 on 100 labels, and layer 4, whose matrices a cell has no room for."""
    path = tmp_path_factory.mktemp("large") / "large.h5"
    return Run(make_run(path, {"4": (128, 8), "10": (512, 2)}, cifar100_labels(), dense=False))


def test_it_starts_where_the_explorer_does(run: Run) -> None:
    view = show(run)
    assert view.layer == max(run.layers.values(), key=lambda layer: layer.record["test_accuracy"]).name
    assert view.filter == like_the_papers(run.layers[view.layer].measure(0.3))
    assert (view.threshold, view.gauge, view.pointer, view.clusters) == (0.3, "as trained", None, ())
    assert repr(view) == f"LiveMatrix(layer {view.layer}, filter {view.filter}, threshold 0.3)"


def test_the_state_is_what_the_page_gets(run: Run) -> None:
    view = show(run, "7", 2, threshold=0.25, gauge="zero-sum", order="reversed", average="all")
    state = view.get_state()
    assert state["_layer"] == LayerData.of(run, "7", 2).message
    assert [state[name] for name in ("filter", "threshold", "gauge", "average")] == [2, 0.25, "zero-sum", "all"]
    assert state["_order"] == scan_order("reversed", run.n_labels).tolist()
    assert view._esm == state["_esm"] and "export function createMatrixView" in state["_esm"]


def test_it_is_measured_as_the_file_is_and_the_run_may_be_closed(tmp_path: Path) -> None:
    path = write_small(tmp_path / "run.h5")
    with Run(path) as run:
        view = show(run, "10", 3, order="random")
        order = scan_order("random", run.n_labels)
        wanted = run.layers["10"].measure(0.4, order, "zero-sum")
        matrix = run.layers["10"].field(3, "zero-sum")
    view.threshold, view.gauge = 0.4, "zero-sum"
    assert np.array_equal(view.measured.cluster_of, wanted.cluster_of)
    assert view.measured.noise_external_field is not None
    assert np.array_equal(view.measured.noise_external_field, wanted.noise_external_field)
    assert np.array_equal(view.field, matrix)


@pytest.mark.parametrize("gauge", ["as trained", "zero-sum"])
def test_clusters_are_those_of_the_element_under_the_pointer(run: Run, gauge: Any) -> None:
    view = show(run, "7", 0, gauge=gauge)
    seen: set[int] = set()
    for f, threshold in itertools.product((0, 3, 7), (0.1, 0.3)):
        view.filter, view.threshold = f, threshold
        of = run.layers["7"].measure(threshold, gauge=gauge).cluster_of[f]
        for i, j in itertools.product(range(run.n_labels), repeat=2):
            view.pointer = (i, j)
            wanted = [tuple(np.flatnonzero(of == of[label])) for label in (i, j) if of[label] >= 0]
            assert view.clusters == tuple(dict.fromkeys(wanted))
            seen.add(len(view.clusters))
    assert seen == {0, 1, 2}
    assert view.named_clusters == tuple(tuple(run.label_names[i] for i in cluster) for cluster in view.clusters)
    view.pointer = None
    assert view.clusters == ()


def test_clusters_that_are_set_move_the_pointer(run: Run) -> None:
    view = show(run, "7", 0, threshold=0.1)
    of = view.measured.cluster_of[0]
    first, second = (np.flatnonzero(of == number).tolist() for number in (0, 1))
    told: list[Any] = []
    view.observe(lambda change: told.append(change["new"]), "pointer")
    view.clusters = [first]
    view.clusters = [second, first]
    assert told == [(first[0], first[0]), (second[0], first[0])]
    assert view.clusters == (tuple(second), tuple(first))
    view.threshold = 1.0  # where nothing is above, nothing clusters
    assert view.clusters == () and view.pointer == (second[0], first[0])


def test_numbers_of_numpy_are_numbers(run: Run) -> None:
    view = show(run, "7")
    view.filter, view.threshold = np.argmax(view.measured.noise), np.float32(0.5)
    view.pointer = np.unravel_index(view.field.argmax(), view.field.shape)
    assert view.threshold == 0.5 and view.field[view.pointer] == view.field.max()
    assert json.dumps([view.get_state()[name] for name in ("filter", "threshold", "pointer")])


def test_what_cannot_be_shown_is_refused_in_words(run: Run, tmp_path: Path) -> None:
    view = show(run, "7", 0)
    for trait, value, words in [
        ("filter", 16, "layer 7 has filters 0 to 15, not 16"),
        ("filter", -1, "not -1"),
        ("pointer", (0, 20), "labels are 0 to 19"),
        ("clusters", [[0, 1, 2, 3]], r"filter 0 has at threshold 0.3 the clusters \[.*got \(\(0, 1, 2, 3\),\)"),
        ("threshold", 1.1, "threshold"),
        ("gauge", "zero", "gauge"),
    ]:
        before = getattr(view, trait)
        with pytest.raises(TraitError, match=words):
            setattr(view, trait, value)
        assert getattr(view, trait) == before
    with pytest.raises(ValueError, match="has no layer '8'; it has 4, 7, 10"):
        show(run, "8")
    with (
        Run(write_small(tmp_path / "empty.h5", layers={}, planned_layers=["1"])) as empty,
        pytest.raises(ValueError, match="no layer yet"),
    ):
        show(empty)


def test_a_saved_cell_stays_below_three_megabytes(large: Run) -> None:
    whole, thin = show(large, "10"), show(large, "4")
    assert whole.is_whole and not thin.is_whole
    assert 2_000_000 < saved(whole) < CELL == 3_000_000
    assert saved(thin) < 400_000


def test_of_a_layer_that_is_too_large_a_cell_has_one_filter_and_the_layers_numbers(large: Run) -> None:
    view = show(large, "4", 5)
    only = LayerData.pack(
        [large.layers["4"].field(5)[None]], "4", large.label_names, large.superclasses, large.test_inputs,
        n_filters=128, only=5,
    )  # fmt: skip
    assert view._layer == only.message
    for change in ({"threshold": 0.45}, {"gauge": "zero-sum"}, {"filter": 9}):
        view.set_trait(*next(iter(change.items())))
        assert view._numbers is not None
        measured = large.layers["4"].measure(view.threshold, gauge=view.gauge)
        assert view._numbers == layer_numbers(measured) | {"threshold": view.threshold, "gauge": view.gauge}
    assert view._layer == view._packed(9) != only.message


def test_a_matrix_that_no_cell_has_room_for_is_refused(tmp_path: Path) -> None:
    path = write_small(tmp_path / "wide.h5", layers={"1": (1, 450)}, n_labels=800, features=False)
    with Run(path) as run, pytest.raises(ValueError, match=r"layer 1: .* 800 x 800, takes 2.6 MB.*filterscope explore"):
        show(run)


def test_who_shows_no_widget_has_a_picture(run: Run) -> None:
    view = show(run, "7", 1)
    data, _ = view._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} == set(data)
    first = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert first.size == (3 * 300 + 2 * 16, 300)
    view.threshold = 0.9
    assert view._repr_mimebundle_()[0]["image/png"] != data["image/png"], "of the view as it is now"


def test_how_sure_clusters_are_goes_with_each_filter(tmp_path: Path) -> None:
    path = write_small(tmp_path / "run.h5", n_labels=6)
    with Run(path) as run:
        layer = run.layers["10"]
        measured = layer.measure(0.3)
        shares = " ".join(str(k % 101) for k in range(measured.cluster_sizes.size))
        layer.record["sample"] = {"clusters": {"threshold": 0.3, "share": shares, "jaccard": shares}}
        sure = show(run, "10")._sure
        assert show(run, "10", order="reversed")._sure is None, "the record is of labels scanned as stored"
    assert sure is not None and sure["threshold"] == 0.3
    found = {(int(f), labels): share for f, listed in sure["of"].items() for labels, share in listed}
    wanted = [
        (f, ",".join(map(str, np.flatnonzero(of == number))))
        for f, of in enumerate(measured.cluster_of)
        for number in range(of.max() + 1)
    ]
    assert list(found) == wanted and list(found.values()) == [k / 100 for k in range(len(wanted))]


def test_without_anywidget_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, LiveMatrix.__module__)
    monkeypatch.delattr(notebook, "live")
    with pytest.raises(ModuleNotFoundError, match=r"show needs anywidget: pip install 'filterscope\[notebook\]'"):
        _ = notebook.show
    with pytest.raises(AttributeError, match="no attribute 'shew'"):
        _ = notebook.shew


def test_the_program_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    make_run(tmp_path / "runs" / "vgg16-digits.h5", {"10": (20, 2), "13": (20, 1)})
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "notebooks.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    view = names["view"]
    assert capsys.readouterr().out == f"0.25 {view.pointer} {view.named_clusters}\n"
    assert (view.filter, view.gauge) == (3, "zero-sum") and view.clusters
    assert names["tiles"]._tiles and "<svg" in names["drawing"].svg
    names["run"].close()
