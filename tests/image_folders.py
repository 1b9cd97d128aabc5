"""Tiny data sets in every form that `--data-dir` takes. All hold the same images in the same order: label by label."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from precompute.images.sources import Found, Labelled, read
from precompute.images.subsets import CIFAR10_LABELS, CIFAR100_LABELS

NAMES = {"cifar10": CIFAR10_LABELS, "cifar100": CIFAR100_LABELS}
LABEL_KEYS = {"cifar10": "labels", "cifar100": "fine_labels"}  # of the pickles
LABEL_COLUMNS = {"cifar10": "label", "cifar100": "fine_label"}  # of the hub's parquet files

Splits = dict[str, Labelled]


def tiny(name: str, train: int = 5, test: int = 2, seed: int = 0) -> Splits:
    """So many noisy images a label; each label has its own brightness, so that there is something to learn."""
    random = np.random.default_rng(seed)

    def split(per_label: int) -> Labelled:
        labels = np.repeat(np.arange(len(NAMES[name])), per_label)
        noise = random.integers(0, 128, (len(labels), 32, 32, 3))
        return (noise + labels[:, None, None, None] * 127 // len(NAMES[name])).astype(np.uint8), labels

    return {"train": split(train), "test": split(test)}


def png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def write_image_folder(folder: Path, name: str, splits: Splits) -> Path:
    for split, (images, labels) in splits.items():
        for label in NAMES[name]:
            (folder / split / label).mkdir(parents=True, exist_ok=True)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            (folder / split / NAMES[name][label] / f"{number:05}.png").write_bytes(png(image))
    return folder


def parquet_frame(name: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> pl.DataFrame:
    """As the hub has it."""
    encoded = [{"bytes": png(image), "path": None} for image in images]
    kind = pl.Struct({"bytes": pl.Binary, "path": pl.String})
    frame = pl.DataFrame({"img": pl.Series(encoded, dtype=kind), LABEL_COLUMNS[name]: labels})
    return frame.with_columns(pl.lit(0).alias("coarse_label")) if name == "cifar100" else frame


def write_parquet(folder: Path, name: str, splits: Splits) -> Path:
    (folder / "plain_text").mkdir(parents=True)
    for split, labelled in splits.items():
        parquet_frame(name, *labelled).write_parquet(folder / "plain_text" / f"{split}-00000-of-00001.parquet")
    return folder


def write_pickles(folder: Path, name: str, splits: Splits) -> Path:
    """torchvision's folder; of CIFAR-10, with the training images in five files."""
    if name == "cifar100":
        root, files = folder / "cifar-100-python", {"train": ["train"], "test": ["test"]}
    else:
        root = folder / "cifar-10-batches-py"
        files = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}
    root.mkdir(parents=True)
    for split, (images, labels) in splits.items():
        rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)  # all red values, all green, all blue
        parts = len(files[split])
        for file, part, of_part in zip(
            files[split], np.array_split(rows, parts), np.array_split(labels, parts), strict=True
        ):
            content = {
                "batch_label": f"{split}ing batch",
                LABEL_KEYS[name]: of_part.tolist(),
                "data": part,
                "filenames": [f"{row}.png" for row in range(len(part))],
            }
            (root / file).write_bytes(python2_pickle(content))
    return folder


WRITERS = {
    "image folder": write_image_folder,
    "parquet": write_parquet,
    "torchvision's pickles": write_pickles,
}


def written(folder: Path, form: str, name: str = "cifar10") -> Path:
    """The tiny data set in a form."""
    return WRITERS[form](folder / "images", name, tiny(name))


def read_folder(folder: Path, name: str = "cifar10") -> Found:
    return read(name, folder, NAMES[name])


def python2_pickle(value: Any) -> bytes:
    """Protocol 2 as Python 2 wrote CIFAR's files: text as byte strings, arrays by the names that NumPy then had.

    Read with encoding="latin1", the keys are text. No Python 3 pickler writes these opcodes.
    """
    return b"\x80\x02" + _python2(value) + b"."


def _python2(value: Any) -> bytes:
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, str):
        return _python2_bytes(value.encode("latin1"))
    if isinstance(value, list):
        return b"](" + b"".join(map(_python2, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_python2, value)) + b"t"
    if isinstance(value, dict):
        return b"}(" + b"".join(_python2(item) for pair in value.items() for item in pair) + b"u"
    assert isinstance(value, np.ndarray) and value.dtype == np.uint8, "nothing else is in CIFAR's files"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + _python2((0,)) + _python2("b") + b"tR"
    dtype = b"cnumpy\ndtype\n" + _python2(("u1", 0, 1)) + b"R" + _python2((3, "|", None, None, None, -1, -1, 0)) + b"b"
    state = b"(" + _python2(1) + _python2(value.shape) + dtype + _python2(False) + _python2_bytes(value.tobytes())
    return empty + state + b"tb"


def _python2_bytes(text: bytes) -> bytes:
    return (b"U" + bytes([len(text)]) if len(text) < 256 else b"T" + struct.pack("<i", len(text))) + text
