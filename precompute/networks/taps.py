"""Where a network is tapped: a module's output as units with positions, whatever kind of network it is.

A *unit* is what gets a field matrix: a filter of a convolutional layer; in a transformer one node of a block's output
over the tokens, or one attention head's output before the projection.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

Layout = Literal["filters first", "filters last", "tokens", "heads"]


@dataclass(frozen=True)
class Tap:
    """A place in a network from whose output a probe reads."""

    layer: str  # the paper's number of the layer, or the module's path
    module: str  # the module's path in the network
    unit: str = "filter"
    layout: Layout = "filters first"
    pool: int = 1  # side of the window of the average pooling, 1 for none
    prefix: int = 0  # tokens before those of the image's grid, such as the class token
    heads: int = 1

    def units(self, seen: Tensor) -> Tensor:
        """What the module gave -> (batch, units, height, width), pooled, in memory of its own.

        `seen` is (batch, filters, height, width), (batch, height, width, filters) or (batch, tokens, nodes) by the
        layout; the nodes of all heads follow one another.
        """
        if self.layout == "filters first":
            return self._pooled(seen)
        if self.layout == "filters last":
            return self._pooled(seen.permute(0, 3, 1, 2))
        tokens = self._pooled_tokens(seen)  # (batch, nodes, 1 or height, tokens or width)
        if self.layout == "tokens":
            return tokens
        batch, nodes = tokens.shape[:2]
        return tokens.reshape(batch, self.heads, nodes // self.heads, -1).transpose(2, 3).contiguous()

    def _pooled(self, images: Tensor) -> Tensor:
        """What a filter gives, pooled. Without pooling a copy: a later module may work in place."""
        if self.pool == 1:
            return images.clone()
        return avg_pool2d(images, self.pool, ceil_mode=True, count_include_pad=False)

    def _pooled_tokens(self, tokens: Tensor) -> Tensor:
        nodes = tokens.transpose(1, 2)  # (batch, nodes, tokens)
        side = math.isqrt(nodes.shape[2] - self.prefix)
        if side * side != nodes.shape[2] - self.prefix:  # no grid to pool over
            return nodes.unsqueeze(2).clone()
        grid = self._pooled(nodes[:, :, self.prefix :].reshape(*nodes.shape[:2], side, side))
        if not self.prefix:
            return grid
        return torch.cat([nodes[:, :, : self.prefix], grid.flatten(2)], dim=2).unsqueeze(2)


@contextmanager
def watch(network: nn.Module, taps: list[Tap]) -> Iterator[dict[str, Tensor]]:
    """Each pass through the network leaves what the taps saw: layer -> (batch, units, height, width)."""
    seen: dict[str, Tensor] = {}

    def after(tap: Tap) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            seen[tap.layer] = tap.units(output)

        return hook

    def before(tap: Tap) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, inputs: Any) -> None:
            seen[tap.layer] = tap.units(inputs[0])

        return hook

    hooks = []
    for tap in taps:
        module = network.get_submodule(tap.module)
        if tap.layout == "heads":  # the heads' outputs are what the projection gets
            hooks.append(module.register_forward_pre_hook(before(tap)))
        else:
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
