"""The page Compare."""

from typing import TYPE_CHECKING

from tests.browser import at_rest, eventually
from tests.explorer.browser.person import click_until, visit

if TYPE_CHECKING:
    from playwright import sync_api


def test_a_filter_picked_among_two_layers_is_shown_below(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/compare?layer=10")
    gallery = at_rest(page.locator(".st-key-compare_gallery_A svg.marks"))
    across, down = 5 * gallery["width"] / 8, 3 * gallery["height"] / 8  # the third matrix of the second row
    click_until(page, lambda: (gallery["x"] + across, gallery["y"] + down), r"\bfilter=6\b")
    eventually(page, page.get_by_role("spinbutton", name="A: filter").input_value, "6")
