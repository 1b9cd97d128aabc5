"""Networks, and the table: the paper's layer -> the module that is tapped.

The paper's VGG-16 is ours (`vgg16`); its EfficientNet-B0 and every other network are timm's (`timm_models`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from precompute import vgg16
from precompute.options import Options, Problem
from precompute.taps import Tap

if TYPE_CHECKING:
    from precompute.data import DataSet

Pixels = tuple[float, ...]  # one value a colour, of pixels in [0, 1]


@dataclass(frozen=True)
class Arch:
    """A network, what it wants of images, and where it can be tapped."""

    name: str
    module: Callable[[int], nn.Module]  # number of labels -> network with random weights and no bias at its outputs
    taps: dict[str, Tap]  # every layer that can be probed, from input to output
    layers: tuple[str, ...]  # those that are probed unless others are asked for
    side: int  # images are brought to side x side
    output: tuple[str, ...]  # paths of the modules that give the fields of the output units
    pixel_mean: Pixels | None  # what the network sees is (pixel - mean) / std; None: the training images' own
    pixel_std: Pixels | None
    crop: float = 1.0  # the part of an image file's shorter side that is seen
    warps: bool = False  # whether rotation and shear belong to its augmentation
    hub: str = ""  # where its pretrained weights are, "" where there are none
    # The library's own way to a network with weights: number of labels, state dict (None: the hub's), whether the
    # outputs keep their biases. None: there is no such way.
    pretrained: Callable[[int, dict[str, Tensor] | None, bool], nn.Module] | None = None

    def build(self, n_labels: int, seed: int = 0) -> nn.Module:
        """A network with random weights, the same for a seed on every device; channels last in memory, for speed."""
        torch.manual_seed(seed)
        return self.module(n_labels).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def on_meta(self) -> nn.Module:
        """The network without memory behind its weights: what only depends on shapes costs nothing."""
        with torch.device("meta"):
            return self.module(2)

    def scaling(self, data: "DataSet") -> tuple[Pixels, Pixels]:
        """Mean and standard deviation of each colour that its inputs are scaled by."""
        if self.pixel_mean is not None and self.pixel_std is not None:
            return self.pixel_mean, self.pixel_std
        return data.pixel_statistics


def find_arch(options: Options) -> Arch:
    """The network of --arch. Raises Problem."""
    if options.arch == "vgg16":
        if options.image_size not in (None, vgg16.SIDE):
            raise Problem(
                f"--image-size {options.image_size}: vgg16 is for {vgg16.SIDE}; --arch timm:vgg16_bn takes more"
            )
        if options.taps or options.unit:
            raise Problem("--taps and --unit are for --arch timm:NAME; vgg16's layers are named with --layers")
        # "divided by the maximal pixel value, 255, multiplied by 2, and subtracted by 1" (supplement)
        half = (0.5, 0.5, 0.5)
        return Arch("vgg16", vgg16.VGG16, vgg16.taps(), vgg16.PAPER_LAYERS, vgg16.SIDE, ("output",), half, half)
    from precompute import timm_models  # late: timm takes seconds to import

    if options.arch == "efficientnet_b0":
        return timm_models.efficientnet_b0(options)
    return timm_models.any_network(options)


def choose_taps(arch: Arch, layers: tuple[str, ...]) -> list[Tap]:
    """The taps of the layers asked for (none: the arch's), from input to output. Raises Problem."""
    wanted = layers or arch.layers
    unknown = [layer for layer in wanted if layer not in arch.taps]
    if unknown:
        raise Problem(
            f"--layers {' '.join(unknown)}: {arch.name} has layers {', '.join(arch.taps)}; "
            f"taken by default are {', '.join(arch.layers)}"
        )
    return [tap for layer, tap in arch.taps.items() if layer in wanted]


def choose_layers(option: str, layers: tuple[str, ...], taps: list[Tap]) -> tuple[str, ...]:
    """The layers that an option names, `all` standing for every one that is probed. Raises Problem."""
    probed = tuple(tap.layer for tap in taps)
    if layers == ("all",):
        return probed
    unknown = [layer for layer in layers if layer not in probed]
    if unknown:
        raise Problem(f"--{option} {' '.join(unknown)}: not probed in this run; its layers are {', '.join(probed)}")
    return layers
