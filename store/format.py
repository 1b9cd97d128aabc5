"""Names, version and limits of the file, and the check that a file is whole and safe to open (see FORMAT.md).

The manifest says what the file holds; from it follows every dataset's path, type, shape and chunk, and so the exact
size of every chunk on disk. The check compares each with what it must be and looks at nothing else. It runs before
any data is read, because HDF5 itself follows links to other files and hands out process memory for a short chunk.
"""

import json
import math
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from store.remote import RemoteFile, raise_failure

FORMAT = "filterscope"
VERSION = 2  # the greatest that is read; a file is written as the least that has all of its content

MAX_LABELS = 10_000
MAX_FILTERS = 1 << 16
MAX_POSITIONS = 1 << 16
MAX_LAYERS = 512
MAX_TEST_INPUTS = 10_000_000
MAX_EPOCHS = 100_000
MAX_ELEMENTS = 1 << 33  # of one dataset
MAX_MANIFEST_BYTES = 16 << 20
MAX_NAME_BYTES = 256
MAX_THUMBNAIL = 512  # pixels a side

HISTORY = ("learning_rate", "loss", "train_accuracy", "test_accuracy")  # one value an epoch; NaN where not measured
LAYER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
FIELDS, CLASS_MEANS, PROBE_WEIGHTS, TEST_FEATURES = "fields", "class_means", "probe_weights", "test_features"
CONFUSION = "confusion"
OF_TEST_INPUT = "labels/of_test_input"
THUMBNAILS = "thumbnails"  # at its path, and its height and width in the manifest's `data`
SINCE = {FIELDS: 1, CLASS_MEANS: 1, PROBE_WEIGHTS: 1, TEST_FEATURES: 1, CONFUSION: 2}  # format version of each
UNTRAINED_SINCE = 2  # a network that was probed as it is has no epochs, and no history

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK_BYTES = 1 << 18  # at most about this much a chunk, where one entry along the first axis is less
_CHECKSUM_BYTES = 4  # fletcher32, after the data of each chunk
_INT64_MAX = (1 << 63) - 1


class FormatError(ValueError):
    """A file that is not whole, not safe, or not of this format. The message names the file and the place in it."""


