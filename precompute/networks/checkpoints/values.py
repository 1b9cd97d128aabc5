"""Whether a file's tensors hold numbers that a network can take, and no more of them than the file has room for."""

from pathlib import Path

import torch
from torch import Tensor

from precompute.messages.problem import Problem
from precompute.networks.checkpoints.choosing import Candidate

_SPARE = 16  # entries that one stored number may stand for: masks are kept as one row, seen as many


def check(path: Path, found: list[Candidate]) -> None:
    """Raises Problem, which names the first tensor that will not do."""
    n_bytes = path.stat().st_size
    for candidate in found:
        if "*" not in candidate.place:  # what lies below a prefix was looked at without it
            for name, value in candidate.state.items():
                if why := _fault(value, n_bytes):
                    raise Problem(f"{path}: {name} {why}")


def _fault(value: Tensor, n_bytes: int) -> str:
    """n_bytes: of the file, which a tensor may claim to be far larger than."""
    if value.is_meta:
        return "has a shape and no numbers: it was saved on the device 'meta'"
    if value.layout != torch.strided or value.is_quantized:
        kind = "is quantized" if value.is_quantized else f"is sparse ({str(value.layout).removeprefix('torch.')})"
        return f"{kind}; save it as a dense tensor of numbers, with to_dense() or dequantize()"
    if value.is_complex():
        return "holds complex numbers, which no network here has"
    if value.numel() > _SPARE * n_bytes:
        return f"says that it has {value.numel():,} entries, which a file of {n_bytes:,} bytes cannot hold"
    if value.is_floating_point() and not value.float().isfinite().all():
        return "holds numbers that are not finite: it is damaged, or its training failed"
    return ""
