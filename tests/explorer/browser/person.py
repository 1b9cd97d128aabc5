"""Somebody in front of the explorer: what they open, read, click and press."""

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser import at_rest, eventually, patient, settle

if TYPE_CHECKING:
    from playwright import sync_api


def person(chromium: "sync_api.Browser", **options: Any) -> "sync_api.Page":
    """Somebody with a browser of their own."""
    return patient(chromium.new_context(viewport={"width": 1366, "height": 1600}, **options).new_page())


def visit(page: "sync_api.Page", address: str) -> None:
    page.goto(address)
    settle(page)


def parameters(page: "sync_api.Page") -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def wait_for_address(page: "sync_api.Page", pattern: str) -> None:
    page.wait_for_url(re.compile(pattern), wait_until="commit")


def arrive(page: "sync_api.Page", wanted: str) -> None:
    """Wait for the page with this heading, and until it is drawn."""
    eventually(page, lambda: heading(page), wanted)
    settle(page)


def click_until(page: "sync_api.Page", place: Callable[[], tuple[float, float]], pattern: str) -> None:
    """Click at a place of a picture until the address follows: a picture that is there may not listen yet."""
    for _ in range(10):
        page.mouse.click(*place())
        with contextlib.suppress(_timeout()):
            page.wait_for_url(re.compile(pattern), wait_until="commit", timeout=20_000)
            return
    pytest.fail(f"ten clicks did not lead to {pattern}, but to {page.url}")


def first_row(page: "sync_api.Page") -> Callable[[], tuple[float, float]]:
    """The box of the first row of the first table."""

    def place() -> tuple[float, float]:
        table = at_rest(page.locator("[data-testid=stDataFrame]").first)
        return table["x"] + 18, table["y"] + 52

    return place


def heading(page: "sync_api.Page") -> str:
    return page.locator(".fs-heading").first.inner_text()


def numbers_of(page: "sync_api.Page") -> Callable[[], list[str]]:
    return page.locator("[data-testid=stMetricValue]").all_inner_texts


def lightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


FOCUSED = """() => {
    let element = document.activeElement;
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    const labelled = document.getElementById(element.getAttribute("aria-labelledby"))?.textContent;
    const name = element.getAttribute("aria-label") ?? labelled ?? element.labels?.[0]?.textContent;
    return { tag: element.tagName, name: (name ?? element.textContent).trim().slice(0, 60) };
}"""


def walk(page: "sync_api.Page", most: int = 260) -> list[dict[str, str]]:
    """What Tab reaches, from the top of the page until it leaves it."""
    page.evaluate("document.activeElement.blur()")
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["tag"] == "BODY":
            break
        found.append(focused)
    return found


def _timeout() -> type[Exception]:
    from playwright.sync_api import TimeoutError as Late  # imported here: who has none can still import this module

    return Late
