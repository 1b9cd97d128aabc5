"""What a run needs to know of a network, whoever has made it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from precompute.networks.packages import Package
from precompute.networks.taps import Tap

if TYPE_CHECKING:
    from precompute.images.data import DataSet

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
    own_scaling: tuple[Pixels, Pixels] | None = None  # its library's mean and std, where the paper's way is another
    crop: float = 1.0  # the part of an image file's shorter side that is seen
    warps: bool = False  # whether rotation and shear belong to its augmentation
    package: Package | None = None  # that its pretrained weights come in, which is asked before the hub
    hub: str = ""  # where its pretrained weights are, "" where there are none
    hub_labels: int = 0  # how many labels they tell apart
    hub_names: tuple[str, ...] = ()  # the labels, in the order of their outputs, where they are known
    # The library's own way to a network with weights: number of labels, state dict (None: the hub's), whether the
    # outputs keep their biases, and how many outputs the state dict has where they are to be read with it. None: there
    # is no such way.
    pretrained: Callable[..., nn.Module] | None = None

    def build(self, n_labels: int, seed: int = 0) -> nn.Module:
        """A network with random weights, the same for a seed on every device; channels last in memory, for speed."""
        torch.manual_seed(seed)
        return self.module(n_labels).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def on_meta(self) -> nn.Module:
        """The network without memory behind its weights: what only depends on shapes costs nothing."""
        try:
            with torch.device("meta"):
                return self.module(2)
        except (NotImplementedError, RuntimeError):  # its code asks for values, which are not there
            return self.module(2)

    def scaling(self, data: "DataSet") -> tuple[Pixels, Pixels]:
        """Mean and standard deviation of each colour that its inputs are scaled by."""
        if self.pixel_mean is not None and self.pixel_std is not None:
            return self.pixel_mean, self.pixel_std
        return data.pixel_statistics
