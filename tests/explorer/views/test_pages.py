"""Each page and each control of the explorer, run without a browser."""

import functools
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import words
from explorer.capsule.page import CapsuleError, Shown, capsule
from store.file.read import Run
from store.measure.layer import fields_from_factors, permutation, scan_order
from tests.explorer_runs import ROOT, SMALL, cifar100_labels, make_run

AppTest = pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]").AppTest
from streamlit.components.v2 import manifest_scanner

PAGES_OF_LAYERS = ["overview", "layer", "filter", "labels", "afcc", "compare"]
PAGES = [*PAGES_OF_LAYERS, "emergence", "scaling", "claims"]
HOSTILE = [
    "<img src=https://evil.example/a.png onerror=alert(1)>",
    "![x](https://evil.example/b.png)",
    "[click](https://evil.example/c)",
    "**bold** _it_ `code` # head",
    "$\\frac{1}{2}$ :smile: :material/home: :red[red]",
    "https://evil.example/d www.evil.example",
    "</div><script>alert(2)</script>",
    "&lt;b&gt; &amp; \u202e back\x00to\nfront",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; `first.h5` is the newer."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "second.h5", seed=1, dense=False)
    make_run(folder / "first.h5", seed=0)
    return folder


scanned = functools.cache(manifest_scanner.scan_component_manifests)


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    # Outside of a server, Streamlit asks at its first element whether it runs in a REPL, and looks for that at the
    # source of every module: half a minute in a test run.
    monkeypatch.setattr("streamlit.delta_generator._use_warning_has_been_displayed", True)
    # Each app reads the metadata of every installed package, to find components in it; they stay the same.
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", scanned)

    def open_app(*arguments: object, page: str = "overview", **address: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["app.py", *map(str, arguments)])
        at = AppTest.from_file(str(ROOT / "explorer" / "app.py"), default_timeout=600)
        at.session_state["has drawn"] = True  # as a browser says that it has
        for name, value in address.items():
            at.query_params[name] = value
        if page != "overview":  # opened by its address: Overview is not drawn first
            at.switch_page(f"views/{page}.py")
        at.run()
        return at

    return open_app


def shown(at: Any) -> str:
    """Everything that is text on the page."""
    kinds = ("html", "markdown", "caption", "text", "code", "subheader", "error", "info", "warning")
    elements = [(kind, element) for kind in kinds for element in at.get(kind)]
    return "\n".join(str(element.proto.body if kind == "html" else element.value) for kind, element in elements)


def unharmed(at: Any) -> None:
    assert not at.exception, [str(error) for error in at.exception]
    assert not at.error, [error.value for error in at.error]


def unfold(at: Any, key: str) -> None:
    """Open what is drawn only then."""
    at.session_state[key] = True
    at.run()
    unharmed(at)


def press(at: Any, label: str) -> None:
    next(button for button in at.button if button.label == label).click().run()
    unharmed(at)


def table(at: Any, column: str) -> Any:
    """The first table that has this column."""
    return next(frame.value for frame in at.dataframe if column in frame.value)


def address(at: Any) -> dict[str, str]:
    return {name: values[0] if isinstance(values, list) else values for name, values in at.query_params.items()}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_the_newest_file_of_a_folder(open_app, folder: Path, page: str) -> None:
    at = open_app("--store", folder, page=page)
    unharmed(at)
    assert address(at)["store"] == "first.h5"
    assert "Not the paper&#x27;s recipe, but the quick one with epochs 14 instead of 25" in shown(at)
    assert "from store import Run" not in shown(at)  # a text that nobody has opened costs nothing


@pytest.mark.parametrize("page", PAGES_OF_LAYERS)
def test_the_python_text_runs_and_has_the_present_view(open_app, folder: Path, page: str, capsys) -> None:
    at = open_app("--store", folder, page=page, layer="7", filter="3", order="reversed")
    unfold(at, "python")
    is_live = page in ("filter", "overview")  # their threshold is the live matrix's
    if not is_live:
        at.slider(key="choose_threshold").set_value(0.45).run()
    threshold = 0.3 if is_live else 0.45
    (code,) = [block.value for block in at.code if "import" in block.value]
    names: dict[str, Any] = {}
    exec(code, names)
    with Run(folder / "first.h5") as run:
        layers = {name: layer.measure(threshold, scan_order("reversed", 20)) for name, layer in run.layers.items()}
        if page == "compare":
            difference = layers[address(at)["layer_b"]].mean_noise - layers["7"].mean_noise
            assert capsys.readouterr().out.startswith(f"{difference} ")
        else:
            assert np.array_equal(names["measured"].cluster_of, layers["7"].cluster_of)
        if page == "filter":
            order = permutation(layers["7"].cluster_of[3])
            assert np.array_equal(names["permuted"], run.layers["7"].field(3)[np.ix_(order, order)])


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_a_single_file_with_factors_only(open_app, folder: Path, page: str) -> None:
    at = open_app("--store", folder / "second.h5", page=page)
    unharmed(at)
    assert address(at)["store"] == "second.h5"


def test_the_table_holds_the_measure_and_the_published_row(open_app, folder: Path) -> None:
    at = open_app("--store", folder)
    table = at.dataframe[0].value
    with Run(folder / "first.h5") as run:
        measured = run.layers["10"].measure(0.3)
    row = table[table["layer"] == "10"].iloc[0]
    assert row["n"] == measured.mean_noise
    assert row["n, paper"] == 13.6  # Table 4: VGG-16 on CIFAR-20/100, layer 10


def test_a_threshold_measures_everything_again_and_is_in_the_address(open_app, folder: Path) -> None:
    at = open_app("--store", folder)
    before = at.dataframe[0].value["n"].tolist()
    at.query_params["threshold"] = "0.55"
    at.run()
    unharmed(at)
    assert address(at)["threshold"] == "0.55"
    assert at.dataframe[0].value["n"].tolist() != before


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [("choose_layer", "layer", "4"), ("choose_order", "order", "random"), ("choose_average", "average", "all")],
)
@pytest.mark.parametrize("page", PAGES)
def test_each_control_of_the_sidebar_is_in_the_address(open_app, folder: Path, page: str, key, name, value) -> None:
    at = open_app("--store", folder, page=page)
    at.selectbox(key=key).set_value(value).run()
    unharmed(at)
    assert address(at)[name] == value


