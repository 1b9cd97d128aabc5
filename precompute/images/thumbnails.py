"""The test images in small, for a file that is to show them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from precompute.images.image_files import ImageFiles, Index
from precompute.images.outline import Sizes

SIDE = 64  # pixels; larger images are made smaller
_MOST_BYTES = 64 << 20  # of a file: all test images of CIFAR, 5,461 of ImageNet's
_BATCH = 500


def thumbnails(images: "NDArray[np.uint8] | ImageFiles") -> NDArray[np.uint8]:
    """Images (inputs, height, width, channels) -> (inputs, height, width, 3), the longer side at most SIDE pixels."""
    _, height, width, _ = images.shape
    out = np.empty((len(images), *_size(height, width), 3), np.uint8)
    arrays = images.batches(_BATCH) if isinstance(images, ImageFiles) else _parts(images)
    first = 0
    for part in arrays:
        small = part
        if part.shape[1:3] != out.shape[1:3]:
            pixels = torch.from_numpy(np.ascontiguousarray(part)).permute(0, 3, 1, 2).float()
            shrunk = interpolate(pixels, out.shape[1:3], mode="bilinear", antialias=True)
            small = shrunk.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        out[first : first + len(part)] = small  # one channel, of grey images, fills all three
        first += len(part)
    return out


def some_of(images: "NDArray[np.uint8] | ImageFiles", index: Index) -> "NDArray[np.uint8] | ImageFiles":
    """The images of the index; those in files are not decoded yet."""
    return images.select(index) if isinstance(images, ImageFiles) else images[index]


def most_thumbnails(sizes: Sizes) -> int:
    """How many a file has room for."""
    height, width = _size(*sizes.image_shape[1:])
    return _MOST_BYTES // (height * width * 3)


def thumbnail_bytes(sizes: Sizes) -> int:
    """What they take in a file."""
    height, width = _size(*sizes.image_shape[1:])
    return min(sizes.test, most_thumbnails(sizes)) * height * width * 3


def _size(height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, SIDE / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def _parts(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [images[first : first + _BATCH] for first in range(0, len(images), _BATCH)]
