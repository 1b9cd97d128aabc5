"""Anybody's images: a folder a label, and the split into images to train on and images to test with.

DIR/train/LABEL/* and DIR/test/LABEL/*   (or val/, valid/ or validation/ in place of test/)
DIR/train/LABEL/* or DIR/LABEL/*         a fifth of each label is drawn to test with

An image may lie in a folder below its label's: Tiny ImageNet has train/LABEL/images/*, and val/ with a list of labels.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from precompute.images.splits import TEST_NAMES, TRAIN_NAMES, FoundFiles, check_label_name, labelled, split
from precompute.images.tiny_imagenet import ANNOTATIONS, annotated
from precompute.images.walk import Below, folders_in, images_below, images_in, is_litter
from precompute.messages.problem import Problem
from precompute.messages.wording import counted, some
from precompute.options import LAYOUTS, check_is_folder
from store.file.format import MAX_LABELS


@dataclass(frozen=True)
class _Labels:
    """The images of a folder of class folders, and what else there is."""

    by_label: dict[str, list[Path]]
    deeper: int  # images in folders below a label's
    outside: int  # images beside the labels' folders
    others: int  # files that are no images


def read(folder: Path, seed: int) -> FoundFiles:
    """Anybody's images. The seed draws the test images where there is no folder of them. Raises Problem, OSError."""
    check_folder(folder, "folder")
    train_folder = next(iter(_parts(folder, TRAIN_NAMES)), folder)
    test_folders = _parts(folder, TEST_NAMES)
    if test_folders and train_folder == folder:
        name = test_folders[0].name
        raise Problem(f"{folder}: has {name}/ with a folder a label, and no such train/. Add train/LABEL/*")
    found = _labels_of(train_folder)
    # Tiny ImageNet's test/images/* have no labels, and its val/ has.
    test_folder = next((place for place in test_folders if _tells_labels(place, found.by_label)), None)
    test_folder = test_folder or next(iter(test_folders), None)
    if test_folder is None:
        train, test = split(found.by_label, seed)
        form = f"image folder; a fifth of each label's images tests, drawn from seed {seed}"
        parts = [found]
    else:
        of_test = _annotated(test_folder) if _is_annotated(test_folder) else _labels_of(test_folder)
        _check_same(found.by_label, train_folder, test_folder, of_test.by_label)
        train = labelled(found.by_label)
        test = labelled({label: of_test.by_label[label] for label in found.by_label})
        form, parts = f"image folder with {train_folder.name}/ and {test_folder.name}/", [found, of_test]
    form += _said_of(parts)
    if train_folder != folder:
        form += _said_of_unused(folder, (train_folder, test_folder))
    return FoundFiles(form, list(found.by_label), train, test)


def is_here(folder: Path) -> bool:
    """Whether there are images in at least two class folders; looks no further than it must."""
    for place in (*_parts(folder, TRAIN_NAMES), folder):
        with_images = (label for label in folders_in(place) if images_below(label, 1).images)
        if next(with_images, None) and next(with_images, None):
            return True
    return False


def check_folder(folder: Path, name: str) -> None:
    check_is_folder(folder)
    if all(is_litter(path) for path in folder.iterdir()):
        raise Problem(f"--data-dir {folder}: the folder is empty. Expected {LAYOUTS[name]}")


def said_of_ignored(others: int, outside: int = 0) -> str:
    """Of files that are no images, and of images that belong to no label."""
    words = f"; {counted(outside, 'image')} outside the labels' folders ignored" if outside else ""
    return words + (
        f"; {counted(others, 'file')} that {'is no image' if others == 1 else 'are no images'} ignored"
        if others
        else ""
    )


def _said_of(parts: Sequence[_Labels]) -> str:
    deeper, outside, others = (sum(getattr(of, name) for of in parts) for name in ("deeper", "outside", "others"))
    words = f"; {counted(deeper, 'image')} in folders below a label's folder" if deeper else ""
    return words + said_of_ignored(others, outside)


def _said_of_unused(folder: Path, used: tuple[Path | None, ...]) -> str:
    """Folders beside train/ that hold images which a person may believe to be used."""
    unused = [(place, len(images_below(place).images)) for place in folders_in(folder) if place not in used]
    said = [f"{place.name}/ with {counted(n_images, 'image')}" for place, n_images in unused if n_images]
    return f"; not used: {', '.join(said)}" if said else ""


def _parts(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The folders of these names, in capitals or not, that hold folders: a label may be called so too."""
    places = {place.name.lower(): place for place in folders_in(folder)}
    return [places[name] for name in names if name in places and folders_in(places[name])]


def _tells_labels(place: Path, labels: dict[str, list[Path]]) -> bool:
    return _is_annotated(place) or any(_label_of(path) in labels for path in folders_in(place))


def _is_annotated(place: Path) -> bool:
    return (place / ANNOTATIONS).is_file()


def _annotated(folder: Path) -> _Labels:
    return _Labels(annotated(folder), deeper=0, outside=0, others=0)


def _label_of(folder: Path) -> str:
    """Its name. "é" may be one character or two; macOS and Linux write it differently, and it is one label."""
    return unicodedata.normalize("NFC", folder.name)


def _labels_of(folder: Path) -> _Labels:
    places = folders_in(folder)
    beside, others = images_in(folder)
    if len(places) < 2:
        found = f"one folder, {places[0].name}/" if places else "no folders"
        found += f", and {counted(len(beside), 'image')} outside" if beside else ""
        raise Problem(
            f"{folder}: holds {found}; expected a folder of images for each label, at least 2, or another "
            "form of docs/inputs.md"
        )
    if len(places) > MAX_LABELS:
        raise Problem(f"{folder}: holds {len(places)} folders, one a label; a result has room for {MAX_LABELS}")
    found_below: dict[str, list[Below]] = {}
    for place in places:
        check_label_name(place.name, f"{str(place)!a}", "the folder")
        _check_no_splits(place)
        below = images_below(place)
        if not below.images:
            files = (
                "its only file is no image" if below.others == 1 else f"none of its {below.others} files is an image"
            )
            what = f"{files} (by its suffix)" if below.others else "it is empty"
            raise Problem(f"{place}: no images of label {place.name!r}: {what}. Fill the folder, or remove it")
        found_below.setdefault(_label_of(place), []).append(below)
    labels = sorted(found_below.items())
    return _Labels(
        by_label={label: [path for below in parts for path in below.images] for label, parts in labels},
        deeper=sum(below.deeper for parts in found_below.values() for below in parts),
        outside=len(beside),
        others=others + sum(below.others for parts in found_below.values() for below in parts),
    )


def _check_no_splits(label: Path) -> None:
    """LABEL/train/* and LABEL/test/* would be mixed. Raises Problem."""
    below = [place.name for place in folders_in(label)]
    train, test = ([name for name in below if name.lower() in names] for names in (TRAIN_NAMES, TEST_NAMES))
    if train and test:
        raise Problem(
            f"{label}: holds {train[0]}/ and {test[0]}/; nobody can say whether they are parts of label {label.name!r} "
            f"or of a data set of its own. Expected {train[0]}/LABEL/* and {test[0]}/LABEL/*"
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
