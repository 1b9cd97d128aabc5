"""The live matrix: `measure.js` gives what `store.measure` gives, to the bit, and the view moves with a drag."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from explorer.matrix.pack import LayerData, frame, layer_numbers
from explorer.matrix.script import MODULES, joined
from store.file.read import Run
from store.measure.fields import Fields
from store.measure.gauge import GAUGES, Gauge, zero_sum
from store.measure.layer import ScanOrder, fields_from_factors, measure_layer, permutation, scan_order
from tests import ROOT
from tests.browser import CHROMIUM, chromium, eventually, patient, two_frames
from tests.explorer_runs import make_run

MODULE = ROOT / "explorer" / "matrix" / "measure.js"
EXAMPLE = MODULE.parents[1] / "example.h5"
RUNNER = Path(__file__).with_name("matrix_run.mjs")
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="no node to run the JavaScript module")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to show the live matrix in")


@dataclass
class Case:
    """A layer, as fields (N_f, K, K) or as two factors (N_f, K, S), and how it is measured."""

    arrays: Sequence[NDArray[np.float32]]
    threshold: float
    order: NDArray[np.int64]
    counts: NDArray[np.int64] | None = None
    gauge: Gauge = "as trained"  # of all cases of one layer


def assert_same(cases: list[Case], folder: Path) -> None:
    """Measure all cases in one node process and here: every output must be equal to the bit (any NaN equals any NaN).

    Cases in a row that share `arrays`, the object, are measured on one layer.
    """
    found = _measured_by_node(cases, folder)
    at = 0
    for number, case in enumerate(cases):
        is_new = number == 0 or case.arrays is not cases[number - 1].arrays
        for name, expected in _measured_here(case, is_new):
            values = np.asarray(expected, np.float64).reshape(-1)
            got = found[at : at + values.size]
            at += values.size
            if not np.array_equal(_bits(values), _bits(got)):
                first = int(np.flatnonzero(_bits(values) != _bits(got))[0])
                raise AssertionError(
                    f"case {number}, {name}[{first}]: Python {values[first]!r}, JavaScript {got[first]!r}; "
                    f"{[array.shape for array in case.arrays]}, threshold {case.threshold!r}"
                )
    assert at == found.size


def _measured_here(case: Case, is_new: bool) -> list[tuple[str, Any]]:
    dense = len(case.arrays) == 1
    layer = (
        Fields(case.arrays[0], gauge=case.gauge)
        if dense
        else Fields(None, (case.arrays[0], case.arrays[1]), case.gauge)
    )
    fields, measure = layer.matrices(), layer.measure(case.threshold, case.order, case.counts)
    names = ["n_clusters", "noise", "n_above", "maximum", "silent", "cluster_of", "cluster_sizes"]
    names += ["signal", "noise_internal", "noise_external"]
    if case.counts is not None:
        names += ["signal_field", "noise_internal_field", "noise_external_field"]
    clustered = [measure.mean_clusters, measure.mean_cluster_size, measure.mean_noise]
    over_all = [measure.mean_clusters_all, measure.mean_cluster_size_all, measure.mean_noise_all]
    return [
        *([("fields", fields)] if is_new else []),
        *((name, getattr(measure, name)) for name in names),
        ("layer means over filters with clusters", clustered),
        ("layer means over all filters", over_all),
        ("silent filters, clusters", [measure.silent.sum(), measure.cluster_sizes.size]),
        *((f"permutation of filter {f}", permutation(row)) for f, row in enumerate(measure.cluster_of)),
    ]


def _measured_by_node(cases: list[Case], folder: Path) -> NDArray[np.float64]:
    headers: list[dict[str, Any]] = []
    messages: list[bytes] = []
    for number, case in enumerate(cases):
        header: dict[str, Any] = {"threshold": case.threshold, "order": case.order.tolist(), "gauge": case.gauge}
        header["counts"] = None if case.counts is None else case.counts.tolist()
        if number == 0 or case.arrays is not cases[number - 1].arrays:
            names = [""] * case.arrays[0].shape[1]
            messages.append(LayerData.pack(case.arrays, "layer", names).message)
            header |= {"at": sum(map(len, messages[:-1])), "size": len(messages[-1])}
        headers.append(header)
    (folder / "cases.bin").write_bytes(frame({"cases": headers}, *messages))
    assert NODE is not None
    command = [NODE, str(RUNNER), str(MODULE), str(folder / "cases.bin"), str(folder / "found.bin")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return np.fromfile(folder / "found.bin", np.float64)


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    bits: NDArray[np.int64] = np.where(np.isnan(values), np.nan, values).view(np.int64)
    return bits


def _random_layer(rng: np.random.Generator) -> Sequence[NDArray[np.float32]]:
    """Fields or factors with what makes trouble: ties, zeros of both signs, NaN, infinities, silent filters."""
    n_filters, n_labels, n_positions = int(rng.integers(1, 9)), int(rng.integers(2, 41)), int(rng.integers(1, 10))
    kind = rng.choice(["plain", "ties", "tiny", "large", "zeros", "negative", "bad"])
    is_dense = rng.random() < 0.4
    shape = (n_filters, n_labels, n_labels if is_dense else n_positions)

    def draw() -> NDArray[np.float32]:
        values: NDArray[Any] = rng.normal(size=shape)
        if kind == "ties":
            values = np.round(values * 3) / rng.choice([2, 3, 10])
        if kind == "tiny":
            values *= 1e-22 if not is_dense else 1e-42
        if kind == "large":
            values *= 1e18
        if kind == "zeros":
            values *= rng.choice([0.0, -0.0, 1.0], shape)
        if kind == "negative":
            values = -np.abs(values)
        values = np.asarray(values, np.float32)
        if kind == "bad":
            values[rng.random(shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
        values[rng.random(n_filters) < 0.1] = rng.choice([0.0, -0.0])
        return values

    if is_dense:
        if rng.random() < 0.5:  # blocks of labels, as a trained network has them
            block = rng.integers(0, 5, n_labels)
            return [draw() + np.float32(2) * (block[:, None] == block[None, :])]
        return [draw()]
    return [draw(), np.abs(draw()) if kind == "negative" else draw()]


def _tied_threshold(rng: np.random.Generator, arrays: Sequence[NDArray[np.float32]], gauge: Gauge) -> float:
    """One that an element meets exactly, where there is one between 0 and 1."""
    fields = arrays[0] if len(arrays) == 1 else fields_from_factors(*arrays)
    if gauge == "zero-sum":
        fields = zero_sum(fields)
    matrix = fields[rng.integers(len(fields))].astype(np.float64)
    with np.errstate(all="ignore"):
        shares = (matrix / matrix.max()).reshape(-1)
    shares = shares[(shares >= 0) & (shares <= 1)]
    return float(rng.choice(shares)) + 0.0 if shares.size else 0.5


@needs_node
@pytest.mark.parametrize("seed", range(4))
def test_random_layers_give_the_same_bits(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(600):
        with np.errstate(over="ignore"):
            arrays = _random_layer(rng)
        n_labels = arrays[0].shape[1]
        gauge = GAUGES[rng.integers(2)]
        for threshold in (rng.choice([0.0, 0.3, 1.0]), round(rng.random(), 2), _tied_threshold(rng, arrays, gauge)):
            order = scan_order(rng.choice(["stored", "reversed", "random"]), n_labels, seed=int(rng.integers(1000)))
            counts = np.asarray(rng.integers(1, 200, n_labels)) if rng.random() < 0.5 else None
            cases.append(Case(arrays, float(threshold), order, counts, gauge))
    assert_same(cases, tmp_path)


@needs_node
def test_a_large_layer_gives_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    means = np.abs(rng.normal(size=(40, 300, 4))).astype(np.float32)
    weights = rng.normal(size=(40, 300, 4)).astype(np.float32)
    counts = np.full(300, 50)
    arrays = [[means, weights], [means, weights + np.float32(0.5)]]  # an own list for each gauge: it is a layer
    ways = list(product(zip(arrays, GAUGES, strict=True), (0.05, 0.3, 0.8)))
    assert_same([Case(of, t, scan_order("stored", 300), counts, gauge) for (of, gauge), t in ways], tmp_path)


def cases_of(run: Run) -> list[Case]:
    """Every layer of a file, as the browser gets it, at three thresholds, each in another order, in both gauges."""
    cases = []
    for gauge, layer in product(GAUGES, run.layers.values()):
        dense = layer.has_fields and 2 * layer.positions >= layer.n_labels
        arrays = [layer.fields().matrices()] if dense else [layer.class_means, layer.probe_weights]
        ways: list[tuple[float, ScanOrder]] = [(0.3, "stored"), (0.1, "reversed"), (0.7, "random")]
        for threshold, order in ways:
            cases.append(Case(arrays, threshold, scan_order(order, layer.n_labels), run.test_inputs, gauge))
    return cases


@needs_node
@pytest.mark.parametrize("example", [False, True])
def test_every_layer_of_a_file_gives_the_same_bits(example: bool, tmp_path: Path) -> None:
    path = EXAMPLE if example else tmp_path / "run.h5"
    if not example:
        make_run(path)
    elif not path.is_file():
        pytest.skip(f"no example file at {path.name}")
    with Run(path) as run:
        assert_same(cases_of(run), tmp_path)


@needs_node
def test_a_difference_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strict comparison made lenient: 0.5 is then above 0.5 of the maximum."""
    case = Case([np.array([[[1.0, 0.5], [0.0, 0.5]]], np.float32)], 0.5, scan_order("stored", 2))
    assert_same([case], tmp_path)
    text = MODULE.read_text("utf-8")
    changed = tmp_path / "changed.js"
    changed.write_text(text.replace("scratch.getInt32(0) - (", "scratch.getInt32(0) - 1 - ("), "utf-8")
    monkeypatch.setattr("tests.explorer.matrix.test_matrix.MODULE", changed)
    with pytest.raises(AssertionError, match="case 0, n_clusters"):
        assert_same([case], tmp_path)


