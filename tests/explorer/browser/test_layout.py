"""Every page as wide as a desk, a laptop and a phone: nothing cut, nothing beside the page, no word in the console."""

from typing import TYPE_CHECKING

import pytest

from tests.browser import eventually, settle
from tests.explorer.browser.person import visit

if TYPE_CHECKING:
    from playwright import sync_api

PAGES = ["", "layer?layer=10", "filter?layer=10&filter=3", "filter?store=pictures.h5&layer=4", "labels",
         "labels?store=pictures.h5&layer=10", "emergence", "emergence?store=forming.h5&layer=10&epoch=3",
         "afcc?store=tested.h5&layer=10", "compare", "scaling",
         "claims"]  # fmt: skip
WIDTHS = [1440, 1024, 390]
NOT_OURS = ("404", "Failed to load resource")  # Streamlit's own health check on deep links

# What sticks out of the page, text that is cut (a box that hides what does not fit, with more in it), and overlaps.
FAULTS = """() => {
    const main = document.querySelector("[data-testid=stMain]");
    const found = [];
    if (main.scrollWidth > main.clientWidth) found.push(`the page is ${main.scrollWidth} wide of ${main.clientWidth}`);
    const named = (each) => `${each.tagName} ${each.textContent.trim().slice(0, 40)}`;
    const seen = (each) => each.getClientRects().length && getComputedStyle(each).visibility !== "hidden";
    const roots = [main, ...[...main.querySelectorAll("*")].map((each) => each.shadowRoot).filter(Boolean)];
    const all = roots.flatMap((root) => [...root.querySelectorAll("*")]).filter(seen);
    const texts = "h1, h2, h3, h4, p, dt, dd, button, button *, small";
    const whole = `[data-testid^=stMetric], .stMarkdownBadge, ${texts}, .fs *`;
    const mayScroll = "[data-testid=stDataFrame], [data-testid=stSelectbox], .fs-ticks";
    for (const each of all) {
        if (!each.matches(whole) || each.closest(mayScroll)) continue;
        const style = getComputedStyle(each);
        const hides = style.overflowX !== "visible" || style.textOverflow === "ellipsis";
        if (hides && each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0) found.push(`cut: ${named(each)}`);
    }
    const width = main.getBoundingClientRect().right;
    for (const each of all) {
        const box = each.getBoundingClientRect();
        if (box.right > width + 1 && each.matches("svg, canvas, button, input, table, img, p, h1, h2, h3"))
            found.push(`beside the page: ${named(each)}`);
    }
    const solid = all.filter((each) => each.matches(
        "h1, h2, h3, [data-testid=stMetric], svg.marks, .fs canvas, [data-testid=stDataFrame], button, .fs-answer"));
    const placed = solid.map((each) => [each, each.getBoundingClientRect()]);
    const boxes = placed.filter(([, box]) => box.width && box.height);
    boxes.forEach(([each, a], k) => {
        for (const [other, b] of boxes.slice(k + 1)) {
            if (each.contains(other) || other.contains(each)) continue;
            const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            const isToolbar = [each, other].some((one) => one.closest("[data-testid=stElementToolbar]"));
            if (across > 3 && down > 3 && !isToolbar) found.push(`${named(each)} over ${named(other)}`);
        }
    });
    return [...new Set(found)];
}"""


@pytest.mark.parametrize("address", PAGES)
def test_a_page_fits(page: "sync_api.Page", app: str, address: str) -> None:
    """Opened on a desk, and made narrower; in the middle it gets dark."""
    said: list[str] = []

    def note(message: "sync_api.ConsoleMessage") -> None:
        if message.type in ("error", "warning") and not any(known in message.text for known in NOT_OURS):
            said.append(message.text)

    page.on("console", note)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1400})
        page.emulate_media(color_scheme="dark" if width == 1024 else "light")
        if width == WIDTHS[0]:
            visit(page, f"{app}/{address}")
        eventually(page, lambda: page.locator("h1.fs-heading").count(), 1)
        settle(page)
        eventually(page, lambda: page.evaluate(FAULTS), [])
        unnamed = "canvas:not([aria-label]):not([data-testid=stDataFrame] canvas + canvas)"
        assert page.locator(f"[data-testid=stMain] {unnamed}").count() == 0
    assert said == []
