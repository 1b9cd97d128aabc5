"""Augmentation and scaling of whole batches, on the device that trains, from images that are kept as uint8."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, pad

if TYPE_CHECKING:
    from precompute.images.image_files import ImageFiles

MAX_SHIFT = 4  # "random horizontally flipping and translating up to four pixels in each direction" (supplement)
MAX_DEGREES = 2.0  # "a random rotation of up to two degrees ... and a shear of up to two degrees" (supplement)


@dataclass(frozen=True)
class Draws:
    """The random choices of one epoch, one for each input. Drawn on the CPU: the same on every device."""

    order: Tensor  # (inputs,): a permutation
    shift: Tensor  # (inputs, 2): where the window starts in the padded image, down and across, 0 to 2 * MAX_SHIFT
    flip: Tensor  # (inputs,): bool
    turn: Tensor  # (inputs, 2): rotation and shear as parts of the largest, -1 to 1

    @staticmethod
    def of_epoch(n_inputs: int, seed: int, epoch: int, device: torch.device) -> "Draws":
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(n_inputs, generator=generator)
        shift = torch.randint(0, 2 * MAX_SHIFT + 1, (n_inputs, 2), generator=generator)
        flip = torch.rand(n_inputs, generator=generator) < 0.5
        turn = torch.rand(n_inputs, 2, generator=generator) * 2 - 1
        return Draws(order.to(device), shift.to(device), flip.to(device), turn.to(device))

    @staticmethod
    def of_epochs(n_inputs: int, seed: int, epochs: int, device: torch.device) -> "Draws":
        """Those of the first epochs, one after the other."""
        every = [Draws.of_epoch(n_inputs, seed, epoch, device) for epoch in range(epochs)]
        order = torch.cat([draws.order + epoch * n_inputs for epoch, draws in enumerate(every)])
        shift, flip, turn = (torch.cat([getattr(draws, name) for draws in every]) for name in ("shift", "flip", "turn"))
        return Draws(order, shift, flip, turn)

    @staticmethod
    def empty(n_inputs: int, device: torch.device) -> "Draws":
        """Room for an epoch's draws."""
        order = torch.zeros(n_inputs, dtype=torch.int64, device=device)
        flip = torch.zeros(n_inputs, dtype=torch.bool, device=device)
        return Draws(order, order.new_zeros(n_inputs, 2), flip, torch.zeros(n_inputs, 2, device=device))

    def copy_(self, other: "Draws") -> None:
        for name in ("order", "shift", "flip", "turn"):
            getattr(self, name).copy_(getattr(other, name))


@dataclass(frozen=True)
class Preprocessing:
    """What lies between an image and the network."""

    side: int  # smaller or larger images are brought to side x side, by bicubic interpolation
    pixel_mean: tuple[float, ...]  # one a colour, for pixels in [0, 1]: the network sees (pixel - mean) / std
    pixel_std: tuple[float, ...]
    flips: bool = True  # whether a mirror image keeps its label
    warps: bool = False  # whether training images are turned and sheared as well


