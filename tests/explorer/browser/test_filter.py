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


def test_images_of_the_label_that_is_pointed_at_stand_out(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/filter?store=pictures.h5&layer=7&filter=3")
    tiles, pale = page.locator(".fs-tile"), page.locator(".fs-tile[data-other]")
    eventually(page, lambda: tiles.count() > 16, True)
    assert pale.count() == 0
    frame, image = page.locator(".fs-image i").first.bounding_box(), page.locator(".fs-image img").first.bounding_box()
    assert frame is not None and image is not None
    assert 0 < frame["width"] < image["width"] and frame["x"] >= image["x"] - 1
    names = page.locator(".fs-tile figcaption").all_inner_texts()
    page.locator(".fs canvas").first.focus()
    for _ in range(20):  # down the rows, to the label of the first image
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(60)
        label = page.locator(".fs-readout strong").first.inner_text()
        if label == names[0]:
            break
    eventually(page, lambda: pale.count(), len(names) - names.count(names[0]))
    told = page.locator(".fs-strip [role=status]")
    eventually(page, told.inner_text, f"{names.count(names[0])} of {names[0]}")
    page.keyboard.press("Escape")
    eventually(page, lambda: pale.count(), 0)


def test_without_pictures_the_whole_command_is_told(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/filter?store=run.h5")
    assert page.locator(".fs-strip").is_hidden()
    page.locator("summary").filter(has_text="Test images that drive it").click()
    eventually(page, lambda: page.get_by_text("--thumbnails").count(), 1)
    told = page.get_by_text("--thumbnails").inner_text()
    assert told.startswith("python -m precompute --arch vgg16") and "..." not in told and "run.h5" in told


def test_a_label_its_images_and_the_gallery_of_images(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/labels?store=pictures.h5&layer=7")
    eventually(page, lambda: page.locator(".fs-pictured img").count(), 1)
    eventually(page, lambda: page.locator(".fs-pictures img").count() > 0, True)
    assert page.locator(".fs-pictures figcaption").first.inner_text()[0].isdigit()
    visit(page, f"{app}/layer?store=pictures.h5&layer=7&style=images")
    eventually(page, lambda: page.get_by_text("nine test images").count(), 1)
    assert page.get_by_text("--thumbnails").count() == 0


def test_filters_of_two_layers_are_pinned_side_by_side(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/filter?store=run.h5&layer=7&filter=3")
    page.get_by_role("button", name="Pin", exact=True).click()
    wait_for_address(page, r"pins=7%2F3")
    visit(page, f"{app}/filter?store=run.h5&layer=10&filter=5&pins=7/3")
    page.get_by_role("button", name="Pin", exact=True).click()
    wait_for_address(page, r"pins=7%2F3%2C10%2F5")
    pinned = page.locator(".st-key-pins")
    eventually(page, pinned.locator("img").count, 2)
    assert "Layer 7, filter 3" in pinned.inner_text() and "Layer 10, filter 5" in pinned.inner_text()
    settle(page)
    pinned.get_by_role("button", name="Open").first.click()
    eventually(page, lambda: page.locator(".fs-heading").inner_text(), "Layer 7, filter 3")
    settle(page)
    pinned.get_by_role("button", name="Unpin").last.click()
    eventually(page, pinned.locator("img").count, 1)
