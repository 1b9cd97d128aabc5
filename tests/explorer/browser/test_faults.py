"""Faults that a person met once, each as a test of its kind."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import pytest

from tests.browser import at_rest, eventually, settle
from tests.explorer.browser.person import arrive, heading, parameters, person, visit, wait_for_address
from tests.explorer_runs import make_run, served

if TYPE_CHECKING:
    from playwright import sync_api


@pytest.mark.parametrize("address", ["layer?layer=10", "compare?layer=10"])
def test_conditions_that_are_opened_late_leave_the_view_as_it_is(page: "sync_api.Page", app: str, address: str) -> None:
    """A control that was not on the page wrote Streamlit's default, 0, into it."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    visit(page, f"{app}/{address}")
    at_rest(page.locator("[data-testid=stSelectbox]").filter(has_text="Sort by"))
    page.get_by_role("combobox", name="Sort by").click()
    page.get_by_role("combobox", name="Sort by").fill("noise")
    eventually(page, page.get_by_role("option").count, 1)
    page.keyboard.press("Enter")
    wait_for_address(page, r"sort=noise")
    settle(page)
    before = parameters(page)
    page.get_by_role("button", name="More conditions").click()
    page.get_by_role("spinbutton", name="Maximum, from").wait_for()
    settle(page)
    assert float(page.get_by_role("spinbutton", name="Maximum, to").input_value()) > 0
    assert parameters(page) == before
    assert not [text for text in said if "fragmentId" in text]


def test_conditions_of_an_address_stay_when_they_are_opened(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/layer?layer=10&clusters=1-2&noise=0-30")
    page.get_by_role("button", name="More conditions").click()
    page.get_by_role("spinbutton", name="Maximum, from").wait_for()
    settle(page)
    assert parameters(page)["clusters"] == "1-2"
    assert parameters(page)["noise"] == "0-30"


def test_each_statement_leads_to_the_page_that_shows_it(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/?store=run.h5&layer=10")
    assert page.locator(".fs-answer").count() == 3
    page.get_by_role("button", name="See one filter").click()
    wait_for_address(page, r"/filter\?.*filter=\d+")
    eventually(page, lambda: bool(re.fullmatch(r"Layer 10, filter \d+", heading(page))), True)


def test_the_figure_of_the_overview_is_dragged_there(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/?store=run.h5&layer=10")
    before = page.locator(".fs-answer").all_inner_texts()
    page.locator("input[type=range]").first.focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    eventually(page, lambda: parameters(page).get("threshold"), "0.55")
    eventually(page, lambda: page.locator(".fs-answer").all_inner_texts() != before, True)


def test_a_label_and_a_filter_are_found_from_any_page(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/claims?store=run.h5")
    page.get_by_role("combobox", name="Find").fill("7/3")
    page.keyboard.press("Enter")
    wait_for_address(page, r"/filter\?.*layer=7&filter=3\b")
    arrive(page, "Layer 7, filter 3")
    page.get_by_role("combobox", name="Find").fill("beaver")
    page.get_by_role("option", name="beaver").first.click()
    wait_for_address(page, r"/labels\?.*label=4\b")


def test_the_link_is_copied(chromium: "sync_api.Browser", app: str) -> None:
    page = person(chromium, permissions=["clipboard-read", "clipboard-write"])
    visit(page, f"{app}/layer?store=run.h5&layer=7")
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.context.close()


def test_clusters_have_the_number_of_their_box(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/filter?store=run.h5&layer=10&filter=3")
    listed = page.locator(".fs-clusters li:not([hidden]) em:first-child")
    eventually(page, lambda: [text.partition(":")[0] for text in listed.all_inner_texts()][:1], ["1"])
    numbers = [int(text.partition(":")[0]) for text in listed.all_inner_texts()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_folder_opens_its_newest_file_that_can_be_shown(page: "sync_api.Page", tmp_path: Path) -> None:
    make_run(tmp_path / "good.h5", {"4": (4, 1)})
    with h5py.File(tmp_path / "newer.h5", "w") as file:
        file["of"] = "another program"
    with served("--store", str(tmp_path)) as address:
        visit(page, address)
        assert heading(page) == "VGG-16 on CIFAR-100, 20 labels"
        assert parameters(page)["store"] == "good.h5"
        visit(page, f"{address}/?store=newer.h5")
        page.get_by_text("an HDF5 file of another program").wait_for()
