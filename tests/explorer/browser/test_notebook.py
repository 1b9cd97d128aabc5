"""The notebooks of docs/, run from end to end; and in JupyterLab and marimo somebody drags, points, chooses, and reads
in Python what is on screen."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("anywidget", reason="anywidget is in the extra [notebook]")
nbformat = pytest.importorskip("nbformat", reason="JupyterLab and nbclient are in the extra [dev]")

from explorer.notebook.still import CELL
from store.measure.layer import THRESHOLD
from tests.browser import eventually
from tests.explorer.browser.person import person
from tests.notebooks import NOTEBOOK, cell_of, drag, jupyterlab, marimo, run_again, run_all

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def outputs(notebook: Any, kind: str) -> list[Any]:
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in found if kind in output.get("data", {})]


@pytest.mark.processes
def test_the_notebook_runs_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, 4)
    stored = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        cell.update({"outputs": []} if cell.cell_type == "code" else {})
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [cell.source for cell in notebook.cells] == stored
    (table, tiles) = outputs(notebook, "text/html")
    assert table.count("<tr>") == 7 and "Sequential on images, 10 labels" in table, "three layers, with standard errors"
    assert tiles.count("<img") == 64
    assert len(outputs(notebook, VIEW)) == 2 and len(outputs(notebook, "image/svg+xml")) == 1
    (said,) = (text for text in outputs(notebook, "text/plain") if text.startswith("((("))
    assert re.fullmatch(r"\(\(\(\d+(, \d+)*,?\),( \(\d+(, \d+)*,?\))?\), [\d.]+\)", said), said
    widgets = notebook.metadata["widgets"][STATE]["state"]
    for output in outputs(notebook, VIEW):
        assert 1000 < len(nbformat.writes(nbformat.from_dict(widgets[output["model_id"]]))) < CELL


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    """Whoever looks at it sees no error of ours in the browser's console."""
    page = person(chromium)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.context.close()
    assert errors == []


def number(page: "Page") -> str:
    return page.locator(".fs output").inner_text()


def first_of_a_cluster(page: "Page") -> None:
    """Point at the upper left element of the permuted panel."""
    page.locator(".fs canvas").nth(2).hover(position={"x": 8, "y": 8})
    eventually(page, lambda: "in cluster 1" in page.locator(".fs-readout").inner_text(), True)


def test_in_jupyterlab_somebody_drags_and_reads_the_number_in_python(page: "Page", tmp_path: Path) -> None:
    read = "view.threshold, view.filter, view.gauge"
    with jupyterlab(tmp_path) as address:
        page.goto(address)
        # As it was saved: the kernel that JupyterLab starts knows nothing of it.
        eventually(page, lambda: number(page), f"{THRESHOLD:.2f}")
        before = page.locator(".fs .fs-layer dd").all_inner_texts()
        drag(page, THRESHOLD, 0.45)
        eventually(page, lambda: number(page), "0.45")
        assert page.locator(".fs .fs-layer dd").all_inner_texts() != before

        run_all(page)
        assert cell_of(page, "depth(run)").locator("svg, img").count() > 0
        eventually(page, lambda: page.locator(".fs output").all_inner_texts(), [f"{THRESHOLD:.2f}"])
        drag(page, THRESHOLD, 0.6)
        eventually(page, lambda: number(page), "0.60")
        assert run_again(page, read).startswith("(0.6, ")

        first_of_a_cluster(page)
        page.wait_for_timeout(500)  # a pointer that only passes is not told
        clusters = eval(run_again(page, read))[3]
        assert len(clusters) == 1
        names = page.locator(".fs-clusters li").first.inner_text()
        assert [str(label) for label in clusters[0]] == re.findall(
            r"\d+", names.partition("\n")[2].partition(" found")[0]
        )

        page.mouse.move(2, 2)
        run_again(page, "view.pointer = ")
        eventually(page, lambda: "= 1.000 of the maximum" in page.locator(".fs-readout").inner_text(), True)

        page.locator(".fs input[type=range]").focus()
        active = page.locator(".jp-Cell.jp-mod-active .jp-InputPrompt").inner_text()
        page.keyboard.press("ArrowUp")
        eventually(page, lambda: number(page), "0.61")
        assert page.locator(".jp-Cell.jp-mod-active .jp-InputPrompt").inner_text() == active, (
            "no shortcut of JupyterLab's"
        )
        page.get_by_role("button", name=re.compile("^filter 7: ")).click()
        eventually(page, lambda: page.locator(".fs-choose input").input_value(), "7")
        assert run_again(page, read).startswith("(0.61, 7, ")


def test_in_marimo_what_reads_the_matrix_follows_it(page: "Page", tmp_path: Path) -> None:
    with marimo(tmp_path, theme="dark") as address:
        page.goto(address)
        said = page.get_by_text("In Python: threshold")
        eventually(page, lambda: number(page), f"{THRESHOLD:.2f}")
        assert page.locator(".fs").get_attribute("data-theme") == "dark"
        drag(page, THRESHOLD, 0.6)
        eventually(page, lambda: "In Python: threshold 0.6, as trained" in said.inner_text(), True)
        page.get_by_label("Gauge").select_option("zero-sum")
        eventually(page, lambda: "In Python: threshold 0.6, zero-sum" in said.inner_text(), True)
        assert "no cluster" in said.inner_text()
        first_of_a_cluster(page)
        eventually(page, lambda: "pointer (('" in said.inner_text(), True)
