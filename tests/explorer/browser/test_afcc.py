"""The page AFCC."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from store.file.read import Run
from store.measure.afcc import afcc_mask, to_blocks, what_if
from tests.browser import eventually
from tests.explorer.browser.person import click_until, first_row, heading, visit, wait_for_address

if TYPE_CHECKING:
    from playwright import sync_api


def test_the_exact_accuracy_follows_the_threshold(page: "sync_api.Page", app: str, folder: Path) -> None:
    with Run(folder / "tested.h5") as run:
        layer, labels, names = run.layers["10"], run.label_of_test_input, run.label_names
        features = to_blocks(layer.test_features)
        before, result = (
            what_if(features, layer.probe_weights, labels, afcc_mask(layer.measure(at).cluster_of))
            for at in (0.3, 0.55)
        )
    changed = int(np.flatnonzero(before.predicted != result.predicted)[0])
    visit(page, f"{app}/afcc?store=tested.h5&layer=10&test_input={changed}")
    alone = page.locator("dt", has_text="clusters only").locator("+ dd")
    eventually(page, alone.inner_text, names[before.predicted[changed]])
    page.get_by_role("slider").first.focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    wait_for_address(page, r"threshold=0\.55\b")
    eventually(page, alone.inner_text, names[result.predicted[changed]])
    numbers = page.get_by_test_id("stMetricValue")
    numbers.get_by_text(f"{result.accuracy:.4f}").first.wait_for()
    eventually(page, numbers.nth(0).inner_text, f"{result.accuracy:.4f}")
    eventually(page, numbers.nth(2).inner_text, f"{result.weights_kept:,}")


def test_what_a_filter_gives_leads_to_it(page: "sync_api.Page", app: str) -> None:
    visit(page, f"{app}/afcc?store=tested.h5&layer=10&test_input=731")
    page.get_by_text("Given to the predicted label").scroll_into_view_if_needed()
    click_until(page, first_row(page), r"/filter\?")
    eventually(page, lambda: bool(re.fullmatch(r"Layer 10, filter \d+", heading(page))), True)
