"""What a manifest, or a layer's record in it, says beyond what the format checks: JSON that may be anything."""

import math
from typing import Any

import numpy as np


def defined(value: object) -> float | None:
    """A finite number, or None: a manifest may hold anything, and a mean of nothing is NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number beyond a float's
        return None


def mapping(value: object) -> dict[str, Any]:
    """An object, empty where it is none."""
    return value if isinstance(value, dict) else {}
