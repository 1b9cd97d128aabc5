"""Benchmark 10: the live matrix in JupyterLab against the explorer's page: the same layer, the same drag, in turn."""

import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.explorer import FLAGS, WATCH, Page, dragged
from benchmarks.timing import Row, median_ratio
from tests.explorer_runs import VGG16, cifar100_labels, make_run, served
from tests.notebooks import jupyterlab, run_all

ROUNDS = 7
WANTED = 1.2


def rows() -> list[Row]:
    if shutil.which("chromium") is None:
        print("the notebook's benchmark is left out: there is no chromium on this machine")
        return []
    try:
        from nbformat.v4 import new_code_cell, new_notebook
        from playwright.sync_api import sync_playwright
    except ImportError as missing:
        print(f"the notebook's benchmark is left out: {missing.name} is not installed (the extra [dev])")
        return []
    import nbformat

    with tempfile.TemporaryDirectory() as name, sync_playwright() as play:
        folder = Path(name)
        file = make_run(folder / "vgg16.h5", {"10": VGG16["10"]}, cifar100_labels())
        code = f"from explorer.notebook import show\nfrom store import Run\nshow(Run({str(file)!r}), '10', 4)"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=[new_code_cell(code)], metadata={"kernelspec": kernel})
        nbformat.write(notebook, folder / "drag.ipynb")
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            with (
                served("--store", str(file)) as explorer,
                jupyterlab(folder / "lab", folder / "drag.ipynb") as lab,
            ):
                page, widget = _opened(browser, f"{explorer}/filter?layer=10&filter=4"), _opened(browser, lab)
                run_all(widget)
                for one in (page, widget):
                    one.wait_for_selector(".fs output", timeout=120_000)
                    one.wait_for_timeout(4000)  # what is drawn last, and the fields of the layer
                return [_against(widget, page)]
        finally:
            browser.close()


def _opened(browser: Any, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1366, "height": 1600}).new_page()
    page.add_init_script(path=WATCH)
    page.goto(address)
    return page


def _against(widget: Page, page: Page) -> Row:
    taken: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for contestant, times in zip((widget, page), taken, strict=True):
            contestant.bring_to_front()
            times.append(median(_busy(frame) for frame in dragged(contestant)))
    ratio = median_ratio(*taken)
    name = "drag, whole layer 512x100x100: JavaScript a frame in JupyterLab / on the page"
    return Row(name, ratio, "x", f"<= {WANTED:g}", ratio <= WANTED)


def _busy(frame: dict[str, Any]) -> float:
    return float(frame["ended"] - frame["began"])
