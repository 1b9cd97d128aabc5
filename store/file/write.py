"""One run -> one file, whole or absent: built in memory, written beside its place, fsynced, renamed over it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from store.file import format as fmt
from store.file.dimensions import attach, scales
from store.file.viewers import mark
from store.measure.layer import fields_from_factors
from store.measure.mean_matrix import mean_matrix
from store.measure.top_inputs import TopInputs

History = Mapping[str, list[float]]  # a list of one value an epoch for each name in format.HISTORY

_HDF5 = h5py.h5f.LIBVER_V18  # what FORMAT.md says of 1.8 against 1.10
_METADATA_TOGETHER = 1 << 15  # bytes, so that opening a file at an address takes few requests
_DENSE_BYTES = 64 << 20  # a layer's field matrices are stored beside its factors up to this size


@dataclass
class LayerContent:
    """One finished layer: class means and probe weights, or fields, or all three.

    `record` has the manifest's other entries of the layer (accuracies, module, unit, ...).
    """

    name: str
    class_means: NDArray[np.float32] | None  # (N_f, K, S)
    probe_weights: NDArray[np.float32] | None  # (N_f, K, S)
    history: History
    record: dict[str, Any]
    fields: NDArray[np.float32] | None = None  # (N_f, K, K)
    test_features: NDArray[np.uint16] | None = None  # (test inputs, N_f, S): bfloat16 bit patterns
    confusion: NDArray[np.int32] | None = None  # (K, K): test inputs of label i that the probe takes for label j
    class_means_half: NDArray[np.float32] | None = None  # (N_f, K, S): of every second test input of each label
    top_inputs: TopInputs | None = None  # which test inputs drive each filter

    @cached_property
    def mean_matrix(self) -> NDArray[np.float32] | None:
        """(K, K), the layer's picture, where its matrices are not stored; None of too many labels, or all silent."""
        means, weights = self.class_means, self.probe_weights
        if self.fields is not None or means is None or weights is None or means.shape[1] > fmt.MOST_LABELS_OF_A_PICTURE:
            return None
        return mean_matrix(fields_from_factors(means[f : f + 1], weights[f : f + 1])[0] for f in range(len(means)))


@dataclass
class EpochContent:
    """Layers as they were after an earlier epoch of the training; 0 is before the first step.

    `record` has the manifest's other entries of the epoch (the network's accuracies).
    """

    epoch: int
    record: dict[str, Any]
    layers: list[LayerContent] = field(default_factory=list)  # class means and weights, or fields; no history


@dataclass
class RunContent:
    """A run as it goes into a file; `manifest` has everything but the layers and the checksums."""

    manifest: dict[str, Any]
    label_names: list[str]
    superclasses: list[str]  # "" where the data set has none
    test_inputs: NDArray[np.int64]  # (K,)
    history: History
    layers: list[LayerContent] = field(default_factory=list)
    label_of_test_input: NDArray[np.int64] | None = None  # (test inputs,): needed beside test features and top inputs
    thumbnails: NDArray[np.uint8] | None = None  # (test inputs, height, width, 3): the test images in small
    thumbnail_inputs: NDArray[np.int64] | None = None  # which test inputs these are, in order; None: all
    epochs: list[EpochContent] = field(default_factory=list)  # in their order


def stores_fields(n_filters: int, n_labels: int) -> bool:
    """Whether a layer's dense field matrices go into the file beside class means and probe weights."""
    return n_filters * n_labels * n_labels * 4 <= _DENSE_BYTES


def write_run(path: Path, run: RunContent) -> None:
    """Write the run to `path`, atomically: a reader sees the file as it was or the new one, never a part.

    Raises FormatError where the content is not of the format, OSError where the system cannot store it; what stood
    at `path` is then unharmed.
    """
    replace_file(path, file_image(run))


