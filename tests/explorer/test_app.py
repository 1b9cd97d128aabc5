"""The explorer as a person meets it: a server, and Chromium without a network beyond this machine."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from store.file.read import Run
from store.measure.afcc import afcc_mask, to_blocks, what_if
from store.measure.gauge import GAUGES
from tests.browser import CHROMIUM, at_rest, eventually, patient, settle
from tests.browser import chromium as started
from tests.explorer_runs import afcc_between, cifar100_labels, make_run, served

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is in the extra [dev]")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

if CHROMIUM is None:
    pytest.skip("there is no chromium on this machine (apt-get install chromium)", allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "tested.h5", features=("10",), afcc=("10",), afcc_between=afcc_between("4", "7", "10"))
    make_run(folder / "run.h5", labels=cifar100_labels()[:30])
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[str]:
    with served("--store", str(folder)) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    with started() as browser:
        yield browser


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    page = person(chromium)
    yield page
    page.context.close()


def person(chromium: "Browser", **options: Any) -> "Page":
    """Somebody with a browser of their own."""
    return patient(chromium.new_context(viewport={"width": 1366, "height": 1600}, **options).new_page())


def visit(page: "Page", address: str) -> None:
    page.goto(address)
    settle(page)


def parameters(page: "Page") -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def wait_for_address(page: "Page", pattern: str) -> None:
    page.wait_for_url(re.compile(pattern), wait_until="commit")


def arrive(page: "Page", wanted: str) -> None:
    """Wait for the page with this heading, and until it is drawn."""
    eventually(page, lambda: heading(page), wanted)
    settle(page)


def click_until(page: "Page", place: Callable[[], tuple[float, float]], pattern: str) -> None:
    """Click at a place of a picture until the address follows: a picture that is there may not listen yet."""
    for _ in range(10):
        page.mouse.click(*place())
        with contextlib.suppress(sync_api.TimeoutError):
            page.wait_for_url(re.compile(pattern), wait_until="commit", timeout=20_000)
            return
    pytest.fail(f"ten clicks did not lead to {pattern}, but to {page.url}")


def first_row(page: "Page") -> Callable[[], tuple[float, float]]:
    """The box of the first row of the first table."""

    def place() -> tuple[float, float]:
        table = at_rest(page.locator("[data-testid=stDataFrame]").first)
        return table["x"] + 18, table["y"] + 52

    return place


def heading(page: "Page") -> str:
    return page.locator(".fs-heading").first.inner_text()


def numbers_of(page: "Page") -> Callable[[], list[str]]:
    return page.locator("[data-testid=stMetricValue]").all_inner_texts


def test_it_opens_on_the_newest_run(page: "Page", app: str) -> None:
    visit(page, app)
    assert heading(page) == "VGG-16 on CIFAR-100, 30 labels"
    page.locator("svg.marks").nth(3).wait_for()
    assert page.locator("svg.marks").count() == 4
    eventually(page, lambda: parameters(page), {"store": "run.h5", "layer": "10"})
    page.get_by_text("Training of the network").click()
    page.locator("svg.marks").nth(4).wait_for()


def test_the_keyboard_moves_the_threshold_and_everything_follows(page: "Page", app: str) -> None:
    visit(page, f"{app}/layer")
    before = page.locator("[data-testid=stMetricValue]").nth(1).inner_text()
    page.get_by_role("slider").first.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wait_for_address(page, r"threshold=0\.5\b")
    eventually(page, lambda: page.locator("[data-testid=stMetricValue]").nth(1).inner_text() != before, True)
    assert parameters(page)["threshold"] == "0.5"


def test_the_gauge_of_the_sidebar_reaches_the_live_matrix(page: "Page", app: str, folder: Path) -> None:
    visit(page, f"{app}/filter?store=run.h5&layer=10")
    shown = page.locator(".fs-layer dd").first
    with Run(folder / "run.h5") as run:
        clusters: dict[str, str] = {
            gauge: f"{run.layers['10'].measure(gauge=gauge).mean_clusters:.2f}" for gauge in GAUGES
        }
    assert clusters["as trained"] != clusters["zero-sum"]
    for gauge, address in (("as trained", None), ("zero-sum", "zero-sum"), ("as trained", None)):
        if parameters(page).get("gauge") != address:
            page.get_by_role("combobox", name="Gauge").click()
            page.get_by_role("option", name=gauge).click()
        eventually(page, shown.inner_text, clusters[gauge])
        eventually(page, lambda: parameters(page).get("gauge"), address)


def test_the_live_threshold_reaches_the_page_and_the_address(page: "Page", app: str) -> None:
    visit(page, f"{app}/filter?filter=3")
    slider = page.locator("input[type=range]").first
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    eventually(page, lambda: parameters(page).get("threshold"), "0.35")
    assert parameters(page)["filter"] == "3"


def test_the_answer_to_one_key_does_not_undo_the_next(page: "Page", app: str) -> None:
    """On a busy machine it comes while the next key is down."""
    visit(page, f"{app}/filter?filter=3")
    slider = page.locator("input[type=range]").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.down("ArrowRight")
    eventually(page, lambda: parameters(page).get("threshold"), "0.31")
    settle(page)
    page.wait_for_timeout(500)
    assert slider.input_value() == "0.32"
    page.keyboard.up("ArrowRight")
    eventually(page, lambda: parameters(page).get("threshold"), "0.32")


def test_a_drag_moves_the_numbers_and_its_end_the_address(page: "Page", app: str) -> None:
    visit(page, f"{app}/filter?filter=3")
    slider, numbers = page.locator("input[type=range]").first, page.locator(".fs dd")
    eventually(page, lambda: numbers.first.inner_text().isdigit(), True)
    slider.scroll_into_view_if_needed()
    settle(page)
    box, before, address = slider.bounding_box(), numbers.all_inner_texts(), page.url
    assert box is not None
    y, left, width = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
    page.mouse.move(left + 0.3 * width, y)
    page.mouse.down()
    page.mouse.move(left + 0.6 * width, y, steps=4)
    eventually(page, lambda: numbers.all_inner_texts() != before, True)
    assert page.url == address  # nothing is sent while the pointer is down
    page.mouse.up()
    eventually(page, lambda: 0.55 < float(parameters(page).get("threshold", "0.3")) < 0.65, True)


def test_an_address_shows_somebody_else_the_same(chromium: "Browser", page: "Page", app: str) -> None:
    visit(page, f"{app}/labels?threshold=0.2&layer=7&label=12&order=reversed&average=all")
    other = person(chromium)
    visit(other, page.url)
    for seen in (page, other):
        eventually(seen, lambda seen=seen: heading(seen), "The 30 labels in layer 7")  # type: ignore[misc]
        eventually(seen, seen.locator(".fs-lead").inner_text, cifar100_labels()[12][0])
    eventually(other, numbers_of(other), numbers_of(page)())
    assert numbers_of(page)()
    eventually(other, lambda: parameters(other), parameters(page))
    other.context.close()


def test_the_view_stays_with_another_page_and_the_back_button(page: "Page", app: str) -> None:
    visit(page, f"{app}/layer?threshold=0.4&layer=7")
    page.get_by_role("link", name="Labels").click()
    wait_for_address(page, r"/labels\?.*threshold=0\.4")
    arrive(page, "The 30 labels in layer 7")
    page.go_back()
    page.get_by_text("Layer 7: 16 filters").wait_for()
    assert parameters(page)["threshold"] == "0.4"


def test_a_view_replaces_the_bare_entry_of_its_page(page: "Page", app: str) -> None:
    """Which of the two entries Streamlit makes is a matter of time: made by hand, they are one every time."""
    visit(page, f"{app}/layer")
    added = page.evaluate(
        """() => {
            const before = history.length;
            history.pushState({}, "", "/labels");
            history.pushState({}, "", "/labels?threshold=0.4");
            const once = history.length - before;
            history.pushState({}, "", "/labels?threshold=0.5");
            return [once, history.length - before, location.search];
        }"""
    )
    assert added == [1, 2, "?threshold=0.5"]


def test_a_label_drills_down_to_a_filter(page: "Page", app: str) -> None:
    visit(page, f"{app}/labels?layer=10&label=5")
    page.get_by_text("Filters that hold it").scroll_into_view_if_needed()
    click_until(page, first_row(page), r"/filter\?")
    eventually(page, lambda: bool(re.fullmatch(r"Layer 10, filter \d+", heading(page))), True)
    assert heading(page) == f"Layer 10, filter {parameters(page).get('filter', '0')}"


def test_the_exact_accuracy_follows_the_threshold(page: "Page", app: str, folder: Path) -> None:
    with Run(folder / "tested.h5") as run:
        layer, labels, names = run.layers["10"], run.label_of_test_input, run.label_names
        features = to_blocks(layer.test_features)
        before, result = (
            what_if(features, layer.probe_weights, labels, afcc_mask(layer.measure(at).cluster_of))
            for at in (0.3, 0.55)
        )
    changed = int(np.flatnonzero(before.predicted != result.predicted)[0])
    assert before.accuracy != result.accuracy and before.weights_kept != result.weights_kept
    visit(page, f"{app}/afcc?store=tested.h5&layer=10&test_input={changed}")
    alone = page.locator("dt", has_text="clusters only").locator("+ dd")
    eventually(page, alone.inner_text, names[before.predicted[changed]])
    page.get_by_role("slider").first.focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    wait_for_address(page, r"threshold=0\.55\b")
    eventually(page, alone.inner_text, names[result.predicted[changed]])
    numbers = page.get_by_test_id("stMetricValue")
    numbers.get_by_text(f"{result.accuracy:.4f}").first.wait_for()
    eventually(page, numbers.nth(0).inner_text, f"{result.accuracy:.4f}")
    eventually(page, numbers.nth(2).inner_text, f"{result.weights_kept:,}")


def test_a_label_that_is_chosen_is_marked_in_figure_2(page: "Page", app: str) -> None:
    visit(page, f"{app}/labels?layer=10&label=5")
    rules = """() => [...document.querySelectorAll(".st-key-picture_figure-2a .mark-rule line")].map(
        (line) => line.getAttribute("transform") + line.getAttribute("x2") + line.getAttribute("y2")
    ).join()"""
    marked = page.evaluate(rules)
    page.get_by_role("combobox", name="Label").last.fill(cifar100_labels()[9][0])
    eventually(page, page.get_by_role("option").count, 1)
    page.keyboard.press("Enter")
    wait_for_address(page, r"label=9\b")
    eventually(page, lambda: page.evaluate(rules) != marked, True)
    assert parameters(page)["label"] == "9"


def test_a_filter_picked_among_two_layers_is_shown_below(page: "Page", app: str) -> None:
    visit(page, f"{app}/compare?layer=10")
    gallery = at_rest(page.locator(".st-key-compare_gallery_A svg.marks"))
    across, down = 5 * gallery["width"] / 8, 3 * gallery["height"] / 8  # the third matrix of the second row
    click_until(page, lambda: (gallery["x"] + across, gallery["y"] + down), r"\bfilter=6\b")
    eventually(page, page.get_by_role("spinbutton", name="A: filter").input_value, "6")
    assert parameters(page)["filter"] == "6"


def test_what_a_filter_gives_leads_to_it(page: "Page", app: str) -> None:
    visit(page, f"{app}/afcc?store=tested.h5&layer=10&test_input=731")
    page.get_by_text("Given to the predicted label").scroll_into_view_if_needed()
    click_until(page, first_row(page), r"/filter\?")
    eventually(page, lambda: bool(re.fullmatch(r"Layer 10, filter \d+", heading(page))), True)
    assert heading(page) == f"Layer 10, filter {parameters(page).get('filter', '0')}"


def test_a_click_on_the_gallery_opens_the_filter(page: "Page", app: str) -> None:
    visit(page, f"{app}/layer?layer=10")

    def place() -> tuple[float, float]:
        gallery = at_rest(page.locator(".st-key-picture_gallery svg.marks"))
        return gallery["x"] + gallery["width"] * 2.5 / 8, gallery["y"] + gallery["height"] * 1.5 / 3

    click_until(page, place, r"/filter\?.*filter=10\b")
    eventually(page, lambda: heading(page), "Layer 10, filter 10")
    assert parameters(page)["layer"] == "10"


def test_a_filter_and_the_next_one(page: "Page", app: str) -> None:
    visit(page, f"{app}/filter?filter=4")
    page.get_by_role("button", name="Next").click()
    wait_for_address(page, r"filter=5\b")
    page.get_by_text("Layer 10, filter 5").wait_for()
    assert heading(page) == "Layer 10, filter 5"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_theme_is_the_readers(chromium: "Browser", app: str, scheme: str, dark: bool) -> None:
    page = person(chromium, color_scheme=scheme)
    visit(page, app)

    def colours() -> tuple[bool, bool]:
        ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        text = page.locator("svg.marks text").first.evaluate("element => getComputedStyle(element).fill")
        return _lightness(ground) < 80, _lightness(text) > 160

    eventually(page, colours, (dark, dark))
    assert page.evaluate("getComputedStyle(document.body).colorScheme") in (scheme, "normal")
    page.context.close()


def _lightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def test_charts_and_tables_are_saved(page: "Page", app: str, tmp_path: Path) -> None:
    visit(page, app)
    starts = {"as PNG": b"\x89PNG", "as SVG": b"<svg", "CSV": b"layer,N_f", "Parquet": b"PAR1"}
    for name, start in starts.items():
        ours = "[data-testid=stDownloadButton] button, .save button"
        with page.expect_download() as saved:
            page.locator(ours).and_(page.get_by_role("button", name=name)).first.click()
        path = tmp_path / name
        saved.value.save_as(path)
        assert path.read_bytes().startswith(start), name
    visit(page, f"{app}/filter")
    with page.expect_download() as saved:
        page.get_by_role("button", name=re.compile(r"\.npy")).click()
    saved.value.save_as(tmp_path / "npy")
    assert (tmp_path / "npy").read_bytes().startswith(b"\x93NUMPY")


def test_a_file_that_appears_is_opened(page: "Page", tmp_path: Path) -> None:
    with served("--store", str(tmp_path)) as address:
        page.goto(address)
        page.get_by_text("No result yet").wait_for()
        make_run(tmp_path / "going.h5", {"4": (4, 1)}, planned=("4", "7"))
        page.get_by_text("Still to come: layers 7").wait_for()
        make_run(tmp_path / "going.h5", {"4": (4, 1), "7": (4, 1)}, planned=("4", "7"))
        page.get_by_text("Still to come: layers 7").wait_for(state="detached")
        make_run(tmp_path / "another.h5", {"4": (4, 1)})
        boxes = page.get_by_test_id("stSidebar").get_by_test_id("stSelectbox")
        boxes.nth(3).wait_for()  # with two files there is a box to choose the run
        settle(page)
        assert parameters(page)["store"] == "going.h5"  # and nothing has jumped


def test_it_asks_for_new_files_only_at_rest(page: "Page", app: str) -> None:
    """Asked while another page is on its way, Streamlit's answer would leave that page blank, once in eight times."""
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    visit(page, f"{app}/filter")
    page.evaluate(
        """() => {
            const app = document.querySelector("[data-testid=stApp]");
            const run = () => app.dataset.testScriptState === "running" || (app.dataset.testScriptState = "running");
            window.held = new MutationObserver(run);
            window.held.observe(app, { attributes: true });
            run();
        }"""
    )
    while sent:  # what was on its way
        sent.clear()
        page.wait_for_timeout(2000)
    page.wait_for_timeout(4000)
    assert not sent
    page.evaluate(
        """() => {
            window.held.disconnect();
            document.querySelector("[data-testid=stApp]").dataset.testScriptState = "notRunning";
        }"""
    )
    eventually(page, lambda: bool(sent), True)


