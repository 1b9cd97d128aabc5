"""Where images come from: a download, or a folder in one of the forms that people have.

pickles       cifar-100-python/{train,test} or cifar-10-batches-py/{data_batch_1..5,test_batch}: torchvision's
parquet       *train*.parquet and *test*.parquet with an image and a label column, as on the Hugging Face hub
image folder  train/LABEL/* and test/LABEL/*
"""

import io
import pickle
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from tarfile import TarError
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from precompute.messages.problem import Problem, one_line
from precompute.messages.progress import Progress
from precompute.messages.wording import some
from precompute.options import check_is_folder

SIDE = 32
_HUB = {  # data set -> folder on the hub, its column of labels
    "cifar10": ("hf://datasets/uoft-cs/cifar10/plain_text", "label"),
    "cifar100": ("hf://datasets/uoft-cs/cifar100/cifar100", "fine_label"),
}
_PICKLES = {  # data set -> folder, training files, test file, key of the labels
    "cifar10": ("cifar-10-batches-py", tuple(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "labels"),
    "cifar100": ("cifar-100-python", ("train",), "test", "fine_labels"),
}
_AGAIN = "Unpack or download it again"

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images (inputs, 32, 32, 3), labels (inputs,)


class Found(NamedTuple):
    """What a folder held, and in which form."""

    form: str
    train: Labelled
    test: Labelled


def is_filled(folder: Path) -> bool:
    """Whether there is anything in the folder; what is hidden, such as a broken-off download, does not count."""
    return folder.is_dir() and not all(is_litter(path) for path in folder.iterdir())


def read(name: str, folder: Path, label_names: list[str]) -> Found:
    """Read a data set from a folder, in whichever form it is there. Raises Problem."""
    expected = (
        f"Expected {_PICKLES[name][0]}/ (torchvision's), train and test parquet files, or images as train/LABEL/* and "
        "test/LABEL/*"
    )
    check_is_folder(folder)
    if not is_filled(folder):
        raise Problem(f"--data-dir {folder}: the folder is empty. {expected}")
    pickles = _pickle_folder(name, folder)
    parquet = {split: _parquet_files(folder, split) for split in ("train", "test")}
    if pickles is not None:
        found = _read_pickles(name, pickles)
    elif parquet["train"] or parquet["test"]:
        found = _read_parquet(name, folder, parquet)
    elif (folder / "train").is_dir() or (folder / "test").is_dir():
        found = _read_image_folder(folder, label_names)
    else:
        raise Problem(f"--data-dir {folder}: holds no {name}. {expected}; an empty data/{name} is filled by a download")
    _check_whole(folder, found, label_names)
    return found


def download(name: str, folder: Path) -> None:
    """Fill the folder from the Hugging Face hub, or, where that fails, as torchvision does. Raises Problem, OSError.

    The hub comes first because the university's server sends slowly. Everything is made in a hidden folder and moved
    by one rename, so that whatever breaks off, the folder holds all or nothing.
    """
    import polars as pl

    print(f"downloading {name} from {_HUB[name][0]} into {folder}/", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
        try:
            made = _from_hub(name, Path(temporary))
        except (OSError, pl.exceptions.PolarsError) as error:
            hub_error = one_line(error)
            print(f"the hub does not answer ({hub_error}); trying torchvision's own download", flush=True)
            try:
                made = _from_university(name, Path(temporary))
            except (OSError, RuntimeError, HTTPException, TarError) as error:
                raise Problem(
                    f"{name} could not be downloaded: the hub said {hub_error!r}, the university's server "
                    f"{one_line(error)!r}. Without a network, put {_PICKLES[name][0]}/ or the hub's parquet files "
                    "into a folder and name it with --data-dir"
                ) from error
        made.rename(folder / made.name)


def _from_hub(name: str, folder: Path) -> Path:
    import polars as pl

    url, label_column = _HUB[name]
    made = folder / "parquet"
    made.mkdir()
    for split in ("train", "test"):
        frame = pl.read_parquet(f"{url}/{split}-*.parquet", columns=["img", label_column])
        frame.write_parquet(made / f"{split}.parquet")
    return made


def _from_university(name: str, folder: Path) -> Path:
    import torchvision

    kind = {"cifar10": torchvision.datasets.CIFAR10, "cifar100": torchvision.datasets.CIFAR100}[name]
    kind(str(folder), download=True)
    return folder / _PICKLES[name][0]


def _check_whole(folder: Path, found: Found, label_names: list[str]) -> None:
    """CIFAR has as many inputs of each label; a folder that has not was filled by half."""
    for split, (_, labels) in (("train", found.train), ("test", found.test)):
        if not len(labels):
            raise Problem(f"{folder}: {split} holds no images. {_AGAIN}")
        if labels.min() < 0 or labels.max() >= len(label_names):
            raise Problem(
                f"{folder}: {split} has labels {labels.min()} to {labels.max()}, expected 0 to {len(label_names) - 1}; "
                f"damaged, or another data set. {_AGAIN}"
            )
        counts = np.bincount(labels, minlength=len(label_names))
        if counts.min() != counts.max():
            least, most = label_names[int(counts.argmin())], label_names[int(counts.argmax())]
            raise Problem(
                f"{folder}: half-filled: {split} has {counts.min()} images of {least!r} and {counts.max()} of "
                f"{most!r}. {_AGAIN}"
            )


def _pickle_folder(name: str, folder: Path) -> Path | None:
    wanted, train, test, _ = _PICKLES[name]
    for candidate in (folder / wanted, folder):
        if any((candidate / file).is_file() for file in (*train, test)):
            return candidate
    return None


def _read_pickles(name: str, folder: Path) -> Found:
    _, train_files, test_file, label_key = _PICKLES[name]

    def read_file(file: str) -> Labelled:
        path = folder / file
        try:
            with path.open("rb") as stream:
                content = _ArraysOnly(stream, encoding="latin1").load()
            pixels = np.asarray(content["data"])
            if pixels.dtype != np.uint8:
                raise TypeError(f"pixels of type {pixels.dtype}, expected uint8")
            images = pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
            labels = np.asarray(content[label_key], np.int64)
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

    parts = [read_file(file) for file in train_files]
    train = np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])
    return Found("torchvision's pickles", train, read_file(test_file))


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