def file_image(run: RunContent) -> bytes:
    """The bytes of the file; the same content gives the same bytes."""
    arrays = _arrays(run)
    manifest: dict[str, Any] = {"format": fmt.FORMAT, "version": fmt.VERSION} | run.manifest
    manifest["layers"] = [
        _layer_record(layer, _layer_arrays(layer)) | {"epochs": len(layer.history[fmt.HISTORY[0]])}
        for layer in run.layers
    ]
    if run.epochs:
        manifest[fmt.EPOCHS] = [
            at.record | {"epoch": at.epoch, "layers": [_layer_record(layer, _factors(layer)) for layer in at.layers]}
            for at in run.epochs
        ]
    arrays |= scales(manifest, arrays["labels/name"])
    if run.thumbnails is not None:
        size = list(run.thumbnails.shape[1:3])
        size += [] if run.thumbnail_inputs is None else [len(run.thumbnails)]
        manifest["data"] = run.manifest["data"] | {fmt.THUMBNAILS: size}
    manifest["sha256"] = {place: sha256(array) for place, array in arrays.items()}
    fmt.check_manifest(manifest)
    specs = fmt.expected(manifest)
    if specs.keys() != arrays.keys():
        raise fmt.FormatError(f"content and manifest differ in {sorted(specs.keys() ^ arrays.keys())}")
    for place, array in arrays.items():
        if not fmt.is_finite(place, array):
            raise fmt.FormatError(f"{place}: {fmt.NOT_FINITE}")
    if fmt.OF_TEST_INPUT in arrays:
        fmt.check_labels(fmt.OF_TEST_INPUT, arrays[fmt.OF_TEST_INPUT], len(run.label_names))
    n_inputs = run.manifest["data"]["test_inputs"]
    if fmt.THUMBNAIL_INPUTS in arrays:
        fmt.check_thumbnail_inputs(fmt.THUMBNAIL_INPUTS, arrays[fmt.THUMBNAIL_INPUTS], n_inputs)
    for layer, record in zip(run.layers, manifest["layers"], strict=True):
        if layer.confusion is not None:
            fmt.check_confusion(f"layers/{layer.name}/{fmt.CONFUSION}", layer.confusion, run.test_inputs)
        if (top := layer.top_inputs) is not None:
            place = f"layers/{layer.name}/{fmt.TOP_INPUTS}"
            fmt.check_top_inputs(place, top.numbers, top.values, n_inputs, record["positions"])
    text = np.frombuffer(json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False).encode(), np.uint8)

    with _new_file() as file:
        _create(file, "manifest", text, fmt.Spec("|u1", text.shape))
        for place in ["about", "layers", *(f"layers/{layer.name}" for layer in run.layers)]:
            h5py.h5g.create(file.id, place.encode(), gcpl=_listed_as_made(h5py.h5p.GROUP_CREATE))
        for place, array in arrays.items():
            _create(file, place, array, specs[place])
        attach(file, specs)
        mark(file, manifest)
        file.flush()
        return bytes(file.id.get_file_image())


