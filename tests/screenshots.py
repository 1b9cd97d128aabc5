"""Every page of the explorer, and the notebook, light and dark: `python -m tests.screenshots --out DIR [--store X]`."""

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser import CHROMIUM, chromium, patient, settle
from tests.explorer_runs import VGG16, afcc_between, cifar100_labels, make_run, served
from tests.notebooks import drag, jupyterlab, run_again, run_all

PAGES = {"overview": "", "layer": "layer", "filter": "filter?layer=10&filter=156", "labels": "labels",
         "emergence": "emergence?layer=10",
         "afcc": "afcc?layer=10", "compare": "compare", "scaling": "scaling", "claims": "claims"}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--store", type=Path, help="a result file or folder; default: a made-up run")
    parser.add_argument("--only", choices=[*PAGES, "notebook"], action="append")
    parser.add_argument("--theme", choices=["light", "dark"], action="append")
    arguments = parser.parse_args()
    if CHROMIUM is None:
        print("error: there is no chromium on this machine; install it (apt-get install chromium)", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = arguments.store or made_up(Path(folder) / "vgg16-cifar100.h5")
        with served("--store", str(store)) as address, chromium() as browser:
            for theme in arguments.theme or ["light", "dark"]:
                for name in arguments.only or [*PAGES, "notebook"]:
                    path = arguments.out / f"{name}-{theme}.png"
                    if name == "notebook":
                        _take_notebook(browser, theme, path, Path(folder) / theme)
                    else:
                        _take(browser, f"{address}/{PAGES[name]}", theme, path)
    return 0


def made_up(path: Path) -> Path:
    between = afcc_between("7", "10", "13")
    return make_run(
        path, VGG16, cifar100_labels(), features=("10",), afcc=("10",), afcc_between=between, at_epochs=(0, 1, 3, 10)
    )


def _take(browser: Browser, address: str, theme: str, path: Path) -> None:
    page = patient(browser.new_page(viewport={"width": 1366, "height": 900}, color_scheme=theme))  # type: ignore
    page.goto(address)
    settle(page)
    # Streamlit scrolls inside the page, so the window grows to what there is.
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": 1366, "height": max(900, height + 40)})
    settle(page)
    page.screenshot(path=path)
    if path.name == "filter-light.png":  # the README's first picture
        page.locator(".fs").first.screenshot(path=path.with_name("live-matrix.png"))
    if path.name == "labels-light.png":  # and its Figure 2
        figure = page.locator("[data-testid=stHorizontalBlock]").filter(has=page.locator("svg.marks")).first
        figure.screenshot(path=path.with_name("figure-2.png"))
    page.close()
    print(path)


def _take_notebook(browser: Browser, theme: str, path: Path, folder: Path) -> None:
    """The live matrix in JupyterLab, where somebody has dragged the threshold, and points at a cluster."""
    with jupyterlab(folder, theme=theme.capitalize()) as address:
        page = patient(browser.new_page(viewport={"width": 1120, "height": 1480}))
        page.goto(address)
        run_all(page)
        drag(page, 0.3, 0.2)
        page.locator(".jp-Cell", has_text="One filter, live").last.evaluate("cell => cell.scrollIntoView()")
        page.locator(".fs canvas").nth(2).hover(position={"x": 20, "y": 20})
        page.wait_for_timeout(500)
        run_again(page, "view.threshold, view.filter")
        page.screenshot(path=path)
        if theme == "light":  # the one of docs/
            page.screenshot(path=path.with_name("notebook.png"))
        page.close()
    print(path)


if __name__ == "__main__":
    sys.exit(main())