@needs_node
def test_a_mean_of_another_rounding_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = np.random.default_rng(3).normal(size=(20, 7, 7)).astype(np.float32)
    case = Case([fields], 0.3, scan_order("stored", 7), gauge="zero-sum")
    assert_same([case], tmp_path)
    text = MODULE.read_text("utf-8")
    for wrong in ("const mean = Math.fround(sum / nLabels)", "const mean = 0"):
        changed = tmp_path / "changed.js"
        changed.write_text(text.replace("const mean = sum / nLabels", wrong), "utf-8")
        monkeypatch.setattr("tests.explorer.matrix.test_matrix.MODULE", changed)
        with pytest.raises(AssertionError, match=r"case 0, fields"):
            assert_same([case], tmp_path)


def test_a_module_stands_after_those_that_it_imports() -> None:
    exported: set[tuple[str, str]] = set()
    capsule = MODULE.parents[1] / "capsule" / "capsule.js"
    for path in [*(MODULE.with_name(name) for name in MODULES), capsule]:
        text = path.read_text("utf-8")
        for names, module in re.findall(r'^import \{ (.*?) \} from ".*?(\w+\.js)";$', text, re.MULTILINE):
            assert {(module, name) for name in names.split(", ")} <= exported
        exported |= {(path.name, name) for name in re.findall(r"^export (?:const|function) (\w+)", text, re.MULTILINE)}
    assert "import" not in {line.split(" ", 1)[0] for line in joined(capsule).splitlines()}


