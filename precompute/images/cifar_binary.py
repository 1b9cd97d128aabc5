"""CIFAR's binary version, for programs in C: records of one byte for each label and 3,072 for the pixels.

cifar-10-batches-bin/{data_batch_1..5,test_batch}.bin   label, pixels
cifar-100-binary/{train,test}.bin                       super-class, label, pixels
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from precompute.messages.problem import Problem

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_LABEL_BYTES = {"cifar10": 1, "cifar100": 2}  # of which the last is the label's
_FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
_NAMES = {"cifar10": "batches.meta.txt", "cifar100": "fine_label_names.txt"}


def files_in(name: str, folder: Path) -> dict[str, list[Path]]:
    """Part -> its files; empty where there are none."""
    for place in (folder / _FOLDERS[name], folder):
        files = sorted(place.glob("*.bin")) if place.is_dir() else []
        parts = {
            "train": [path for path in files if path.stem.startswith(("data_batch", "train"))],
            "test": [path for path in files if path.stem.startswith("test")],
        }
        if parts["train"] or parts["test"]:
            return parts
    return {}


def read(name: str, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (inputs, 32, 32, 3) and labels (inputs,). Raises Problem, OSError."""
    n_labels = _LABEL_BYTES[name]
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if not len(content) or len(content) % (n_labels + _PIXELS):
        raise Problem(
            f"{path}: {len(content)} bytes, no multiple of the {n_labels + _PIXELS} of an image of {name}'s binary "
            "version; cut off, or another data set. Unpack or download it again"
        )
    records = content.reshape(-1, n_labels + _PIXELS)
    images = records[:, n_labels:].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return images, records[:, n_labels - 1].astype(np.int64)


def names_beside(name: str, path: Path) -> list[str] | None:
    """The labels' names by number, where their file lies beside a part's. Raises OSError."""
    place = path.with_name(_NAMES[name])
    return place.read_text("utf-8", "replace").split() if place.is_file() else None
