"""Everything by keyboard."""

from typing import TYPE_CHECKING

import pytest

from tests.browser import eventually
from tests.explorer.browser.person import visit, walk

if TYPE_CHECKING:
    from playwright import sync_api


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("filter?filter=3", ["Previous", "Next", "Filter, 0 to", "Threshold", "Fields:", "Clipped:", "Permuted:",
                             "Signal, noise_I", "Clusters in a table", "Elements above", "Matrix (.npy)", "Load this"]),
        ("layer?null=random+order", ["Beside chance", "Add the band", "Rank of each", "Threshold", "Show",
                   "Sort by", "Holds the label", "More conditions", "as PNG", "as SVG",
                   "Open filter", "All filters in a table", "The sweep as a table", "Load this"]),
        ("afcc?store=tested.h5&layer=10&silencing=random", [
            "Threshold", "All labels", "Silence first", "Silenced filters", "Curve with", "Seed of the order",
            "The curve as a table", "Load this", "Test input", "The parts as a table", "CSV", "The epochs as a table"]),
        ("labels", ["Threshold", "Sort the labels by", "Logarithmic", "All labels", "Label", "CSV", "Load this"]),
        ("compare", ["Run B", "Layer B", "Threshold", "Show", "Sort by", "A: filter", "B: filter", "Permuted:"]),
        ("", ["Run", "Compare", "Layer", "Scan order", "Means of", "Threshold", "CSV", "Training", "Load this"]),
    ],
)  # fmt: skip
def test_the_keyboard_reaches_everything(page: "sync_api.Page", app: str, address: str, expected: list[str]) -> None:
    visit(page, f"{app}/{address}")

    def missing() -> list[str]:
        """What a walk did not meet; a part that is drawn during a walk takes the focus with it, so walk again."""
        names = [focused["name"] for focused in walk(page)]
        return [name for name in expected if not any(name in each for each in names)]

    nothing: list[str] = []
    eventually(page, missing, nothing)