# ---- On a page, without Streamlit -----------------------------------------------------------------------------------

HOSTILE = ["<img src=x onerror='window.hacked = 1'>", "![](http://elsewhere.test/a.png)", "</script><b>bold</b>"]
PAGE = """<!doctype html><meta charset="utf-8"><title>exported</title><div id="root"></div><script type="module">
%s
const bytes = Uint8Array.from(atob("%s"), (c) => c.charCodeAt(0));
window.releases = [];
window.frames = 0;
const layer = unpackLayer(bytes);
window.state = { layer, filter: 0, threshold: 0.3, order: null, average: "clustered", measure: null, ...%s };
const callbacks = { onRelease: (threshold) => releases.push(threshold), onFrame: () => frames++ };
window.view = createMatrixView(document.getElementById("root"), state, callbacks);
</script>"""


def _clustered_fields(n_filters: int, n_labels: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    fields = rng.normal(-0.03, 0.15, (n_filters, n_labels, n_labels))
    for matrix in fields:
        for _ in range(4):
            labels = rng.choice(n_labels, 3, replace=False)
            matrix[np.ix_(labels, labels)] += rng.uniform(0.4, 1)
    return fields.astype(np.float32)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser")
    with chromium() as running:
        yield running


def _show(browser: Any, layer: LayerData, **state: Any) -> Any:
    """A page with the module and a layer in it, as an export has them; `page.requests` is what it asked the net for."""
    page: Any = patient(browser.new_page(viewport={"width": 1200, "height": 900}))
    page.requests = []
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    message = base64.b64encode(layer.message).decode()
    html = PAGE % (joined(), message, json.dumps(state))

    def answer(route: Any) -> None:
        page.requests.append(route.request.url)
        route.fulfill(body=html, content_type="text/html")

    page.route("**/*", answer)
    page.goto("http://exported.test/")
    # A number: on a slow machine the first frames have none of the layer, which is prepared between them.
    page.wait_for_function("window.view && /[0-9]/.test(document.querySelector('.fs-layer dd').textContent)")
    return page


def _values(page: Any, title: str) -> list[str]:
    """The values of the list under a heading that starts with `title`."""
    section = page.locator(".fs section", has=page.locator("h4", has_text=title)).first
    texts: list[str] = section.locator("dd").all_inner_texts()
    return texts


def _expected(fields: NDArray[np.float32], threshold: float) -> tuple[list[str], list[str]]:
    measure = measure_layer(fields, threshold)
    filter_zero = [measure.n_clusters[0], measure.noise[0], measure.n_above[0]]
    means = [measure.mean_clusters, measure.mean_cluster_size, measure.mean_noise]
    per_label = [measure.signal.mean(), measure.noise_internal.mean(), measure.noise_external.mean()]
    layer = [f"{value:.2f}" for value in means] + [str(measure.silent.sum())] + [f"{value:.2f}" for value in per_label]
    return [str(value) for value in filter_zero], layer


@needs_chromium
@pytest.mark.parametrize("factored", [False, True])
def test_the_gauge_is_switched_without_new_bytes(browser: Any, factored: bool) -> None:
    rng = np.random.default_rng(2)
    factors = [
        np.abs(rng.normal(size=(20, 12, 2))).astype(np.float32),
        rng.normal(0.4, 1, (20, 12, 2)).astype(np.float32),
    ]
    fields = fields_from_factors(*factors)
    arrays = factors if factored else [fields]
    page = _show(browser, LayerData.pack(arrays, "10", [f"label {i}" for i in range(12)]), gauge="zero-sum")

    def shown() -> tuple[list[str], list[str]]:
        of_filter = _values(page, "Filter 0")
        return [of_filter[0], *of_filter[2:4]], _values(page, "Layer 10")

    of_gauge = {"as trained": _expected(fields, 0.3), "zero-sum": _expected(zero_sum(fields), 0.3)}
    assert of_gauge["as trained"] != of_gauge["zero-sum"]
    eventually(page, shown, of_gauge["zero-sum"])
    for gauge in ("as trained", "zero-sum", "as trained"):
        page.evaluate("(gauge) => view.update((window.state = { ...state, gauge }))", gauge)
        eventually(page, shown, of_gauge[gauge])
    assert page.problems == []


@needs_chromium
def test_a_drag_moves_all_numbers_and_its_end_is_a_release(browser: Any) -> None:
    fields = _clustered_fields(30, 40)
    page = _show(browser, LayerData.pack([fields], "10", [f"label {i}" for i in range(40)]))

    def shown() -> tuple[list[str], list[str]]:
        of_filter = _values(page, "Filter 0")
        return [of_filter[0], *of_filter[2:4]], _values(page, "Layer 10")

    def near(share: float) -> bool:
        return abs(float(page.locator("output").inner_text()) - share) < 0.02

    assert shown() == _expected(fields, 0.3)
    slider = page.locator("input[type=range]")
    box = slider.bounding_box()
    y, left, width = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
    page.mouse.move(left + 0.3 * width, y)
    page.mouse.down()
    for share in (0.4, 0.5, 0.62):
        page.mouse.move(left + share * width, y)
        eventually(page, lambda share=share: near(share), True)  # type: ignore[misc]
        threshold = float(page.locator("output").inner_text())
        eventually(page, shown, _expected(fields, threshold))
    assert page.evaluate("releases") == []
    page.mouse.up()
    eventually(page, lambda: page.evaluate("releases"), [threshold])
    assert page.problems == []
    page.close()


@needs_chromium
def test_the_keyboard_reaches_the_threshold_and_every_element(browser: Any) -> None:
    fields = _clustered_fields(2, 12)
    page = _show(browser, LayerData.pack([fields], "10", [f"label {i}" for i in range(12)]))
    page.locator("input[type=range]").focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    eventually(page, page.locator("output").inner_text, "0.302")
    eventually(page, lambda: page.evaluate("releases.at(-1)"), 0.302)
    said = page.locator("input[type=range]")
    eventually(page, lambda: "0.302 of the maximum" in said.get_attribute("aria-valuetext"), True)
    page.locator("canvas").nth(0).focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):  # the first one enters at (0, 0)
        page.keyboard.press(key)
    value = f"{fields[0, 1, 1]:#.4g}"
    # The whole of it: the readout is drawn with the next frame, so that of an earlier key may still stand there.
    wanted = f"input label 1 → output label 1 · field {value}"
    page.wait_for_function(f"document.querySelector('.fs-readout').textContent.startsWith('{wanted}')")
    assert page.problems == []
    page.close()


