"""The view: the address, the history, the theme, what is saved."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.file.read import Run
from store.measure.gauge import GAUGES
from tests.browser import eventually
from tests.explorer.browser.person import (
    arrive,
    heading,
    lightness,
    numbers_of,
    parameters,
    person,
    visit,
    wait_for_address,
)
from tests.explorer_runs import cifar100_labels

if TYPE_CHECKING:
    from playwright import sync_api


def test_an_address_shows_somebody_else_the_same(chromium: "sync_api.Browser", page: "sync_api.Page", app: str) -> None:
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


def test_the_view_stays_with_another_page_and_the_back_button(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/layer?threshold=0.4&layer=7")
    page.get_by_role("link", name="Labels").click()
    wait_for_address(page, r"/labels\?.*threshold=0\.4")
    arrive(page, "The 30 labels in layer 7")
    page.go_back()
    page.get_by_text("Layer 7: 16 filters").wait_for()


def test_a_view_replaces_the_bare_entry_of_its_page(page: "sync_api.Page", app: str) -> None:
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


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_theme_is_the_readers(chromium: "sync_api.Browser", app: str, scheme: str, dark: bool) -> None:
    page = person(chromium, color_scheme=scheme)
    visit(page, app)

    def colours() -> tuple[bool, bool]:
        ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        text = page.locator("svg.marks text").first.evaluate("element => getComputedStyle(element).fill")
        return lightness(ground) < 80, lightness(text) > 160

    eventually(page, colours, (dark, dark))
    page.context.close()


def test_charts_and_tables_are_saved(page: "sync_api.Page", app: str, tmp_path: Path) -> None:
    visit(page, app)
    starts = {"as PNG": b"\x89PNG", "as SVG": b"<svg", "CSV": b'"layer","N_f"', "Parquet": b"PAR1"}
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


def test_the_gauge_of_the_sidebar_reaches_the_live_matrix(page: "sync_api.Page", app: str, folder: Path) -> None:
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
