""".npz files of images and labels: MedMNIST's (train_images, train_labels, ...), Keras' (x_train, y_train), anybody's.

No array of objects is read: it would be a pickle. What a header says of an array's size is held against the bytes that
are there before room is made for it.
"""

import errno
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from precompute.images.encoded import Encoded, Stored
from precompute.images.splits import TEST_NAMES, TRAIN_NAMES
from precompute.images.stored.found import WHOLE, Part, StoredSet, part_of
from precompute.messages.problem import Problem, one_line

_DEFLATE = 1032  # bytes that one byte of a deflated file can stand for, at most
_IMAGES, _LABELS = ("images", "image", "imgs", "x", "data"), ("labels", "label", "y", "targets", "target")
_AGAIN = "Copy or download it again"


@dataclass(frozen=True)
class Pixels(Stored):
    """An image of an array, which decoders get as a file of PNM: a line, and the pixels as they are."""

    array: NDArray[np.uint8] = field(compare=False, repr=False)  # (inputs, height, width) or (..., 3)
    row: int

    @property
    def n_bytes(self) -> int:
        return int(self.array[self.row].nbytes)

    def read_bytes(self) -> bytes:
        pixels = self.array[self.row]
        height, width = pixels.shape[:2]
        kind = "P6" if pixels.ndim == 3 else "P5"
        return f"{kind} {width} {height} 255\n".encode() + np.ascontiguousarray(pixels).tobytes()


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.npz") if not path.name.startswith("."))


def read(folder: Path, files: Sequence[Path]) -> StoredSet:
    """Raises Problem, OSError."""
    parts: dict[str, Part] = {}
    origin: dict[str, Path] = {}
    for path in files:
        for name, part in _parts(path, part_of(path, folder)).items():
            if name in parts:
                raise Problem(
                    f"{folder}: {origin[name].name} and {path.name} both hold {name or 'images'}; which of the data "
                    "sets is meant? Name its file: --data-dir FILE"
                )
            parts[name], origin[name] = part, path
    return StoredSet("NumPy arrays (.npz)", parts, None)


def _parts(path: Path, said: str) -> dict[str, Part]:
    """said: the part that the file's name tells, for arrays whose names do not."""
    arrays = read_npz(path)
    roles: dict[str, dict[str, str]] = {}
    for key in arrays:
        part, role = _role(key)
        if role:
            roles.setdefault(part or said, {}).setdefault(role, key)
    if not roles and len(arrays) == 2:  # np.savez(PATH, images, labels): arr_0 and arr_1
        by_ndim = sorted(arrays, key=lambda key: arrays[key].ndim, reverse=True)
        roles = {said: {"images": by_ndim[0], "labels": by_ndim[1]}}
    whole = {part: keys for part, keys in roles.items() if len(keys) == 2}
    if not whole:
        raise Problem(
            f"{path}: holds {', '.join(arrays) or 'no arrays'}; expected images and labels, or train_images and "
            "train_labels, or x_train and y_train"
        )
    return {part: _part(path, keys["images"], keys["labels"], arrays) for part, keys in whole.items()}


def _role(key: str) -> tuple[str, str]:
    """train_images -> train, images; x_test -> test, images; labels -> "", labels; other -> "", ""."""
    words = [word for word in re.split(r"[^a-z]+", key.lower()) if word]
    parts = [word for word in words if word in (*TRAIN_NAMES, *TEST_NAMES)]
    rest = [word for word in words if word not in parts]
    role = "images" if rest[:1] and rest[0] in _IMAGES else "labels" if rest[:1] and rest[0] in _LABELS else ""
    part = parts[0] if len(rest) == 1 and parts else WHOLE
    return ("train" if part in TRAIN_NAMES else part), role if len(rest) == 1 else ""


def _part(path: Path, images_key: str, labels_key: str, arrays: dict[str, NDArray[Any]]) -> Part:
    images, labels = arrays[images_key], arrays[labels_key]
    if images.dtype != np.uint8:
        raise Problem(f"{path}, {images_key}: pixels of type {images.dtype}; expected uint8, from 0 to 255")
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    elif images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[-1] != 3:  # channels first, as torch has them
        images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3) or 0 in images.shape[1:]:
        raise Problem(
            f"{path}, {images_key}: of shape {arrays[images_key].shape}; expected images, (inputs, height, width) or "
            "(inputs, height, width, 3)"
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuU":
        raise Problem(
            f"{path}, {labels_key}: {labels.dtype} of shape {labels.shape}; expected one label an image, a number or a "
            "name"
        )
    if len(labels) != len(images):
        raise Problem(f"{path}: {len(images)} images in {images_key} and {len(labels)} labels in {labels_key}")
    found: list[Encoded] = [Pixels(path, f"{images_key} {row}", images, row) for row in range(len(images))]
    return Part(found, labels.tolist() if labels.dtype.kind == "U" else labels.astype(np.int64))


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file by their names. Raises Problem, OSError."""
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    found[member.filename.removesuffix(".npy")] = _array(path, archive, member)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Problem(f"{path}: cut off or damaged (a member lies before the file). {_AGAIN}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Problem(f"{path}: cut off or damaged, or no .npz ({one_line(error)}). {_AGAIN}") from error
    return found


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    where = f"{path}, {member.filename.removesuffix('.npy')}"
    if member.file_size > _DEFLATE * member.compress_size or member.compress_size > path.stat().st_size:
        raise Problem(f"{where}: says that it holds {member.file_size} bytes, which so small a file cannot. {_AGAIN}")
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of .npy")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(stream)
        if dtype.hasobject:
            raise Problem(f"{where}: Python objects, which reading could run code of; save arrays of numbers")
        n_bytes = member.file_size - stream.tell()
        expected = dtype.itemsize
        for length in shape:
            expected *= length
        if expected != n_bytes or min(shape, default=0) < 0:
            raise Problem(f"{where}: {dtype} of shape {shape} are {expected} bytes, there are {n_bytes}. {_AGAIN}")
        content = stream.read(n_bytes)
    array = np.frombuffer(content, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
