"""A filter's matrix as a picture."""

import numpy as np
import pytest

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")
from explorer.charts import gallery as pictures
from explorer.state import Style
from store.measure.layer import measure_layer


@pytest.mark.parametrize("style", ["fields", "clipped", "permuted"])
@pytest.mark.parametrize("n_labels", [2, 30, 100, 250, 1000])
def test_a_tile_is_about_a_hundred_pixels(style: Style, n_labels: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(n_labels, n_labels)).astype(np.float32)
    measured = measure_layer(matrix[None], 0.3)
    pixels = pictures.tile(matrix, measured, 0, style)
    assert pixels.shape[0] == pixels.shape[1] and 50 < len(pixels) <= 200


def test_a_tile_shows_signal_white_noise_yellow_and_nothing_black() -> None:
    matrix = np.array([[1, 0.9, 0], [0.8, 0.7, 0.6], [0, 0, 0]], np.float32)
    pixels = pictures.tile(matrix, measure_layer(matrix[None], 0.3), 0, "clipped")
    step = len(pixels) // 3
    seen = pixels[step // 2 :: step, step // 2 :: step][:3, :3].tolist()
    assert seen[0] == [list(pictures.WHITE), list(pictures.WHITE), list(pictures.GROUND)]
    assert seen[1] == [list(pictures.WHITE), list(pictures.WHITE), list(pictures.NOISE)]


def test_a_tile_of_bad_fields_is_drawn() -> None:
    matrix = np.full((4, 4), -1, np.float32)
    matrix[1, 2] = np.nan
    measured = measure_layer(matrix[None], 0.3)
    for style in ("fields", "clipped", "permuted"):
        assert pictures.tile(matrix, measured, 0, style).shape[2] == 3
