"""Anybody's images: a folder a label, and the split into images to train on and images to test with.

DIR/train/LABEL/* and DIR/test/LABEL/*   (or val/, valid/ or validation/ in place of test/)
DIR/train/LABEL/* or DIR/LABEL/*         a fifth of each label is drawn to test with
"""

import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from precompute.images.sources import is_litter
from precompute.messages.problem import Problem
from precompute.messages.wording import some
from precompute.options import LAYOUTS, check_is_folder
from store.file.format import MAX_LABELS, MAX_NAME_BYTES

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pnm")
)
_TEST_SHARE = 5  # one image in so many
_TRAIN_FOLDERS = ("train", "training")
_TEST_FOLDERS = ("test", "testing", "val", "valid", "validation")

LabelledPaths = tuple[list[Path], NDArray[np.int64]]  # files, label by label; labels (inputs,)


class FoundFiles(NamedTuple):
    """What a folder held, and in which form."""

    form: str
    label_names: list[str]
    train: LabelledPaths
    test: LabelledPaths


def read(folder: Path, seed: int) -> FoundFiles:
    """Anybody's images. The seed draws the test images where there is no folder of them. Raises Problem, OSError."""
    check_folder(folder, "folder")
    train_folder = _part(folder, _TRAIN_FOLDERS) or folder
    test_folder = _part(folder, _TEST_FOLDERS)
    if test_folder is not None and train_folder == folder:
        raise Problem(f"{folder}: has {test_folder.name}/ with a folder a label, and no such train/. Add train/LABEL/*")
    by_label, ignored = _labels_of(train_folder)
    if test_folder is None:
        train, test = split(by_label, seed)
        form = f"image folder; a fifth of each label's images tests, drawn from seed {seed}"
    else:
        test_by_label, more_ignored = _labels_of(test_folder)
        _check_same(by_label, train_folder, test_folder, test_by_label)
        train, test = labelled(by_label), labelled(test_by_label)
        form, ignored = f"image folder with {train_folder.name}/ and {test_folder.name}/", ignored + more_ignored
    return FoundFiles(form + said_of_ignored(ignored), list(by_label), train, test)


def split(by_label: dict[str, list[Path]], seed: int) -> tuple[LabelledPaths, LabelledPaths]:
    """Draw a fifth of each label's images, at least one, to test with. Raises Problem where a label has only one.

    The draw depends on the seed, the label's name and the number of its images: other labels do not change it.
    """
    train, test = {}, {}
    for label, paths in by_label.items():
        if len(paths) < 2:
            raise Problem(f"{paths[0]}: the only image of {label!r}; a label needs one to train and one to test")
        n_test = max(1, (len(paths) + _TEST_SHARE // 2) // _TEST_SHARE)
        draw = np.random.default_rng([seed, zlib.crc32(label.encode())])
        drawn = np.zeros(len(paths), bool)
        drawn[draw.permutation(len(paths))[:n_test]] = True
        train[label] = [path for path, tests in zip(paths, drawn, strict=True) if not tests]
        test[label] = [path for path, tests in zip(paths, drawn, strict=True) if tests]
    return labelled(train), labelled(test)


def labelled(by_label: dict[str, list[Path]]) -> LabelledPaths:
    counts = [len(paths) for paths in by_label.values()]
    return [path for paths in by_label.values() for path in paths], np.repeat(np.arange(len(counts)), counts)


def images_in(folder: Path) -> tuple[list[Path], int]:
    """The image files of a folder by name, and how many other files and folders there are that are not hidden."""
    images, others = [], 0
    with os.scandir(folder) as entries:  # which knows a file from a folder without asking the disk for each
        for entry in entries:
            path = folder / entry.name
            if is_litter(path):
                continue
            if path.suffix.lower() in SUFFIXES and entry.is_file():
                images.append(path)
            elif path.suffix.lower() in SUFFIXES and not path.exists():
                nowhere = os.readlink(path)
                raise Problem(f"{path}: a link to {nowhere}, where nothing is. Restore the image, or remove it")
            else:
                others += 1
    return sorted(images, key=lambda path: path.name), others


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder by name, but hidden ones."""
    with os.scandir(folder) as entries:
        found = [folder / entry.name for entry in entries if entry.is_dir()]
    return sorted((path for path in found if not is_litter(path)), key=lambda path: path.name)


def check_folder(folder: Path, name: str) -> None:
    check_is_folder(folder)
    if all(is_litter(path) for path in folder.iterdir()):
        raise Problem(f"--data-dir {folder}: the folder is empty. Expected {LAYOUTS[name]}")


def said_of_ignored(count: int) -> str:
    return f"; {count} {'file that is no image' if count == 1 else 'files that are no images'} ignored" if count else ""


def _part(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The folder of the first of these names, in capitals or not, that holds folders: a label may be called so too."""
    places = {place.name.lower(): place for place in folders_in(folder)}
    return next((places[name] for name in names if name in places and folders_in(places[name])), None)


def _labels_of(folder: Path) -> tuple[dict[str, list[Path]], int]:
    """Label -> its images, and how many files are ignored."""
    places = folders_in(folder)
    beside, others = images_in(folder)
    if len(places) < 2:
        found = f"one folder, {places[0].name}/" if places else "no folders"
        found += f", and {len(beside)} images outside" if beside else ""
        raise Problem(f"{folder}: holds {found}; expected a folder of images for each label, at least 2")
    if len(places) > MAX_LABELS:
        raise Problem(f"{folder}: holds {len(places)} folders, one a label; a result has room for {MAX_LABELS}")
    by_label = {}
    ignored = len(beside) + others - len(places)
    for place in places:
        _check_name(place)
        by_label[place.name], of_label = images_in(place)
        ignored += of_label
        if not by_label[place.name]:
            what = f"none of its {of_label} files is an image (by its suffix)" if of_label else "it is empty"
            raise Problem(f"{place}: no images of label {place.name!r}: {what}. Fill the folder, or remove it")
    return by_label, ignored


def _check_name(place: Path) -> None:
    try:
        size = len(place.name.encode())
    except UnicodeEncodeError:
        raise Problem(f"{str(place)!a}: the name is not in UTF-8; rename the folder") from None
    if size > MAX_NAME_BYTES or not place.name.isprintable():
        raise Problem(
            f"{str(place)!a}: the folder's name is the label's; rename it to at most {MAX_NAME_BYTES} bytes "
            "that can be printed"
        )


def _check_same(
    train: dict[str, list[Path]], train_folder: Path, test_folder: Path, test: dict[str, list[Path]]
) -> None:
    for wanted, there, place in ((train, test, test_folder), (test, train, train_folder)):
        missing = [label for label in wanted if label not in there]
        if missing:
            raise Problem(
                f"{place}: no folder for label {some(missing)}; {train_folder.name}/ and {test_folder.name}/ must have "
                "the same"
            )
