"""The page Filter."""

from typing import TYPE_CHECKING

from tests.browser import eventually, settle
from tests.explorer.browser.person import parameters, visit, wait_for_address

if TYPE_CHECKING:
    from playwright import sync_api


def test_the_live_threshold_reaches_the_page_and_the_address(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/filter?filter=3")
    slider = page.locator("input[type=range]").first
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    eventually(page, lambda: parameters(page).get("threshold"), "0.35")
    assert parameters(page)["filter"] == "3"


def test_the_answer_to_one_key_does_not_undo_the_next(page: "sync_api.Page", app: str) -> None:
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


def test_a_drag_moves_the_numbers_and_its_end_the_address(page: "sync_api.Page", app: str) -> None:
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


def test_a_filter_and_the_next_one(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/filter?filter=4")
    page.get_by_role("button", name="Next").click()
    eventually(page, lambda: page.get_by_text("Layer 10, filter 5").count() > 0, True)
    wait_for_address(page, r"filter=5\b")
