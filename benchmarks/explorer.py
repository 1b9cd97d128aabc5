"""Benchmarks 6 to 9: the explorer in Chromium, as a person sees it, and beside it the least that Streamlit does.

A time ends when the page has been painted with what it should show: the numbers that are waited for are computed here,
with `store.measure`, before the pointer is released.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Row
from explorer.frames import layer as frames
from store.file.read import Run
from store.file.write import LayerContent, write_run
from store.measure.afcc import afcc_mask, to_blocks, what_if
from store.measure.layer import LayerMeasure
from tests.builders import small_history, small_run
from tests.explorer_runs import ROOT, VGG16, cifar100_labels, make_run, served, serving

WATCH = Path(__file__).with_name("watch.js")
FLOOR = Path(__file__).with_name("floor.py")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROUNDS = 25
EPOCHS = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 25)  # of a film, before the trained network
LARGE = (1280, 1000)  # EfficientNet-B0's stage 9 on ImageNet

Page = Any  # playwright.sync_api.Page: Playwright is imported where there is one
Wanted = list[tuple[str, list[str] | str]]  # what the page should show: watch.js, `until`


def rows() -> list[Row]:
    if shutil.which("chromium") is None:
        print("the explorer's benchmarks are left out: there is no chromium on this machine")
        return []
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("the explorer's benchmarks are left out: Playwright is not installed (the extra [dev])")
        return []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        vgg = make_run(Path(folder) / "vgg16.h5", VGG16, cifar100_labels())
        wide = make_run(Path(folder) / "wide.h5", {"10": (700, 2)}, cifar100_labels())  # its drag shows the filter only
        tested = make_run(Path(folder) / "tested.h5", {"10": (512, 2)}, cifar100_labels(), features=("10",))
        forming = make_run(Path(folder) / "forming.h5", {"10": (512, 2)}, cifar100_labels(), at_epochs=EPOCHS)
        large = make_large(Path(folder) / "large.h5")
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            return [
                *floor_rows(browser),
                *drag_rows(browser, wide, "10", "one filter, 100 labels", 16),
                *drag_rows(browser, vgg, "10", "whole layer 512x100x100", 33),
                *drag_rows(browser, large, "9", "one filter, 1000 labels", 50),
                *scrub_rows(browser, forming, "10"),
                *page_rows(browser, vgg, "10", "512x100x100", 200),
                *page_rows(browser, large, "9", "1280x1000x1000", 500),
                *layer_rows(browser, vgg, "10"),
                *afcc_rows(browser, tested, "10"),
                *opening_rows(browser, vgg),
            ]
        finally:
            browser.close()


def make_large(path: Path) -> Path:
    """One layer of 1x1 filters with heavy-tailed activations: some 2,800 elements above the threshold a filter."""
    run = small_run(layers={}, n_labels=LARGE[1], arch="efficientnet_b0", data="imagenet", planned_layers=["9"])
    random = np.random.default_rng(0)
    means = random.exponential(1.0, (*LARGE, 1)).astype(np.float32)
    weights = random.standard_normal((*LARGE, 1), np.float32)
    record = {"test_accuracy": 0.75, "filter_size": [1, 1]}
    run.layers.append(LayerContent("9", means, weights, small_history(2), record))
    write_run(path, run)
    return path


# ---- What is measured -----------------------------------------------------------------------------------------------


def floor_rows(browser: Any) -> list[Row]:
    """Key press to redrawn image, of an app with nothing else on it."""
    with (
        serving(FLOOR, settings=["--server.address", "127.0.0.1"]) as server,
        _visit(browser, server.address, "img") as page,
    ):
        page.get_by_role("slider").focus()
        taken = []
        for _ in range(ROUNDS):
            image = page.locator("img").get_attribute("src")
            page.evaluate("(before) => watch.untilImage(before)", image)
            page.keyboard.press("ArrowRight")
            taken.append(_waited(page))
            page.wait_for_timeout(300)
    return _rows("Streamlit alone, a slider and an image: key press to redrawn", taken, None)


def drag_rows(browser: Any, file: Path, layer: str, name: str, wanted: float) -> list[Row]:
    """The pointer over the range of the threshold and back: each frame's JavaScript, and from frame to frame."""
    with served("--store", str(file)) as address, _visit(browser, f"{address}/filter?layer={layer}&filter=4") as page:
        drawn = dragged(page)
    busy = [frame["ended"] - frame["began"] for frame in drawn]
    between = [after["time"] - before["time"] for before, after in pairwise(drawn)]
    return [
        *_rows(f"drag, {name}: JavaScript a frame", busy, wanted),
        *_rows(f"drag, {name}: from frame to frame", between, None),
    ]