def test_it_asks_for_nothing_while_a_slider_is_held(page: "Page", app: str) -> None:
    """Asked at the moment of its release, the fragment that looks for files would be drawn in place of the slider's."""
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    visit(page, f"{app}/layer?layer=10")
    thumb = at_rest(page.get_by_test_id("stSlider").get_by_text("0.30"))
    page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] + 8)
    page.mouse.down()
    while sent:  # what was on its way
        sent.clear()
        page.wait_for_timeout(2000)
    page.wait_for_timeout(4000)
    assert not sent
    page.mouse.up()
    eventually(page, lambda: bool(sent), True)


def test_a_change_that_went_with_a_look_for_files_is_drawn(page: "Page", app: str, folder: Path) -> None:
    """Streamlit's batch of one moment, made long enough for a key press to fall into it."""
    visit(page, f"{app}/layer?store=run.h5&layer=10")
    page.get_by_role("slider").first.focus()
    page.evaluate(
        """() => {
            const ask = window.setTimeout;
            window.batches = 0;
            window.setTimeout = (call, delay, ...more) => {
                if (delay === 0) window.batches += 1;
                return ask(call, delay === 0 ? 4000 : delay, ...more);
            };
        }"""
    )
    eventually(page, lambda: page.evaluate("window.batches > 0"), True)
    page.keyboard.press("ArrowRight")
    wait_for_address(page, r"threshold=0\.31\b")
    with Run(folder / "run.h5") as run:
        noise, before = (f"{run.layers['10'].measure(at).mean_noise:.1f}" for at in (0.31, 0.3))
    assert noise != before
    eventually(page, page.get_by_test_id("stMetricValue").nth(1).inner_text, noise)


