"""Names, version and limits of the file, and what its manifest and its arrays must be (see FORMAT.md).

The manifest says what the file holds; from it follows every dataset's path, type, shape and chunk.
`store.file.structure` compares a file with that before any of its data is read.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from store.measure.top_inputs import MOST, RANKINGS

FORMAT = "filterscope"
VERSION = 3  # the greatest that is read, and what is written

MAX_LABELS = 10_000
MAX_FILTERS = 1 << 16
MAX_POSITIONS = 1 << 16
MAX_LAYERS = 512
MAX_EPOCH_LAYERS = 2048  # of all earlier epochs together
MAX_TEST_INPUTS = 10_000_000
MAX_EPOCHS = 100_000
MAX_ELEMENTS = 1 << 33  # of one dataset
MAX_MANIFEST_BYTES = 4 << 20  # as JSON of the least text it takes 100 MB of memory
MAX_NAME_BYTES = 256
MAX_THUMBNAIL = 512  # pixels a side

HISTORY = ("learning_rate", "loss", "train_accuracy", "test_accuracy")  # one value an epoch; NaN where not measured
LAYER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
FIELDS, CLASS_MEANS, PROBE_WEIGHTS, TEST_FEATURES = "fields", "class_means", "probe_weights", "test_features"
CONFUSION = "confusion"
CLASS_MEANS_HALF = "class_means_half"  # of every second test input of each label, from its first on
TOP_INPUTS, TOP_VALUES = "top_inputs", "top_values"  # which test inputs drive each filter
MEAN_MATRIX = "mean_matrix"  # the picture of a layer whose matrices are not stored
INPUT_LABEL, OUTPUT_LABEL = "input_label", "output_label"  # the labels' names once more, as the names of axes
FILTER, POSITION, INPUT, OUTPUT = "filter", "position", "input", "output"  # of a layer: numbers along its axes
OF_TEST_INPUT = "labels/of_test_input"
THUMBNAILS = "thumbnails"  # at its path, and its height, width and, from version 3, number in the manifest's `data`
THUMBNAIL_INPUTS = "thumbnail_inputs"  # of which test inputs these are, where that is not all
SINCE = {
    FIELDS: 1,
    CLASS_MEANS: 1,
    PROBE_WEIGHTS: 1,
    TEST_FEATURES: 1,
    CONFUSION: 2,
    CLASS_MEANS_HALF: 3,
    TOP_INPUTS: 3,
    TOP_VALUES: 3,
    MEAN_MATRIX: 3,
}  # format version of each
SOME_THUMBNAILS_SINCE = 3
EPOCHS = "epochs"  # the same layers in earlier epochs of the training: at their paths, and in the manifest
EPOCHS_SINCE = 3
OF_EPOCH = ({FIELDS}, {CLASS_MEANS, PROBE_WEIGHTS})  # what an earlier epoch has of a layer: either
AXES_SINCE = 3
FOR_OTHERS = {INPUT_LABEL, OUTPUT_LABEL, FILTER, POSITION, INPUT, OUTPUT, MEAN_MATRIX}  # they follow from the rest
MOST_LABELS_OF_A_PICTURE = 1024
UNTRAINED_SINCE = 2  # a network that was probed as it is has no epochs, and no history

_CHUNK_BYTES = 1 << 18  # at most about this much a chunk, where one entry along the first axis is less
_INT64_MAX = (1 << 63) - 1
NOT_FINITE = "holds values that are infinite or not a number; refused"  # what a network that overflowed has left


class FormatError(ValueError):
    """A file that is not whole, not safe, or not of this format. The message names the file and the place in it."""


@dataclass(frozen=True)
class Spec:
    """What a dataset must be. A dtype of 'S' stands for fixed-length strings of at most MAX_NAME_BYTES."""

    dtype: str
    shape: tuple[int, ...]
    one_entry_per_chunk: bool = False

    def holds(self, dtype: np.dtype[Any]) -> bool:
        """Whether elements of this type are what it must have."""
        if self.dtype == "S":
            return dtype.kind == "S" and dtype.itemsize <= MAX_NAME_BYTES
        return dtype.str == self.dtype

    def chunk(self, itemsize: int) -> tuple[int, ...]:
        """Chunks are runs along the first axis: one entry each for `fields`, elsewhere about 256 KiB."""
        if self.one_entry_per_chunk:
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
    has_axes = manifest["version"] >= AXES_SINCE and INPUT_LABEL in manifest["sha256"]
    if has_axes:
        specs |= {INPUT_LABEL: Spec("S", (n_labels,)), OUTPUT_LABEL: Spec("S", (n_labels,))}
    for group, layer in stored_layers(manifest):
        n_filters, positions = layer["n_filters"], layer["positions"]
        shapes = {
            FIELDS: Spec("<f4", (n_filters, n_labels, n_labels), one_entry_per_chunk=True),
            CLASS_MEANS: Spec("<f4", (n_filters, n_labels, positions)),
            PROBE_WEIGHTS: Spec("<f4", (n_filters, n_labels, positions)),
            TEST_FEATURES: Spec("<u2", (test_inputs, n_filters, positions)),
            CONFUSION: Spec("<i4", (n_labels, n_labels)),
            CLASS_MEANS_HALF: Spec("<f4", (n_filters, n_labels, positions)),
            TOP_INPUTS: Spec("<i4", (n_filters, len(RANKINGS), min(MOST, test_inputs), 2)),
            TOP_VALUES: Spec("<f4", (n_filters, len(RANKINGS), min(MOST, test_inputs))),
            MEAN_MATRIX: Spec("<f4", (n_labels, n_labels)),
        }
        specs |= {f"{group}/{name}": shapes[name] for name in layer["datasets"]}
        if group.startswith(EPOCHS):  # which keep no history
            continue
        specs |= {f"{group}/history/{column}": Spec("<f8", (layer["epochs"],)) for column in HISTORY}
        if has_axes:
            sizes = {FILTER: n_filters, POSITION: positions, INPUT: n_labels, OUTPUT: n_labels}
            specs |= {f"{group}/{name}": Spec("<i4", (size,)) for name, size in sizes.items()}
    if any({TEST_FEATURES, TOP_INPUTS} & set(layer["datasets"]) for layer in manifest["layers"]):
        specs[OF_TEST_INPUT] = Spec("<i8", (test_inputs,))
    if size := manifest["data"].get(THUMBNAILS):
        height, width, number = (*size, test_inputs)[:3]
        specs[THUMBNAILS] = Spec("|u1", (number, height, width, 3))
        if len(size) == 3:
            specs[THUMBNAIL_INPUTS] = Spec("<i8", (number,))
    return specs


def stored_layers(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every layer's path and record: those of the trained network, then those of its earlier epochs."""
    for layer in manifest["layers"]:
        yield f"layers/{layer['name']}", layer
    for at in manifest.get(EPOCHS) or []:
        for layer in at["layers"]:
            yield epoch_group(at["epoch"], layer["name"]), layer


