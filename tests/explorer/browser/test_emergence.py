"""The page Emergence, and the film on other pages."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.file.read import Run
from tests.browser import at_rest, eventually
from tests.explorer.browser.person import arrive, click_until, parameters, visit, wait_for_address

if TYPE_CHECKING:
    from playwright import sync_api

FORMING = "emergence?store=forming.h5&layer=10"


def noise(folder: Path, epoch: int, threshold: float = 0.3) -> list[str]:
    with Run(folder / "forming.h5") as run:
        measured = run.at_epoch(epoch).layers["10"].measure(threshold)
    return [f"{measured.mean_noise:.1f}", f"{measured.mean_clusters:.2f}", f"{measured.mean_cluster_size:.2f}"]


def told(page: "sync_api.Page") -> list[str]:
    """n, N_c and C_s of the layer at the epoch that the film shows, as the browser has measured them."""
    return page.locator(".fs-told b").all_inner_texts()


def pictures(page: "sync_api.Page") -> list[str]:
    """What the film's canvases show."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("[data-testid=stMain] *")].map((each) => each.shadowRoot)
            .filter(Boolean).flatMap((root) => [...root.querySelectorAll(".fs-film canvas")])
            .map((canvas) => canvas.toDataURL())"""
    )
    return found


def test_the_scrubber_goes_from_epoch_to_epoch(page: "sync_api.Page", app: str, folder: Path) -> None:
    visit(page, f"{app}/{FORMING}")
    eventually(page, lambda: told(page), noise(folder, 30))
    trained = pictures(page)
    page.get_by_role("slider", name="Epoch").focus()
    page.keyboard.press("ArrowLeft")
    eventually(page, lambda: told(page), noise(folder, 10))
    wait_for_address(page, r"epoch=10\b")
    eventually(page, lambda: [a == b for a, b in zip(pictures(page), trained, strict=True)], [False] * 4)
    page.keyboard.press("End")
    eventually(page, lambda: told(page), noise(folder, 30))
    eventually(page, lambda: "epoch" in parameters(page), False)  # the trained network's is the default
    eventually(page, lambda: pictures(page) == trained, True)


def test_the_address_holds_the_epoch_and_the_threshold(page: "sync_api.Page", app: str, folder: Path) -> None:
    visit(page, f"{app}/{FORMING}&epoch=3&threshold=0.5")
    eventually(page, lambda: told(page), noise(folder, 3, 0.5))
    assert page.locator(".fs-film output").inner_text() == "epoch 3"


def test_it_plays_to_the_trained_network_and_pauses(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/{FORMING}")
    page.get_by_role("button", name="Play").click()
    eventually(page, page.get_by_role("button", name="Pause").count, 1)
    eventually(page, page.locator(".fs-film output").inner_text, "epoch 1")
    page.get_by_role("button", name="Pause").click()
    wait_for_address(page, r"epoch=\d")
    page.get_by_role("button", name="Play").click()
    eventually(page, page.locator(".fs-film output").inner_text, "epoch 30")
    eventually(page, page.get_by_role("button", name="Play").count, 1)


def test_a_click_on_the_gallery_chooses_the_filter(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/{FORMING}")

    def place() -> tuple[float, float]:
        gallery = at_rest(page.locator(".fs-gallery canvas"))
        return gallery["x"] + 0.4 * gallery["width"], gallery["y"] + 10

    click_until(page, place, r"filter=\d")
    chosen = parameters(page)["filter"]
    eventually(page, page.locator(".fs-film figcaption small").first.inner_text, f"filter {chosen}")
    page.locator(".fs-gallery canvas").press("ArrowRight")
    wait_for_address(page, rf"filter={int(chosen) + 1}\b")


@pytest.mark.parametrize(("address", "canvases"), [("filter", 3), ("layer", 1)])
def test_other_pages_have_it_folded(page: "sync_api.Page", app: str, folder: Path, address: str, canvases: int) -> None:
    visit(page, f"{app}/{address}?store=forming.h5&layer=10")
    page.get_by_text("As it formed, epoch by epoch").click()
    eventually(page, lambda: told(page), noise(folder, 30))
    assert page.locator(".fs-film canvas:visible").count() == canvases
    page.get_by_role("button", name="All of it on Emergence").click()
    arrive(page, "Layer 10 as it forms")


def test_a_file_without_epochs_says_what_adds_them(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/emergence?store=run.h5")
    command = page.get_by_test_id("stCode").last.inner_text()
    assert (
        command.startswith("python -m precompute --arch vgg16 --data cifar100") and "--snapshots 10 --fresh" in command
    )