FOCUSED = """() => {
    let element = document.activeElement;
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    const labelled = document.getElementById(element.getAttribute("aria-labelledby"))?.textContent;
    const name = element.getAttribute("aria-label") ?? labelled ?? element.labels?.[0]?.textContent;
    return { tag: element.tagName, name: (name ?? element.textContent).trim().slice(0, 60) };
}"""


def walk(page: "Page", most: int = 260) -> list[dict[str, str]]:
    """What Tab reaches, from the top of the page until it leaves it."""
    page.evaluate("document.activeElement.blur()")
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["tag"] == "BODY":
            break
        found.append(focused)
    return found


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("filter?filter=3", ["Previous", "Next", "Filter, 0 to", "Threshold", "Fields:", "Clipped:", "Permuted:",
                             "Signal, noise_I", "CSV", "Parquet", "Elements above", "Matrix (.npy)", "Load this"]),
        ("layer?null=random+order", ["Beside chance", "Add the band", "Rank of each", "Threshold", "Show",
                   "Sort by", "Holds the label", "More conditions", "as PNG", "as SVG",
                   "Open filter", "All filters in a table", "The sweep as a table", "Load this"]),
        ("afcc?store=tested.h5&layer=10&silencing=random", [
            "Threshold", "All labels", "Silence first", "Silenced filters", "Curve with", "Seed of the order",
            "The curve as a table", "Load this", "Test input", "The parts as a table", "CSV", "The epochs as a table"]),
        ("labels", ["Threshold", "Sort the labels by", "Logarithmic", "All labels", "Label", "CSV", "Load this"]),
        ("compare", ["Run B", "Layer B", "Threshold", "Show", "Sort by", "A: filter", "B: filter", "Permuted:"]),
        ("", ["Run", "Compare", "Layer", "Scan order", "Means of", "Threshold", "CSV", "Training", "Load this"]),
    ],
)  # fmt: skip
def test_the_keyboard_reaches_everything(page: "Page", app: str, address: str, expected: list[str]) -> None:
    visit(page, f"{app}/{address}")

    def missing() -> list[str]:
        """What a walk did not meet; a part that is drawn during a walk takes the focus with it, so walk again."""
        names = [focused["name"] for focused in walk(page)]
        return [name for name in expected if not any(name in each for each in names)]

    eventually(page, missing, list[str]())
    assert urlsplit(page.url).path == "/" + address.partition("?")[0]  # a walk presses nothing


