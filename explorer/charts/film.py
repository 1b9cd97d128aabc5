"""A layer over its epochs -> the frames of an animation, and an animated WebP of them. NumPy and Pillow alone."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from explorer.charts.gallery import AROUND, GROUND, NOISE, WHITE, kinds, tile
from store.measure.fields import Fields
from store.measure.layer import LayerMeasure, permutation

PACE = 700  # ms an epoch, as film.js plays it
_LAST = 2500  # ms of the trained network
_MATRIX = 32  # pixels a side of a matrix of the layer, at most; more labels share pixels
_WIDE = 1100  # pixels of the layer's picture, about
_GAP = 2
_PANEL = 3  # of Figure 1: times the tile of a gallery
_HEAD = 26  # pixels for the words above


def of_layer(fields: Fields, measured: LayerMeasure) -> NDArray[np.uint8]:
    """(height, width, 3): every filter's permuted matrix, in the order of their numbers."""
    n_filters, n_labels = measured.cluster_of.shape
    shrink = -(-n_labels // _MATRIX)
    side = -(-n_labels // shrink)
    columns = min(n_filters, max(1, _WIDE // (side + _GAP)))
    picture = np.full((-(-n_filters // columns) * (side + _GAP), columns * (side + _GAP), 3), AROUND, np.uint8)
    colours = np.array([GROUND, NOISE, WHITE], np.uint8)
    for f in range(n_filters):
        order = permutation(measured.cluster_of[f])
        found = kinds(fields.matrix(f), measured, f)[np.ix_(order, order)]
        if shrink > 1:
            starts = np.arange(0, n_labels, shrink)
            found = np.maximum.reduceat(np.maximum.reduceat(found, starts, 0), starts, 1)
        y, x = (f // columns) * (side + _GAP), (f % columns) * (side + _GAP)
        picture[y : y + side, x : x + side] = colours[found]
    return picture


def of_filter(fields: Fields, measured: LayerMeasure, f: int) -> NDArray[np.uint8]:
    """(height, width, 3): Figure 1 of a filter, its fields, clipped, and permuted."""
    matrix = fields.matrix(f)
    panels = [tile(matrix, measured, f, style) for style in ("fields", "clipped", "permuted")]
    gap = np.full((len(panels[0]), _GAP * 2, 3), AROUND, np.uint8)
    joined = np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)
    return joined.repeat(_PANEL, axis=0).repeat(_PANEL, axis=1)


def animated(pictures: Sequence[NDArray[np.uint8]], words: Sequence[str]) -> bytes:
    """Pictures (height, width, 3) of one size, with their words above them, as an animated WebP without loss."""
    frames = [_titled(picture, text) for picture, text in zip(pictures, words, strict=True)]
    durations = [PACE] * (len(frames) - 1) + [_LAST]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "WEBP", save_all=True, append_images=frames[1:], duration=durations, loop=0, lossless=True, method=4
    )
    return buffer.getvalue()


def _titled(picture: NDArray[np.uint8], text: str) -> Image.Image:
    height, width, _ = picture.shape
    frame = Image.new("RGB", (width, height + _HEAD), GROUND)
    frame.paste(Image.fromarray(picture), (0, _HEAD))
    ImageDraw.Draw(frame).text((6, 5), text, fill=(230, 230, 235), font=ImageFont.load_default(15))
    return frame