def test_the_view_stays_when_another_page_is_chosen(open_app, folder: Path) -> None:
    at = open_app("--store", folder, threshold="0.45", layer="7", filter="5", label="3")
    for page in PAGES:
        at.switch_page(f"views/{page}.py").run()
        unharmed(at)
        assert address(at).items() >= {"threshold": "0.45", "layer": "7", "filter": "5", "label": "3"}.items(), page


def test_another_run_is_chosen_by_name(open_app, folder: Path) -> None:
    at = open_app("--store", folder)
    at.selectbox(key="choose_store").set_value("second.h5").run()
    unharmed(at)
    assert address(at)["store"] == "second.h5"


@pytest.mark.parametrize("name", ["../first.h5", "/etc/passwd", "none.h5", "first.h5\x00"])
def test_a_name_that_is_not_in_the_folder_opens_the_newest_and_says_so(open_app, folder: Path, name: str) -> None:
    at = open_app("--store", folder, store=name)
    unharmed(at)
    assert "not in the folder" in at.warning[0].value
    assert address(at)["store"] == "first.h5"


def test_an_address_beyond_the_file_is_brought_back_into_it(open_app, folder: Path) -> None:
    at = open_app(
        "--store", folder, page="filter", layer="99", filter="999999", label="777777", threshold="nan", order="x"
    )
    unharmed(at)
    assert at.number_input(key="choose_filter").value == SMALL["10"][0] - 1


def test_previous_next_and_number_choose_the_filter(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="filter", filter="5")
    buttons = {button.label: button for button in at.button}
    buttons["Next"].click().run()
    assert address(at)["filter"] == "6"
    {button.label: button for button in at.button}["Previous"].click().run()
    assert address(at)["filter"] == "5"
    at.number_input(key="choose_filter").set_value(11).run()
    unharmed(at)
    assert address(at)["filter"] == "11"
    assert "filter 11" in shown(at)


def test_the_filter_page_tells_rank_and_clusters(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="filter", layer="10", filter="2")
    with Run(folder / "first.h5") as run:
        measured = run.layers["10"].measure(0.3)
        layer = run.layers["10"]
        assert np.array_equal(layer.field(2), fields_from_factors(layer.class_means, layer.probe_weights)[2])
    assert "1, of at most 1" in shown(at) and "a sum over the one position of a filter" in shown(at)
    unfold(at, "clusters")
    assert at.dataframe[0].value["labels"].sum() == (measured.cluster_of[2] >= 0).sum()


