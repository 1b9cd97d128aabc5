"""Small folders of image files: ImageNet's three layouts, and anybody's own. Every image has its own colour."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from precompute.messages.problem import Problem

# The order of the ids, that of ILSVRC2012's own numbers and that of the images are three different ones.
SYNSETS = {  # id -> ILSVRC2012's number
    "n01440764": 449,  # tench
    "n02012849": 381,  # crane, the bird
    "n03126707": 618,  # crane, the machine
    "n07753592": 2,  # banana
}
ABOVE = {"n00004258": 1001, "n02084071": 1002}  # synsets with others below them, which are no labels
Images = dict[int, str]  # number of a validation image -> synset


def mixed(a_label: int = 5, synsets: tuple[str, ...] = tuple(SYNSETS)) -> Images:
    """So many images of each label, in a random order."""
    order = np.random.default_rng(2).permutation(np.repeat(np.arange(len(synsets)), a_label))
    return {number: synsets[label] for number, label in enumerate(order.tolist(), start=1)}


def save(path: Path, number: int, size: tuple[int, int] = (12, 9)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number % 256, number // 256, 99)).save(path, "png")


def file_name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08}.JPEG"


def write_class_folders(folder: Path, images: Images, inside: str = "val") -> Path:
    for number, synset in images.items():
        save(folder / inside / synset / file_name(number), number)
    return folder


def write_official(folder: Path, images: Images, inside: str = "val") -> Path:
    for number in images:
        save(folder / inside / file_name(number), number)
    devkit = folder / "ILSVRC2012_devkit_t12" / "data"
    devkit.mkdir(parents=True)
    truth = [SYNSETS[images[number]] for number in sorted(images)]
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{number}\n" for number in truth))
    write_meta(devkit / "meta.mat", SYNSETS, ABOVE)
    return folder


def write_meta(path: Path, leaves: dict[str, int], above: dict[str, int]) -> None:
    """A struct array as in the development kit: 1,860 x 1 there, by number, with the synsets above at the end."""
    rows = sorted([(number, synset, 0) for synset, number in leaves.items()])
    rows += sorted([(number, synset, 2) for synset, number in above.items()])
    fields = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height")
    table = np.zeros((len(rows), 1), [(field, object) for field in (*fields, "num_train_images")])
    for row, (number, synset, n_children) in enumerate(rows):
        children = np.array([[449, 381]][:n_children], np.uint16)
        table[row, 0] = (float(number), synset, "some, words", "a gloss", float(n_children), children, 0.0, 1300.0)
    savemat(path, {"synsets": table}, do_compression=True)


def write_kaggle(folder: Path, images: Images) -> Path:
    for number in images:
        save(folder / "ILSVRC" / "Data" / "CLS-LOC" / "val" / file_name(number), number)
    with (folder / "LOC_val_solution.csv").open("w", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(["ImageId", "PredictionString"])
        for number, synset in sorted(images.items(), key=lambda item: -item[0]):
            lines.writerow([file_name(number).removesuffix(".JPEG"), f"{synset} 85 1 499 272 {synset} 3 4 5 6 "])
    (folder / "LOC_synset_mapping.txt").write_text("n01440764 tench, Tinca tinca\n")
    return folder


LAYOUTS = {
    "class folders": write_class_folders,
    "flat files with the official ground truth": write_official,
    "flat files with Kaggle's LOC_val_solution.csv": write_kaggle,
}


def write_folder(folder: Path, counts: dict[str, int], inside: str = "", first: int = 0) -> Path:
    """counts: label -> number of images, which are numbered from `first` on."""
    number = first
    for label, count in counts.items():
        (folder / inside / label).mkdir(parents=True)
        for _ in range(count):
            save(folder / inside / label / f"image {number:03}.png", number, (5 + number % 7, 6))
            number += 1
    return folder


def message(problem: Problem) -> str:
    """What a person is told, in one line."""
    assert "\n" not in str(problem)
    return str(problem)
