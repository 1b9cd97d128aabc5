"""The page Layer."""

from pathlib import Path
from typing import TYPE_CHECKING

from store.file.read import Run
from tests.browser import at_rest, eventually
from tests.explorer.browser.person import FOCUSED, click_until, heading, visit, wait_for_address

if TYPE_CHECKING:
    from playwright import sync_api


def test_the_keyboard_moves_the_threshold_and_everything_follows(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/layer")
    before = page.locator("[data-testid=stMetricValue]").nth(1).inner_text()
    page.get_by_role("slider").first.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wait_for_address(page, r"threshold=0\.5\b")
    eventually(page, lambda: page.locator("[data-testid=stMetricValue]").nth(1).inner_text() != before, True)


def test_a_click_on_the_gallery_opens_the_filter(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/layer?layer=10")

    def place() -> tuple[float, float]:
        gallery = at_rest(page.locator(".st-key-picture_gallery svg.marks"))
        return gallery["x"] + gallery["width"] * 2.5 / 8, gallery["y"] + gallery["height"] * 1.5 / 3

    click_until(page, place, r"/filter\?.*filter=10\b")
    eventually(page, lambda: heading(page), "Layer 10, filter 10")


def test_a_filter_is_opened_without_a_mouse(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/layer?layer=10")
    for _ in range(150):
        page.keyboard.press("Tab")
        if "Open filter" in page.evaluate(FOCUSED)["name"]:
            break
    page.keyboard.type("17")
    page.keyboard.press("Enter")
    wait_for_address(page, r"/filter\?.*filter=17\b")
    eventually(page, lambda: heading(page), "Layer 10, filter 17")


def test_it_asks_for_nothing_while_a_slider_is_held(page: "sync_api.Page", app: str) -> None:
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


def test_a_change_that_went_with_a_look_for_files_is_drawn(page: "sync_api.Page", app: str, folder: Path) -> None:
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
        noise = f"{run.layers['10'].measure(0.31).mean_noise:.1f}"
    eventually(page, page.get_by_test_id("stMetricValue").nth(1).inner_text, noise)


def test_the_gallerys_buttons_stand_below_it(page: "sync_api.Page", app: str) -> None:
    """At its own size it may end before the page does."""
    visit(page, f"{app}/layer?layer=10")
    gallery = page.locator(".st-key-picture_gallery")
    picture, button = gallery.locator("svg.marks").bounding_box(), gallery.get_by_text("PNG").bounding_box()
    assert picture is not None and button is not None
    assert button["x"] < picture["x"] + picture["width"] and button["y"] > picture["y"]
