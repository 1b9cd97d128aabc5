"""CIFAR's pickles, as torchvision unpacks them: arrays and plain values, and nothing that a pickle could make run.

cifar-10-batches-py/{data_batch_1..5,test_batch}, batches.meta
cifar-100-python/{train,test}, meta
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from precompute.messages.problem import Problem, one_line

FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
_FILES = {
    "cifar10": {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]},
    "cifar100": {"train": ["train"], "test": ["test"]},
}
_LABELS = {"cifar10": "labels", "cifar100": "fine_labels"}
_NAMES = {"cifar10": ("batches.meta", "label_names"), "cifar100": ("meta", "fine_label_names")}
_SIDE = 32
_AGAIN = "Unpack or download it again"


def folder_in(name: str, folder: Path) -> Path | None:
    """Where the pickles lie, None where there are none."""
    for candidate in (folder / FOLDERS[name], folder):
        if any((candidate / file).is_file() for files in _FILES[name].values() for file in files):
            return candidate
    return None


def files(name: str, folder: Path) -> dict[str, list[Path]]:
    return {split: [folder / file for file in of_split] for split, of_split in _FILES[name].items()}


def read(name: str, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (inputs, 32, 32, 3) and labels (inputs,). Raises Problem, OSError."""
    try:
        content = _loaded(path)
        pixels = np.asarray(content["data"])
        if pixels.dtype != np.uint8:
            raise TypeError(f"pixels of type {pixels.dtype}, expected uint8")
        images = pixels.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
        labels = np.asarray(content[_LABELS[name]], np.int64)
    except FileNotFoundError:
        raise Problem(f"{path}: missing; the folder is half-filled. {_AGAIN}") from None
    except OSError:
        raise
    except Exception as error:  # there is nothing that a damaged pickle may not raise
        what = f"no entry {error}" if isinstance(error, KeyError) else one_line(error)
        raise Problem(f"{path}: damaged, cut off, or not {name} ({what}). {_AGAIN}") from error
    if len(images) != len(labels):
        raise Problem(f"{path}: {len(images)} images and {len(labels)} labels; damaged. {_AGAIN}")
    return images, labels


def names_in(name: str, folder: Path) -> list[str] | None:
    """The labels' names by number, where their file is there. Raises Problem, OSError."""
    file, key = _NAMES[name]
    if not (folder / file).is_file():
        return None
    try:
        names = _loaded(folder / file)[key]
        if not isinstance(names, list) or not all(isinstance(label, str) for label in names):
            raise TypeError(f"{key} are no names")
    except OSError:
        raise
    except Exception as error:
        raise Problem(f"{folder / file}: damaged or cut off ({one_line(error)}). {_AGAIN}") from error
    return names


def _loaded(path: Path) -> Any:
    with path.open("rb") as stream:
        return _ArraysOnly(stream, encoding="latin1").load()


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays and plain values; refuses everything else that a pickle could make run."""

    _ALLOWED = frozenset({"_reconstruct", "ndarray", "dtype", "scalar", "encode"})
    _MODULES = frozenset(
        {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric"}
        | {"_codecs"}
    )

    def find_class(self, module: str, name: str) -> Any:
        if module in self._MODULES and name in self._ALLOWED:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it wants to run {module}.{name}, which a data set has no need of")
