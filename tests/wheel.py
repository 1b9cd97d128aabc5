"""The wheel as who only looks has it: `python -m tests.wheel FILTERSCOPE`, a command that has [explore] alone.

Outside the clone, the command is asked for help, prints and checks the example, and opens its pages in Chromium.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.browser import CHROMIUM, chromium, eventually, patient, settle


def main() -> int:
    command = Path(sys.argv[1]).absolute()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:

        def said(*words: str) -> str:
            done = subprocess.run([command, *words], cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{words}: {done.stderr}"
            return done.stdout

        python = command.with_name("python")
        find = "import explorer, importlib.util as find; print(explorer.__path__[0], find.find_spec('torch'))"
        installed, torch = subprocess.run(
            [python, "-c", find], cwd=folder, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        assert torch == "None", "an environment to look at results has torch"
        example = f"{installed}/example.h5"
        assert all(word in said("--help") for word in ("explore", "precompute", "capsule"))
        assert "vgg16 on cifar100, 100 labels" in said("info", example)
        said("check", example)
        said("capsule", example, "--layer", "10", "--out", "page.html")
        if CHROMIUM is None:
            print("no chromium: no page was opened", file=sys.stderr)
            return 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [str(command), "explore", "--server.port", str(port), "--server.headless", "true"]
        with subprocess.Popen(words, cwd=folder, env=environment) as run, chromium() as browser:
            try:
                page = patient(browser.new_page())
                _open(page, f"http://127.0.0.1:{port}/")
                eventually(page, lambda: page.locator("h1").first.inner_text(), "VGG-16 on CIFAR-100, 100 labels")
                settle(page)
                assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
            finally:
                run.terminate()
    print("the wheel opens its example")
    return 0


def _open(page: Any, address: str) -> None:
    """As soon as the server answers."""
    from playwright.sync_api import Error

    for _ in range(120):
        try:
            page.goto(address)
            return
        except Error:
            time.sleep(0.5)
    raise AssertionError(f"nothing answers at {address}")


if __name__ == "__main__":
    sys.exit(main())
