"""JupyterLab and marimo as servers of one document, in folders of their own: what a person has set up is left aside."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests import ROOT
from tests.browser import PATIENCE, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
MARIMO = ROOT / "docs" / "notebook_marimo.py"


@contextmanager
def jupyterlab(folder: Path, notebook: Path = NOTEBOOK, theme: str = "Light") -> Iterator[str]:
    """The address at which the notebook is open, alone, trusted as its author's."""
    from nbformat import read
    from nbformat.sign import NotebookNotary

    settings = folder / "config" / "labconfig"
    settings.mkdir(parents=True)
    shutil.copy(notebook, folder / "notebook.ipynb")
    silent = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}  # it asks about news
    (settings / "page_config.json").write_text(json.dumps(silent))
    overrides = {
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # else cells out of sight are not there
        "@jupyterlab/apputils-extension:themes": {"theme": f"JupyterLab {theme}"},
    }
    (settings / "default_setting_overrides.json").write_text(json.dumps(overrides))
    (folder / "data").mkdir()
    NotebookNotary(data_dir=str(folder / "data")).sign(read(folder / "notebook.ipynb", 4))
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run",
           "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}  # fmt: skip
    port = _free_port()
    command = ["jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
               "--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with _serving(command, folder, {name: str(folder / of) for name, of in own.items()}, f"{address}/api"):
        yield f"{address}/doc/tree/notebook.ipynb"


@contextmanager
def marimo(folder: Path, document: Path = MARIMO, theme: str = "light") -> Iterator[str]:
    """The address of the document as an app, whose code runs when a page opens it."""
    shutil.copy(document, folder / "document.py")
    (folder / "pyproject.toml").write_text(f'[tool.marimo.display]\ntheme = "{theme}"\n')
    port = _free_port()
    command = [
        "marimo",
        "-y",
        "run",
        "document.py",
        "--headless",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-token",
    ]
    own = {name: str(folder) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    with _serving(command, folder, own, f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}"


def drag(page: "Page", start: float, end: float) -> None:
    """The thumb of the threshold from one value to another, in steps, and let go."""
    slider = page.locator(".fs input[type=range]")
    slider.scroll_into_view_if_needed()
    box, thumb = slider.bounding_box(), 16
    assert box is not None

    def at(threshold: float) -> tuple[float, float]:
        return box["x"] + thumb / 2 + threshold * (box["width"] - thumb), box["y"] + box["height"] / 2

    page.mouse.move(*at(start))
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(*at(start + (end - start) * step / 8))
    page.mouse.up()


def run_all(page: "Page") -> None:
    """All cells, from JupyterLab's menu, once it has a kernel; until the last has run."""
    page.get_by_text("| Idle").wait_for(
        timeout=1000 * PATIENCE
    )  # in the status bar; before it a cell asks for a kernel
    last = page.locator(".jp-CodeCell .jp-InputPrompt").last
    before = last.inner_text()

    def is_asked_for() -> bool:
        """An item of a menu is as it was when the menu was opened, and a click on one that is disabled waits."""
        page.locator(".lm-MenuBar-item", has_text="Run").click()
        item = page.locator(".lm-Menu-item[data-command='runmenu:run-all']")
        is_enabled = "lm-mod-disabled" not in (item.get_attribute("class") or "")
        item.click() if is_enabled else page.keyboard.press("Escape")
        return is_enabled

    eventually(page, is_asked_for, True)
    if before.strip("[ ]:"):  # the number of an earlier run
        eventually(page, lambda: "*" in last.inner_text(), True)
    eventually(page, lambda: any(map(str.isdigit, last.inner_text())), True)


def cell_of(page: "Page", source: str) -> "Locator":
    return page.locator(".jp-CodeCell").filter(has=page.locator(".jp-InputArea", has_text=source))


def run_again(page: "Page", source: str) -> str:
    """Run the cell with this source, without the pointer; what it puts out."""
    cell = cell_of(page, source)
    prompt = cell.locator(".jp-InputPrompt").first
    before = prompt.inner_text()
    cell.locator(".cm-content").focus()
    page.keyboard.press("Control+Enter")
    eventually(page, lambda: (text := prompt.inner_text()) != before and any(map(str.isdigit, text)), True)
    return cell.locator(".jp-OutputArea-output").last.inner_text().strip()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _serving(command: list[str], folder: Path, own: dict[str, str], health: str) -> Iterator[None]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | own
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        ) as server,
    ):
        try:
            end = time.monotonic() + PATIENCE
            while not _answers(health):
                said = (folder / "server.log").read_text(errors="replace")
                assert server.poll() is None and time.monotonic() < end, f"{command[0]} does not start: {said}"
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
