"""Where attention heads are tapped: what each gives to the projection, while their outputs still lie side by side."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from precompute.networks.calls import Call
from precompute.networks.layout import Grid, is_square
from precompute.networks.main_path import Looked, Place
from precompute.networks.stages import End
from precompute.networks.taps import Layout

SUPPORTED = (
    "heads are supported where attention has num_heads and a projection named proj that gets all of them side by side, "
    "as in ViT, DeiT, PVT, PiT, LeViT, MViTv2, Twins, Swin and MaxViT"
)
_PROJECTIONS = ("proj", "out_proj")


@dataclass(frozen=True)
class Heads:
    """How the outputs of the heads lie in what a projection is given."""

    number: int
    layout: Layout
    side: int  # of the grid of positions
    prefix: int = 0
    windows: int = 1  # an image is divided into so many, each of which is an entry of the batch
    order: tuple[int, ...] = ()  # place in the image -> token, the windows' one after the other


def heads_of(looked: Looked, projection: Call) -> Heads | None:
    """The heads that give to this projection; None where it is no projection of heads."""
    path, _, name = projection.path.rpartition(".")
    if name not in _PROJECTIONS or not projection.inputs:
        return None
    number, shape = getattr(looked.network.get_submodule(path), "num_heads", None), tuple(projection.inputs[0].shape)
    if not isinstance(number, int) or len(shape) not in (3, 4):
        return None
    grid = looked.grid(shape)
    if grid is None and len(shape) in (3, 4):
        return _in_windows(looked, projection, number, shape)
    return None if grid is None or grid.units % number else Heads(number, grid.layout, grid.side, grid.prefix)


def _in_windows(looked: Looked, projection: Call, number: int, shape: tuple[int, ...]) -> Heads | None:
    """Windows (batch * windows, positions, nodes) or (batch * windows, height, width, nodes), row by row; or None."""
    windows, rest = divmod(shape[0], looked.batch)
    inside = math.prod(shape[1:-1])
    if rest or not is_square(windows) or not is_square(inside) or shape[-1] % number:
        return None
    across, within = math.isqrt(windows), math.isqrt(inside)
    tokens = torch.arange(windows * inside, device="cpu").view(across, across, within, within)
    block = _block_around(looked, projection)
    if getattr(block, "partition_block", True):  # (window's row, row in it, window's column, column in it)
        rows_and_columns = tokens.permute(0, 2, 1, 3)
    else:  # MaxViT's grid: a window holds every n-th position
        rows_and_columns = tokens.permute(2, 0, 3, 1)
    placed = rows_and_columns.reshape(across * within, across * within)
    shift = getattr(block, "shift_size", 0)
    placed = placed.roll(tuple(shift) if isinstance(shift, list | tuple) else (shift, shift), (0, 1))
    return Heads(number, "tokens", across * within, windows=windows, order=tuple(placed.flatten().tolist()))


def _block_around(looked: Looked, projection: Call) -> Any:
    """The innermost module around a projection that says how it makes windows; None where none does."""
    around = [call.module for call in looked.root.walk() if projection in call.walk()]
    says = [module for module in around if hasattr(module, "shift_size") or hasattr(module, "partition_block")]
    return says[-1] if says else None


def head_ends(looked: Looked, ends: list[End]) -> list[End]:
    """The last projection of heads up to each end, since the one before it; none where there is none."""
    found: list[End] = []
    projections = [(call, heads) for call in looked.root.walk() if (heads := heads_of(looked, call)) and heads.side > 1]
    start = -1
    for end in ends:
        here = [one for one in projections if start < one[0].end <= end.place.call.end]
        start = end.place.call.end
        if here:
            call, heads = here[-1]
            grid = Grid(heads.layout, heads.number, heads.side, heads.prefix)
            found.append(End(Place(call, grid), "heads", f"the last attention before {end.place.call.path} ends"))
    return found