@dataclass(frozen=True)
class Spec:
    """What a dataset must be. A dtype of 'S' stands for fixed-length strings of at most MAX_NAME_BYTES."""

    dtype: str
    shape: tuple[int, ...]
    one_by_one: bool = False

    def holds(self, dtype: np.dtype[Any]) -> bool:
        """Whether elements of this type are what it must have."""
        if self.dtype == "S":
            return dtype.kind == "S" and dtype.itemsize <= MAX_NAME_BYTES
        return dtype.str == self.dtype

    def chunk(self, itemsize: int) -> tuple[int, ...]:
        """Chunks are runs along the first axis: one entry each for `fields`, elsewhere about 256 KiB."""
        if self.one_by_one:
            return (1, *self.shape[1:])
        chunks = -(-math.prod(self.shape) * itemsize // _CHUNK_BYTES)
        return (-(-self.shape[0] // min(chunks, self.shape[0])), *self.shape[1:])  # the last one is padded the least


def expected(manifest: dict[str, Any]) -> dict[str, Spec]:
    """Every dataset that a file with this manifest holds, by its path, beside the manifest itself."""
    n_labels = manifest["data"]["n_labels"]
    test_inputs = manifest["data"]["test_inputs"]
    specs = {
        "labels/name": Spec("S", (n_labels,)),
        "labels/superclass": Spec("S", (n_labels,)),
        "labels/test_inputs": Spec("<i8", (n_labels,)),
    }
    epochs = manifest["network"]["epochs"]
    if epochs:  # a network that was probed as it is has no history
        specs |= {f"history/{column}": Spec("<f8", (epochs,)) for column in HISTORY}
    for layer in manifest["layers"]:
        group = f"layers/{layer['name']}"
        n_filters, positions = layer["n_filters"], layer["positions"]
        shapes = {
            FIELDS: Spec("<f4", (n_filters, n_labels, n_labels), one_by_one=True),
            CLASS_MEANS: Spec("<f4", (n_filters, n_labels, positions)),
            PROBE_WEIGHTS: Spec("<f4", (n_filters, n_labels, positions)),
            TEST_FEATURES: Spec("<u2", (test_inputs, n_filters, positions)),
            CONFUSION: Spec("<i4", (n_labels, n_labels)),
        }
        specs |= {f"{group}/{name}": shapes[name] for name in layer["datasets"]}
        specs |= {f"{group}/history/{column}": Spec("<f8", (layer["epochs"],)) for column in HISTORY}
    if any(TEST_FEATURES in layer["datasets"] for layer in manifest["layers"]):
        specs[OF_TEST_INPUT] = Spec("<i8", (test_inputs,))
    if size := manifest["data"].get(THUMBNAILS):
        specs[THUMBNAILS] = Spec("|u1", (test_inputs, *size, 3))
    return specs


def open_checked(source: Path | RemoteFile) -> tuple[h5py.File, dict[str, Any]]:
    """Open a file and check its structure; the caller closes it. Raises FormatError, or OSError from the system.

    What the datasets hold is compared with the manifest's sha256 when it is first read (`store.read`).
    """
    name = str(source) if isinstance(source, Path) else source.address
    if isinstance(source, Path) and source.exists() and not source.is_file() and not source.is_dir():
        raise FormatError(f"{name}: not a file; refused")  # a pipe would never answer
    if _start(source) != _SIGNATURE:
        raise FormatError(f"{name}: not an HDF5 file, or cut off at its start; is it a Filterscope result?")
    try:
        file = h5py.File(source, "r", **({"locking": False} if isinstance(source, Path) else {}))
    except (OSError, RuntimeError, ValueError) as error:
        raise_failure(source)
        raise FormatError(f"{name}: HDF5 cannot open it, so it is damaged or was cut off ({error})") from error
    try:
        return file, _check(file)
    except (FormatError, OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        file.close()
        raise_failure(source)
        if isinstance(error, FormatError):
            raise FormatError(f"{name}: {error}") from None
        raise FormatError(f"{name}: damaged, or not of this format ({type(error).__name__}: {error})") from error


def _start(source: Path | RemoteFile) -> bytes:
    if isinstance(source, RemoteFile):
        source.seek(0)
        return source.read(len(_SIGNATURE)) or b""
    with source.open("rb") as raw:  # as the system would say it: no such file, a directory, no permission
        return raw.read(len(_SIGNATURE))


def _check(file: h5py.File) -> dict[str, Any]:
    length = _dataset(file, "manifest").shape
    if len(length) != 1 or not 0 < length[0] <= MAX_MANIFEST_BYTES:
        raise FormatError(f"manifest: expected 1 to {MAX_MANIFEST_BYTES} bytes, found shape {length}")
    spans = _check_dataset(file, "manifest", Spec("|u1", length))
    text = file["manifest"][:].tobytes()
    try:
        manifest: dict[str, Any] = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise FormatError(f"manifest: not JSON ({error})") from None
    check_manifest(manifest)
    for place, spec in expected(manifest).items():
        spans += _check_dataset(file, place, spec)
    spans.sort()
    for (_, end, place), (start, *_) in pairwise(spans):
        if start < end:  # else a small file could ask for any amount of memory
            raise FormatError(f"{place}: shares its bytes with another chunk; refused")
    return manifest


def _dataset(file: h5py.File, place: str) -> h5py.Dataset:
    """The dataset at a path of hard links only, stored as this format stores."""
    group = file.id
    *parents, last = place.split("/")
    for step in (*parents, last):
        name = step.encode()
        if not group.links.exists(name):
            raise FormatError(f"{place}: missing; the file is not whole")
        if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise FormatError(f"{place}: reached through a soft or external link; refused")
        group = h5py.h5o.open(group, name)
        wanted = h5py.h5d.DatasetID if step is last else h5py.h5g.GroupID
        if not isinstance(group, wanted):
            raise FormatError(f"{place}: {step!r} is not what the format has there")
    creation = group.get_create_plist()  # before its shape: to tell that of a virtual dataset, HDF5 opens other files
    if creation.get_layout() != h5py.h5d.CHUNKED or creation.get_external_count():
        raise FormatError(f"{place}: not stored as chunks in this file; refused")
    filters = [creation.get_filter(k)[0] for k in range(creation.get_nfilters())]
    if filters != [h5py.h5z.FILTER_FLETCHER32]:
        raise FormatError(f"{place}: HDF5 filters {filters}, expected fletcher32 alone; refused")
    return h5py.Dataset(group)


def _check_dataset(file: h5py.File, place: str, spec: Spec) -> list[tuple[int, int, str]]:
    """Compare a dataset with what it must be; returns where its chunks lie: (start, end, place)."""
    dataset = _dataset(file, place)
    if not spec.holds(dataset.dtype):
        raise FormatError(f"{place}: type {dataset.dtype}, expected {spec.dtype}")
    if dataset.shape != spec.shape or dataset.maxshape != spec.shape:
        raise FormatError(f"{place}: shape {dataset.shape}, expected {spec.shape}")
    chunk = spec.chunk(dataset.dtype.itemsize)
    if dataset.chunks != chunk:
        raise FormatError(f"{place}: chunks {dataset.chunks}, expected {chunk}")
    file_size = file.id.get_filesize()  # of the file that is open; another may have its name by now
    chunk_bytes = math.prod(chunk) * dataset.dtype.itemsize + _CHECKSUM_BYTES
    spans: dict[tuple[int, ...], tuple[int, int, str]] = {}

    def check_chunk(stored: h5py.h5d.StoreInfo) -> None:
        end = stored.byte_offset + stored.size
        if stored.size != chunk_bytes or stored.filter_mask or end > file_size:
            raise FormatError(f"{place}: a chunk of {stored.size} bytes where {chunk_bytes} belong; damaged or cut off")
        spans[stored.chunk_offset] = (stored.byte_offset, end, place)

    dataset.id.chunk_iter(check_chunk)
    wanted = -(-spec.shape[0] // chunk[0])
    if len(spans) != wanted:
        raise FormatError(f"{place}: {len(spans)} of {wanted} chunks; the file is not whole")
    return list(spans.values())


def check_manifest(manifest: Any) -> None:
    """Check what `expected` and the readers rely on; raises FormatError that names the key."""
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FormatError("manifest: not a Filterscope result")
    version = _integer(manifest, "version", 1, _INT64_MAX)
    if version > VERSION:
        raise FormatError(
            f"written as format version {version}; this program reads up to {VERSION}, a newer one is needed"
        )
    data, network = _object(manifest, "data"), _object(manifest, "network")
    n_labels = _integer(data, "n_labels", 2, MAX_LABELS)
    test_inputs = _integer(data, "test_inputs", 1, MAX_TEST_INPUTS)
    _text(data, "name")
    _text(network, "arch")
    _integer(network, "epochs", 0 if version >= UNTRAINED_SINCE else 1, MAX_EPOCHS)
    layers = manifest.get("layers")
    if not isinstance(layers, list) or len(layers) > MAX_LAYERS:
        raise FormatError(f"manifest: 'layers' must be a list of at most {MAX_LAYERS}")
    for layer in layers:
        name = _text(layer if isinstance(layer, dict) else {}, "name")
        if not LAYER_NAME.fullmatch(name):
            raise FormatError(f"manifest: layer name {name[:80]!r} is not of the form {LAYER_NAME.pattern}")
        n_filters = _integer(layer, "n_filters", 1, MAX_FILTERS)
        positions = _integer(layer, "positions", 1, MAX_POSITIONS)
        _integer(layer, "epochs", 1, MAX_EPOCHS)
        datasets = layer.get("datasets")
        known = {dataset for dataset, since in SINCE.items() if since <= version}
        if (
            not isinstance(datasets, list)
            or not all(isinstance(item, str) for item in datasets)
            or set(datasets) - known
        ):
            raise FormatError(f"manifest: layer {name}: 'datasets' must list some of {sorted(known)}")
        if FIELDS not in datasets and not {CLASS_MEANS, PROBE_WEIGHTS} <= set(datasets):
            raise FormatError(f"manifest: layer {name}: neither fields nor class means with probe weights")
        largest = n_filters * max(n_labels * n_labels if FIELDS in datasets else 0, n_labels * positions)
        if TEST_FEATURES in datasets:
            largest = max(largest, test_inputs * n_filters * positions)
        if largest > MAX_ELEMENTS:
            raise FormatError(
                f"manifest: layer {name}: {largest} elements in one dataset; at most {MAX_ELEMENTS} are read"
            )
    names = [layer["name"] for layer in layers]
    if len(set(names)) != len(names):
        raise FormatError("manifest: two layers of one name")
    if not isinstance(manifest.get("sha256"), dict):
        raise FormatError("manifest: no checksums ('sha256')")
    _check_optional(manifest)


def check_labels(place: str, labels: np.ndarray[Any, Any], n_labels: int) -> None:
    """Whether the label of each test input is one of the labels; raises FormatError."""
    if labels.size and not (labels.min() >= 0 and labels.max() < n_labels):
        found = f"found {labels.min()} to {labels.max()}"
        raise FormatError(f"{place}: {found}, expected labels from 0 to {n_labels - 1}")


def check_confusion(place: str, confusion: np.ndarray[Any, Any], test_inputs: np.ndarray[Any, Any]) -> None:
    """Whether a confusion matrix (K, K) counts each label's test inputs (K,) once; raises FormatError."""
    if (confusion < 0).any() or not np.array_equal(confusion.sum(axis=1, dtype=np.int64), test_inputs):
        raise FormatError(f"{place}: its rows do not add up to the labels' numbers of test inputs")


def _check_optional(manifest: dict[str, Any]) -> None:
    """Of what a manifest may leave out, or have as null, what readers take apart; the rest is only ever shown."""
    thumbnails = manifest["data"].get(THUMBNAILS) or [1, 1]
    if not (
        isinstance(thumbnails, list)
        and len(thumbnails) == 2
        and all(type(side) is int and 1 <= side <= MAX_THUMBNAIL for side in thumbnails)
        and manifest["data"]["test_inputs"] * thumbnails[0] * thumbnails[1] * 3 <= MAX_ELEMENTS
    ):
        raise FormatError(f"manifest: 'data.thumbnails' must be height and width, each from 1 to {MAX_THUMBNAIL}")
    if not isinstance(manifest.get("recipe") or {}, dict):
        raise FormatError("manifest: 'recipe' is not an object")
    planned = manifest.get("planned_layers") or []
    if not isinstance(planned, list) or not all(isinstance(name, str) for name in planned):
        raise FormatError("manifest: 'planned_layers' must list names")
    for layer in manifest["layers"]:
        size = layer.get("filter_size") or []
        if not isinstance(size, list) or not all(isinstance(side, int) for side in size):
            raise FormatError(f"manifest: layer {layer['name']}: 'filter_size' must list numbers")


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    if not isinstance(value, dict):
        raise FormatError(f"manifest: {key!r} is missing or not an object")
    return value


def _integer(parent: dict[str, Any], key: str, lowest: int, highest: int) -> int:
    value = parent.get(key)
    if type(value) is not int or not lowest <= value <= highest:
        raise FormatError(f"manifest: {key!r} must be an integer from {lowest} to {highest}, found {str(value)[:40]!r}")
    return value


def _text(parent: dict[str, Any], key: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str):
        raise FormatError(f"manifest: {key!r} is missing or not text")
    return value
