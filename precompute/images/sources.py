"""Where images come from: a download, or a folder in one of the forms that people have.

pickles       cifar-100-python/{train,test} or cifar-10-batches-py/{data_batch_1..5,test_batch}: torchvision's
binary        cifar-100-binary/{train,test}.bin or cifar-10-batches-bin/*.bin
stored        *train* and *test* files of many encoded images, such as the Hugging Face hub's parquet (see `stored`)
image folder  train/LABEL/* and test/LABEL/*
"""

import io
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from precompute.images import cifar_binary, cifar_pickles
from precompute.images.decoded import DecodedImages
from precompute.images.encoded import Encoded, file_of
from precompute.images.stored import reading
from precompute.images.stored.found import StoredSet
from precompute.images.walk import is_litter
from precompute.messages.problem import Problem, one_line
from precompute.messages.progress import Progress
from precompute.messages.wording import some
from precompute.options import check_is_folder

SIDE = 32
_HUB = {  # data set -> folder on the hub, its column of labels
    "cifar10": ("hf://datasets/uoft-cs/cifar10/plain_text", "label"),
    "cifar100": ("hf://datasets/uoft-cs/cifar100/cifar100", "fine_label"),
}
_AGAIN = "Unpack or download it again"

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images (inputs, 32, 32, 3), labels (inputs,)


class Found(NamedTuple):
    """What a folder held, and in which form."""

    form: str
    train: Labelled
    test: Labelled


class Part(NamedTuple):
    """A split whose labels are known. pixels: reads its images; kept: where those of many files may be kept."""

    labels: NDArray[np.int64]
    pixels: Callable[[DecodedImages | None], NDArray[np.uint8]]


class Listed(NamedTuple):
    """What a folder holds, and in which form: labels, before pixels."""

    form: str
    train: Part
    test: Part


def is_filled(folder: Path) -> bool:
    """Whether there is anything in the folder; what is hidden, such as a broken-off download, does not count."""
    return folder.is_dir() and not all(is_litter(path) for path in folder.iterdir())


def read(name: str, folder: Path, label_names: list[str], kept: DecodedImages | None = None) -> Found:
    """Read a data set from a folder, in whichever form it is there. Raises Problem."""
    listed = listed_in(name, folder, label_names)
    return Found(listed.form, *((part.pixels(kept), part.labels) for part in (listed.train, listed.test)))


def listed_in(name: str, folder: Path, label_names: list[str]) -> Listed:
    """What a data set's folder holds, in whichever form: images that lie in many files are not opened yet.

    Raises Problem.
    """
    expected = (
        f"Expected {cifar_pickles.FOLDERS[name]}/ (torchvision's), {name}'s binary version, images as train/LABEL/* "
        f"and test/LABEL/*, or train and test of {reading.FORMS}"
    )
    check_is_folder(folder)
    if not is_filled(folder):
        raise Problem(f"--data-dir {folder}: the folder is empty. {expected}")
    pickles, binary = cifar_pickles.folder_in(name, folder), cifar_binary.files_in(name, folder)
    if pickles is not None:
        found = _list_pickles(name, pickles, label_names)
    elif binary:
        found = _list_binary(name, binary, label_names)
    elif any((folder / split / label).is_dir() for split in ("train", "test") for label in label_names):
        found = _list_image_folder(folder, label_names)
    elif (stored := reading.read(folder, (_HUB[name][1], "label"), texts=False)) is not None:
        found = _list_stored(name, folder, stored, label_names)
    elif (folder / "train").is_dir() or (folder / "test").is_dir():
        found = _list_image_folder(folder, label_names)
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
                    f"{one_line(error)!r}. Without a network, put {cifar_pickles.FOLDERS[name]}/ or the hub's parquet "
                    "files into a folder and name it with --data-dir"
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
    return folder / cifar_pickles.FOLDERS[name]


def _check_whole(folder: Path, found: Listed, label_names: list[str]) -> None:
    """CIFAR has as many inputs of each label; a folder that has not was filled by half."""
    for split, part in (("train", found.train), ("test", found.test)):
        labels = part.labels
        if not len(labels):
            raise Problem(f"{folder}: {split} holds no images. {_AGAIN}")
        if labels.min() < 0 or labels.max() >= len(label_names):
            raise Problem(
                f"{folder}: {split} has labels {labels.min()} to {labels.max()}, expected 0 to {len(label_names) - 1}; "
                f"damaged, or another data set. {_AGAIN}"
            )
        counts = np.bincount(labels, minlength=len(label_names))
        if counts.min() != counts.max():
            part.pixels(None)  # a file that is no image may be the reason, and is named here
            least, most = label_names[int(counts.argmin())], label_names[int(counts.argmax())]
            raise Problem(
                f"{folder}: half-filled: {split} has {counts.min()} images of {least!r} and {counts.max()} of "
                f"{most!r}. {_AGAIN}"
            )


