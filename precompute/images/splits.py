"""Which images train and which test, where that is said by names of folders and files, or drawn."""

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from precompute.images.encoded import Encoded
from precompute.messages.problem import Problem
from store.file.format import MAX_NAME_BYTES

_TEST_SHARE = 5  # one image in so many
TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")


LabelledImages = tuple[Sequence[Encoded], NDArray[np.int64]]  # images, label by label; labels (inputs,)


class FoundFiles(NamedTuple):
    """What a folder held, and in which form."""

    form: str
    label_names: list[str]
    train: LabelledImages
    test: LabelledImages


def split(by_label: Mapping[str, Sequence[Encoded]], seed: int) -> tuple[LabelledImages, LabelledImages]:
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


def labelled(by_label: Mapping[str, Sequence[Encoded]]) -> LabelledImages:
    counts = [len(paths) for paths in by_label.values()]
    return [path for paths in by_label.values() for path in paths], np.repeat(np.arange(len(counts)), counts)


def check_label_name(name: str, where: str, what: str) -> None:
    """Raises Problem where a result cannot hold it. what: what the name is, and how to mend it."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise Problem(f"{where}: the name is not in UTF-8; rename {what}") from None
    if not name or size > MAX_NAME_BYTES or not name.isprintable():
        raise Problem(
            f"{where}: {what}'s name is the label's; rename it to at most {MAX_NAME_BYTES} bytes that can be printed"
        )
