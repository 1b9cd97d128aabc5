"""Where images and activations lie while a run works with them: on the device, in main memory, or on disk.

Which of the three is settled beforehand, by what is free (`machine.memory.places`).
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from precompute.activations import KEPT
from precompute.disk.workspace import Workspace
from precompute.images.image_files import DECODED_AT_ONCE, ImageFiles, allocate
from precompute.machine.distributed import World
from precompute.machine.memory import Place


def pixels(
    images: NDArray[np.uint8] | ImageFiles,
    split: str,
    place: Place | None,
    work: Workspace,
    device: torch.device,
    world: World,
) -> Tensor | ImageFiles:
    """A split's images as its passes want them: (inputs, height, width, channels), or, without a place, files that one
    pass decodes.

    A network that is trained sees them many times, so files are then decoded once.
    """
    if isinstance(images, ImageFiles):
        if place is None:
            return images
        if world.several:  # one copy for all processes, each of which decodes a part
            images = world.decode(images, work.pixel_file(split))
        elif place == "device":
            return _decoded_on(device, images)
        else:
            images = images.decoded(work.pixel_file(split) if place == "disk" else None)
    array = torch.from_numpy(images)
    return array.to(device) if place == "device" else array


def _decoded_on(device: torch.device, images: ImageFiles) -> Tensor:
    """Without room for all of them in main memory."""
    pixels = torch.empty(images.shape, dtype=torch.uint8, device=device)
    first = 0
    for batch in images.batches(DECODED_AT_ONCE):
        pixels[first : first + len(batch)] = torch.from_numpy(batch)
        first += len(batch)
    return pixels


def activation_place(
    place: Place, work: Workspace, device: torch.device, split: str, layer: str
) -> torch.device | Path:
    """Where a layer's activations of a split go."""
    if place == "disk":
        return work.activation_file(split, layer)
    return device if place == "device" else torch.device("cpu")


def make_room(n_inputs: int, n_features: int, place: torch.device | Path) -> Tensor:
    """Room for one layer's activations (inputs, features) on a device, or in a file. Raises OSError."""
    if isinstance(place, torch.device):
        return torch.empty(n_inputs, n_features, dtype=KEPT, device=place)
    size = n_inputs * n_features
    allocate(place, size * KEPT.itemsize)
    return torch.from_file(str(place), shared=True, size=size, dtype=KEPT).view(n_inputs, n_features)
