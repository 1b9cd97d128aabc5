"""Small things to test with: result files, and field matrices that hit every branch of the definitions."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from store.file import format as fmt
from store.file.read import Run
from store.file.write import EpochContent, History, LayerContent, RunContent, file_image, write_run
from store.measure.layer import LayerMeasure, fields_from_factors, measure_layer


def small_history(epochs: int, seed: int = 0) -> History:
    """Training of so many epochs; the test accuracy was taken after the last one only."""
    values = np.random.default_rng(seed).random((len(fmt.HISTORY), epochs))
    history = {column: row.tolist() for column, row in zip(fmt.HISTORY, values, strict=True)}
    history["test_accuracy"][:-1] = [float("nan")] * (epochs - 1)
    return history


def small_layer(
    name: str, n_filters: int, n_labels: int, positions: int, *, seed: int, fields: bool, features: int = 0
) -> LayerContent:
    """A layer of random numbers; `features`: the number of test inputs whose features it keeps."""
    random = np.random.default_rng(seed)
    class_means = random.random((n_filters, n_labels, positions), np.float32)
    probe_weights = random.standard_normal((n_filters, n_labels, positions), np.float32)
    shape = (features, n_filters, positions)
    return LayerContent(
        name=name,
        class_means=class_means,
        probe_weights=probe_weights,
        history=small_history(2, seed),
        record={"test_accuracy": 0.5 + seed / 1000, "filter_size": [1, positions]},
        fields=fields_from_factors(class_means, probe_weights) if fields else None,
        test_features=random.integers(0, 1 << 15, shape, np.uint16) if features else None,
    )


def small_run(
    layers: Mapping[str, tuple[int, int]] | None = None,
    *,
    n_labels: int = 4,
    epochs: int = 3,
    seed: int = 0,
    arch: str = "vgg16",
    data: str = "digits",
    label_names: Sequence[str] | None = None,
    planned_layers: Sequence[str] | None = None,
    features: bool = True,
    manifest: Mapping[str, Any] | None = None,
) -> RunContent:
    """A run of random numbers, a few KB as a file.

    layers: name -> (filters, positions), by default {"10": (6, 4), "13": (5, 1)}. Every second layer, from the first,
    has its matrices stored; the first has the test features as well. `manifest` adds to the manifest.
    """
    sizes = {"10": (6, 4), "13": (5, 1)} if layers is None else layers
    names = [f"label {k}" for k in range(n_labels)] if label_names is None else list(label_names)
    test_inputs = np.arange(2, 2 + len(names))  # unequal: a label with more test inputs has larger accumulated fields
    total = int(test_inputs.sum())
    contents = [
        small_layer(
            name,
            n_filters,
            len(names),
            positions,
            seed=seed + number,
            fields=number % 2 == 0,
            features=total if features and number == 0 else 0,
        )
        for number, (name, (n_filters, positions)) in enumerate(sizes.items())
    ]
    return RunContent(
        manifest={
            "data": {"name": data, "n_labels": len(names), "test_inputs": total, "licence": "none, random numbers"},
            "network": {"arch": arch, "epochs": epochs, "test_accuracy": 0.75},
            "recipe": {"name": "quick", "is_paper": False, "seed": seed},
            "planned_layers": list(sizes if planned_layers is None else planned_layers),
            **(manifest or {}),
        },
        label_names=names,
        superclasses=["even" if k % 2 == 0 else "odd" for k in range(len(names))],
        test_inputs=test_inputs,
        history=small_history(epochs, seed),
        layers=contents,
        label_of_test_input=np.repeat(np.arange(len(names)), test_inputs),
    )


def write_small(path: Path, **options: Any) -> Path:
    """`small_run(**options)` as a file."""
    write_run(path, small_run(**options))
    return path


def small_image(**options: Any) -> bytes:
    """`small_run(**options)` as the bytes of a file."""
    return file_image(small_run(**options))


def edit_manifest(path: Path, **changes: Any) -> None:
    """Put other values into a file's manifest, as a stranger would: whole, with its checksum, and unchecked."""
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        manifest = json.loads(file["manifest"][:].tobytes())
        for key, value in changes.items():
            *parents, last = key.split("__")
            place = manifest
            for step in parents:
                place = place[int(step) if step.isdigit() else step]
            place[last] = value
        text = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
        del file["manifest"]
        chunks = fmt.Spec("|u1", text.shape).chunk(1)
        file.create_dataset("manifest", data=text, chunks=chunks, fletcher32=True)


def refusal(path: Path) -> str:
    """What is said of a file that is not opened; it names the file."""
    with pytest.raises(fmt.FormatError) as caught:
        Run(path).close()
    assert str(path) in str(caught.value)
    return str(caught.value)


def refused(path: Path, message: str) -> None:
    """The file is not opened; the error names it, and says what `message` matches."""
    assert re.search(message, refusal(path))


# Ties (0.3 * 10 is 3.0 in float64, 0.25 * 1 and 0.5 * 0.5 are exact), both zeros, negative values; and the neighbours
# of a tie, which a comparison in float32, or with `>=`, would count wrongly.
GRID = np.array(
    [-2, -1, -0.0, 0, 0.25, 0.3, 0.5, 1, 2, 3, 10, np.nextafter(np.float32(3), np.float32(4)), 0.29999998], np.float32
)
SUBNORMAL = np.float32(1e-45)  # the smallest float32 above zero


