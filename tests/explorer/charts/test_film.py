"""Frames of an animation, and the animation."""

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("polars", reason="polars is in the extra [explore]")
from explorer.charts import film
from explorer.charts.gallery import AROUND, GROUND, NOISE, WHITE
from store.measure.fields import Fields


def test_every_filter_has_its_place() -> None:
    """Two filters of three labels: a pixel a label, a cluster of two labels in the upper left."""
    matrices = np.zeros((2, 3, 3), np.float32)
    matrices[0, 1:, 1:] = 1
    matrices[1, 0, 2] = matrices[1, 1, 1] = 1
    fields = Fields(matrices)
    picture = film.of_layer(fields, fields.measure(0.3))
    white, yellow, black, around = (list(colour) for colour in (WHITE, NOISE, GROUND, AROUND))
    assert picture.shape == (5, 10, 3)
    assert picture[:3, :3].tolist() == [[white, white, black], [white, white, black], [black, black, black]]
    assert picture[0, 5:8].tolist() == [white, black, black]  # label 1 alone, then 0 and 2
    assert picture[1, 5:8].tolist() == [black, black, yellow]
    assert picture[4, 0].tolist() == around


@pytest.mark.parametrize("n_labels", [2, 32, 33, 100])
def test_many_labels_share_pixels(n_labels: int) -> None:
    matrices = np.random.default_rng(0).random((70, n_labels, n_labels), np.float32)
    fields = Fields(matrices)
    picture = film.of_layer(fields, fields.measure(0.3))
    assert picture.shape[1] <= 1100 and picture.shape[2] == 3
    assert film.of_filter(fields, fields.measure(0.3), 3).shape[2] == 3


def test_the_animation_has_each_epoch_once() -> None:
    pictures = [np.full((40, 60, 3), shade, np.uint8) for shade in (10, 120, 250)]
    made = Image.open(io.BytesIO(film.animated(pictures, ["one", "two", "three"])))
    assert made.format == "WEBP" and made.n_frames == 3  # type: ignore[attr-defined]
    for k, shade in enumerate((10, 120, 250)):
        made.seek(k)
        assert np.asarray(made.convert("RGB"))[-1, -1].tolist() == [shade] * 3
        assert made.info["duration"] == (700 if k < 2 else 2500) or made.info.get("timestamp") is not None
