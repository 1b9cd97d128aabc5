"""Networks, and the table: the paper's layer -> the module that is tapped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from precompute.options import Problem


@dataclass(frozen=True)
class Tap:
    """A place in a network from whose output a probe reads."""

    layer: str  # the paper's number of the layer
    module: str  # the module's path in the network
    unit: str = "filter"


@dataclass(frozen=True)
class Arch:
    """A network and where it can be tapped."""

    module: Callable[[int], nn.Module]  # number of labels -> network
    taps: dict[str, Tap]  # every layer that can be probed, from input to output
    paper_layers: tuple[str, ...]
    pixel_mean: tuple[float, ...]  # of pixels in [0, 1]; what the network sees is (pixel - mean) / std
    pixel_std: tuple[float, ...]

    def build(self, n_labels: int, seed: int = 0) -> nn.Module:
        """A network with random weights, the same for a seed on every device; channels last in memory, for speed."""
        torch.manual_seed(seed)
        return self.module(n_labels).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


# Filters of the 13 convolutional layers, in the blocks that end with 2x2 max-pooling.
_VGG16_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG16(nn.Module):
    """VGG-16 for 32x32 images: 13 convolutional layers with batch norm, then three fully connected ones.

    The last one has no bias: "to assure that each filter's effect on the output fields ... will not be overshadowed
    by the much larger biases" (supplement). On 32x32 images one 1x1 position is left of each of the last 512 filters;
    the hidden layers have 512 units accordingly.
    """

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        self.features = nn.Sequential()
        channels, layer = 3, 0
        for block in _VGG16_BLOCKS:
            for filters in block:
                layer += 1
                conv = nn.Conv2d(channels, filters, kernel_size=3, padding=1, bias=False)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                self.features.add_module(f"conv{layer}", conv)
                self.features.add_module(f"norm{layer}", nn.BatchNorm2d(filters))
                self.features.add_module(f"relu{layer}", nn.ReLU(inplace=True))
                channels = filters
            self.features.add_module(f"pool{layer}", nn.MaxPool2d(2))
        self.classifier = nn.Sequential(
            nn.Linear(512, 512), nn.ReLU(inplace=True), nn.Linear(512, 512), nn.ReLU(inplace=True)
        )
        self.output = nn.Linear(512, n_labels, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (batch, 3, 32, 32) -> fields of the output units (batch, labels)."""
        fields: Tensor = self.output(self.classifier(self.features(images).flatten(1)))
        return fields


def _vgg16_taps() -> dict[str, Tap]:
    """After the max-pooling where there is one, else after the ReLU."""
    taps, layer = {}, 0
    for block in _VGG16_BLOCKS:
        for place in range(1, len(block) + 1):
            layer += 1
            kind = "pool" if place == len(block) else "relu"
            taps[str(layer)] = Tap(str(layer), f"features.{kind}{layer}")
    return taps


ARCHS = {
    "vgg16": Arch(
        module=VGG16,
        taps=_vgg16_taps(),
        paper_layers=("2", "4", "7", "10", "13"),
        pixel_mean=(0.5, 0.5, 0.5),  # "divided by ... 255, multiplied by 2, and subtracted by 1" (supplement)
        pixel_std=(0.5, 0.5, 0.5),
    )
}


def choose_taps(arch_name: str, layers: tuple[str, ...]) -> list[Tap]:
    """The taps of the layers asked for (none: the paper's), from input to output. Raises Problem."""
    arch = ARCHS[arch_name]
    wanted = layers or arch.paper_layers
    unknown = [layer for layer in wanted if layer not in arch.taps]
    if unknown:
        raise Problem(
            f"--layers {' '.join(unknown)}: {arch_name} has layers {', '.join(arch.taps)}; "
            f"the paper's are {', '.join(arch.paper_layers)}"
        )
    return [tap for layer, tap in arch.taps.items() if layer in wanted]


def choose_features(layers: tuple[str, ...], taps: list[Tap]) -> tuple[str, ...]:
    """The layers whose test activations are kept, `all` standing for every one that is probed. Raises Problem."""
    probed = tuple(tap.layer for tap in taps)
    if layers == ("all",):
        return probed
    unknown = [layer for layer in layers if layer not in probed]
    if unknown:
        raise Problem(f"--features {' '.join(unknown)}: not probed in this run; its layers are {', '.join(probed)}")
    return layers


@contextmanager
def watch(network: nn.Module, taps: list[Tap]) -> Iterator[dict[str, Tensor]]:
    """Each pass through the network leaves what the taps saw: layer -> (batch, filters, height, width)."""
    seen: dict[str, Tensor] = {}

    def keep(layer: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            seen[layer] = output

        return hook

    hooks = [network.get_submodule(tap.module).register_forward_hook(keep(tap.layer)) for tap in taps]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def tap_shapes(network: nn.Module, taps: list[Tap], image_shape: tuple[int, ...]) -> dict[str, tuple[int, int, int]]:
    """(filters, height, width) of each tap, for images of image_shape (channels, height, width)."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with watch(network, taps) as seen:
        network(torch.zeros(1, *image_shape, device=device))
    network.train(was_training)
    return {layer: (output.shape[1], output.shape[2], output.shape[3]) for layer, output in seen.items()}
