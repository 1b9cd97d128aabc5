"""--pool: how what is tapped is pooled before the probe, on any network."""

import math
from dataclasses import replace
from typing import Literal

from precompute.messages.problem import Problem
from precompute.networks.arch import Arch
from precompute.networks.choose import grid_side, tap_shapes_of
from precompute.options import POOL
from store.file.format import MAX_POSITIONS


def parse_pool(text: str) -> tuple[Literal["average", "maximum"], int]:
    """What --pool says, which the command line has checked -> (average or maximum, side of the window)."""
    found = POOL.fullmatch(text)
    assert found is not None, text
    if found["paper"]:
        return "average", 7
    return ("maximum" if found["how"] == "max" else "average"), int(found["side"] or 1)


def with_pool(arch: Arch, text: str | None) -> Arch:
    """The network with its taps pooled as asked for; what the classifier reads is pooled as the network does it.

    Raises Problem.
    """
    if text is None:
        return arch
    pooling, window = parse_pool(text)
    raw = [replace(tap, pool=1) for tap in arch.taps.values()]
    shapes, taps = tap_shapes_of(arch, raw), {}
    for tap in raw:
        side = grid_side(tap, shapes[tap.layer])
        here = max(1, min(window, side))
        left = math.ceil(side / here)
        if left**2 > MAX_POSITIONS:
            raise Problem(f"--pool {text}: leaves {left}x{left} positions in {tap.layer}, more than a file can hold")
        taps[tap.layer] = replace(tap, pool=here, pooling=pooling)
    return replace(arch, taps=taps)
