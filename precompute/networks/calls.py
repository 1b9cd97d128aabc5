"""What a real pass through a network calls: every module in its order, with the tensors that it was given and gave."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

IMAGES = 2  # passed at once, so that the batch is told from a single channel, window or token


@dataclass(eq=False)
class Call:
    """One run of one module, with its tensors, so that what one gives is known again in what another is given."""

    path: str
    module: nn.Module
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    inside: list["Call"] = field(default_factory=list)  # those that it called itself, in their order
    end: int = 0  # its place in the order in which calls end

    def walk(self) -> Iterator["Call"]:
        """This call and all that it led to, in the order in which they began."""
        yield self
        for call in self.inside:
            yield from call.walk()

    @property
    def mixes(self) -> bool:
        """Whether the module itself mixes units, as convolutions and linear layers do, and norms do not."""
        own = self.module.named_parameters(recurse=False)
        return any(parameter.ndim > 1 for name, parameter in own if "weight" in name)

    @property
    def n_mixing(self) -> int:
        """How many layers in it mix units."""
        return sum(call.mixes for call in self.walk())


def tensors(value: Any) -> list[Tensor]:
    """All tensors in what a module takes or gives: one, or several in tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for one in value for tensor in tensors(one)] if isinstance(value, list | tuple) else []


def trace(network: nn.Module, side: int) -> Call:
    """The call of the whole network on images of side x side, on the device where its weights are.

    Raises what the network raises.
    """
    device = next(network.parameters()).device
    return trace_on(network, torch.rand(IMAGES, 3, side, side, device=device))


@torch.no_grad()
def trace_on(network: nn.Module, images: Tensor) -> Call:
    """The same on IMAGES inputs of any shape."""
    names = {module: path for path, module in network.named_modules()}
    open_calls = [Call("", network)]  # the outermost holds the network's own call
    n_ended = 0

    def before(module: nn.Module, arguments: Any, named: Any) -> None:
        call = Call(names[module], module, tensors([arguments, named]))
        open_calls[-1].inside.append(call)
        open_calls.append(call)

    def after(_module: nn.Module, _arguments: Any, _named: Any, output: Any) -> None:
        nonlocal n_ended
        call = open_calls.pop()
        call.outputs, call.end = tensors(output), n_ended
        n_ended += 1

    hooks = [module.register_forward_pre_hook(before, with_kwargs=True) for module in network.modules()]
    hooks += [module.register_forward_hook(after, with_kwargs=True) for module in network.modules()]
    was_training = network.training
    try:
        with warnings.catch_warnings(action="ignore"):
            network.eval()(images)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return open_calls[0].inside[0]
