"""The page Labels."""

import re
from typing import TYPE_CHECKING

from tests.browser import eventually
from tests.explorer.browser.person import click_until, first_row, heading, visit, wait_for_address
from tests.explorer_runs import cifar100_labels

if TYPE_CHECKING:
    from playwright import sync_api


def test_a_label_drills_down_to_a_filter(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/labels?layer=10&label=5")
    page.get_by_text("Filters that hold it").scroll_into_view_if_needed()
    click_until(page, first_row(page), r"/filter\?")
    eventually(page, lambda: bool(re.fullmatch(r"Layer 10, filter \d+", heading(page))), True)


def test_a_label_that_is_chosen_is_marked_in_figure_2(page: "sync_api.Page", app: str) -> None:
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