@needs_chromium
def test_label_names_are_text_and_cause_no_request(browser: Any) -> None:
    names = HOSTILE + [f"label {i}" for i in range(9)]
    fields = np.tile(np.eye(12, dtype=np.float32), (2, 1, 1))
    page = _show(browser, LayerData.pack([fields], "<i>7</i>", names, superclasses=["<u>group</u>"] * 12))
    listed = page.locator(".fs-clusters").inner_text()
    assert all(name in listed for name in HOSTILE) and "<u>group</u>" in listed
    page.locator("canvas").nth(2).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.fs-readout').textContent.startsWith('input <img src=x')")
    page.locator("svg").focus()
    page.keyboard.press("ArrowRight")
    eventually(page, lambda: HOSTILE[0] in page.locator(".fs-head").inner_text(), True)
    assert page.locator(".fs img, .fs b, .fs i:not([style]), .fs u").count() == 0
    assert page.evaluate("window.hacked") is None
    assert page.requests == ["http://exported.test/"]
    page.close()


@needs_chromium
@pytest.mark.parametrize("groups", [(), ("", "", ""), ("", "pets", "pets")])
def test_labels_without_a_super_class_have_no_brackets(browser: Any, groups: tuple[str, ...]) -> None:
    fields = np.ones((1, 3, 3), np.float32)  # one cluster of all
    page = _show(browser, LayerData.pack([fields], "7", ["a", "b", "c"], superclasses=groups))
    wanted = "a · b · c (pets)" if "pets" in groups else "a · b · c"
    eventually(page, lambda: " ".join(page.locator(".fs-clusters").inner_text().split()).endswith(wanted), True)
    page.close()


