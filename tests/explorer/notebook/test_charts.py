"""How the layers differ, as one drawing that stands on white and on black."""

import base64
import io
import re
from pathlib import Path

import pytest

pytest.importorskip("vl_convert", reason="vl-convert is in the extra [notebook]")

from PIL import Image

from explorer.notebook import depth
from store.file.read import Run
from tests.builders import write_small


def test_the_drawing_has_every_layer_and_no_ground(run: Run) -> None:
    drawn = depth(run, threshold=0.25, gauge="zero-sum", average="all")
    texts = re.findall(r">([^<>]+)</text>", drawn.svg)
    assert texts.count("layer, from input to output") == 4
    assert all(texts.count(name) >= 4 for name in run.layers)
    assert {"test accuracy of the probe", "n, noise per filter", "N_c", "C_s", "signal", "noise_I", "noise_E"} <= set(
        texts
    )
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn.svg))
    assert "#7b7f87" in colours
    assert colours & {"#16181d", "#fffffe", "#dfe1e4", "white", "black", "#000"} == set(), (
        "they are lost on dark, or shine"
    )


def test_who_trusts_no_svg_has_a_picture(run: Run) -> None:
    drawn = depth(run)
    data = drawn._repr_mimebundle_()
    assert data["image/svg+xml"] == drawn.svg and data["text/plain"] == repr(drawn)
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.mode == "RGBA" and picture.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert sum(map(len, data.values())) < 500_000


def test_a_run_without_a_layer_is_refused(tmp_path: Path) -> None:
    path = write_small(tmp_path / "empty.h5", layers={}, planned_layers=["1"])
    with Run(path) as empty, pytest.raises(ValueError, match="no layer yet"):
        depth(empty)
