"""What files of many images held: parts, and the labels' names where a file says them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from precompute.images.encoded import Encoded
from precompute.images.splits import TEST_NAMES, TRAIN_NAMES, FoundFiles, check_label_name, labelled, split
from precompute.messages.problem import Problem
from precompute.messages.wording import counted, some
from store.file.format import MAX_LABELS

WHOLE = ""  # the part of files that say neither train nor test


@dataclass(frozen=True)
class Part:
    """Images and their labels, in the files' order: numbers, or names."""

    images: list[Encoded]
    labels: NDArray[np.int64] | list[str]


@dataclass(frozen=True)
class StoredSet:
    """The parts of a data set by their names: train, test, val, ... or `WHOLE`."""

    form: str
    parts: dict[str, Part]
    label_names: list[str] | None  # by number, as the files say; None where they do not

    def of(self, names: Sequence[str]) -> str | None:
        """The first part that is there, of these names."""
        return next((name for name in names if name in self.parts), None)


def part_of(path: Path, folder: Path) -> str:
    """Which part a file holds, by its name or those of the folders above it; `WHOLE` where they do not say."""
    relative = path.relative_to(folder)
    known = (*TRAIN_NAMES, *TEST_NAMES)
    for name in reversed(relative.with_suffix("").parts):
        words = re.findall(r"[a-z]+", name.lower())
        if said := next((word for word in words if word in known), None):
            return "train" if said in TRAIN_NAMES else said
    return next((part for part in ("train", "test", "val") if part in relative.name.lower()), WHOLE)


def by_part(files: Sequence[Path], folder: Path) -> dict[str, list[Path]]:
    """Raises Problem where some say what they hold, and others do not."""
    parts: dict[str, list[Path]] = {}
    for path in files:
        parts.setdefault(part_of(path, folder), []).append(path)
    if WHOLE in parts and len(parts) > 1:
        others = some(sorted(name for name in parts if name != WHOLE))
        raise Problem(
            f"{parts[WHOLE][0]}: says in its name neither train nor test, and other files do ({others}). Rename it, or "
            "move it elsewhere"
        )
    return parts


def join(parts: Sequence[Part]) -> Part:
    """One after the other. Raises Problem where some have numbers for labels and others names."""
    images = [image for part in parts for image in part.images]
    names = [label for part in parts if isinstance(part.labels, list) for label in part.labels]
    numbers = [part.labels for part in parts if not isinstance(part.labels, list)]
    if names and numbers:
        raise Problem(f"{images[0]}: labels are names in some files of the data set and numbers in others")
    return Part(images, names if names or not numbers else np.concatenate(numbers))


def as_labelled(found: StoredSet, folder: Path, seed: int) -> FoundFiles:
    """Images that train and that test, by label. Raises Problem.

    A part whose inputs have no labels (-1, as of the test images of a contest) does not test. Where there is no part to
    test with, a fifth of each label is drawn.
    """
    train_name = found.of(("train", WHOLE))
    tests = [name for name in TEST_NAMES if name in found.parts and not _unlabelled(found.parts[name])]
    if train_name is None:
        raise Problem(f"{folder}: {found.form} of {', '.join(found.parts)}, and none of train")
    used = [train_name, *tests[:1]]
    by_label = _by_label(found, used, folder)
    empty = [label for label, images in by_label[train_name].items() if not images]
    if found.label_names is not None and tests:  # names of labels without any image are names alone
        empty = [label for label in empty if not by_label[tests[0]][label]]
    elif found.label_names is None:
        empty = []
    names = [label for label in by_label[train_name] if label not in empty]
    if not 2 <= len(names) <= MAX_LABELS:
        raise Problem(f"{folder}: images of {counted(len(names), 'label')}; expected 2 to {MAX_LABELS}")
    for name in used:
        lacking = [label for label in names if not by_label[name][label]]
        if lacking:
            raise Problem(f"{folder}: its part {name or 'of all images'} has no images of label {some(lacking)}")
    for name in names:
        check_label_name(name, f"{folder}: label {name!a}", "the label")
    form = found.form
    if tests:
        train, test = (labelled({label: by_label[name][label] for label in names}) for name in used)
        form += f", {train_name} and {tests[0]}"
    else:
        train, test = split({label: by_label[train_name][label] for label in names}, seed)
        form += f"; a fifth of each label's images tests, drawn from seed {seed}"
    form += f"; {counted(len(empty), 'label')} without images left out" if empty else ""
    unused = [
        f"{name} with {counted(len(part.images), 'image')}" for name, part in found.parts.items() if name not in used
    ]
    form += f"; not used: {', '.join(unused)}" if unused else ""
    return FoundFiles(form, names, train, test)


def _unlabelled(part: Part) -> bool:
    return not isinstance(part.labels, list) and len(part.labels) > 0 and bool((part.labels < 0).all())


def _by_label(found: StoredSet, used: Sequence[str], folder: Path) -> dict[str, dict[str, list[Encoded]]]:
    """Part -> label's name -> images, all labels in one order: that of the files' names, of numbers, or of letters."""
    labels = {name: found.parts[name].labels for name in used}
    for name, of_part in labels.items():
        if not isinstance(of_part, list) and len(of_part) and of_part.min() < 0:
            row = int((of_part < 0).argmax())
            raise Problem(
                f"{found.parts[name].images[row]}: has the label {of_part[row]}, which means that it has none"
            )
    if found.label_names is not None:
        order = found.label_names
        highest = max((int(np.max(one)) for one in labels.values() if len(one)), default=0)
        if highest >= len(order):
            raise Problem(f"{folder}: has a label {highest}, and names of {len(order)} only ({some(order)})")
        named = {name: [order[int(label)] for label in one] for name, one in labels.items()}
    else:
        values = sorted(
            {label for one in labels.values() for label in (one if isinstance(one, list) else one.tolist())}
        )
        order = [str(value) for value in values]
        named = {name: [str(label) for label in one] for name, one in labels.items()}
    result: dict[str, dict[str, list[Encoded]]] = {name: {label: [] for label in order} for name in used}
    for name in used:
        for image, label in zip(found.parts[name].images, named[name], strict=True):
            result[name][label].append(image)
    return result
