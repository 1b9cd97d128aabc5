"""Where a network is tapped: a module's output as units with positions, whatever kind of network it is.

A *unit* is what gets a field matrix: a filter of a convolutional layer; in a transformer one node of a block's output
over the tokens, or one attention head's output before the projection. The layer `head` is what the classifier reads.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d

from precompute.networks.calls import tensors

Layout = Literal["filters first", "filters last", "tokens", "vector"]
HEAD = "head"  # the layer that the classifier reads


@dataclass(frozen=True)
class Tap:
    """A place in a network from which a probe reads."""

    layer: str  # the paper's number of the layer, or the module's path
    module: str  # the module's path in the network
    unit: str = "filter"
    layout: Layout = "filters first"
    pool: int = 1  # side of the pooling's window, 1 for none
    pooling: Literal["average", "maximum"] = "average"
    prefix: int = 0  # tokens before those of the image's grid, such as the class token
    heads: int = 0  # of attention, whose nodes follow one another in what the module is given; 0 for none
    windows: int = 1  # into which an image's positions are divided, each an entry of the batch
    part: int = 0  # which of the tensors that the module gives
    order: tuple[int, ...] = field(default=(), repr=False)  # place in the image -> token, where that is another order
    classifiers: tuple[str, ...] = ()  # the modules whose inputs are read, where they are the network's classifiers
    kind: str = ""  # "stage end", "classifier's input", ...
    why: str = ""  # it is tapped there

    @property
    def where(self) -> str:
        """The module that is read, `into` where it is what the module is given."""
        return f"into {', '.join(self.classifiers) or self.module}" if self.classifiers or self.heads else self.module

    def units(self, seen: Tensor) -> Tensor:
        """What the module gave (heads: what it was given) -> (batch, units, height, width), in memory of its own.

        `seen` is (batch, filters, height, width), (batch, height, width, filters), (batch, tokens, nodes) or (batch,
        units) by the layout. Of heads, each is a unit whose positions are (tokens, nodes of a head).
        """
        if self.heads:
            tokens = self._pooled_tokens(self._as_tokens(seen)).flatten(2)  # (batch, nodes, tokens)
            batch, nodes = tokens.shape[:2]
            return tokens.reshape(batch, self.heads, nodes // self.heads, -1).transpose(2, 3).contiguous()
        if self.layout == "vector":
            return seen[:, :, None, None].clone()
        if self.layout == "tokens":
            return self._pooled_tokens(seen)  # (batch, nodes, 1 or height, tokens or width)
        return self._pooled(seen if self.layout == "filters first" else seen.permute(0, 3, 1, 2))

    def _as_tokens(self, seen: Tensor) -> Tensor:
        if self.windows > 1:
            return seen.reshape(len(seen) // self.windows, -1, seen.shape[-1])
        if self.layout == "tokens":
            return seen
        return seen.flatten(2).transpose(1, 2) if self.layout == "filters first" else seen.flatten(1, 2)

    def _pooled(self, images: Tensor) -> Tensor:
        """What a filter gives, pooled. Without pooling a copy: a later module may work in place."""
        if self.pool == 1:
            return images.clone()
        if self.pooling == "maximum":
            return max_pool2d(images, self.pool, ceil_mode=True)
        return avg_pool2d(images, self.pool, ceil_mode=True, count_include_pad=False)

    def _pooled_tokens(self, tokens: Tensor) -> Tensor:
        if self.order:
            tokens = tokens[:, list(self.order)]
        nodes = tokens.transpose(1, 2)  # (batch, nodes, tokens)
        side = math.isqrt(nodes.shape[2] - self.prefix)
        if side * side != nodes.shape[2] - self.prefix:  # no grid to pool over
            return nodes.unsqueeze(2).clone()
        grid = self._pooled(nodes[:, :, self.prefix :].reshape(*nodes.shape[:2], side, side))
        if not self.prefix:
            return grid
        return torch.cat([nodes[:, :, : self.prefix], grid.flatten(2)], dim=2).unsqueeze(2)

    def read_by_classifiers(self, inputs: list[Tensor]) -> Tensor:
        """What the classifiers are given -> (batch, units, 1, positions), in memory of its own.

        Of several that read as many units each, as a distilled transformer's, the inputs are positions of the same
        units, else they are units of their own.
        """
        flat = [self._as_positions(one) for one in inputs]  # (batch, units, positions)
        together = 2 if len({one.shape[1] for one in flat}) == 1 else 1
        return torch.cat(flat, together).unsqueeze(2).clone()

    def _as_positions(self, seen: Tensor) -> Tensor:
        if seen.ndim == 2:
            return seen.unsqueeze(2)
        return seen.flatten(2) if self.layout == "filters first" else seen.flatten(1, -2).transpose(1, 2)


@contextmanager
def watch(network: nn.Module, taps: list[Tap]) -> Iterator[dict[str, Tensor]]:
    """Each pass through the network leaves what the taps saw: layer -> (batch, units, height, width)."""
    seen: dict[str, Tensor] = {}

    def after(tap: Tap) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            seen[tap.layer] = tap.units(tensors(output)[tap.part])

        return hook

    def before(tap: Tap) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, inputs: Any) -> None:
            seen[tap.layer] = tap.units(inputs[0])

        return hook

    def classified(tap: Tap, given: dict[str, Tensor], path: str) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, inputs: Any) -> None:
            given[path] = inputs[0]
            if len(given) == len(tap.classifiers):
                seen[tap.layer] = tap.read_by_classifiers([given[one] for one in tap.classifiers])
                given.clear()

        return hook

    hooks = []
    for tap in taps:
        module, given = network.get_submodule(tap.module), dict[str, Tensor]()
        for path in tap.classifiers:
            hooks.append(network.get_submodule(path).register_forward_pre_hook(classified(tap, given, path)))
        if tap.heads:  # the heads' outputs are what the projection gets
            hooks.append(module.register_forward_pre_hook(before(tap)))
        elif not tap.classifiers:
            hooks.append(module.register_forward_hook(after(tap)))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def tap_shapes(network: nn.Module, taps: list[Tap], image_shape: tuple[int, ...]) -> dict[str, tuple[int, int, int]]:
    """(units, height, width) of each tap, for images of image_shape (channels, height, width)."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with watch(network, taps) as seen:
        network(torch.zeros(1, *image_shape, device=device))
    network.train(was_training)
    return {layer: (output.shape[1], output.shape[2], output.shape[3]) for layer, output in seen.items()}