def epoch_group(epoch: int, layer: str) -> str:
    return f"{EPOCHS}/{epoch}/layers/{layer}"


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
        _check_layer(layer, version, n_labels, test_inputs)
        _integer(layer, "epochs", 1, MAX_EPOCHS)
    names = [layer["name"] for layer in layers]
    if len(set(names)) != len(names):
        raise FormatError("manifest: two layers of one name")
    if not isinstance(manifest.get("sha256"), dict):
        raise FormatError("manifest: no checksums ('sha256')")
    if version >= EPOCHS_SINCE:
        _check_epochs(manifest)
    elif manifest.get(EPOCHS):
        raise FormatError(f"manifest: '{EPOCHS}' in a file of version {version}; they are of version {EPOCHS_SINCE}")
    _check_optional(manifest)


def _check_layer(layer: Any, version: int, n_labels: int, test_inputs: int) -> None:
    name = _text(layer if isinstance(layer, dict) else {}, "name")
    if not LAYER_NAME.fullmatch(name):
        raise FormatError(f"manifest: layer name {name[:80]!r} is not of the form {LAYER_NAME.pattern}")
    n_filters = _integer(layer, "n_filters", 1, MAX_FILTERS)
    positions = _integer(layer, "positions", 1, MAX_POSITIONS)
    datasets = layer.get("datasets")
    known = {dataset for dataset, since in SINCE.items() if since <= version}
    if not isinstance(datasets, list) or not all(isinstance(item, str) for item in datasets) or set(datasets) - known:
        raise FormatError(f"manifest: layer {name}: 'datasets' must list some of {sorted(known)}")
    if FIELDS not in datasets and not {CLASS_MEANS, PROBE_WEIGHTS} <= set(datasets):
        raise FormatError(f"manifest: layer {name}: neither fields nor class means with probe weights")
    if CLASS_MEANS_HALF in datasets and not {CLASS_MEANS, PROBE_WEIGHTS} <= set(datasets):
        raise FormatError(f"manifest: layer {name}: class means of one half without those of all inputs")
    if (TOP_INPUTS in datasets) != (TOP_VALUES in datasets):
        raise FormatError(f"manifest: layer {name}: {TOP_INPUTS} and {TOP_VALUES} go together")
    largest = n_filters * max(n_labels * n_labels if FIELDS in datasets else 0, n_labels * positions)
    if TEST_FEATURES in datasets:
        largest = max(largest, test_inputs * n_filters * positions)
    if largest > MAX_ELEMENTS:
        raise FormatError(f"manifest: layer {name}: {largest} elements in one dataset; at most {MAX_ELEMENTS} are read")


