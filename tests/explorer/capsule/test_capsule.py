"""A layer as one page: opened from disk in Chromium with the network cut, it measures as `store.measure` does."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from explorer.capsule.page import CapsuleError, Shown, capsule
from store.file.read import Run
from store.file.write import write_run
from store.measure.gauge import GAUGES, Gauge
from store.measure.layer import ScanOrder, scan_order
from store.measure.nulls import STATISTICS, chance
from store.paper.records import CLAIM_NULLS
from tests.browser import CHROMIUM, chromium, eventually, eventually_true, patient
from tests.explorer_runs import ROOT, cifar100_labels, make_run

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page in")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "small.h5")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser")
    with chromium() as running:
        yield running


def opened(browser: Any, path: Path, scheme: str = "light", hash: str = "") -> Any:
    """The page from disk; `problems` has every error, and every request for anything but the page itself."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000}, color_scheme=scheme)
    context.set_offline(True)
    page: Any = patient(context.new_page())
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("dialog", lambda dialog: page.problems.append(dialog.message))

    def answer(route: Any) -> None:
        if route.request.url.partition("#")[0] == path.as_uri():
            return route.continue_()
        page.problems.append(route.request.url)
        return route.abort()

    page.route("**/*", answer)
    page.goto(path.as_uri() + hash)
    page.wait_for_selector("#layer-table tbody td")
    eventually_true(page, "/[0-9]/.test(document.querySelector('.fs-layer dd').textContent)")
    return page


def written(run: Run, shown: Shown, folder: Path) -> Path:
    path = folder / "page.html"
    path.write_bytes(capsule(run, shown))
    return path


def set_threshold(page: Any, threshold: float) -> None:
    page.evaluate(
        """(value) => {
            const slider = document.querySelector("input[type=range]");
            slider.value = value;
            slider.dispatchEvent(new Event("input"));
            slider.dispatchEvent(new Event("change"));
        }""",
        str(threshold),
    )
    told = "(start) => document.querySelector('#layer-table caption').textContent.match(start)"
    eventually_true(page, told, f"^At threshold {threshold}[;,]")


def numbers(page: Any) -> list[str]:
    """n, N_c, C_s, silent, signal, noise_I, noise_E of the table's first row."""
    cells: list[str] = page.locator("#layer-table tbody tr").first.locator("td").all_inner_texts()
    return cells[5:]


def expected(
    run: Run,
    layer: str,
    threshold: float,
    order: ScanOrder = "stored",
    over_all: bool = False,
    gauge: Gauge = "as trained",
) -> list[str]:
    measure = run.layers[layer].measure(threshold, scan_order(order, run.n_labels), gauge)
    means = [measure.mean_noise, measure.mean_clusters, measure.mean_cluster_size]
    if over_all:
        means = [measure.mean_noise_all, measure.mean_clusters_all, measure.mean_cluster_size_all]
    labels = [measure.noise_internal.mean(), measure.noise_external.mean()]
    silent, signal = str(int(measure.silent.sum())), fixed(measure.signal.mean(), 2)
    return [*(fixed(value, 2) for value in means), silent, signal, *(fixed(value, 3) for value in labels)]


def fixed(value: float, digits: int) -> str:
    """As JavaScript's toFixed: of two decimals that are equally near, the greater."""
    return "–" if math.isnan(value) else str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def fixed_or_dash(value: float | None, digits: int) -> str:
    return "–" if value is None else fixed(value, digits)


@needs_chromium
@pytest.mark.parametrize("gauge", GAUGES)
def test_null_models_stand_beside_the_layer(browser: Any, small: Path, tmp_path: Path, gauge: Gauge) -> None:
    with Run(small) as run:
        page = opened(browser, written(run, Shown("7", 3, 0.42, gauge=gauge, draws=4), tmp_path))
        fields = run.layers["7"].fields(gauge=gauge)
        wanted = []
        for name in STATISTICS:
            beside = [chance(null, fields, threshold=0.42, samples=4).of(name) for null in CLAIM_NULLS]
            row = [fixed_or_dash(beside[0].observed, 2)]
            for one in beside:
                spread = "" if one.mean is None or one.std is None else f" ± {fixed(one.std, 2)}"
                row += [fixed_or_dash(one.mean, 2) + spread, fixed_or_dash(one.z, 1)]
            wanted.append(row)
        shown = page.locator("#chance-table tbody tr")
        assert [line.locator("td").all_inner_texts() for line in shown.all()] == wanted
        before = page.locator("#chance-table").inner_text()
        set_threshold(page, 0.25)  # the nulls are of the page as it was made, and say so
        assert page.locator("#chance-table").inner_text() == before and "threshold 0.42" in before
        assert page.problems == []
        page.context.close()