class Images:
    """Images ready to be cut into batches: an array (inputs, height, width, channels) uint8, or files.

    An array stays where it lies; from another place than the device, its batches go over one by one.
    """

    def __init__(self, pixels: "Tensor | ImageFiles", device: torch.device, preprocessing: Preprocessing) -> None:
        self.pixels = pixels
        self.device = device
        self.preprocessing = preprocessing
        # (pixel / 255 - mean) / std, as one multiplication and one addition
        mean, std = preprocessing.pixel_mean, preprocessing.pixel_std
        self._scale = torch.tensor([1 / (255 * one) for one in std], device=device).view(1, -1, 1, 1)
        self._offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device).view(1, -1, 1, 1)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def on_device(self) -> bool:
        return isinstance(self.pixels, Tensor) and self.pixels.device.type == self.device.type

    def part(self, rows: slice) -> "Images":
        """Some of the inputs, which stay where they are."""
        pixels = self.pixels[rows] if isinstance(self.pixels, Tensor) else self.pixels.select(rows)
        return Images(pixels, self.device, self.preprocessing)

    def batches(self, size: int) -> Iterator[tuple[slice, Tensor]]:
        """All inputs as they are, in order: (which, (batch, channels, side, side) float32 on the device)."""
        if not isinstance(self.pixels, Tensor):
            first = 0
            for decoded in self.pixels.batches(size):
                yield slice(first, first + len(decoded)), self._seen(torch.from_numpy(decoded))
                first += len(decoded)
            return
        for first in range(0, len(self), size):
            batch = slice(first, min(first + size, len(self)))
            yield batch, self._seen(self.pixels[batch])

    def drawn(self, times: int, seed: int) -> "DrawnImages":
        """Each image so many times, augmented as in the first epochs of a training with this seed."""
        return DrawnImages(self, Draws.of_epochs(len(self), seed, times, self.device))

    def plain(self, first: int, last: int) -> Tensor:
        """Inputs first..last-1 as they are: (batch, channels, side, side) float32, channels last in memory."""
        assert isinstance(self.pixels, Tensor)
        return self._seen(self.pixels[first:last])

    def augmented(self, index: Tensor, draws: Draws) -> Tensor:
        """The inputs of index (batch,), each shifted, flipped and turned as drawn; what comes in is black.

        Where there are draws for more inputs than there are images, they are those of one round after another.
        """
        assert isinstance(self.pixels, Tensor), "files are decoded before a network is trained on them"
        pixels = self.pixels[index.to(self.pixels.device) % len(self.pixels)].to(self.device)
        if not self.preprocessing.warps:
            return self._seen(self._shifted(pixels, index, draws))
        images = self._enlarged(pixels)
        flip = draws.flip[index] & self.preprocessing.flips
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
        return self._scaled(_turned(images, draws.shift[index] - MAX_SHIFT, draws.turn[index] * MAX_DEGREES))

    def _shifted(self, pixels: Tensor, index: Tensor, draws: Draws) -> Tensor:
        """(batch, height, width, channels): a window of the padded image, mirrored where drawn."""
        batch, height, width, _ = pixels.shape
        padded = pad(pixels, (0, 0, MAX_SHIFT, MAX_SHIFT, MAX_SHIFT, MAX_SHIFT))
        across = torch.arange(width, device=index.device).expand(batch, width)
        if self.preprocessing.flips:
            across = torch.where(draws.flip[index, None], width - 1 - across, across)
        shift = draws.shift[index]
        rows = shift[:, :1] + torch.arange(height, device=index.device)  # (batch, height)
        columns = shift[:, 1:] + across  # (batch, width)
        image = torch.arange(batch, device=index.device)
        return padded[image[:, None, None], rows[:, :, None], columns[:, None, :]]

    def _seen(self, pixels: Tensor) -> Tensor:
        return self._scaled(self._enlarged(pixels.to(self.device)))

    def _enlarged(self, pixels: Tensor) -> Tensor:
        """(batch, height, width, channels) uint8 -> (batch, channels, side, side) float32, 0 to 255."""
        images = pixels.permute(0, 3, 1, 2).float()  # a view before it is float: channels last in memory
        side = self.preprocessing.side
        if images.shape[2:] == (side, side):
            return images
        # "expanded ... to (224x224)", citing Keys 1981: cubic convolution with a = -0.5, which is what torch takes
        # where it is asked to avoid aliasing. It overshoots at edges.
        images = interpolate(images, (side, side), mode="bicubic", align_corners=False, antialias=True)
        return images.clamp(0, 255).contiguous(memory_format=torch.channels_last)

    def _scaled(self, images: Tensor) -> Tensor:
        return images.mul_(self._scale).add_(self._offset)


class DrawnImages:
    """Augmented images in rounds, all images in order in each: what a frozen network passes as if they were data."""

    def __init__(self, images: Images, draws: Draws, rows: slice | None = None) -> None:
        self._images, self._draws = images, draws
        self._rows = rows or slice(0, len(draws.flip))
        self.preprocessing = images.preprocessing

    def __len__(self) -> int:
        first, last = int(self._rows.start), int(self._rows.stop)
        return last - first

    def part(self, rows: slice) -> "DrawnImages":
        """Some of them; as `Images.part`."""
        start = self._rows.start
        return DrawnImages(self._images, self._draws, slice(start + rows.start, start + rows.stop))

    def batches(self, size: int) -> Iterator[tuple[slice, Tensor]]:
        """As `Images.batches`."""
        for first in range(0, len(self), size):
            last = min(first + size, len(self))
            index = torch.arange(self._rows.start + first, self._rows.start + last, device=self._images.device)
            yield slice(first, last), self._images.augmented(index, self._draws)


def _turned(images: Tensor, shift: Tensor, degrees: Tensor) -> Tensor:
    """Each image turned by degrees[:, 0], sheared along x by degrees[:, 1] and moved by shift pixels (down, across).

    images (batch, channels, height, width); bilinear; what comes in from outside is zero.
    """
    height, width = images.shape[2:]
    angle, shear = torch.deg2rad(degrees).unbind(1)
    cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
    # From a pixel of the result to where it is looked up: the inverse of turn @ shear, whose determinant is 1. In a
    # square both axes are alike.
    inverse = torch.stack(
        [torch.stack([sin * tan + cos, sin - cos * tan], 1), torch.stack([-sin, cos], 1)], 1
    )  # (batch, 2, 2)
    moved = torch.stack([shift[:, 1] * 2 / width, shift[:, 0] * 2 / height], 1).to(inverse)  # grid units, x then y
    offset = -(inverse @ moved[:, :, None])
    grid = affine_grid(torch.cat([inverse, offset], 2), list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
