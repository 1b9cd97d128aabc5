"""Files that come while a page is open."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import eventually, settle
from tests.explorer.browser.person import parameters, visit
from tests.explorer_runs import make_run, served

if TYPE_CHECKING:
    from playwright import sync_api


def test_a_file_that_appears_is_opened(page: "sync_api.Page", tmp_path: Path) -> None:
    with served("--store", str(tmp_path)) as address:
        page.goto(address)
        page.get_by_text("No result yet").wait_for()
        make_run(tmp_path / "going.h5", {"4": (4, 1)}, planned=("4", "7"))
        page.get_by_text("Still to come: layers 7").wait_for()
        make_run(tmp_path / "going.h5", {"4": (4, 1), "7": (4, 1)}, planned=("4", "7"))
        page.get_by_text("Still to come: layers 7").wait_for(state="detached")
        make_run(tmp_path / "another.h5", {"4": (4, 1)})
        boxes = page.get_by_test_id("stSidebar").get_by_test_id("stSelectbox")
        boxes.nth(3).wait_for()  # with two files there is a box to choose the run
        settle(page)
        assert parameters(page)["store"] == "going.h5"  # and nothing has jumped


def test_it_asks_for_new_files_only_at_rest(page: "sync_api.Page", app: str) -> None:
    """Asked while another page is on its way, Streamlit's answer would leave that page blank, once in eight times."""
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    visit(page, f"{app}/filter")
    page.evaluate(
        """() => {
            const app = document.querySelector("[data-testid=stApp]");
            const run = () => app.dataset.testScriptState === "running" || (app.dataset.testScriptState = "running");
            window.held = new MutationObserver(run);
            window.held.observe(app, { attributes: true });
            run();
        }"""
    )
    while sent:  # what was on its way
        sent.clear()
        page.wait_for_timeout(2000)
    page.wait_for_timeout(4000)
    assert not sent
    page.evaluate(
        """() => {
            window.held.disconnect();
            document.querySelector("[data-testid=stApp]").dataset.testScriptState = "notRunning";
        }"""
    )
    eventually(page, lambda: bool(sent), True)