def sha256(array: NDArray[Any]) -> str:
    """Over the elements in C order, little-endian, as they are stored."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def content_sha256(manifest: Mapping[str, Any]) -> str:
    """One checksum for all data of a file: equal for two runs that measured the same, whatever they took.

    Without what follows from the rest, so that it is the same for files of all versions.
    """
    sums = {place: sum for place, sum in manifest["sha256"].items() if place.rpartition("/")[2] not in fmt.FOR_OTHERS}
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Write bytes to a temporary file in the same folder, fsync it, rename it over `path`, fsync the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened, and the rename is as durable as it gets
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _arrays(run: RunContent) -> dict[str, NDArray[Any]]:
    """Every dataset but the manifest, by its path, in the order in which they are laid out."""
    arrays: dict[str, NDArray[Any]] = {
        "labels/name": _fixed_text(run.label_names),
        "labels/superclass": _fixed_text(run.superclasses),
        "labels/test_inputs": run.test_inputs.astype("<i8"),
    }
    needed = any(layer.test_features is not None or layer.top_inputs is not None for layer in run.layers)
    if run.label_of_test_input is not None and needed:
        arrays[fmt.OF_TEST_INPUT] = run.label_of_test_input.astype("<i8")
    if run.thumbnails is not None:
        arrays[fmt.THUMBNAILS] = np.ascontiguousarray(run.thumbnails)
        if run.thumbnail_inputs is not None:
            arrays[fmt.THUMBNAIL_INPUTS] = run.thumbnail_inputs.astype("<i8")
    for column in fmt.HISTORY:
        if run.history[column]:
            arrays[f"history/{column}"] = np.array(run.history[column], "<f8")
    for layer in run.layers:
        for column in fmt.HISTORY:
            arrays[f"layers/{layer.name}/history/{column}"] = np.array(layer.history[column], "<f8")
        for name, array in _layer_arrays(layer).items():
            arrays[f"layers/{layer.name}/{name}"] = array
    for at in run.epochs:
        for layer in at.layers:
            group = fmt.epoch_group(at.epoch, layer.name)
            arrays |= {f"{group}/{name}": array for name, array in _factors(layer).items()}
    return arrays


def _layer_arrays(layer: LayerContent) -> dict[str, NDArray[Any]]:
    candidates = {
        fmt.CLASS_MEANS: layer.class_means,
        fmt.PROBE_WEIGHTS: layer.probe_weights,
        fmt.FIELDS: layer.fields,
        fmt.TEST_FEATURES: layer.test_features,
        fmt.CONFUSION: layer.confusion,
        fmt.CLASS_MEANS_HALF: layer.class_means_half,
        fmt.TOP_INPUTS: None if layer.top_inputs is None else layer.top_inputs.numbers,
        fmt.TOP_VALUES: None if layer.top_inputs is None else layer.top_inputs.values,
        fmt.MEAN_MATRIX: layer.mean_matrix,
    }
    return {name: np.ascontiguousarray(array) for name, array in candidates.items() if array is not None}


def _factors(layer: LayerContent) -> dict[str, NDArray[Any]]:
    """What is kept of a layer after an earlier epoch."""
    return {name: array for name, array in _layer_arrays(layer).items() if name != fmt.MEAN_MATRIX}


def _layer_record(layer: LayerContent, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    matrices = layer.fields if layer.class_means is None else layer.class_means
    if matrices is None:
        raise fmt.FormatError(f"layer {layer.name}: neither fields nor class means with probe weights")
    return layer.record | {
        "name": layer.name,
        "n_filters": len(matrices),
        "positions": layer.record["positions"] if layer.class_means is None else layer.class_means.shape[2],
        "datasets": list(arrays),
    }


def _fixed_text(names: list[str]) -> NDArray[np.bytes_]:
    try:
        encoded = [name.encode() for name in names]
    except UnicodeEncodeError as error:
        raise fmt.FormatError(f"the name {error.object!r} is not text; the file has UTF-8 names") from None
    for name in encoded:
        if len(name) > fmt.MAX_NAME_BYTES or name.endswith(b"\0"):
            shown = name[:80].decode(errors="replace")
            raise fmt.FormatError(f"the name {shown!r} is longer than {fmt.MAX_NAME_BYTES} bytes, or ends with a zero")
    # As ASCII where it is: Octave leaves out whole groups that hold UTF-8. At least two bytes: xarray takes strings of
    # one byte for the letters of a single one.
    charset = "ascii" if all(name.isascii() for name in encoded) else "utf-8"
    return np.array(encoded, dtype=h5py.string_dtype(charset, max(2, *map(len, encoded))))


def _create(file: h5py.File, place: str, array: NDArray[Any], spec: fmt.Spec) -> None:
    if array.shape != spec.shape or not spec.holds(array.dtype):
        raise fmt.FormatError(f"{place}: {array.dtype} {array.shape}, expected {spec.dtype} {spec.shape}")
    chunks = spec.chunk(array.dtype.itemsize)
    file.create_dataset(place, data=array, chunks=chunks, fletcher32=True, track_times=False)


def _new_file() -> h5py.File:
    """In memory, so that a full disk or a kill never leaves a half-made HDF5 file."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(1 << 16, False)
    access.set_libver_bounds(_HDF5, _HDF5)
    access.set_meta_block_size(_METADATA_TOGETHER)
    name = b"filterscope-in-memory"
    return h5py.File(h5py.h5f.create(name, h5py.h5f.ACC_TRUNC, _listed_as_made(h5py.h5p.FILE_CREATE), access))


def _listed_as_made(kind: Any) -> Any:
    """How to create a group that lists what it holds in the order in which it was made: layers in depth order."""
    plist = h5py.h5p.create(kind)
    plist.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED)
    plist.set_obj_track_times(False)
    return plist