def dragged(page: Page) -> list[dict[str, float]]:
    """Each frame of a drag over the range of the threshold and back: when it began, ended, and its time, in ms."""
    _hold(page, 0.05)
    page.evaluate("watch.reset()")
    at = _slider(page)
    for hundredths in [*range(6, 96), *range(94, 4, -1)]:
        page.mouse.move(*at(hundredths / 100))
    drawn: list[dict[str, float]] = page.evaluate("watch.frames")
    page.mouse.up()
    assert len(drawn) > 80, f"{len(drawn)} frames of a drag over 180 thresholds"
    return drawn


def scrub_rows(browser: Any, file: Path, layer: str) -> list[Row]:
    """The pointer over the epochs of a film and back: all filters of the layer, and Figure 1 of one."""
    with served("--store", str(file)) as address, _visit(browser, f"{address}/emergence?layer={layer}") as page:
        page.wait_for_selector(".fs-film[data-whole]")  # every epoch is measured, which the browser does meanwhile
        at = _slider(page)
        page.mouse.move(*at(1))
        page.mouse.down()
        page.evaluate("watch.reset()")
        for k in [*range(len(EPOCHS) - 1, -1, -1), *range(1, len(EPOCHS) + 1)]:
            page.mouse.move(*at(k / len(EPOCHS)))
            page.wait_for_timeout(100)  # a frame an epoch
        drawn = page.evaluate("watch.frames")
        page.mouse.up()
    busy = [frame["ended"] - frame["began"] for frame in drawn]
    assert len(busy) >= 2 * len(EPOCHS) - 1, f"{len(busy)} frames of a scrub over {len(EPOCHS)} epochs and back"
    return _rows("scrubber, an epoch of the whole layer 512x100x100: JavaScript a frame", busy, 33)


def page_rows(browser: Any, file: Path, layer: str, name: str, wanted: float) -> list[Row]:
    """The Filter page: release of the threshold, then the next filter, until all that it shows is new."""
    released, turned = [], []
    with (
        Run(file) as run,
        serving(ROOT / "explorer" / "app.py", "--store", str(file)) as server,
        _visit(browser, f"{server.address}/filter?layer={layer}&filter=4") as page,
    ):
        _unfold(page)
        for hundredths in np.random.default_rng(1).permutation(range(31, 81))[:ROUNDS]:  # each once, and none is 0.3
            threshold = _hold(page, hundredths / 100)
            measured = run.layers[layer].measure(threshold)
            _until(page, _filter_page(run, layer, measured, 4, threshold))
            page.mouse.up()
            released.append(_waited(page))
            page.wait_for_timeout(400)
        for f in range(5, 5 + ROUNDS):
            _until(page, _filter_page(run, layer, measured, f, threshold))
            page.get_by_role("button", name="Next").click()
            turned.append(_waited(page))
            page.wait_for_timeout(400)
        peak = _peak(server.process)
    memory = Row(f"server of the Filter page, {name}: peak memory", peak, "MB", "<= 1000", peak <= 1000)
    return [
        *_rows(f"release to all numbers of the Filter page, {name}", released, wanted),
        *_rows(f"filter to filter, {name}", turned, 200),
        *([memory] if name.startswith(str(LARGE[0])) else []),
    ]


