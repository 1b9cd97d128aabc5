"""ImageNet's 50,000 validation images, in the three layouts that people have, and the paper's split of them.

class folders      DIR/val/nXXXXXXXX/*.JPEG or DIR/nXXXXXXXX/*.JPEG
flat, official     DIR/val/ILSVRC2012_val_*.JPEG, DIR/ILSVRC2012_devkit_t12/data/{meta.mat, ..._ground_truth.txt}
flat, Kaggle's     DIR/ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_*.JPEG, DIR/LOC_val_solution.csv

"10,000 images, 10 images per label, were selected out of the validation set as the test dataset and the remaining
40,000 as training images" (supplement).
"""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from precompute.images.class_folders import check_folder, said_of_ignored
from precompute.images.splits import FoundFiles, split
from precompute.images.walk import folders_in, images_below, images_in
from precompute.messages.problem import Problem, one_line
from precompute.messages.wording import counted
from precompute.options import LAYOUTS

N_LABELS = 1000
A_LABEL = 50  # validation images
_IMAGE_FOLDERS = ("val", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val", "ILSVRC2012_img_val", ".")
_SYNSET = re.compile(r"n\d{8}")
_NUMBERED = re.compile(r"ILSVRC2012_val_(\d{8})")
_DEVKIT = "ILSVRC2012_devkit_t12/data"
_TRUTH, _META, _CSV = "ILSVRC2012_validation_ground_truth.txt", "meta.mat", "LOC_val_solution.csv"


@dataclass(frozen=True)
class Synset:
    """One of ImageNet's labels."""

    index: int  # among the 1,000 in the order that pretrained networks use, which is that of their ids
    name: str


def read(folder: Path, seed: int) -> tuple[FoundFiles, list[int]]:
    """The images and the labels' indices among the 1,000. The seed draws the split. Raises Problem, OSError."""
    check_folder(folder, "imagenet")
    layout, by_synset, ignored = _by_synset(folder)
    known = synsets()
    for synset, paths in by_synset.items():
        if synset not in known:
            raise Problem(f"{paths[0]}: {synset} is none of ImageNet's 1,000 labels (ILSVRC2012). {_OTHERS}")
    _check_counts(folder, by_synset)
    by_synset = dict(sorted(by_synset.items()))
    train, test = split(by_synset, seed)
    chosen = [known[synset] for synset in by_synset]
    form = f"validation images as {layout}, {_said_of_counts(by_synset)}, drawn from seed {seed}"
    found = FoundFiles(form + ignored, [synset.name for synset in chosen], train, test)
    return found, [synset.index for synset in chosen]


def synsets() -> dict[str, Synset]:
    """Id -> label, for all 1,000: the first of the synset's words, and the id where two labels share it (crane)."""
    from timm.data.imagenet_info import ImageNetInfo

    known = ImageNetInfo()
    ids: list[str] = known.label_names()  # type: ignore[no-untyped-call]
    words = [known.index_to_description(index).split(",")[0].strip() for index in range(len(ids))]
    shared = Counter(words)
    names = [f"{word} ({key})" if shared[word] > 1 else word for key, word in zip(ids, words, strict=True)]
    return {key: Synset(index, name) for index, (key, name) in enumerate(zip(ids, names, strict=True))}


_OTHERS = "Images of other labels, or other numbers of them, are read by --data folder"


def _by_synset(folder: Path) -> tuple[str, dict[str, list[Path]], str]:
    """The layout in words, synset id -> its images by name, and what was ignored, in words."""
    for place in [folder / name for name in _IMAGE_FOLDERS]:
        if not place.is_dir():
            continue
        places = [path for path in folders_in(place) if _SYNSET.fullmatch(path.name)]
        images, others = images_in(place)
        flat = [path for path in images if _NUMBERED.fullmatch(path.stem)]
        if places and flat:
            raise Problem(f"{place}: holds class folders and {len(flat)} images outside them; half-sorted: {flat[0]}")
        if places:
            by_synset, n_ignored = {}, 0
            for path in places:
                below = images_below(path)
                by_synset[path.name] = below.images
                n_ignored += below.others
                if not by_synset[path.name]:
                    raise Problem(f"{path}: no images; half-filled. Unpack it again, or remove the folder")
            return "class folders", by_synset, said_of_ignored(n_ignored)
        if flat:
            layout, synset_of = _truth(folder, place)
            by_synset = {}
            for path in flat:
                by_synset.setdefault(_synset_of(path, layout, synset_of), []).append(path)
            strangers = len(images) - len(flat)
            ignored = f"; {counted(strangers, 'image')} of another name ignored" if strangers else ""
            return layout, by_synset, ignored + said_of_ignored(others if place != folder else 0)
    raise Problem(f"--data-dir {folder}: holds no validation images of ImageNet. Expected {LAYOUTS['imagenet']}")


def _synset_of(path: Path, layout: str, synset_of: dict[str, str]) -> str:
    try:
        return synset_of[path.stem]
    except KeyError:
        raise Problem(f"{path}: {layout} has no label for it; damaged, or another image's name") from None


def _truth(folder: Path, images: Path) -> tuple[str, dict[str, str]]:
    """What says which image is what, in words, and image -> synset id."""
    places = [folder / _DEVKIT, folder / "data", folder, images, images / _DEVKIT]
    solution = next((place / _CSV for place in (folder, images, images.parent) if (place / _CSV).is_file()), None)
    if solution is not None:
        return f"flat files with Kaggle's {_CSV}", _read_csv(solution)
    truth = next((place / _TRUTH for place in places if (place / _TRUTH).is_file()), None)
    if truth is None:
        raise Problem(
            f"{images}: images without labels. Unpack ILSVRC2012_devkit_t12.tar.gz so that there is "
            f"{folder / _DEVKIT / _TRUTH}, or put Kaggle's {_CSV} at {folder / _CSV}"
        )
    meta = truth.with_name(_META)
    if not meta.is_file():
        raise Problem(
            f"{meta}: missing; without it nobody knows what the numbers in {_TRUTH} mean. "
            f"It is in ILSVRC2012_devkit_t12.tar.gz, in data/"
        )
    return "flat files with the official ground truth", _read_truth(truth, _read_meta(meta))


def _read_truth(path: Path, synset_of_id: dict[int, str]) -> dict[str, str]:
    """One number a line, for image 1, 2, ... The numbers are ILSVRC2012's own, in another order than the synsets."""
    found = {}
    for number, line in enumerate(path.read_text("utf-8", "replace").split(), start=1):
        if not line.isdecimal() or int(line) not in synset_of_id:
            raise Problem(f"{path}, line {number}: {line[:40]!r}, expected the number of a label; damaged")
        found[f"ILSVRC2012_val_{number:08}"] = synset_of_id[int(line)]
    return found


def _read_meta(path: Path) -> dict[int, str]:
    """ILSVRC2012's numbers of the labels -> synset ids. The numbers above the labels' are of synsets above them."""
    from scipy.io import loadmat  # type: ignore[import-untyped]

    content = io.BytesIO(path.read_bytes())
    try:
        table = loadmat(content, squeeze_me=True, variable_names=["synsets"])["synsets"]
        rows = zip(table["ILSVRC2012_ID"], table["WNID"], table["num_children"], strict=True)
        found = {int(number): str(synset) for number, synset, children in rows if int(children) == 0}
    except Exception as error:  # there is nothing that a damaged file may not raise
        raise Problem(f"{path}: damaged, or not ILSVRC2012's ({one_line(error)}). Unpack it again") from error
    return found


def _read_csv(path: Path) -> dict[str, str]:
    """ImageId,PredictionString: "ILSVRC2012_val_00048981,n03995372 85 1 499 272", one synset, maybe several boxes."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        lines = csv.DictReader(stream)
        found = {}
        for line in lines:
            image, prediction = line.get("ImageId"), line.get("PredictionString")
            synset = (prediction or "").split(" ")[0]
            if not image or not _SYNSET.fullmatch(synset):
                raise Problem(
                    f"{path}, line {lines.line_num}: {image!r}, {prediction!r}; expected ImageId and PredictionString, "
                    "which begins with a synset such as n01440764"
                )
            found[image] = synset
    return found


def _check_counts(folder: Path, by_synset: dict[str, list[Path]]) -> None:
    """All 1,000 labels have 50 images each; fewer labels are somebody's choice, which may have other numbers."""
    if len(by_synset) < 2:
        raise Problem(f"{folder}: images of one label, {next(iter(by_synset))}; at least 2 are needed. {_OTHERS}")
    if len(by_synset) < N_LABELS:
        return
    for synset, paths in by_synset.items():
        if len(paths) != A_LABEL:
            raise Problem(
                f"{paths[0].parent}: {len(paths)} images of {synset}, expected {A_LABEL}: half-filled, or not the "
                f"validation images. {_OTHERS}"
            )


def _said_of_counts(by_synset: dict[str, list[Path]]) -> str:
    counts = np.array([len(paths) for paths in by_synset.values()])
    if (counts == A_LABEL).all():
        text = "40 a label to train and 10 to test"
    else:
        text = f"{counts.min()} to {counts.max()} a label, of which a fifth tests"
    if len(by_synset) == N_LABELS:
        return text
    return f"A SUBSET, {len(by_synset)} of the 1,000 labels: {text}"
