"""On paper."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser import eventually
from tests.explorer.browser.person import lightness, person, visit

if TYPE_CHECKING:
    from playwright import sync_api


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints_on_paper(chromium: "sync_api.Browser", app: str, scheme: str) -> None:
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
        return lightness(ground) > 240 and all(lightness(colour) < 140 for colour in words)

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