def layer_rows(browser: Any, file: Path, layer: str) -> list[Row]:
    """The Layer page: Streamlit's own slider, all of the page redrawn."""
    numbers, everything = [], []
    with (
        Run(file) as run,
        served("--store", str(file)) as address,
        _visit(browser, f"{address}/layer?layer={layer}") as page,
    ):
        _unfold(page)
        page.get_by_role("slider").first.focus()
        for step in range(1, ROUNDS + 1):
            threshold = 0.3 + step / 100
            shown = frames.layer_numbers(run.layers[layer], run.layers[layer].measure(threshold), "clustered")
            shapes = {
                "accuracy": ".3f",
                "n": ".1f",
                "N_c": ".2f",
                "C_s": ".2f",
                "signal": ".2f",
                "SNR_I": ".1f",
                "SNR_E": ".1f",
            }
            metrics = [format(shown[name] or 0.0, shape) for name, shape in shapes.items()]
            _until(page, [("[data-testid=stMetricValue]", metrics)])
            page.keyboard.press("ArrowRight")
            numbers.append(_waited(page))
            _until(page, [("code", f"threshold={threshold:g}")])
            everything.append(_waited(page))
            page.wait_for_timeout(600)
    return [
        *_rows("key press to the numbers of the Layer page, 512x100x100", numbers, None),
        *_rows("key press to the end of the Layer page, 512x100x100", everything, None),
    ]


def afcc_rows(browser: Any, file: Path, layer: str) -> list[Row]:
    """The AFCC page: release of the threshold to the exact accuracy of all test inputs, and to the end of the page."""
    accuracies, everything = [], []
    with (
        Run(file) as run,
        serving(ROOT / "explorer" / "app.py", "--store", str(file)) as server,
        _visit(browser, f"{server.address}/afcc?layer={layer}") as page,
    ):
        page.wait_for_selector("svg.marks")
        _unfold(page)
        found = run.layers[layer]
        assert found.test_features is not None
        features = to_blocks(found.test_features)
        for hundredths in np.random.default_rng(1).permutation(range(31, 81))[:ROUNDS]:
            slider = page.get_by_role("slider").first
            box = slider.bounding_box()
            middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            track = page.get_by_test_id("stSlider").first.bounding_box()
            page.mouse.move(*middle)
            page.mouse.down()
            page.mouse.move(track["x"] + track["width"] * hundredths / 100, middle[1])
            page.wait_for_timeout(200)
            threshold = float(page.get_by_test_id("stSliderThumbValue").first.inner_text())
            mask = afcc_mask(found.measure(threshold).cluster_of)
            result = what_if(features, found.probe_weights, run.label_of_test_input, mask)
            _until(page, [("[data-testid=stMetricValue]", [f"{result.accuracy:.4f}"])])
            page.mouse.up()
            accuracies.append(_waited(page))
            _until(page, [("code", f"threshold={threshold:g}")])
            everything.append(_waited(page))
            page.wait_for_timeout(600)
        peak = _peak(server.process)
    size = f"{features.n_inputs} x {features.blocks.shape[1]} features, {run.n_labels} labels"
    return [
        *_rows(f"AFCC page: release to the new accuracy ({size})", accuracies, 150),
        *_rows(f"AFCC page: release to its end ({size})", everything, None),
        Row(f"AFCC page: peak memory of the server ({size})", peak, "MB", "", True),
    ]


def opening_rows(browser: Any, file: Path) -> list[Row]:
    """The Run page in a browser that has nothing of it; and the same with a server that is yet to start."""
    heading: Wanted = [(".fs-heading", "100 labels")]
    tables: Wanted = [*heading, ("canvas [role=gridcell]", "16x16"), ("canvas [role=gridcell]", "Eq. (1)")]
    found: dict[str, list[float]] = {"the first heading": [], "the tables": []}
    with served("--store", str(file)) as address:
        with _visit(browser, address) as page:
            page.wait_for_timeout(3000)
        for _ in range(9):
            for taken, wanted in zip(found.values(), (heading, tables), strict=True):
                with _opened(browser, wanted) as page:
                    page.goto(address)
                    taken.append(_waited(page))
    cold = []
    for _ in range(3):
        start = time.perf_counter()
        with served("--store", str(file)) as address, _opened(browser, tables) as page:
            page.goto(address)
            _waited(page)
            cold.append((time.perf_counter() - start) * 1e3)
    return [
        *(row for name, taken in found.items() for row in _rows(f"opening the Run page: {name}", taken, 2000)),
        *_rows("starting a server and opening the Run page: the tables", cold, None),
    ]


# ---- What the page should show --------------------------------------------------------------------------------------