def test_a_filter_is_opened_without_a_mouse(page: "Page", app: str) -> None:
    visit(page, f"{app}/layer?layer=10")
    for _ in range(150):
        page.keyboard.press("Tab")
        if "Open filter" in page.evaluate(FOCUSED)["name"]:
            break
    page.keyboard.type("17")
    page.keyboard.press("Enter")
    wait_for_address(page, r"/filter\?.*filter=17\b")
    eventually(page, lambda: heading(page), "Layer 10, filter 17")
    assert parameters(page)["layer"] == "10"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints_on_paper(chromium: "Browser", app: str, scheme: str) -> None:
    page = person(chromium, color_scheme=scheme)
    visit(page, f"{app}/labels")
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf()))
    assert pages >= 2  # all of it, not what fits the window
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme=scheme)  # type: ignore[arg-type]
    assert not page.locator("[data-testid=stSidebar]").is_visible()
    assert page.locator("[data-testid=stSlider]").is_visible()  # it tells the threshold

    def is_light() -> bool:
        ground, *words = page.evaluate(
            """() => [getComputedStyle(document.querySelector(".stApp")).backgroundColor,
                getComputedStyle(document.querySelector(".fs-heading")).color,
                getComputedStyle(document.querySelector("svg.marks text")).fill]"""
        )
        return _lightness(ground) > 240 and all(_lightness(colour) < 140 for colour in words)

    def is_narrow() -> bool:
        widest = page.evaluate(
            """() => {
                const left = document.querySelector(".block-container").getBoundingClientRect().left;
                const parts = [...document.querySelectorAll("svg.marks, [data-testid=stDataFrame]")];
                return Math.max(...parts.map((part) => part.getBoundingClientRect().right)) - left;
            }"""
        )
        return float(widest) <= 690  # pixels between the margins of A4

    eventually(page, is_light, True)
    eventually(page, is_narrow, True)
    page.context.close()
