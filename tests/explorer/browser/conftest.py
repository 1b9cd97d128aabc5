"""One server and one browser for all of these tests: Chromium without a network beyond this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import CHROMIUM, patient
from tests.browser import chromium as started
from tests.explorer.browser.person import person
from tests.explorer_runs import afcc_between, cifar100_labels, make_run, served

if TYPE_CHECKING:
    from playwright import sync_api

pytest.importorskip("playwright.sync_api", reason="Playwright is in the extra [dev]")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "tested.h5", features=("10",), afcc=("10",), afcc_between=afcc_between("4", "7", "10"))
    make_run(folder / "pictures.h5", thumbnails=True)
    make_run(folder / "forming.h5", at_epochs=(0, 1, 3, 10))
    make_run(folder / "run.h5", labels=cifar100_labels()[:30])
    return folder


@pytest.fixture(scope="session")
def app(folder: Path) -> Iterator[str]:
    with served("--store", str(folder)) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator["sync_api.Browser"]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (apt-get install chromium)")
    with started() as browser:
        yield browser


@pytest.fixture(scope="session")
def profile(chromium: "sync_api.Browser") -> Iterator["sync_api.BrowserContext"]:
    """A browser of one person, who has opened the explorer before: a third of a page's time goes into its scripts."""
    context = person(chromium).context
    yield context
    context.close()


@pytest.fixture
def page(profile: "sync_api.BrowserContext") -> Iterator["sync_api.Page"]:
    page = patient(profile.new_page())
    yield page
    page.evaluate("location.protocol.startsWith('http') && (localStorage.clear(), sessionStorage.clear())")
    page.close()