def test_a_page_without_draws_has_no_nulls_and_matrices_alone_cannot_be_rotated(small: Path, tmp_path: Path) -> None:
    with Run(small) as run:
        content = run.content()
        assert content_of(capsule(run, Shown("10", draws=0)))["chance"] is None
    content.layers = [replace(layer, class_means=None, probe_weights=None) for layer in content.layers]
    write_run(tmp_path / "matrices.h5", content)
    with Run(tmp_path / "matrices.h5") as run:
        (shuffled, rotated) = content_of(capsule(run, Shown("10", draws=2)))["chance"]["rows"]
    assert len(shuffled["numbers"]) == len(STATISTICS)
    assert rotated["reason"].startswith("not possible for this file") and "numbers" not in rotated


def content_of(page: bytes) -> Any:
    return json.loads(re.search(rb'id="content">(.*?)</script>', page)[1])  # type: ignore[index]


@needs_chromium
def test_it_measures_what_the_store_measures(browser: Any, small: Path, tmp_path: Path) -> None:
    with Run(small) as run:
        page = opened(browser, written(run, Shown("7", 3, 0.42), tmp_path))
        assert page.locator("h1").inner_text() == "vgg16 on cifar100, 20 labels, layer 7"
        assert numbers(page) == expected(run, "7", 0.42)
        assert "Filter 3" in page.locator(".fs section h4").all_inner_texts()
        for threshold in (0.05, 0.3, 0.666, 1):
            set_threshold(page, threshold)
            assert numbers(page) == expected(run, "7", threshold)
        page.locator("#order").select_option("random")
        page.locator("#average").select_option("all")
        set_threshold(page, 0.25)
        eventually(page, lambda: numbers(page), expected(run, "7", 0.25, "random", over_all=True))
        measure = run.layers["7"].measure(0.25, scan_order("random", 20))
        page.locator("summary").first.click()
        cells = page.locator("#label-table tbody tr").nth(4).locator("td").all_inner_texts()
        assert cells[:2] == [run.superclasses[4], "100"]
        assert cells[2:] == [
            fixed(values[4], 3) for values in (measure.signal, measure.noise_internal, measure.noise_external)
        ]
        assert page.problems == []
        page.context.close()


@needs_chromium
@pytest.mark.parametrize("layer", ["4", "10"])  # as matrices, and as class means and weights
def test_the_gauge_is_the_pages_and_can_be_switched(browser: Any, small: Path, tmp_path: Path, layer: str) -> None:
    with Run(small) as run:
        page = opened(browser, written(run, Shown(layer, gauge="zero-sum"), tmp_path))
        of_gauge = {gauge: expected(run, layer, 0.3, gauge=gauge) for gauge in GAUGES}
    assert of_gauge["as trained"] != of_gauge["zero-sum"] == numbers(page)
    assert "At threshold 0.3, in the zero-sum gauge;" in page.locator("#layer-table caption").inner_text()
    page.locator("#gauge").select_option("as trained")
    eventually(page, lambda: numbers(page), of_gauge["as trained"])
    eventually_true(page, "location.hash === '#gauge=as+trained'")
    again = opened(browser, tmp_path / "page.html", hash="#gauge=as+trained")
    assert numbers(again) == of_gauge["as trained"]
    for each in (page, again):
        assert each.problems == []
        each.context.close()


@needs_chromium
def test_the_keyboard_and_the_address_hold_the_view(browser: Any, small: Path, tmp_path: Path) -> None:
    with Run(small) as run:
        path = written(run, Shown("10", order="reversed"), tmp_path)
    page = opened(browser, path)
    page.locator("#filter").focus()
    page.keyboard.press("ArrowUp")
    page.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    eventually_true(page, "location.hash === '#filter=1&threshold=0.31'")
    page.get_by_role("button", name="Next").press("Enter")
    eventually_true(page, "location.hash.startsWith('#filter=2&')")
    again = opened(browser, path, hash="#filter=2&threshold=0.31")
    assert again.locator("#filter").input_value() == "2"
    assert again.locator("#order").input_value() == "reversed"
    eventually(page, lambda: numbers(page), numbers(again))
    wrong = opened(browser, path, hash="#filter=99999&threshold=7&order=__proto__&average=<b>")
    assert wrong.locator("#filter").input_value() == "0"
    assert page.problems == again.problems == wrong.problems == []
    for seen in (page, again, wrong):
        seen.context.close()


@needs_chromium
@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_is_light_or_dark_as_the_reader_wants_and_prints(
    browser: Any, small: Path, tmp_path: Path, scheme: str, dark: bool
) -> None:
    with Run(small) as run:
        page = opened(browser, written(run, Shown("10"), tmp_path), scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 150) == dark
    assert page.locator(".fs").get_attribute("data-theme") == scheme
    assert len(page.pdf()) > 10_000
    assert all(page.locator("canvas").nth(k).get_attribute("aria-label") for k in range(3))
    page.context.close()


