"""Augmentation and scaling of whole batches, on the device that trains, from images that live there as uint8."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

MAX_SHIFT = 4  # "random horizontally flipping and translating up to four pixels in each direction" (supplement)


@dataclass(frozen=True)
class Draws:
    """The random choices of one epoch, one for each input. Drawn on the CPU: the same on every device."""

    order: Tensor  # (inputs,): a permutation
    shift: Tensor  # (inputs, 2): where the window starts in the padded image, down and across, 0 to 2 * MAX_SHIFT
    flip: Tensor  # (inputs,): bool

    @staticmethod
    def of_epoch(n_inputs: int, seed: int, epoch: int, device: torch.device) -> "Draws":
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(n_inputs, generator=generator)
        shift = torch.randint(0, 2 * MAX_SHIFT + 1, (n_inputs, 2), generator=generator)
        flip = torch.rand(n_inputs, generator=generator) < 0.5
        return Draws(order.to(device), shift.to(device), flip.to(device))


class Images:
    """Images on a device, (inputs, height, width, channels) uint8, ready to be cut into batches.

    pixel_mean and pixel_std, one a channel for pixels in [0, 1], say what a network sees: (pixel - mean) / std.
    """

    def __init__(
        self,
        pixels: Tensor,
        device: torch.device,
        pixel_mean: tuple[float, ...],
        pixel_std: tuple[float, ...],
        flips: bool = True,
    ) -> None:
        self.pixels = pixels.to(device)
        self.flips = flips  # whether a mirror image keeps its label
        self._padded: Tensor | None = None
        # (pixel / 255 - mean) / std, as one multiplication and one addition
        self._scale = torch.tensor([1 / (255 * std) for std in pixel_std], device=device).view(1, -1, 1, 1)
        self._offset = torch.tensor(
            [-mean / std for mean, std in zip(pixel_mean, pixel_std, strict=True)], device=device
        ).view(1, -1, 1, 1)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)"""
        _, height, width, channels = self.pixels.shape
        return channels, height, width

    def plain(self, first: int, last: int) -> Tensor:
        """Inputs first..last-1 as they are: (batch, channels, height, width) float32, channels last in memory."""
        return self._scaled(self.pixels[first:last])

    def augmented(self, index: Tensor, draws: Draws) -> Tensor:
        """The inputs of index (batch,), each shifted and flipped as drawn for it; what is shifted in is black."""
        _, height, width, _ = self.pixels.shape
        if self._padded is None:
            self._padded = pad(self.pixels, (0, 0, MAX_SHIFT, MAX_SHIFT, MAX_SHIFT, MAX_SHIFT))
        across = torch.arange(width, device=index.device).expand(len(index), width)
        if self.flips:
            across = torch.where(draws.flip[index, None], width - 1 - across, across)
        shift = draws.shift[index]
        rows = shift[:, :1] + torch.arange(height, device=index.device)  # (batch, height)
        columns = shift[:, 1:] + across  # (batch, width)
        return self._scaled(self._padded[index[:, None, None], rows[:, :, None], columns[:, None, :]])

    def _scaled(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2)  # (batch, channels, height, width), a view: channels last in memory
        return images.float().mul_(self._scale).add_(self._offset)