@needs_chromium
def test_the_words_and_the_numbers_are_those_of_the_tables(browser: Any) -> None:
    """A layer's own word for a filter; a cluster's number is its place in the permuted panel, from 1."""
    fields = np.zeros((1, 6, 6), np.float32)
    fields[0][np.ix_([0, 1], [0, 1])] = 1  # found first, shown second
    fields[0][np.ix_([2, 3, 4], [2, 3, 4])] = 1
    names = [str(i) for i in range(6)]
    page = _show(browser, LayerData.pack([fields], "blocks.3", names, unit="head"))
    text = page.locator(".fs").inner_text()
    assert "Head 0" in text and "Layer blocks.3, 1 head" in text and "Silent heads" in text and "heads with a" in text
    assert "filter" not in text.lower()
    page.locator("canvas").nth(0).focus()
    page.keyboard.press("ArrowDown")  # the first key shows the first element
    eventually(page, lambda: "in cluster 2, 2 labels" in page.locator(".fs-readout").inner_text(), True)
    for _ in range(2):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
    eventually(page, lambda: "in cluster 1, 3 labels" in page.locator(".fs-readout").inner_text(), True)
    assert page.problems == []
    page.close()


@needs_chromium
def test_the_chart_of_nothing_has_a_plain_axis(browser: Any) -> None:
    fields = np.tile(np.eye(5, dtype=np.float32), (2, 1, 1))
    page = _show(browser, LayerData.pack([fields], "10", list("abcde")))
    page.locator("input[type=range]").fill("1")  # nothing is above the maximum
    eventually(page, page.locator(".fs-chart svg text").all_text_contents, ["0", "0.5", "1"])
    assert page.problems == []
    page.close()


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_figure_is_saved_as_png_and_svg(browser: Any, tmp_path: Path, scheme: str) -> None:
    names = [*HOSTILE, "control \x07 \u202e turned", *(f"label {i}" for i in range(36))]
    fields = _clustered_fields(3, 40)
    page = _show(browser, LayerData.pack([fields], "../10", names))
    if scheme == "dark":
        page.evaluate("document.body.style.cssText = '--st-background-color: #0e1117; --st-text-color: #fafafa'")
    measured = measure_layer(fields[:1], 0.3)

    def saved(name: str) -> Path:
        with page.expect_download() as download:
            page.get_by_role("button", name=name, exact=True).press("Enter")
        assert re.fullmatch(r"filterscope-layer-[\w.-]+-threshold-0\.3\.(png|svg)", download.value.suggested_filename)
        download.value.save_as(tmp_path / download.value.suggested_filename)
        return tmp_path / download.value.suggested_filename

    for what in ("the figure", "the chart of the labels"):
        with Image.open(saved(f"Save {what} as PNG")) as picture:
            picture.load()
            assert picture.format == "PNG" and picture.width > 900 and picture.height > 400
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10
        drawing = ElementTree.parse(saved(f"Save {what} as SVG")).getroot()
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
        tags = {part.tag.rpartition("}")[2] for part in drawing.iter()}
        assert tags <= {"svg", "path", "rect", "text", "tspan", "title", "image"}
        if what == "the figure":
            assert len(drawing.findall(".//*[@class='cluster']")) == measured.n_clusters[0]
            assert len(drawing.findall(".//{*}image")) == 4  # three panels, and the key of the first
            text = "".join(drawing.itertext())
            held = {names[i] for i in np.flatnonzero(measured.cluster_of[0] >= 0)}
            assert all(name in text for name in held - {names[3]})
            assert "\u202e" not in text and "\x07" not in text
    assert page.problems == [] and page.requests == ["http://exported.test/"]
    page.close()


