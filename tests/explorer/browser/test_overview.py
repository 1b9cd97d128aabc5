"""The default page."""

from typing import TYPE_CHECKING

from tests.browser import eventually
from tests.explorer.browser.person import heading, parameters, visit

if TYPE_CHECKING:
    from playwright import sync_api


def test_it_opens_on_the_newest_run(page: "sync_api.Page", app: str) -> None:
    visit(page, app)
    assert heading(page) == "VGG-16 on CIFAR-100, 30 labels"
    page.locator("svg.marks").nth(3).wait_for()
    assert page.locator("svg.marks").count() == 4
    eventually(page, lambda: parameters(page), {"store": "run.h5", "layer": "10"})
    page.get_by_text("Training of the network").click()
    page.locator("svg.marks").nth(4).wait_for()