@pytest.mark.parametrize("style", ["fields", "clipped", "permuted"])
def test_the_gallery_shows_sorts_and_filters(open_app, folder: Path, style: str) -> None:
    at = open_app("--store", folder, page="layer", layer="7")
    at.selectbox(key="choose_style").set_value(style)
    at.selectbox(key="choose_sort").set_value("noise").run()
    unharmed(at)
    unfold(at, "all_filters")
    table = at.dataframe[0].value
    assert table["noise"].is_monotonic_decreasing
    at.selectbox(key="choose_holds").set_value(3).run()
    unharmed(at)
    with Run(folder / "first.h5") as run:
        held = run.layers["7"].measure(0.3).cluster_of[:, 3] >= 0
    assert sorted(at.dataframe[0].value["filter"]) == np.flatnonzero(held).tolist() if held.any() else at.info


def test_the_address_holds_what_the_gallery_shows(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="layer", layer="4", threshold="0.2")
    at.selectbox(key="choose_style").set_value("fields")
    at.selectbox(key="choose_sort").set_value("maximum")
    unfold(at, "conditions")
    at.toggle(key="choose_ascending").set_value(True).run()
    slider = next(slider for slider in at.slider if slider.key.startswith("choose_clusters"))
    most = int(slider.max)
    slider.set_value((1, most)).run()
    unharmed(at)
    expected = {"style": "fields", "sort": "maximum", "ascending": "1", "clusters": f"1-{most}"}
    assert address(at).items() >= expected.items()
    unfold(at, "all_filters")
    other = open_app("--store", folder, page="layer", **address(at))
    unfold(other, "all_filters")
    seen, same = (each.dataframe[0].value for each in (at, other))
    assert seen["filter"].tolist() == same["filter"].tolist()
    assert (seen["clusters"] >= 1).all() and seen["maximum"].is_monotonic_increasing


def test_filters_are_shown_by_their_maximum(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="layer", layer="4")
    with Run(folder / "first.h5") as run:
        maximum = run.layers["4"].measure(0.3).maximum
    middle = float(np.median(maximum))
    unfold(at, "conditions")
    at.number_input(key="choose_maximum_from").set_value(middle).run()
    unharmed(at)
    assert address(at)["maximum"] == f"{middle}~{float(maximum.max())}"
    unfold(at, "all_filters")
    assert at.dataframe[0].value["filter"].tolist() == np.flatnonzero(maximum >= middle).tolist()
    other = open_app("--store", folder, page="layer", **address(at))
    unfold(other, "conditions")
    assert other.number_input(key="choose_maximum_from").value == middle
    at.number_input(key="choose_maximum_from").set_value(float(maximum.min())).run()
    assert "maximum" not in address(at)


def test_a_page_beyond_the_last_is_the_last_in_the_address_too(open_app, tmp_path: Path) -> None:
    make_run(tmp_path / "wide.h5", {"1": (70, 1)})
    at = open_app("--store", tmp_path, page="layer", gallery_page="99999")
    unharmed(at)
    assert address(at)["gallery_page"] == "3" == str(at.number_input(key="choose_gallery_page").value)


def test_another_condition_shows_the_first_page(open_app, tmp_path: Path) -> None:
    make_run(tmp_path / "wide.h5", {"1": (70, 1)})
    at = open_app("--store", tmp_path, page="layer")
    at.number_input(key="choose_gallery_page").set_value(3).run()
    assert address(at)["gallery_page"] == "3"
    at.selectbox(key="choose_sort").set_value("noise").run()
    unharmed(at)
    assert "gallery_page" not in address(at)


@pytest.mark.parametrize(
    ("page", "bad"),
    [("layer", {"gallery_page": "99", "holds": "99", "noise": "500000-900000"}), ("labels", {"label_sort": "x"})],
)
def test_what_the_file_does_not_have_is_not_shown(open_app, folder: Path, page: str, bad: dict[str, str]) -> None:
    at = open_app("--store", folder, page=page, **bad)
    unharmed(at)
    assert not {"holds", "label_sort"} & set(address(at))


def test_a_gallery_with_nothing_in_it_says_so(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="layer", threshold="1.0")
    at.selectbox(key="choose_holds").set_value(0).run()
    unharmed(at)
    assert "Nothing here" in at.info[0].value


def test_a_number_opens_a_filter(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="layer", layer="7")
    next(entry for entry in at.number_input if entry.label == "Open filter").set_value(9).run()
    unharmed(at)
    assert address(at)["filter"] == "9"
    assert "filter 9" in shown(at)


