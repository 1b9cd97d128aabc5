"""Small data sets in files of many images, each as its own library writes it. Every image has its own colour."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

NAMES = ["zebra", "ant", "mole"]  # in an order that no sorting gives
SIDE = 8
Parts = dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]


def colours(counts: dict[str, int], side: int = SIDE) -> Parts:
    """Part -> so many images of each label, mixed; (inputs, side, side, 3) and labels (inputs,)."""
    parts, first = {}, 0
    for name, count in counts.items():
        labels = np.arange(count * len(NAMES)) * 2 % len(NAMES)
        number = first + np.arange(len(labels))
        pixels = np.stack([number, 255 - number, labels * 90], axis=1).astype(np.uint8)
        parts[name] = np.repeat(np.repeat(pixels[:, None, None], side, 1), side, 2), labels
        first += len(labels)
    return parts


TWO = {"train": 4, "test": 2}


def library(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says of itself when it is imported
        return pytest.importorskip(name)


def table(images: NDArray[np.uint8] | list[str], labels: NDArray[np.int64], names: list[str] = NAMES) -> Any:
    """A data set of Hugging Face's library. labels are numbers of names."""
    datasets = library("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    given = images if isinstance(images, list) else [Image.fromarray(image) for image in images]
    return datasets.Dataset.from_dict({"image": given, "label": labels.tolist()}, features=features)


def write_parquet(folder: Path, parts: Parts) -> Path:
    folder.mkdir(parents=True)
    for name, labelled in parts.items():
        table(*labelled).to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return folder


def write_saved(folder: Path, parts: Parts) -> Path:
    datasets = library("datasets")
    datasets.DatasetDict({name: table(*labelled) for name, labelled in parts.items()}).save_to_disk(str(folder))
    return folder


def write_shards(folder: Path, parts: Parts) -> Path:
    webdataset = library("webdataset")
    folder.mkdir(parents=True)
    for name, (images, labels) in parts.items():
        with webdataset.TarWriter(str(folder / f"{name}-000000.tar")) as shard:
            for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
                shard.write({"__key__": f"{number:05d}", "png": image, "cls": label})
    return folder


def write_npz(folder: Path, parts: Parts) -> Path:
    folder.mkdir(parents=True)
    for name, (images, labels) in parts.items():
        np.savez_compressed(folder / f"{name}.npz", images=images, labels=labels)
    return folder


WRITERS = {
    "parquet": write_parquet,
    "datasets' save_to_disk": write_saved,
    "WebDataset": write_shards,
    "NumPy arrays (.npz)": write_npz,
}
KEEP_NAMES = ("parquet", "datasets' save_to_disk")  # of labels
