"""Pictures as a notebook keeps them: PNG in base64, in cells that stay small."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.charts.gallery import tile
from explorer.state import Style
from store.measure.layer import LayerMeasure

CELL = 3_000_000  # bytes that a cell takes in a saved notebook, at most
_PANEL = 300  # pixels a side, about
_BETWEEN = 16
_STYLES: tuple[Style, ...] = ("fields", "clipped", "permuted")


def panels(matrix: NDArray[np.float32], measured: LayerMeasure, f: int) -> NDArray[np.uint8]:
    """The three panels of Figure 1 side by side: (height, width, 4). measured: of a layer in which this is filter f."""
    tiles = [tile(matrix, measured, f, style) for style in _STYLES]
    times = max(1, _PANEL // len(tiles[0]))
    side = times * len(tiles[0])
    picture = np.zeros((side, len(tiles) * (side + _BETWEEN) - _BETWEEN, 4), np.uint8)
    for k, pixels in enumerate(tiles):
        left = k * (side + _BETWEEN)
        picture[:, left : left + side, :3] = pixels.repeat(times, axis=0).repeat(times, axis=1)
        picture[:, left : left + side, 3] = 255
    return picture


def as_text(pixels: NDArray[np.uint8]) -> str:
    """PNG, in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