def _parquet_files(folder: Path, split: str) -> list[Path]:
    found = sorted(folder.rglob(f"*{split}*.parquet"))
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def _read_parquet(name: str, folder: Path, files: dict[str, list[Path]]) -> Found:
    import polars as pl

    def read_file(path: Path) -> tuple[list[str], list[bytes], NDArray[np.int64]]:
        try:
            frame = pl.read_parquet(path, glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise Problem(f"{path}: cut off or damaged ({one_line(error)}). {_AGAIN}") from error
        kinds = frame.schema
        stored = pl.Struct({"bytes": pl.Binary, "path": pl.String})
        image_column = next((column for column in ("img", "image") if kinds.get(column) in (stored, pl.Binary)), None)
        label_column = next((column for column in (_HUB[name][1], "label") if column in kinds), None)
        if image_column is None or label_column is None or not kinds[label_column].is_integer():
            raise Problem(
                f"{path}: columns {dict(kinds)}; expected encoded images ('img') and integer labels "
                f"('{_HUB[name][1]}'), as on the Hugging Face hub"
            )
        if frame[label_column].null_count():
            raise Problem(f"{path}: inputs without a label in column {label_column!r}. {_AGAIN}")
        images = frame[image_column]
        encoded = images if kinds[image_column] == pl.Binary else images.struct.field("bytes")
        places = [f"{path}, row {row}" for row in range(len(frame))]
        return places, encoded.to_list(), frame[label_column].to_numpy().astype(np.int64)

    def read_split(split: str) -> Labelled:
        if not files[split]:
            raise Problem(f"{folder}: no {split} parquet file; half-downloaded. {_AGAIN}")
        places, encoded, labels = zip(*map(read_file, files[split]), strict=True)
        images = _decode(list(chain(*places)), list(chain(*encoded)).__getitem__)
        return images, np.concatenate(labels)

    return Found("parquet", read_split("train"), read_split("test"))


def _read_image_folder(folder: Path, label_names: list[str]) -> Found:
    def read_split(split: str) -> Labelled:
        root = folder / split
        if not root.is_dir():
            raise Problem(f"{folder}: has no {split}/ folder; half-filled. {_AGAIN}")
        missing = [label for label in label_names if not (root / label).is_dir()]
        if missing:
            raise Problem(f"{root}: no folder for label {some(missing)}; half-filled, or another data set. {_AGAIN}")
        paths = [
            sorted(path for path in (root / label).iterdir() if path.is_file() and not is_litter(path))
            for label in label_names
        ]
        folders = [path for path in root.iterdir() if path.is_dir() and not is_litter(path)]
        if others := sorted(path.name for path in folders if path.name not in label_names):
            raise Problem(f"{root}: folders of other labels, {some(others)}; --data folder takes images of any labels")
        empty = [label for label, found in zip(label_names, paths, strict=True) if not found]
        if empty:
            raise Problem(f"{root / empty[0]}: no images; half-filled. {_AGAIN}")
        flat = [path for of_label in paths for path in of_label]
        images = _decode(flat, lambda index: flat[index].read_bytes())
        return images, np.repeat(np.arange(len(paths)), [len(of_label) for of_label in paths])

    return Found("image folder", read_split("train"), read_split("test"))


def _decode(places: Sequence[Path | str], encoded: Callable[[int], bytes]) -> NDArray[np.uint8]:
    """(inputs, 32, 32, 3) from encoded images; `places` names them in messages."""
    from PIL import Image, UnidentifiedImageError

    images = np.empty((len(places), SIDE, SIDE, 3), np.uint8)

    def decode(index: int) -> None:
        try:
            with Image.open(io.BytesIO(encoded(index))) as image:
                size, depth = image.size, image.mode
                pixels = image.convert("RGB") if size == (SIDE, SIDE) else None
        except Exception as error:  # there is nothing that a damaged image may not raise
            what = "of no known kind" if isinstance(error, UnidentifiedImageError) else one_line(error)
            raise Problem(f"{places[index]}: not a readable image ({what}). {_AGAIN}") from error
        if pixels is None:
            raise Problem(f"{places[index]}: {size[0]}x{size[1]} pixels, expected {SIDE}x{SIDE}; scale it")
        if depth.startswith(("I", "F")):  # Pillow would cut its values off at 255
            raise Problem(f"{places[index]}: more than 8 bits a pixel; convert it to 8 bits")
        images[index] = np.asarray(pixels)

    progress = Progress("reading images", len(places))
    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(decode, range(len(places)), chunksize=256), 1):
            progress.step(done)
    progress.clear()
    return images


def is_litter(path: Path) -> bool:
    """What systems leave in every folder."""
    return path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini", "__macosx")