def test_the_gallery_is_paged(open_app, tmp_path: Path) -> None:
    make_run(tmp_path / "wide.h5", {"1": (70, 1)})
    at = open_app("--store", tmp_path, page="layer")
    at.number_input(key="choose_gallery_page").set_value(3).run()
    unharmed(at)
    assert "of 3" in at.number_input(key="choose_gallery_page").label


@pytest.mark.parametrize("page", ["layer", "compare"])
def test_the_gallery_shows_what_meets_the_conditions(open_app, folder: Path, page: str, monkeypatch) -> None:
    from explorer.charts import gallery as pictures

    drawn: list[list[int]] = []
    draw = pictures.gallery
    monkeypatch.setattr(
        pictures, "gallery", lambda matrices, filters, *more: drawn.append(filters) or draw(matrices, filters, *more)
    )
    at = open_app("--store", folder, page=page, layer="10", layer_b="10", store_b="second.h5")
    with Run(folder / "first.h5") as a, Run(folder / "second.h5") as b:
        both = [run.layers["10"].measure(0.3) for run in (a, b)][: 1 if page == "layer" else 2]
    most = max(int(measured.noise.max()) for measured in both)
    unfold(at, "conditions")
    at.slider(key=f"choose_noise_{most}").set_range(1, most).run()
    unharmed(at)
    assert address(at)["noise"] == f"1-{most}"
    largest = max(int(measured.cluster_sizes.max()) for measured in both)
    at.slider(key=f"choose_largest_{largest}").set_range(2, largest).run()
    unharmed(at)
    top = float(np.sort(both[0].maximum)[-2])
    at.number_input(key="choose_maximum_to").set_value(top).run()
    unharmed(at)
    assert address(at)["largest"] == f"2-{largest}" and address(at)["maximum"].endswith(f"~{top}")
    for measured, filters in zip(both, drawn[-len(both) :], strict=True):
        widest = np.array([max(np.bincount(row[row >= 0], minlength=1)) for row in measured.cluster_of])
        meet = (measured.noise >= 1) & (widest >= 2) & (measured.maximum <= top)
        assert filters == np.flatnonzero(meet).tolist() and meet.any() and not meet.all()


def test_a_threshold_between_the_sliders_steps_is_shown_as_it_is(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="layer", threshold="0.305")
    slider = at.slider(key="choose_threshold")
    assert slider.value == 0.305 and slider.proto.format == "%.4g"


def test_where_run_b_is_damaged_another_can_be_chosen(open_app, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "first.h5", tmp_path / "first.h5")
    (tmp_path / "broken.h5").write_bytes((folder / "second.h5").read_bytes()[:5000])
    at = open_app("--store", tmp_path, page="compare", store="first.h5", store_b="broken.h5")
    assert [error.value for error in at.error] == [
        "This file cannot be shown: it is damaged, or it is not a Filterscope result."
    ]
    at.selectbox(key="choose_store_b").set_value("first.h5").run()
    unharmed(at)
    assert not at.error and any(head.value == "Differences" for head in at.subheader)


@pytest.mark.parametrize("sort", ["signal", "noise_I + noise_E", "super-class", "name"])
def test_labels_are_sorted(open_app, folder: Path, sort: str) -> None:
    at = open_app("--store", folder, page="labels")
    at.selectbox(key="choose_label_sort").set_value(sort)
    at.toggle(key="choose_log").set_value(True).run()
    unharmed(at)
    unfold(at, "all_labels")
    column = at.dataframe[0].value[sort]
    assert column.is_monotonic_increasing or column.is_monotonic_decreasing


def test_a_label_leads_to_its_filters_and_its_neighbours(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="labels", layer="10")
    at.selectbox(key="choose_label").set_value(4).run()
    unharmed(at)
    assert address(at)["label"] == "4"
    with Run(folder / "first.h5") as run:
        measured = run.layers["10"].measure(0.3)
    assert sorted(at.dataframe[0].value["filter"]) == np.flatnonzero(measured.cluster_of[:, 4] >= 0).tolist()


