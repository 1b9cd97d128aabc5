"""Matrices -> pixels: a layer's filters as one picture. NumPy only; the colours are those of matrix/paint.js."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.state import Style
from store.measure.layer import LayerMeasure, clip, permutation

GROUND, WHITE, NOISE, BOX, NOT_A_NUMBER = (13, 14, 18), (255, 255, 255), (255, 205, 44), (255, 93, 84), (214, 64, 200)
TILE = 100  # pixels a side of one matrix, about; a whole number of pixels a label, or of labels a pixel
GAP = 8
_FEWEST = 8  # labels of a matrix that is cut
AROUND = (58, 62, 70)  # neither white, as clusters are, nor black as what is not above

# (lightness, hue, chroma) in OKLCh from 0 to the maximum, and from 0 to minus the maximum
_POSITIVE = [(0.17, 285, 0.01), (0.42, 12, 0.13), (0.68, 45, 0.16), (0.97, 95, 0.04)]
_NEGATIVE = [(0.17, 285, 0.01), (0.45, 262, 0.12), (0.72, 240, 0.1), (0.9, 220, 0.05)]


def gallery(
    matrices: Sequence[NDArray[np.float32]],
    filters: Sequence[int],
    measured: LayerMeasure,
    style: Style,
    columns: int,
) -> NDArray[np.uint8]:
    """(height, width, 3): the matrices row by row."""
    tiles = [tile(matrix, measured, f, style, is_cut=True) for matrix, f in zip(matrices, filters, strict=True)]
    return arranged(tiles, columns)


def arranged(tiles: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """(height, width, 3): square pictures of one size, row by row."""
    side = len(tiles[0]) + GAP
    rows = -(-len(tiles) // columns)
    picture = np.full((rows * side, columns * side, 3), AROUND, np.uint8)
    for k, pixels in enumerate(tiles):
        y, x = (k // columns) * side + GAP // 2, (k % columns) * side + GAP // 2
        picture[y : y + len(pixels), x : x + len(pixels)] = pixels
    return picture


def tile(
    matrix: NDArray[np.float32], measured: LayerMeasure, f: int, style: Style, is_cut: bool = False
) -> NDArray[np.uint8]:
    """One matrix, about TILE pixels a side: (side, side, 3). is_cut: permuted, without labels that have nothing."""
    n_labels = len(matrix)
    if style == "fields":
        return _enlarged(_coloured(_strongest(matrix, _shrink(n_labels)), measured, f))
    of_element = kinds(matrix, measured, f)
    if style == "permuted":
        order = permutation(measured.cluster_of[f])
        if not is_cut:
            return _enlarged(_pooled(of_element[np.ix_(order, order)]))
        order = _some(of_element, order)
        return _centred(_enlarged(_pooled(of_element[np.ix_(order, order)])), n_labels)
    return _enlarged(_pooled(of_element))


def _some(of_element: NDArray[np.uint8], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the labels in this order those whose row or column has an element above the threshold, then others until
    there are a few: a lone element is not to fill its tile."""
    some: NDArray[np.bool_] = np.logical_or(of_element.any(axis=0), of_element.any(axis=1))[order]
    return np.concatenate([order[some], order[~some][: max(0, _FEWEST - int(some.sum()))]])


def _centred(pixels: NDArray[np.uint8], n_labels: int) -> NDArray[np.uint8]:
    """The matrix in the middle of a tile as large as that of all labels."""
    pooled = -(-n_labels // _shrink(n_labels))
    side = max(len(pixels), pooled * max(1, TILE // pooled))
    start = (side - len(pixels)) // 2
    tile = np.full((side, side, 3), GROUND, np.uint8)
    tile[start : start + len(pixels), start : start + len(pixels)] = pixels
    return tile


def _pooled(of_element: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Kinds -> colours; of labels that share a pixel the greatest."""
    n_labels = len(of_element)
    shrink = _shrink(n_labels)
    if shrink > 1:
        of_element = np.maximum.reduceat(
            np.maximum.reduceat(of_element, np.arange(0, n_labels, shrink), 0), np.arange(0, n_labels, shrink), 1
        )
    coloured: NDArray[np.uint8] = np.array([GROUND, NOISE, WHITE], np.uint8)[of_element]
    return coloured


def kinds(matrix: NDArray[np.float32], measured: LayerMeasure, f: int) -> NDArray[np.uint8]:
    """(K, K): 0 where an element is not above the threshold, 1 where it is noise, 2 in a cluster.

    Where labels share a pixel, the greatest is shown.
    """
    above = clip(matrix, measured.cut[f])
    of = measured.cluster_of[f]
    together = (of[:, None] >= 0) & (of[:, None] == of)
    found: NDArray[np.uint8] = above.astype(np.uint8) + (above & together)
    return found


def _shrink(n_labels: int) -> int:
    return max(1, n_labels // TILE)


def _strongest(matrix: NDArray[np.float32], shrink: int) -> NDArray[np.float32]:
    """Of each shrink x shrink block the value farthest from 0."""
    if shrink == 1:
        return matrix
    starts = np.arange(0, len(matrix), shrink)
    highest = np.maximum.reduceat(np.maximum.reduceat(matrix, starts, 0), starts, 1)
    lowest = np.minimum.reduceat(np.minimum.reduceat(matrix, starts, 0), starts, 1)
    return np.where(-lowest > highest, lowest, highest)


def _coloured(matrix: NDArray[np.float32], measured: LayerMeasure, f: int) -> NDArray[np.uint8]:
    largest = float(measured.maximum[f])
    if measured.silent[f]:
        finite = np.abs(matrix[np.isfinite(matrix)])
        largest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    missing = np.isnan(matrix)
    steps = np.clip(np.where(missing, 0, matrix) / largest, -1, 1)
    pixels: NDArray[np.uint8] = _RAMP[255 + np.rint(255 * steps).astype(np.int64)]
    pixels[missing] = NOT_A_NUMBER
    return pixels


def _enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    times = max(1, TILE // len(pixels))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _ramp() -> NDArray[np.uint8]:
    """(511, 3): from minus the maximum over 0 to the maximum; lightness grows evenly from 0 to both ends."""
    values = np.linspace(-1, 1, 511)
    lab = np.empty((511, 3))
    for stops, part in ((_NEGATIVE, values < 0), (_POSITIVE, values >= 0)):
        points = [
            (light, chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))) for light, hue, chroma in stops
        ]
        at = np.abs(values[part]) * (len(points) - 1)
        for axis in range(3):
            lab[part, axis] = np.interp(at, np.arange(len(points)), [point[axis] for point in points])
    cones = lab @ np.array(
        [[1, 1, 1], [0.3963377774, -0.1055613458, -0.0894841775], [0.2158037573, -0.0638541728, -1.291485548]]
    )
    linear = cones**3 @ np.array(
        [
            [4.0767416621, -1.2684380046, -0.0041960863],
            [-3.3077115913, 2.6097574011, -0.7034186147],
            [0.2309699292, -0.3413193965, 1.707614701],
        ]
    )
    light = np.clip(linear, 0, None)
    gamma = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    ramp: NDArray[np.uint8] = np.rint(255 * np.clip(gamma, 0, 1)).astype(np.uint8)
    return ramp


_RAMP = _ramp()