@needs_chromium
def test_a_rise_of_the_noise_is_said_and_a_cluster_says_how_sure_it_is(browser: Any, tmp_path: Path) -> None:
    fields = np.zeros((1, 6, 6), np.float32)
    fields[0][np.ix_([0, 1, 2], [0, 1, 2])] = 1
    fields[0][0, 2] = 0.35  # above 0.3, not above 0.4: label 2 then leaves the cluster, and 3 elements are noise
    fields[0][4, 4] = 0.9
    sample = {"threshold": 0.3, "clusters": [["0,1,2", 0.4], ["4", 0.96]]}
    page = _show(browser, LayerData.pack([fields], "10", [f"label {i}" for i in range(6)]), sample=sample)
    listed = page.locator(".fs-clusters")
    eventually(page, lambda: "found in 40% of resamples" in listed.inner_text(), True)
    assert "found in 96% of resamples" in listed.inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG").first.click()
    download.value.save_as(tmp_path / "figure.svg")
    boxes = [line for line in ElementTree.parse(tmp_path / "figure.svg").iter() if line.get("role") == "cluster"]
    drawn = (tmp_path / "figure.svg").read_text()
    assert "in 40% of resamples" in drawn and drawn.count("stroke-dasharray") == 1, boxes
    said = page.get_by_text("n rose from")
    assert said.count() == 0
    page.locator("input[type=range]").focus()
    page.keyboard.press("PageUp")
    eventually(page, lambda: page.locator("output").inner_text(), "0.40")
    eventually(page, said.all_inner_texts, ["n rose from 0 to 3: a cluster broke, its elements are noise now"])
    assert "resamples" not in listed.inner_text()  # which were counted at 0.3
    page.keyboard.press("PageDown")
    eventually(page, said.count, 0)
    assert page.problems == []
    page.close()


