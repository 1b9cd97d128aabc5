"""What part of the image each position of a layer depends on."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from precompute.networks.taps import Tap, watch

_IMAGES = 64  # that pass through the network at most for each of rows and columns; of larger images bands of pixels
_AT_ONCE = 16


@torch.no_grad()
def receptive_fields(network: nn.Module, taps: list[Tap], side: int) -> dict[str, dict[str, Any]]:
    """Layer -> `receptive_field` (see FORMAT.md), for images of side x side pixels.

    One image after another has a row, or a column, of NaN; positions that are NaN then depend on it, whatever stands
    between: pooling, residuals, attention. On the CPU in float64, whose convolutions are plain products: the quick ones
    for float32 (Winograd, FFT) would spread a NaN over whole tiles.
    """
    network = copy.deepcopy(network).cpu().double().eval()
    band = -(-side // _IMAGES)
    starts = list(range(0, side, band))
    found: dict[str, dict[str, Any]] = {tap.layer: {"side": side} for tap in taps}
    for what, image_axis, other in (("rows", 2, 3), ("columns", 3, 2)):
        touched: dict[str, list[Tensor]] = {tap.layer: [] for tap in taps}  # (image, position along the axis)
        with watch(network, taps) as seen:
            for first in range(0, len(starts), _AT_ONCE):
                some = starts[first : first + _AT_ONCE]
                images = torch.zeros(len(some), 3, side, side, dtype=torch.float64)
                for image, start in zip(images, some, strict=True):
                    image.narrow(image_axis - 1, start, min(band, side - start)).fill_(torch.nan)
                network(images)
                for layer, output in seen.items():  # (image, filter, height, width)
                    touched[layer].append(output.isnan().any(dim=1).any(dim=other - 1))
        for layer, parts in touched.items():
            found[layer][what] = [_span(column, band, side) for column in torch.cat(parts).T]
    return found


def _span(touched: Tensor, band: int, side: int) -> list[int]:
    """The first pixel, and the one after the last, of the bands that touch a position."""
    bands = torch.nonzero(touched).flatten().tolist()
    return [bands[0] * band, min(side, (bands[-1] + 1) * band)] if bands else [0, side]