@needs_chromium
def test_the_figure_is_saved_without_a_server(browser: Any, small: Path, tmp_path: Path) -> None:
    with Run(small) as run:
        page = opened(browser, written(run, Shown("10"), tmp_path))
    for kind, starts in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save the figure as {kind}").click()
        download.value.save_as(tmp_path / "figure")
        assert (tmp_path / "figure").read_bytes().startswith(starts)
    assert page.problems == []
    page.context.close()


@needs_chromium
def test_the_policy_lets_nothing_else_run_or_be_fetched(browser: Any, small: Path, tmp_path: Path) -> None:
    with Run(small) as run:
        text = capsule(run, Shown("10")).decode()
    path = tmp_path / "page.html"
    planted = "<script>window.hacked = 1</script><img src=https://elsewhere.test/a.png onerror='window.hacked = 2'>"
    path.write_text(text.replace("<noscript>", f"{planted}<noscript>"))
    page = opened(browser, path)
    page.evaluate("fetch('https://elsewhere.test/').catch(() => 0)")
    assert page.evaluate("window.hacked") is None
    eventually(page, lambda: any("Content Security Policy" in problem for problem in page.problems), True)
    assert not [problem for problem in page.problems if problem.startswith("https://elsewhere")]
    page.context.close()


def test_a_large_layer_is_a_page_of_one_filter(tmp_path: Path) -> None:
    labels = [(f"label {i}", "") for i in range(300)]
    make_run(tmp_path / "large.h5", {"9": (70, 1)}, labels, dense=False)
    with Run(tmp_path / "large.h5") as run:
        page = capsule(run, Shown("9", 69)).decode()
    assert "too large a layer to be measured in a page" in page
    assert len(page) < 200_000


@needs_chromium
def test_a_large_layer_opens(browser: Any, tmp_path: Path) -> None:
    labels = [(f"label {i}", "") for i in range(300)]
    make_run(tmp_path / "large.h5", {"9": (70, 1)}, labels, dense=False)
    with Run(tmp_path / "large.h5") as run:
        page = opened(browser, written(run, Shown("9", 69, 0.2, gauge="zero-sum"), tmp_path))
        assert numbers(page) == expected(run, "9", 0.2, gauge="zero-sum") != expected(run, "9", 0.2)
        assert page.locator("#filter").is_disabled() and page.locator("#gauge").is_disabled()
        set_threshold(page, 0.5)
        assert set(numbers(page)) == {"–"}
    assert page.problems == []
    page.context.close()


def test_layer_10_of_cifar100_is_less_than_5_megabytes(tmp_path: Path) -> None:
    make_run(tmp_path / "run.h5", {"10": (512, 2)}, cifar100_labels(), dense=False)
    with Run(tmp_path / "run.h5") as run:
        assert 2_000_000 < len(capsule(run, Shown("10"))) < 2_500_000


def test_the_command_needs_no_streamlit_and_answers_wrong_arguments(small: Path, tmp_path: Path) -> None:
    def ran(*arguments: object) -> "subprocess.CompletedProcess[str]":
        program = """import runpy, sys
sys.modules["streamlit"] = None
sys.argv[0] = "capsule"
runpy.run_module("explorer.capsule", run_name="__main__")"""
        command = [sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    out = tmp_path / "page.html"
    done = ran(small, "--layer", "10", "--gauge", "zero-sum", "--out", out)
    assert done.returncode == 0, done.stderr
    with Run(small) as run:
        assert out.read_bytes() == capsule(run, Shown("10", gauge="zero-sum"))
    done = ran(small, "--layer", "10", "--out", small)
    assert done.returncode == 1 and "a page is named .html" in done.stderr
    done = ran(tmp_path / "none.h5", "--layer", "10", "--out", out)
    assert done.returncode == 1 and "No such file" in done.stderr


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (Shown("11"), "no layer '11' in this file; it has 4, 7, 10"),
        (Shown("10", 24), "layer 10 has filters 0 to 23, not 24"),
        (Shown("10", -1), "not -1"),
        (Shown("10", 0, 1.5), "from 0 to 1, not 1.5"),
        (Shown("10", 0, float("nan")), "not nan"),
    ],
)
def test_what_is_not_there_is_said(small: Path, shown: Shown, message: str) -> None:
    with Run(small) as run, pytest.raises(CapsuleError, match=re.escape(message)):
        capsule(run, shown)


def test_the_same_view_gives_the_same_page(small: Path) -> None:
    with Run(small) as run:
        assert capsule(run, Shown("4")) == capsule(run, Shown("4"))