def test_two_runs_are_compared(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="compare", store_b="second.h5", layer="10", layer_b="7")
    unharmed(at)
    differences = at.dataframe[0].value.set_index("quantity")
    with Run(folder / "first.h5") as a, Run(folder / "second.h5") as b:
        expected = b.layers["7"].measure(0.3).mean_noise - a.layers["10"].measure(0.3).mean_noise
    assert differences.loc["n", "B - A"] == expected
    own, others = (frame.value for frame in at.dataframe if "n, paper" in frame.value)
    with Run(folder / "first.h5") as a, Run(folder / "second.h5") as b:
        for run, table in ((a, own), (b, others)):
            assert table["n"].tolist() == [layer.measure(0.3).mean_noise for layer in reversed(run.layers.values())]
    at.selectbox(key="choose_layer_b").set_value("4").run()
    unharmed(at)
    assert address(at)["layer_b"] == "4"
    at.selectbox(key="choose_store_b").set_value("first.h5").run()
    unharmed(at)
    assert "store_b" not in address(at)


def test_compared_distributions_follow_the_average(open_app, folder: Path, monkeypatch) -> None:
    from explorer.frames import differences

    counted: list[int] = []
    shares = differences.shares
    monkeypatch.setattr(differences, "shares", lambda a, b: counted.append(len(a)) or shares(a, b))
    at = open_app("--store", folder, page="compare", layer="4", threshold="0.9")
    assert "the part of filters with clusters" in shown(at)
    with Run(folder / "first.h5") as run:
        measured = run.layers["4"].measure(0.9)
    some = int((measured.n_clusters > 0).sum())
    assert counted[:2] == [some, some] and some < SMALL["4"][0]
    counted.clear()
    at.selectbox(key="choose_average").set_value("all").run()
    unharmed(at)
    assert "the part of all filters" in shown(at) and counted[:2] == [SMALL["4"][0]] * 2


def test_galleries_and_filters_stand_side_by_side(open_app, folder: Path) -> None:
    at = open_app("--store", folder, page="compare", store_b="second.h5", layer="10", layer_b="4", filter_b="9999")
    unharmed(at)
    assert [head.value for head in at.subheader if "side by side" in head.value] == [
        "Galleries, side by side", "Figure 1, side by side", "Figure 2, side by side",
    ]  # fmt: skip
    assert at.number_input(key="choose_filter_b").value == SMALL["4"][0] - 1
    at.number_input(key="choose_gallery_page").set_value(2).run()
    at.number_input(key="choose_filter_b").set_value(7).run()
    unharmed(at)
    assert address(at)["filter_b"] == "7" and address(at)["gallery_page"] == "2"
    with Run(folder / "second.h5") as run:
        clusters = run.layers["4"].measure(0.3).cluster_of[7]
    assert at.dataframe[-1].value["labels"].sum() == (clusters >= 0).sum()
    assert "It has no more filters." in shown(at)  # of 12 where the other has 24, at 16 a page


def test_runs_without_a_common_label_are_compared(open_app, tmp_path: Path) -> None:
    make_run(tmp_path / "a.h5", labels=[(f"a{k}", "") for k in range(5)])
    make_run(tmp_path / "b.h5", labels=[(f"b{k}", "") for k in range(7)])
    at = open_app("--store", tmp_path, page="compare", store_b="a.h5")
    unharmed(at)
    assert "no label in common" in shown(at)


@pytest.mark.parametrize("page", PAGES)
def test_one_layer_two_labels_and_a_bare_manifest_are_enough(open_app, tmp_path: Path, page: str) -> None:
    make_run(
        tmp_path / "bare.h5", {"only": (1, 1)}, [("a", ""), ("b", "")],
        network={"arch": "net", "epochs": 30}, recipe=None, software=7, durations="long",
        device=None, created={"odd": True}, planned_layers=["only"], generator=["x"],
    )  # fmt: skip
    at = open_app("--store", tmp_path, page=page, threshold="1.0")
    unharmed(at)
    assert address(at).items() >= {"store": "bare.h5", "layer": "only", "threshold": "1.0"}.items()


@pytest.mark.parametrize("page", PAGES)
def test_hostile_names_are_never_markdown(open_app, tmp_path: Path, page: str) -> None:
    """Names may be in text, code, tables, charts and escaped HTML; anywhere else Streamlit would read them."""
    labels = [(name, name) for name in HOSTILE]
    make_run(tmp_path / "hostile.h5", labels=labels, device=HOSTILE[0], network={"arch": HOSTILE[1], "epochs": 30})
    at = open_app("--store", tmp_path, page=page, threshold="0.1")
    unharmed(at)
    for kind in ("markdown", "caption", "subheader", "error", "info", "warning", "success"):
        assert not [element for element in at.get(kind) if "evil" in str(element.value)], kind
    scripts = [element.proto.body for element in at.get("html") if element.proto.unsafe_allow_javascript]
    assert len(scripts) == 1 and "evil" not in scripts[0]  # ours
    for element in at.get("html"):
        if element.proto.unsafe_allow_javascript:
            continue
        assert "<img" not in element.proto.body and "<script" not in element.proto.body
    for kind in ("selectbox", "button", "slider", "number_input", "toggle", "metric", "expander"):
        assert not [element for element in at.get(kind) if "evil" in str(element.label)], kind


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--store", "/nowhere/at/all.h5"], "No such file or directory"),
        (["--store"], "expected one argument"),
        (["--stroe", "x"], "unrecognized arguments"),
        (["x.h5"], "unrecognized arguments"),
    ],
)
def test_a_wrong_argument_is_a_message(open_app, arguments: list[str], says: str) -> None:
    at = open_app(*arguments)
    assert not at.exception
    assert at.error and says in shown(at) and "filterscope explore" in shown(at)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
