"""What a data set is before anybody has read its pixels: its labels, and how many images each has."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from precompute.images import sources
from precompute.images.subsets import CIFAR10_LABELS, CIFAR100_LABELS, label_subset, superclasses
from precompute.messages.problem import Problem
from precompute.options import LAYOUTS, Options


@dataclass(frozen=True)
class Sizes:
    """What a plan needs to know of a data set."""

    n_labels: int
    train: int
    test: int
    image_shape: tuple[int, int, int] = (3, 32, 32)  # channels, height, width


class Outline(NamedTuple):
    """What a plan knows of a data set before anybody has read its pixels."""

    sizes: Sizes
    label_names: list[str]
    source: str  # where its images are, in words


_CIFAR_LABELS = {"cifar10": CIFAR10_LABELS, "cifar100": CIFAR100_LABELS}
_WHOLE = {  # images of each label that train and that test
    "digits": ([142, 146, 142, 146, 145, 145, 145, 143, 139, 144], [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]),
    "cifar10": ([5000] * 10, [1000] * 10),
    "cifar100": ([500] * 100, [100] * 100),
}


def is_here(options: Options) -> bool:
    """Whether `load` gets by without a download."""
    comes_or_stays = options.data == "digits" or options.data in LAYOUTS
    return comes_or_stays or options.data_dir is not None or sources.is_filled(_default_folder(options.data))


def missing_images(options: Options, there: Sizes) -> str:
    """What a data set lacks of the one that goes by its name, in words; "" where it is whole, or where anything is."""
    if options.data not in _WHOLE:
        return ""
    whole = _sizes(options, *_WHOLE[options.data])
    if (there.train, there.test) == (whole.train, whole.test):
        return ""
    return f"{there.train} + {there.test} images instead of {whole.train} + {whole.test}"


def outline(options: Options) -> Outline | None:
    """What can be known without pixels, and without a download; None where `load` does not take longer.

    Raises Problem, OSError.
    """
    if options.data not in _WHOLE:
        return None
    names = names_of(options.data)
    counts, source = _WHOLE[options.data], "read from scikit-learn"
    if options.data != "digits":
        source = "still to be downloaded"
        if is_here(options):
            found = sources.listed_in(options.data, cifar_folder(options), names)
            counts = tuple(
                np.bincount(part.labels, minlength=len(names)).tolist() for part in (found.train, found.test)
            )
            source = f"read from {found.form}"
    if options.per_label is not None:
        (train, test), (most, most_tested) = counts, options.per_label
        counts = [min(count, most) for count in train], [min(count, most_tested) for count in test]
    return Outline(_sizes(options, *counts), [names[label] for label in _chosen(options, names)], source)


def _sizes(options: Options, train: list[int], test: list[int]) -> Sizes:
    """Of the labels that are asked for, where each has so many images. Raises Problem."""
    chosen = _chosen(options, names_of(options.data))
    return Sizes(len(chosen), sum(train[label] for label in chosen), sum(test[label] for label in chosen))


def _chosen(options: Options, names: list[str]) -> list[int]:
    if options.labels is None:
        return list(range(len(names)))
    check_labels(options.data, options.labels, len(names))
    return label_subset(superclasses_of(options.data, names), options.labels, options.label_seed)


def names_of(data: str) -> list[str]:
    return [str(digit) for digit in range(10)] if data == "digits" else _CIFAR_LABELS[data]


def superclasses_of(data: str, names: list[str]) -> list[str]:
    return superclasses(names) if data == "cifar100" else [""] * len(names)


def cifar_folder(options: Options) -> Path:
    return _default_folder(options.data) if options.data_dir is None else options.data_dir


def _default_folder(name: str) -> Path:
    return Path("data") / name


def check_labels(name: str, wanted: int, there: int) -> None:
    if wanted > there:
        raise Problem(f"--labels {wanted}: {name} has {there} labels")