def _filter_page(run: Run, layer: str, measured: LayerMeasure, f: int, threshold: float) -> Wanted:
    means = [measured.mean_clusters, measured.mean_cluster_size, measured.mean_noise]
    labels = [values.mean() for values in (measured.signal, measured.noise_internal, measured.noise_external)]
    of_layer = [*map(_fixed, means), str(measured.silent.sum()), *map(_fixed, labels)]
    clusters = frames.clusters(run, measured.cluster_of[f])
    size = _fixed(clusters["labels"].mean()) if clusters.height else "–"
    of_filter = [
        "silent" if measured.silent[f] else f"{clusters.height}", size,
        f"{measured.noise[f]:,}", f"{measured.n_above[f]:,}",
    ]  # fmt: skip
    return [
        (".fs output", [f"{threshold:.2f}"]),
        (".fs figure:first-child small", [f"filter {f}"]),  # with its pixels: one frame draws both
        (".fs section:not(.fs-layer) dd", of_filter),
        (".fs .fs-layer dd", of_layer),
        (".fs:not(.fs-stale) h4", f"Filter {f}"),
        ("[data-testid=stMain] .fs-heading", [f"Layer {layer}, filter {f}"]),
        ("canvas [role=gridcell]", clusters["names"][0] if clusters.height else []),
        ("code", f"layer.measure(threshold={threshold!r}"),
        ("code", f"cluster_of[{f}]"),
    ]


def _fixed(value: Any) -> str:
    """As JavaScript's toFixed(2): the exact value, a tie away from zero."""
    return str(Decimal(float(value)).quantize(Decimal("0.01"), ROUND_HALF_UP))


# ---- In the browser -------------------------------------------------------------------------------------------------


@contextmanager
def _opened(browser: Any, wanted: Wanted | None = None) -> Iterator[Page]:
    """An empty page of a new person; `wanted`: what it is to wait for once it goes anywhere."""
    context = browser.new_context(viewport={"width": 1366, "height": 1600})
    try:
        page = context.new_page()
        page.add_init_script(path=WATCH)
        if wanted is not None:
            page.add_init_script(f"watch.until({json.dumps(wanted)}, 0)")
        yield page
    finally:
        context.close()


@contextmanager
def _visit(browser: Any, address: str, selector: str = ".fs-heading") -> Iterator[Page]:
    with _opened(browser) as page:
        page.goto(address)
        page.wait_for_selector(selector)
        page.wait_for_timeout(4000)  # what the page draws last, and the fields of a layer
        yield page


def _unfold(page: Page) -> None:
    """Open what is last on a page, and is then drawn last: its text tells that all of it is new."""
    page.get_by_text("Load this in Python").click()
    page.wait_for_selector("code")
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop = 0")  # the click has scrolled down to it
    page.wait_for_timeout(1000)


def _hold(page: Page, threshold: float) -> float:
    """Press the pointer on the slider, and move it to the threshold; the one that the page then shows."""
    at = _slider(page)
    page.mouse.move(*at(float(page.locator(".fs output").inner_text())))
    page.mouse.down()
    page.mouse.move(*at(threshold))
    page.wait_for_timeout(200)
    return float(page.locator(".fs output").inner_text())


def _slider(page: Page) -> Callable[[float], tuple[float, float]]:
    """Where the pointer has the middle of the thumb at a threshold."""
    box, thumb = page.locator(".fs input[type=range]").bounding_box(), 16
    assert box["y"] > 0, "the slider is out of sight, where the pointer does not reach it"
    return lambda threshold: (
        box["x"] + thumb / 2 + threshold * (box["width"] - thumb),
        box["y"] + box["height"] / 2,
    )


def _until(page: Page, wanted: Wanted) -> None:
    page.evaluate("(wanted) => watch.until(wanted)", wanted)


def _waited(page: Page) -> float:
    """Milliseconds until the page showed what it was to show."""
    return float(page.wait_for_function("() => watch.at", timeout=30_000).json_value())


def _rows(name: str, milliseconds: list[float], wanted: float | None) -> list[Row]:
    """The median, which has the criterion, and the 95th percentile."""
    middle, high = np.percentile(milliseconds, [50, 95])
    criterion = "" if wanted is None else f"<= {wanted:g}"
    holds = wanted is None or bool(middle <= wanted)
    return [Row(f"{name}, median", middle, "ms", criterion, holds), Row(f"{name}, 95%", high, "ms", "", True)]


def _peak(process: int) -> float:
    """The peak of a process's resident memory, in MB. Linux alone tells it."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