@pytest.mark.parametrize("page", ["overview", "filter"])
def test_a_damaged_file_is_a_message(open_app, tmp_path: Path, damage: str, page: str) -> None:
    path = make_run(tmp_path / "damaged.h5")
    whole = bytearray(path.read_bytes())
    if damage == "flipped":
        with Run(path) as run:
            needle = run.layers["10"].field(0).tobytes()[:64]
        whole[whole.index(needle) + 5] ^= 0x10
    damages: dict[str, bytes | bytearray] = {
        "empty": b"",
        "text": b"hello",
        "cut": whole[: len(whole) // 2],
        "flipped": whole,
    }
    path.write_bytes(damages[damage])
    at = open_app("--store", path, page=page)
    assert not at.exception
    assert at.error and "damaged.h5" in shown(at) and "store check" in shown(at)


def test_an_empty_folder_says_how_to_make_a_file(open_app, tmp_path: Path) -> None:
    at = open_app("--store", tmp_path)
    unharmed(at)
    assert "No result yet" in shown(at) and "make demo" in shown(at)


def test_without_an_argument_it_looks_in_runs(open_app, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "runs").exists() or (folder.parent / "runs").symlink_to(folder)
    assert address(open_app())["store"] == "first.h5"


def test_a_run_without_a_layer_yet_says_so(open_app, tmp_path: Path) -> None:
    make_run(tmp_path / "begun.h5", {}, planned=("2", "4"))
    at = open_app("--store", tmp_path)
    unharmed(at)
    assert "first layer is still being made" in shown(at)


def test_layers_still_to_come_are_named(open_app, tmp_path: Path) -> None:
    make_run(tmp_path / "going.h5", {"4": (4, 1)}, planned=("4", "7"))
    assert "Still to come: layers 7" in shown(open_app("--store", tmp_path))


def test_a_unit_is_not_called_a_filter(open_app, tmp_path: Path) -> None:
    path = make_run(tmp_path / "heads.h5", {"4": (6, 1)}, unit="head", features=("4",))
    for page in PAGES_OF_LAYERS:
        at = open_app("--store", path, page=page, null="labels shuffled", gallery_page="2")
        unharmed(at)
        assert "head" in shown(at)
        said = [element.value for kind in ("caption", "markdown", "text", "subheader") for element in at.get(kind)]
        assert not re.search(r"\b[Ff]ilters?\b", "\n".join(said)), page
        assert at.selectbox(key="choose_average").options == ["heads with clusters", "all heads"]


@pytest.mark.parametrize(
    ("said", "word"), [("filter", "filter"), ("node", "node"), ("head", "head"), ("<b>", "unit"), ([1], "unit")]
)
def test_a_layer_is_of_what_its_file_says(tmp_path: Path, said: Any, word: str) -> None:
    with Run(make_run(tmp_path / "a.h5", {"4": (6, 1)}, unit=said)) as run:
        assert words.unit_of(run.layers["4"]) == word
        with pytest.raises(CapsuleError, match=f"{word}s 0 to 5"):
            capsule(run, Shown("4", 6))


def test_the_scan_order_reaches_the_measure(open_app, folder: Path) -> None:
    at = open_app("--store", folder, order="reversed", threshold="0.1")
    with Run(folder / "first.h5") as run:
        measured = run.layers["10"].measure(0.1, scan_order("reversed", 20))
    table = at.dataframe[0].value
    assert table[table["layer"] == "10"]["N_c"].iloc[0] == measured.mean_clusters


def test_the_labels_have_the_names_of_cifar100() -> None:
    assert len(cifar100_labels()) == 100 and len({kind for _, kind in cifar100_labels()}) == 20
