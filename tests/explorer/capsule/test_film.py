"""A film as one page: opened from disk in Chromium with the network cut."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from explorer.capsule.film import film_page
from explorer.matrix.film import FilmData, is_playable
from store.file.read import Run
from tests.browser import CHROMIUM, chromium, eventually, patient
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def forming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "forming.h5", at_epochs=(0, 10))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser")
    with chromium() as running:
        yield running


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page in")
def test_it_plays_without_a_server(browser: Any, forming: Path, tmp_path: Path) -> None:
    with Run(forming) as run:
        page_file = tmp_path / "film.html"
        page_file.write_bytes(film_page(run, FilmData.of(run, "10"), 3, 0.3, "as trained"))
        noise = {
            (epoch, threshold): f"{run.at_epoch(epoch).layers['10'].measure(threshold).mean_noise:.1f}"
            for epoch, threshold in ((30, 0.3), (10, 0.3), (10, 0.5))
        }
    context = browser.new_context()
    context.set_offline(True)
    page: Any = patient(context.new_page())
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.goto(page_file.as_uri())
    told = page.locator(".fs-told b").first
    eventually(page, told.inner_text, noise[30, 0.3])
    page.get_by_role("slider", name="Epoch").press("ArrowLeft")
    eventually(page, told.inner_text, noise[10, 0.3])
    page.locator("#threshold").fill("0.5")
    eventually(page, told.inner_text, noise[10, 0.5])
    page.locator(".fs-gallery canvas").press("ArrowRight")
    eventually(page, page.locator("figcaption small").first.inner_text, "filter 4")
    assert problems == []
    context.close()


def test_a_film_holds_each_epoch_in_the_fewest_bytes(forming: Path) -> None:
    with Run(forming) as run:
        for name, layer in run.layers.items():
            film = FilmData.of(run, name)
            assert film.epochs == (0, 10, 30) and is_playable(run, name)
            least = 4 * layer.n_filters * min(20 * 20, 2 * 20 * layer.positions)
            assert 3 * least < len(film.message) < 3 * least + 3 * 2000  # names and headers
            assert film.key == FilmData.of(run, name).key


def test_what_a_browser_cannot_hold_is_not_sent(tmp_path: Path) -> None:
    with Run(make_run(tmp_path / "wide.h5", {"10": (900, 1)}, [(str(k), "") for k in range(200)], dense=False)) as run:
        assert is_playable(run, "10")
        run.layers["10"].n_filters = 1 << 20
        assert not is_playable(run, "10")
