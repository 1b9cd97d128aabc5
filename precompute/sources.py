"""Where images come from: a download, or a folder in one of the forms that people have.

pickles       cifar-100-python/{train,test} or cifar-10-batches-py/{data_batch_1..5,test_batch}: torchvision's
parquet       *train*.parquet and *test*.parquet with an image and a label column, as on the Hugging Face hub
image folder  train/LABEL/* and test/LABEL/*
"""

import io
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from precompute.options import Problem

SIDE = 32
_HUB = {  # data set -> folder on the hub, its column of labels
    "cifar10": ("hf://datasets/uoft-cs/cifar10/plain_text", "label"),
    "cifar100": ("hf://datasets/uoft-cs/cifar100/cifar100", "fine_label"),
}
_PICKLES = {  # data set -> folder, training files, test file, key of the labels
    "cifar10": ("cifar-10-batches-py", tuple(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "labels"),
    "cifar100": ("cifar-100-python", ("train",), "test", "fine_labels"),
}

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images (inputs, 32, 32, 3), labels (inputs,)


class Found(NamedTuple):
    """What a folder held, and in which form."""

    form: str
    train: Labelled
    test: Labelled


def is_filled(folder: Path) -> bool:
    """Whether there is anything in the folder."""
    return folder.is_dir() and any(folder.iterdir())


def read(name: str, folder: Path, label_names: list[str]) -> Found:
    """Read a data set from a folder, in whichever form it is there. Raises Problem."""
    if not folder.is_dir():
        raise Problem(f"--data-dir {folder}: no such folder")
    if not is_filled(folder):
        raise Problem(f"--data-dir {folder}: the folder is empty")
    pickles = _pickle_folder(name, folder)
    parquet = {split: sorted(folder.rglob(f"*{split}*.parquet")) for split in ("train", "test")}
    if pickles is not None:
        found = _read_pickles(name, pickles)
    elif parquet["train"] or parquet["test"]:
        found = _read_parquet(name, folder, parquet)
    elif (folder / "train").is_dir() or (folder / "test").is_dir():
        found = _read_image_folder(folder, label_names)
    else:
        raise Problem(
            f"--data-dir {folder}: holds no {name}. Expected {_PICKLES[name][0]}/ (torchvision's), train and test "
            "parquet files, or images as train/LABEL/* and test/LABEL/*"
        )
    _check_whole(folder, found, label_names)
    return found


def download(name: str, folder: Path) -> None:
    """Fill the folder from the Hugging Face hub, or, where that fails, as torchvision does. Raises Problem.

    The hub comes first because the university's server sends slowly.
    """
    import polars as pl

    url, label_column = _HUB[name]
    print(f"downloading {name} from {url} into {folder}/")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for split in ("train", "test"):
            frame = pl.read_parquet(f"{url}/{split}-*.parquet", columns=["img", label_column])
            partial = folder / f".{split}.parquet.tmp"
            frame.write_parquet(partial)
            partial.replace(folder / f"{split}.parquet")
        return
    except (OSError, pl.exceptions.PolarsError) as error:
        hub_error = " ".join(str(error).split())[:200]
    print(f"the hub does not answer ({hub_error}); trying torchvision's own download")
    import torchvision

    kind = {"cifar10": torchvision.datasets.CIFAR10, "cifar100": torchvision.datasets.CIFAR100}[name]
    try:
        kind(str(folder), download=True)
    except (OSError, RuntimeError) as error:
        raise Problem(
            f"{name} could not be downloaded: the hub said {hub_error!r}, the university's server "
            f"{str(error)[:200]!r}. Without a network, put {_PICKLES[name][0]}/ or the hub's parquet files into a "
            "folder and name it with --data-dir"
        ) from error
    finally:
        for partial in folder.glob(".*.tmp"):
            partial.unlink()


def _check_whole(folder: Path, found: Found, label_names: list[str]) -> None:
    """CIFAR has as many inputs of each label; a folder that has not was filled by half."""
    for split, (_, labels) in (("train", found.train), ("test", found.test)):
        counts = np.bincount(labels, minlength=len(label_names))
        if len(counts) > len(label_names):
            raise Problem(f"{folder}: {split}: label {len(counts) - 1} where there are only {len(label_names)} labels")
        if counts.min() != counts.max():
            least = label_names[int(counts.argmin())]
            raise Problem(
                f"{folder}: half-filled: {split} has {counts.min()} images of {least!r} and {counts.max()} of "
                f"{label_names[int(counts.argmax())]!r}. Unpack or download it again"
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
            images = np.asarray(content["data"], np.uint8).reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
            labels = np.asarray(content[label_key], np.int64)
        except FileNotFoundError:
            raise Problem(f"{path}: missing; the folder is half-filled. Unpack or download it again") from None
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise Problem(f"{path}: damaged, cut off, or not {name} ({error}). Download it again") from error
        if len(images) != len(labels):
            raise Problem(f"{path}: {len(images)} images and {len(labels)} labels; damaged. Download it again")
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


def _read_parquet(name: str, folder: Path, files: dict[str, list[Path]]) -> Found:
    import polars as pl

    def read_split(split: str) -> Labelled:
        if not files[split]:
            raise Problem(f"{folder}: no {split} parquet file; half-downloaded. Download it again")
        try:
            frame = pl.concat([pl.read_parquet(path) for path in files[split]])
        except (OSError, pl.exceptions.PolarsError) as error:
            raise Problem(f"{files[split][0]}: cut off or damaged ({str(error)[:200]}). Download it again") from error
        image_column = next((column for column in ("img", "image") if column in frame.columns), None)
        label_column = next((column for column in (_HUB[name][1], "label") if column in frame.columns), None)
        if image_column is None or label_column is None:
            raise Problem(
                f"{files[split][0]}: columns {frame.columns}; expected an image ('img') and a label ('{_HUB[name][1]}')"
            )
        encoded = frame[image_column].struct.field("bytes").to_list()
        images = _decode([f"{files[split][0]}, row {row}" for row in range(len(encoded))], encoded.__getitem__)
        return images, frame[label_column].to_numpy().astype(np.int64)

    return Found("parquet", read_split("train"), read_split("test"))


def _read_image_folder(folder: Path, label_names: list[str]) -> Found:
    def read_split(split: str) -> Labelled:
        root = folder / split
        if not root.is_dir():
            raise Problem(f"{folder}: has no {split}/ folder; half-filled. Unpack or download it again")
        missing = [label for label in label_names if not (root / label).is_dir()]
        if missing:
            raise Problem(f"{root}: no folder for label {', '.join(missing[:5])}{' ...' if missing[5:] else ''}")
        paths = [sorted(path for path in (root / label).iterdir() if path.is_file()) for label in label_names]
        empty = [label for label, found in zip(label_names, paths, strict=True) if not found]
        if empty:
            raise Problem(f"{root / empty[0]}: no images")
        flat = [path for of_label in paths for path in of_label]
        images = _decode(flat, lambda index: flat[index].read_bytes())
        return images, np.repeat(np.arange(len(paths)), [len(of_label) for of_label in paths])

    return Found("image folder", read_split("train"), read_split("test"))


def _decode(places: Sequence[Path | str], encoded: Callable[[int], bytes]) -> NDArray[np.uint8]:
    """(inputs, 32, 32, 3) from encoded images; `places` names them in messages."""
    from PIL import Image

    images = np.empty((len(places), SIDE, SIDE, 3), np.uint8)

    def decode(index: int) -> None:
        try:
            with Image.open(io.BytesIO(encoded(index))) as image:
                pixels = image.convert("RGB")
        except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:
            raise Problem(f"{places[index]}: not a readable image ({error})") from error
        if pixels.size != (SIDE, SIDE):
            width, height = pixels.size
            raise Problem(f"{places[index]}: {width}x{height} pixels, expected {SIDE}x{SIDE}")
        images[index] = np.asarray(pixels)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(decode, range(len(places)), chunksize=256):
            pass
    return images