def _list_pickles(name: str, folder: Path, label_names: list[str]) -> Listed:
    names = cifar_pickles.names_in(name, folder)

    def part_of(split: str) -> Part:
        parts = [cifar_pickles.read(name, path) for path in cifar_pickles.files(name, folder)[split]]
        labels = _by_name(name, folder, np.concatenate([labels for _, labels in parts]), names, label_names)
        return Part(labels, lambda _: np.concatenate([images for images, _ in parts]))

    return Listed("torchvision's pickles", part_of("train"), part_of("test"))


def _list_binary(name: str, files: dict[str, list[Path]], label_names: list[str]) -> Listed:
    def part_of(split: str) -> Part:
        if not files[split]:
            raise Problem(f"{files['train' if split == 'test' else 'test'][0].parent}: no {split}*.bin. {_AGAIN}")
        parts = [cifar_binary.read(name, path) for path in files[split]]
        labels = np.concatenate([labels for _, labels in parts])
        names = cifar_binary.names_beside(name, files[split][0])
        labels = _by_name(name, files[split][0], labels, names, label_names)
        return Part(labels, lambda _: np.concatenate([images for images, _ in parts]))

    return Listed("CIFAR's binary version", part_of("train"), part_of("test"))


def _list_stored(name: str, folder: Path, found: StoredSet, label_names: list[str]) -> Listed:
    def part_of(split: str) -> Part:
        part = found.parts.get(split)
        if part is None:
            what = "parquet file" if found.form == "parquet" else f"part ({found.form})"
            raise Problem(f"{folder}: no {split} {what}; half-downloaded. {_AGAIN}")
        labels = _by_name(name, folder, np.asarray(part.labels, np.int64), found.label_names, label_names)
        return Part(labels, partial(_decoded, split, part.images))

    return Listed(found.form, part_of("train"), part_of("test"))


def _by_name(
    name: str, place: Path, labels: NDArray[np.int64], theirs: list[str] | None, ours: list[str]
) -> NDArray[np.int64]:
    """Labels by our numbers. The names in a file win: it may number them in another order. Raises Problem."""
    if theirs is None or theirs == ours:
        return labels
    if sorted(theirs) != sorted(ours):
        odd = [label for label in theirs if label not in ours] or [label for label in ours if label not in theirs]
        raise Problem(
            f"{place}: names {len(theirs)} labels ({some(theirs)}), and {name} has {len(ours)}; {some(odd)} is not in "
            "both. It is another data set: --data folder takes images of any labels"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(theirs):
        return labels  # which `_check_whole` refuses
    return np.array([ours.index(label) for label in theirs], np.int64)[labels]


def _list_image_folder(folder: Path, label_names: list[str]) -> Listed:
    def part_of(split: str) -> Part:
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
        labels = np.repeat(np.arange(len(paths)), [len(of_label) for of_label in paths])
        return Part(labels, partial(_decoded, split, flat))

    return Listed("image folder", part_of("train"), part_of("test"))


def _decoded(split: str, images: Sequence[Encoded], kept: DecodedImages | None) -> NDArray[np.uint8]:
    if kept is None:
        return _decode(images)
    files = list(dict.fromkeys(map(file_of, images)))
    return kept.of(split, files, (len(images), SIDE, SIDE, 3), lambda: _decode(images))


def _decode(encoded: Sequence[Encoded]) -> NDArray[np.uint8]:
    """(inputs, 32, 32, 3)"""
    from PIL import Image, UnidentifiedImageError

    images = np.empty((len(encoded), SIDE, SIDE, 3), np.uint8)

    def decode(index: int) -> None:
        try:
            with Image.open(io.BytesIO(encoded[index].read_bytes())) as image:
                size, depth = image.size, image.mode
                pixels = image.convert("RGB") if size == (SIDE, SIDE) else None
        except Exception as error:  # there is nothing that a damaged image may not raise
            what = "of no known kind" if isinstance(error, UnidentifiedImageError) else one_line(error)
            raise Problem(f"{encoded[index]}: not a readable image ({what}). {_AGAIN}") from error
        if pixels is None:
            raise Problem(f"{encoded[index]}: {size[0]}x{size[1]} pixels, expected {SIDE}x{SIDE}; scale it")
        if depth.startswith(("I", "F")):  # Pillow would cut its values off at 255
            raise Problem(f"{encoded[index]}: more than 8 bits a pixel; convert it to 8 bits")
        images[index] = np.asarray(pixels)

    progress = Progress("reading images", len(encoded))
    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(decode, range(len(encoded)), chunksize=256), 1):
            progress.step(done)
    progress.clear()
    return images
