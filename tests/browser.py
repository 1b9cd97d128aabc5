"""Chromium in tests, and how they wait: for what they assert, never for a first sign of change.

A test that reads a page right after it did something passes on a quick machine alone. So each polls for the value
that it expects, and only a page that never shows it is a failure, however slow and shared the machine is.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 600.0  # seconds: far more than a loaded machine needs; a passing test never waits as long

Value = TypeVar("Value")


_users = 0  # blocks of `chromium` that are open in this process
_running: "tuple[Playwright, Browser] | None" = None


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser, until the block ends: one for all blocks of a process, since Playwright starts once in a process.

    Playwright is imported here: who has none can still import this module.
    """
    global _users, _running
    from playwright.sync_api import sync_playwright

    if _running is None:
        play = sync_playwright().start()
        _running = play, play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=1000 * PATIENCE)
    play, browser = _running
    _users += 1
    try:
        yield browser
    finally:
        _users -= 1
        if not _users:
            _running = None
            browser.close()
            play.stop()


def patient(page: "Page") -> "Page":
    page.set_default_timeout(1000 * PATIENCE)
    return page


def eventually(page: "Page", read: Callable[[], Value], expected: Value, seconds: float = PATIENCE) -> None:
    """Poll until `read()` gives `expected`; after so many seconds, what it gave last is the failure."""
    end = time.monotonic() + seconds
    while (found := read()) != expected and time.monotonic() < end:
        page.wait_for_timeout(50)  # events of the page arrive meanwhile
    assert found == expected


def eventually_true(page: "Page", script: str, argument: object = None) -> None:
    """As `page.wait_for_function`, which fails on a page whose policy forbids eval unless it is true at once."""
    eventually(page, lambda: bool(page.evaluate(script, argument)), True)


def two_frames(page: "Page") -> None:
    """Until what was asked for is drawn: for a check that something has *not* changed, which polling cannot make."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


_QUIET = """([milliseconds, patience]) => new Promise((done, fail) => {
    const main = document.querySelector("[data-testid=stMain]");
    const app = document.querySelector("[data-testid=stApp]");
    const begun = performance.now();
    let since = begun;
    const observer = new MutationObserver((changes) => {
        // Looking for new files, which goes on for ever, draws one element of no size again.
        if (changes.some(({ target }) => !target.parentElement?.closest(".st-key-look"))) since = performance.now();
    });
    observer.observe(main, { childList: true, characterData: true, subtree: true });
    const look = () => {
        const state = app.dataset.testScriptState ?? "notRunning";
        const waiting = document.querySelector("[class*=st-key-later], [data-testid=stSkeleton]");
        if (waiting) since = performance.now();
        const isQuiet = state === "notRunning" && performance.now() - since >= milliseconds;
        const isTooLate = performance.now() - begun > patience;
        if (!isQuiet && !isTooLate) return setTimeout(look, 50);
        observer.disconnect();
        return isQuiet ? done() : fail(new Error(`the page does not come to rest: its script is ${state}`));
    };
    look();
})"""


def settle(page: "Page", seconds: float = 0.9) -> None:
    """Wait until a page of the explorer is drawn: its script has ended, and nothing has changed for so long.

    What was asked of the server just before may not have begun: wait for a value, or for the address, as well.
    """
    page.wait_for_selector("[data-testid=stMain] .fs-heading, [data-testid=stAlert]", timeout=1000 * PATIENCE)
    page.evaluate(_QUIET, [1000 * seconds, 1000 * PATIENCE])


def at_rest(element: "Locator") -> dict[str, float]:
    """Where the element is, once what is above it has stopped growing: on a busy machine that takes a while."""
    element.scroll_into_view_if_needed()
    before, since = element.bounding_box(), time.monotonic()
    while time.monotonic() < since + 1:
        element.page.wait_for_timeout(100)
        element.scroll_into_view_if_needed()
        now = element.bounding_box()
        if now != before:
            before, since = now, time.monotonic()
    assert before is not None
    return {name: before[name] for name in ("x", "y", "width", "height")}
