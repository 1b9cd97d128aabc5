"""What a network's images are normalised by, as files beside its weights tell: transformers' and timm's hub folders."""

import json
import math
from pathlib import Path
from typing import Any

Scaling = tuple[tuple[float, float, float], tuple[float, float, float]]  # mean, std, for pixels in [0, 1]

IMAGENET: Scaling = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MAX_BYTES = 10_000_000


def beside(path: Path) -> Scaling | None:
    """From preprocessor_config.json, or timm's config.json; None where neither is there, or says it."""
    theirs = _entries(path.parent / "preprocessor_config.json")
    if theirs.get("do_normalize") is False:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    timms = _entries(path.parent / "config.json").get("pretrained_cfg")
    timms = timms if isinstance(timms, dict) else {}
    return _scaling(theirs.get("image_mean"), theirs.get("image_std")) or _scaling(timms.get("mean"), timms.get("std"))


def _entries(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(_MAX_BYTES))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _scaling(mean: Any, std: Any) -> Scaling | None:
    for values in (mean, std):
        if not isinstance(values, list) or len(values) != 3:
            return None
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            return None
    if min(std) <= 0:
        return None
    return (float(mean[0]), float(mean[1]), float(mean[2])), (float(std[0]), float(std[1]), float(std[2]))
