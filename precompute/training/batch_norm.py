"""Batch normalization over a batch that is divided among processes: the statistics are those of the whole batch.

On a GPU these are torch's own; on a CPU, for which torch has none, the same in plain operations.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronize(network: nn.Module, device: torch.device) -> None:
    """Every batch normalization inside the network, in place; parameters, buffers and their names stay."""
    if device.type == "cuda":
        from timm.layers.norm_act import convert_sync_batchnorm  # knows those with an activation as well

        for name, child in network.named_children():
            setattr(network, name, convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            kind = type(module)
            # A module in its place would have to be hung into its parent, under every name that it has there, and
            # would not be what isinstance, hooks and what timm's networks keep of their own modules expect.
            module.__class__ = type(f"Synchronized{kind.__name__}", (_Synchronized, kind), {})


class _Synchronized(nn.Module):
    """What makes a batch normalization of any kind, timm's with an activation too, one over all processes."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not distributed.is_initialized():  # the processes have parted
            own: Tensor = super().forward(values)  # type: ignore[misc]
            return own
        normalized = _normalized(self, values)
        for name in ("drop", "act"):  # timm's BatchNormAct2d
            if hasattr(self, name):
                normalized = getattr(self, name)(normalized)
        return normalized


def _normalized(norm: Any, values: Tensor) -> Tensor:
    """(batch, channels, ...), by the mean and the variance over all other axes and all processes."""
    others = [axis for axis in range(values.dim()) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(values.dim())]
    precise = values if values.dtype is torch.float64 else values.float()
    count = torch.tensor(values.numel() // values.shape[1], dtype=precise.dtype)
    distributed.all_reduce(count)
    mean = _total(precise.sum(others)) / count
    centred = precise - mean.view(shape)
    variance = _total(centred.square().sum(others)) / count
    if norm.track_running_stats:
        norm.num_batches_tracked.add_(1)
        part = norm.momentum if norm.momentum is not None else 1 / norm.num_batches_tracked.item()
        norm.running_mean.lerp_(mean.detach(), part)
        norm.running_var.lerp_(variance.detach() * (count / (count - 1)), part)
    normalized = centred * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        normalized = normalized * norm.weight.view(shape) + norm.bias.view(shape)
    return normalized.to(values.dtype)


class _Total(torch.autograd.Function):
    """The sum over all processes. What each makes of it depends on every part, so gradients are summed as well."""

    @staticmethod
    def forward(_context: Any, part: Tensor) -> Tensor:
        total = part.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total


def _total(part: Tensor) -> Tensor:
    total: Tensor = _Total.apply(part)  # type: ignore[no-untyped-call]
    return total