@needs_chromium
def test_a_layer_too_large_to_drag_shows_the_numbers_it_was_given(browser: Any) -> None:
    fields = _clustered_fields(1, 30)
    layer = LayerData.pack([fields], "9", [str(i) for i in range(30)], n_filters=90_000, only=0)
    numbers = json.loads(frame(layer_numbers(measure_layer(fields)))[4:])
    page = _show(browser, layer, measure=numbers)
    assert not layer.is_whole
    eventually(page, lambda: _values(page, "Layer 9"), _expected(fields, 0.3)[1])
    page.locator("input[type=range]").focus()
    page.keyboard.press("PageUp")
    page.wait_for_function("document.querySelector('.fs').classList.contains('fs-stale')")
    eventually(page, lambda: _values(page, "Filter 0")[0], _expected(fields, 0.4)[0][0])
    page.close()


@needs_chromium
def test_the_page_owns_the_threshold_but_cannot_undo_a_later_release(browser: Any) -> None:
    fields = _clustered_fields(2, 12)
    page = _show(browser, LayerData.pack([fields], "10", [str(i) for i in range(12)]))

    def after(update: dict[str, Any]) -> str:
        page.evaluate("(update) => view.update((window.state = { ...state, ...update }))", update)
        two_frames(page)
        return str(page.locator("output").inner_text())

    page.evaluate("Date.now = () => 0")  # the page may take 5 s to answer a release, and a slow machine more
    assert after({"threshold": 0.5}) == "0.50"
    page.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert after({"threshold": 0.51, "released": 0.51}) == "0.52"  # the answer to the first of two releases
    assert after({"threshold": 0.52, "released": 0.52}) == "0.52"
    page.keyboard.press("Shift+ArrowRight")
    assert after({"threshold": 0.55, "released": 0.521}) == "0.55"  # a page that rounds what it was told
    assert after({"threshold": 0.2, "released": None}) == "0.20"
    page.close()