def _check_epochs(manifest: dict[str, Any]) -> None:
    """Earlier epochs in order, each with some of the layers, as wide as they are at the end."""
    found = manifest.get(EPOCHS) or []
    if not isinstance(found, list) or not all(isinstance(at, dict) for at in found):
        raise FormatError(f"manifest: '{EPOCHS}' must list objects")
    known = {layer["name"]: layer for layer in manifest["layers"]}
    least, total = 0, 0
    for at in found:
        least = _integer(at, "epoch", least, manifest["network"]["epochs"] - 1) + 1
        layers = at.get("layers")
        if not isinstance(layers, list) or (total := total + len(layers)) > MAX_EPOCH_LAYERS:
            raise FormatError(f"manifest: '{EPOCHS}': 'layers' must be lists, of at most {MAX_EPOCH_LAYERS} in all")
        where = f"manifest: epoch {at['epoch']}"
        for layer in layers:
            _check_layer(layer, manifest["version"], manifest["data"]["n_labels"], manifest["data"]["test_inputs"])
            same = known.get(layer["name"], {})
            if any(layer[key] != same.get(key) for key in ("n_filters", "positions")):
                raise FormatError(
                    f"{where}: layer {layer['name']} is not one of the trained network's, or another size"
                )
            if set(layer["datasets"]) not in OF_EPOCH or len(layer["datasets"]) > 2:
                raise FormatError(
                    f"{where}: layer {layer['name']}: class means with probe weights, or fields; not both"
                )
        if len({layer["name"] for layer in layers}) != len(layers):
            raise FormatError(f"{where}: two layers of one name")


def check_labels(place: str, labels: np.ndarray[Any, Any], n_labels: int) -> None:
    """Whether the label of each test input is one of the labels; raises FormatError."""
    if labels.size and not (labels.min() >= 0 and labels.max() < n_labels):
        found = f"found {labels.min()} to {labels.max()}"
        raise FormatError(f"{place}: {found}, expected labels from 0 to {n_labels - 1}")


def check_confusion(place: str, confusion: np.ndarray[Any, Any], test_inputs: np.ndarray[Any, Any]) -> None:
    """Whether a confusion matrix (K, K) counts each label's test inputs (K,) once; raises FormatError."""
    if (confusion < 0).any() or not np.array_equal(confusion.sum(axis=1, dtype=np.int64), test_inputs):
        raise FormatError(f"{place}: its rows do not add up to the labels' numbers of test inputs")


def check_top_inputs(
    place: str, numbers: np.ndarray[Any, Any], values: np.ndarray[Any, Any], test_inputs: int, positions: int
) -> None:
    """Whether inputs and positions (N_f, 2, M, 2) are some of these, and no value is above the one before it."""
    for axis, (what, limit) in enumerate((("test inputs", test_inputs), ("positions", positions))):
        found = numbers[..., axis]
        if not (found.min() >= 0 and found.max() < limit):
            raise FormatError(f"{place}: {what} {found.min()} to {found.max()}, expected 0 to {limit - 1}")
    if (values[..., 1:] > values[..., :-1]).any():
        raise FormatError(f"{place}: not in the order of {TOP_VALUES}")


def check_thumbnail_inputs(place: str, inputs: np.ndarray[Any, Any], test_inputs: int) -> None:
    """Whether they are numbers of test inputs, each once and in order; raises FormatError."""
    if not (inputs[0] >= 0 and inputs[-1] < test_inputs and (np.diff(inputs) > 0).all()):
        raise FormatError(f"{place}: expected test inputs from 0 to {test_inputs - 1}, each once and in order")


def is_finite(place: str, values: np.ndarray[Any, Any]) -> bool:
    """Whether every field, class mean or weight of a dataset is finite; of other datasets nothing is asked."""
    name = place.rpartition("/")[2]
    asked = (FIELDS, CLASS_MEANS, PROBE_WEIGHTS, CLASS_MEANS_HALF, TOP_VALUES, MEAN_MATRIX)
    return name not in asked or bool(np.isfinite(values).all())


def _check_optional(manifest: dict[str, Any]) -> None:
    """Of what a manifest may leave out, or have as null, what readers take apart; the rest is only ever shown."""
    thumbnails = manifest["data"].get(THUMBNAILS) or [1, 1]
    inputs = manifest["data"]["test_inputs"]
    if not (
        isinstance(thumbnails, list)
        and len(thumbnails) in ((2, 3) if manifest["version"] >= SOME_THUMBNAILS_SINCE else (2,))
        and all(type(number) is int for number in thumbnails)
        and all(1 <= side <= MAX_THUMBNAIL for side in thumbnails[:2])
        and all(1 <= number <= inputs for number in thumbnails[2:])
        and (*thumbnails, inputs)[2] * thumbnails[0] * thumbnails[1] * 3 <= MAX_ELEMENTS
    ):
        raise FormatError(
            f"manifest: 'data.thumbnails' must be height and width, each from 1 to {MAX_THUMBNAIL}, and, where not all "
            f"{inputs} test inputs have one, their number"
        )
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
