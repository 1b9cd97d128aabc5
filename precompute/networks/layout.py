"""Where a tensor has its units and their positions, found out from its shape: images are square, and so are grids."""

import math
from dataclasses import dataclass

from torch import nn

from precompute.networks.taps import Layout


@dataclass(frozen=True)
class Grid:
    """What a module gives for an image: units, each at side x side positions, after `prefix` tokens of no place.

    A side of 0 stands for tokens that are not in a square.
    """

    layout: Layout
    units: int
    side: int
    prefix: int = 0


def grid_of(shape: tuple[int, ...], network: nn.Module, batch: int) -> Grid | None:
    """The grid of a tensor of this shape; None where it is no batch, or has none."""
    if not shape or shape[0] != batch:
        return None
    if len(shape) == 2:
        return Grid("vector", shape[1], 1)
    if len(shape) == 3:
        prefix = _prefix(network, shape[1])
        side = 0 if prefix is None else math.isqrt(shape[1] - prefix)
        return Grid("tokens", shape[2], side, prefix or 0)
    if len(shape) == 4 and (shape[1] == shape[2] or shape[2] == shape[3]):
        layout = _of_four(network, shape)
        return Grid(layout, shape[3] if layout == "filters last" else shape[1], shape[2])
    return None


def _of_four(network: nn.Module, shape: tuple[int, ...]) -> Layout:
    """Where the filters are: the two sides that are equal are height and width.

    What the network says of its output does not hold for each module: ConvNeXt's layers inside a block have filters
    last, and some networks with filters last do not say so.
    """
    _, first, second, last = shape
    if first == second == last:
        return "filters last" if getattr(network, "output_fmt", None) == "NHWC" else "filters first"
    return "filters last" if first == second else "filters first"


def _prefix(network: nn.Module, tokens: int) -> int | None:
    """How many tokens come before those of the image's grid; None where no square is left.

    Some networks add theirs after their blocks only, and some do not say that they have any.
    """
    own = int(getattr(network, "num_prefix_tokens", 0) or 0)
    return next((number for number in (own, 0, 1, 2) if is_square(tokens - number)), None)


def is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number