# ---- On a page of Streamlit -----------------------------------------------------------------------------------------

GLUED = """<!doctype html><div id="one"></div><div id="two"></div><script type="module">
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const { default: mount } = await import(URL.createObjectURL(new Blob([%s], { type: "text/javascript" })));
window.events = [];
const setTriggerValue = (name, value) => events.push([name, value]);
window.show = (id, data) => mount({ parentElement: document.getElementById(id), data: bytes(data), setTriggerValue });
window.ready = true;
</script>"""


@needs_chromium
def test_the_browser_keeps_a_layer_and_asks_for_one_that_it_lost(browser: Any) -> None:
    component = pytest.importorskip("explorer.matrix.component")
    layer = LayerData.pack([_clustered_fields(2, 12)], "10", [str(i) for i in range(12)])
    update = {"layer": layer.key, "filter": 0, "threshold": 0.3, "released": None, "order": None}
    update |= {"average": "clustered", "measure": None}

    def data(message: bytes, **changes: Any) -> str:
        return base64.b64encode(frame(update | changes, message)).decode()

    page = patient(browser.new_page())
    page.set_content(GLUED % json.dumps(component.JAVASCRIPT))
    page.wait_for_function("window.ready")
    page.evaluate("(data) => { show('one', data); }", data(b""))
    assert page.evaluate("events") == [["missing", layer.key]] and page.locator("canvas").count() == 0
    page.evaluate("(data) => { window.first = show('one', data); }", data(layer.message))
    page.evaluate("(data) => { window.second = show('one', data); show('two', data); }", data(b"", filter=1))
    assert len(page.evaluate("events")) == 1 and page.locator("#one canvas").count() == 4
    page.wait_for_function("document.querySelector('#one h4 + small').textContent === 'filter 1'")
    page.evaluate("first()")  # the clean-up of a call that a later one has taken over from
    assert page.locator("#one canvas").count() == 4
    page.evaluate("second()")
    assert page.locator("#one canvas").count() == 0 and page.locator("#two canvas").count() == 4
    page.close()


def _app() -> None:
    import numpy as np
    import streamlit as st

    from explorer.matrix import LayerData, live_matrix

    layer = LayerData.pack([np.eye(4, dtype=np.float32)[None]], "10", list("abcd"))
    st.session_state.threshold = live_matrix(layer, filter_index=0, threshold=0.3, key="matrix")


def test_a_layer_goes_to_the_browser_once() -> None:
    testing = pytest.importorskip("streamlit.testing.v1", reason="no streamlit")
    app = testing.AppTest.from_function(_app, default_timeout=600)

    def sent() -> tuple[dict[str, Any], bytes]:
        app.run()
        assert not app.exception and app.session_state.threshold == 0.3
        data = app.main.children[0].proto.bytes
        end = 4 + int.from_bytes(data[:4], "little")
        return json.loads(data[4:end]), data[end:]

    first, message = sent()
    assert first["threshold"] == 0.3 and len(message) > 64
    again, nothing = sent()
    assert again == first and nothing == b""


def test_class_means_and_weights_go_where_they_are_fewer_bytes() -> None:
    means = np.ones((3, 10, 2), np.float32)
    factored = LayerData.pack([means, means], "10", [""] * 10)
    dense = LayerData.pack([fields_from_factors(means, means)], "10", [""] * 10)
    assert len(factored.message) < len(dense.message) and factored.key != dense.key
    assert factored.key == LayerData.pack([means.copy(), means.copy()], "10", [""] * 10).key
    assert factored.is_whole and factored.n_filters == 3
    with pytest.raises(ValueError, match="9 label names"):
        LayerData.pack([means, means], "10", [""] * 9)