def random_fields(random: np.random.Generator, n_filters: int, n_labels: int) -> NDArray[np.float32]:
    """(N_f, K, K) matrices, each of a kind drawn at random: grids full of ties, clusters, silent ones, extremes."""
    shape = (n_labels, n_labels)
    filters = []
    for kind in random.integers(0, 11, n_filters):
        matrix = random.choice(GRID, shape)
        if kind == 1:
            matrix = random.standard_normal(shape, np.float32)
        elif kind == 2:  # most elements above, so that clusters are large and labels compete for them
            matrix = random.choice(np.array([0, 1, 1, 1, 1, 1], np.float32), shape)
        elif kind == 3:
            matrix = -np.abs(matrix) - np.float32(1)
        elif kind == 4:
            matrix = np.full(shape, random.choice([0.0, -0.0, 1.0]), np.float32)
        elif kind == 5:
            matrix[tuple(random.integers(0, n_labels, 2))] = random.choice([np.nan, -np.nan])
        elif kind == 6:
            matrix[tuple(random.integers(0, n_labels, 2))] = random.choice([np.inf, -np.inf])
        elif kind == 7:
            matrix = random.integers(-2, 12, shape).astype(np.float32) * SUBNORMAL
        elif kind == 8:
            matrix = matrix * np.float32(3e37)
        elif kind == 9:  # symmetric, so that clusters form by more than chance
            matrix = np.maximum(matrix, matrix.T)
        filters.append(matrix)
    return np.stack(filters)


MEASURED = [
    *("cluster_of", "n_clusters", "noise", "n_above", "maximum", "silent", "cluster_sizes", "signal"),
    *("noise_internal", "noise_external", "signal_field", "noise_internal_field", "noise_external_field"),
    *("mean_clusters", "mean_cluster_size", "mean_noise", "mean_clusters_all", "mean_cluster_size_all"),
    "mean_noise_all",
]


def assert_same(measured: LayerMeasure, wanted: object) -> None:
    """Every field and every mean, to the bit (NaN equals NaN), and in shape."""
    for name in MEASURED:
        got, want = getattr(measured, name), getattr(wanted, name)
        if want is None or got is None:
            assert got is None and want is None, name
        else:
            assert np.shape(got) == np.shape(want), name
            assert np.array_equal(got, want, equal_nan=True), f"{name}: {got} instead of {want}"


def assert_holds(run: Run, content: RunContent) -> None:
    """The open file has exactly what was to be written."""
    run.verify()
    assert run.label_names == tuple(content.label_names)
    assert run.superclasses == tuple(content.superclasses)
    assert np.array_equal(run.test_inputs, content.test_inputs)
    assert content.manifest.items() <= run.manifest.items()
    assert list(run.layers) == [layer.name for layer in content.layers]
    for name, history in [(None, content.history), *((layer.name, layer.history) for layer in content.layers)]:
        for column, values in run.history(name).items():
            assert values.dtype == np.float64 and np.array_equal(values, history[column], equal_nan=True)
    for layer in content.layers:
        read = run.layers[layer.name]
        assert layer.record.items() <= read.record.items()
        assert (read.n_filters, run.n_labels, read.positions) == layer.class_means.shape
        pairs: list[tuple[NDArray[Any], NDArray[Any]]]
        pairs = [(read.class_means, layer.class_means), (read.probe_weights, layer.probe_weights)]
        if layer.fields is not None:
            pairs.append((read.fields().matrices(), layer.fields))
        if layer.test_features is not None:
            pairs.append((read.test_features, layer.test_features))
            assert np.array_equal(run.label_of_test_input, content.label_of_test_input)
        if layer.class_means_half is not None:
            pairs.append((read.class_means_half, layer.class_means_half))
        if layer.confusion is not None:
            pairs.append((read.confusion, layer.confusion))
        for array, wanted in pairs:
            assert (array.dtype, array.shape, array.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
        assert read.has_fields == (layer.fields is not None)
        assert (read.test_features is None) == (layer.test_features is None)
        assert (read.confusion is None) == (layer.confusion is None)
        fields = fields_from_factors(layer.class_means, layer.probe_weights)
        assert np.array_equal(read.fields().matrices(), fields)
        assert all(np.array_equal(read.field(f), fields[f]) for f in range(read.n_filters))
        wanted_noise = measure_layer(fields, 0.3, counts=content.test_inputs).noise_external_field
        assert np.array_equal(read.measure(0.3).noise_external_field, wanted_noise)


def with_epochs(run: RunContent, epochs: Sequence[int]) -> RunContent:
    """The run with all its layers at earlier epochs too, of other random numbers."""
    run.epochs = []
    for epoch in epochs:
        layers = []
        for number, layer in enumerate(run.layers):
            assert layer.class_means is not None
            n_filters, n_labels, positions = layer.class_means.shape
            seed = 100 + 10 * epoch + number
            layers.append(small_layer(layer.name, n_filters, n_labels, positions, seed=seed, fields=False))
            layers[-1].history = {}
            layers[-1].record = {"test_accuracy": 0.1 + epoch / 100}
        run.epochs.append(EpochContent(epoch, {"test_accuracy": 0.2 + epoch / 100}, layers))
    return run
