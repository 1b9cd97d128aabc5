"""Made-up runs for the explorer's tests and screenshots: CIFAR-100's labels, fields with clusters and noise in them.

No network is behind the numbers. They are made so that a layer looks like one: each filter answers to a few labels,
mostly of one super-class, and the answers get cleaner with depth.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.file.format import HISTORY
from store.file.read import Run
from store.file.summary_results import to_record
from store.file.write import EpochContent, LayerContent, RunContent, stores_fields, write_run
from store.measure.afcc import from_bfloat16, to_blocks, what_if
from store.measure.layer import fields_from_factors, measure_factored
from store.measure.semantics import confusion_matrix
from store.measure.summary import THRESHOLDS, summary
from store.measure.top_inputs import top_inputs
from tests import ROOT

_CIFAR100 = """aquatic mammals: beaver dolphin otter seal whale
fish: aquarium_fish flatfish ray shark trout
flowers: orchid poppy rose sunflower tulip
food containers: bottle bowl can cup plate
fruit and vegetables: apple mushroom orange pear sweet_pepper
household electrical devices: clock keyboard lamp telephone television
household furniture: bed chair couch table wardrobe
insects: bee beetle butterfly caterpillar cockroach
large carnivores: bear leopard lion tiger wolf
large man-made outdoor things: bridge castle house road skyscraper
large natural outdoor scenes: cloud forest mountain plain sea
large omnivores and herbivores: camel cattle chimpanzee elephant kangaroo
medium-sized mammals: fox porcupine possum raccoon skunk
non-insect invertebrates: crab lobster snail spider worm
people: baby boy girl man woman
reptiles: crocodile dinosaur lizard snake turtle
small mammals: hamster mouse rabbit shrew squirrel
trees: maple_tree oak_tree palm_tree pine_tree willow_tree
vehicles 1: bicycle bus motorcycle pickup_truck train
vehicles 2: lawn_mower rocket streetcar tank tractor"""

VGG16 = {"2": (64, 16), "4": (128, 8), "7": (256, 4), "10": (512, 2), "13": (512, 1)}  # layer: filters, side
INPUTS = 100  # test inputs a label
SMALL = {"4": (12, 4), "7": (16, 2), "10": (24, 1)}


def cifar100_labels() -> list[tuple[str, str]]:
    """(name, super-class) in CIFAR-100's order, which is the alphabet's."""
    rows = (line.split(": ") for line in _CIFAR100.splitlines())
    return sorted((name, superclass) for superclass, names in rows for name in names.split())


def make_run(
    path: Path,
    layers: dict[str, tuple[int, int]] = SMALL,
    labels: list[tuple[str, str]] | None = None,
    seed: int = 0,
    dense: bool = True,
    planned: tuple[str, ...] | None = None,
    unit: str = "filter",
    features: tuple[str, ...] = (),
    thumbnails: bool = False,
    afcc: tuple[str, ...] = (),
    at_epochs: tuple[int, ...] = (),
    **manifest: Any,
) -> Path:
    """Write a run to `path`; `manifest` replaces entries of it.

    features: layers with test features, INPUTS a label, and a confusion matrix; afcc: layers with results of AFCC.
    """
    rng = np.random.default_rng(seed)
    labels = cifar100_labels()[:20] if labels is None else labels
    depth = {name: (k + 1) / len(layers) for k, name in enumerate(layers)}
    content = RunContent(
        manifest={
            "data": {
                "name": "cifar100",
                "n_labels": len(labels),
                "test_inputs": INPUTS * len(labels),
                "train_inputs": 500 * len(labels),
                "licence": "free for research, no warranty",
                "source": "https://www.cs.toronto.edu/~kriz/cifar.html",
            },
            "network": {"arch": "vgg16", "epochs": 30, "test_accuracy": 0.712, "train_accuracy": 0.998},
            "recipe": {
                "name": "quick",
                "is_paper": False,
                "seed": seed,
                "departures": ["epochs 14 instead of 25", "batch_size 500 instead of 100"],
            },
            "planned_layers": list(layers if planned is None else planned),
            "device": "made up",
            "created": "2026-01-01T00:00:00+00:00",
            "generator": "tests.explorer_runs",
            "software": {"numpy": np.__version__},
            "durations": {"train": 312.0, "probes": 75.5},
        }
        | manifest,
        label_names=[name for name, _ in labels],
        superclasses=[superclass for _, superclass in labels],
        test_inputs=np.full(len(labels), INPUTS),
        history=_history(manifest.get("network", {}).get("epochs", 30), 0.712),
        layers=[
            _layer(name, n_filters, side, labels, depth[name], dense, unit, rng)
            for name, (n_filters, side) in layers.items()
        ],
        label_of_test_input=np.repeat(np.arange(len(labels)), INPUTS) if features or thumbnails else None,
        thumbnails=_stripes(len(labels) * INPUTS) if thumbnails else None,
    )
    for layer in content.layers:
        if layer.name in features:
            _add_features(layer, len(labels), np.random.default_rng(seed))
        if thumbnails:
            _add_top_inputs(layer, len(labels), np.random.default_rng(seed))
        if layer.name in afcc:
            layer.record["afcc"] = _afcc(layer, np.random.default_rng(seed))
    content.epochs = [_at_epoch(epoch, 30, content.layers, np.random.default_rng(seed)) for epoch in at_epochs]
    write_run(path, content)
    return path


def _layer(
    name: str,
    n_filters: int,
    side: int,
    labels: list[tuple[str, str]],
    depth: float,
    dense: bool,
    unit: str,
    rng: np.random.Generator,
) -> LayerContent:
    n_labels, positions = len(labels), side * side
    superclasses = np.array([superclass for _, superclass in labels])
    noise = 0.12 + 0.5 * (1 - depth)
    means = rng.gamma(2.0, noise / 2, (n_filters, n_labels, positions))
    weights = rng.normal(-0.05, noise, (n_filters, n_labels, positions))
    where = rng.random((n_filters, positions)) < 0.6
    where[np.arange(n_filters), rng.integers(0, positions, n_filters)] = True
    for f in range(n_filters):
        for _ in range(rng.integers(1, 4)):
            kin = np.flatnonzero(superclasses == superclasses[rng.integers(n_labels)])
            members = rng.permutation(kin)[: rng.integers(1, 4)]
            strength = rng.uniform(0.6, 1.4)
            means[f, members] += strength * where[f] * rng.uniform(0.8, 1.2, (len(members), 1))
            weights[f, members] += strength * where[f] * rng.uniform(0.8, 1.2, (len(members), 1))
        if rng.random() < 0.02:
            weights[f] = -np.abs(weights[f])  # a silent filter
    class_means, probe_weights = means.astype(np.float32), weights.astype(np.float32)
    accuracy = 0.3 + 0.42 * depth**0.7
    return LayerContent(
        name,
        class_means,
        probe_weights,
        _history(12, accuracy),
        {
            "test_accuracy": accuracy,
            "train_accuracy": accuracy + 0.1,
            "filter_size": [side, side],
            "unit": unit,
            "module": f"features.{name}",
        },
        fields_from_factors(class_means, probe_weights) if dense and stores_fields(n_filters, n_labels) else None,
    )


def _at_epoch(epoch: int, last: int, layers: list[LayerContent], rng: np.random.Generator) -> EpochContent:
    """What the layers will be, mixed with what never changes."""
    formed, found = epoch / last, list[LayerContent]()
    for layer in layers:
        assert layer.class_means is not None and layer.probe_weights is not None
        means, weights = (
            (formed * array + (1 - formed) * rng.gamma(1.0, 0.4, array.shape)).astype(np.float32)
            for array in (layer.class_means, layer.probe_weights)
        )
        record = {"test_accuracy": 0.1 + formed * (layer.record["test_accuracy"] - 0.1)}
        quantities = ("n", "N_c", "C_s", "signal", "noise_I", "noise_E")
        errors = {name: [0.2] for name in quantities}
        record["sample"] = {"resamples": 20, "seed": 0, "thresholds": [0.3], "errors": errors, "bias": {}}
        found.append(LayerContent(layer.name, means, weights, {}, record))
    return EpochContent(epoch, {"test_accuracy": 0.1 + 0.6 * formed}, found)


def _stripes(number: int) -> NDArray[np.uint8]:
    """(number, 8, 8, 3): images no two of which are alike."""
    values = np.arange(number)[:, None] * np.arange(1, 8 * 8 * 3 + 1)
    return (values % 251).astype(np.uint8).reshape(number, 8, 8, 3)


def _add_features(layer: LayerContent, n_labels: int, rng: np.random.Generator) -> None:
    """Test inputs scattered about the class means, which become exactly theirs."""
    assert layer.class_means is not None and layer.probe_weights is not None
    n_filters, _, positions = layer.class_means.shape
    bits = np.empty((n_labels, INPUTS, n_filters, positions), np.uint16)
    for label in range(n_labels):
        means = np.maximum(layer.class_means[:, label], 0)
        amounts = rng.exponential(1.0, (INPUTS, n_filters, positions)) ** 3  # a few filters answer strongly
        scattered = (means * amounts / 6).astype(np.float32)
        bits[label] = scattered.view(np.uint32) >> 16
        layer.class_means[:, label] = from_bfloat16(bits[label]).mean(axis=0, dtype=np.float64)
    layer.test_features = bits.reshape(-1, n_filters, positions)
    if layer.fields is not None:
        layer.fields = fields_from_factors(layer.class_means, layer.probe_weights)
    of_input = np.repeat(np.arange(n_labels), INPUTS)
    everything = np.ones((n_filters, n_labels), bool)
    answers = what_if(to_blocks(layer.test_features), layer.probe_weights, of_input, everything)
    layer.confusion = confusion_matrix(of_input, answers.predicted, n_labels)
    layer.record["test_accuracy"] = answers.accuracy


def _add_top_inputs(layer: LayerContent, n_labels: int, rng: np.random.Generator) -> None:
    """From the test features, or, where there are none, from inputs scattered about the class means; a receptive field
    one pixel larger than a position's share of an image of 8 pixels a side."""
    assert layer.class_means is not None and layer.probe_weights is not None
    of_input = np.repeat(np.arange(n_labels), INPUTS)
    if layer.test_features is not None:
        features = from_bfloat16(layer.test_features)
    else:
        means = np.maximum(layer.class_means, 0).transpose(1, 0, 2)[of_input]
        features = (means * rng.exponential(1.0, means.shape)).astype(np.float32)
    layer.top_inputs = top_inputs(lambda first, last: features[:, first:last], of_input, layer.probe_weights)
    side = layer.record["filter_size"][0]
    step = 8 / side
    spans = [[max(0, int(step * k - 1)), min(8, int(np.ceil(step * (k + 1) + 1)))] for k in range(side)]
    layer.record["receptive_field"] = {"side": 8, "rows": spans, "columns": spans}


def _afcc(layer: LayerContent, rng: np.random.Generator) -> dict[str, Any]:
    """As `precompute.pruning` writes it; the accuracies are made up."""
    assert layer.class_means is not None and layer.probe_weights is not None
    measured = measure_factored(layer.class_means, layer.probe_weights, 0.3)
    positions, weights = layer.probe_weights.shape[2], layer.probe_weights.size
    kept = int(measured.cluster_sizes.sum()) * positions
    accuracy = layer.record["test_accuracy"]

    def trained(before: float, top: float) -> list[float]:
        return [float(top - (top - before) * 0.5**epoch) for epoch in range(1, 11)]

    levels = {"clusters": 0.93, "as many random labels": 0.5, "5 random labels": 0.62, "random weights": 0.55,
              "largest weights": 0.88}  # fmt: skip
    masks: dict[str, Any] = {
        name: {
            "kept": kept if name != "5 random labels" else 5 * len(measured.noise) * positions,
            "before": accuracy * level,
            "probe_trained": trained(accuracy * level, accuracy * (0.6 + 0.4 * level)),
        }
        for name, level in levels.items()
    }
    masks["clusters"]["network_trained"] = trained(accuracy * 0.9, accuracy * 0.995)
    likeness = np.minimum(1, rng.normal(0.9, 0.12, len(measured.noise)))
    return {
        "threshold": 0.3,
        "weights": weights,
        "accuracy": accuracy,
        "train_clusters": {
            "n": measured.mean_noise * 0.97,
            "N_c": measured.mean_clusters,
            "C_s": measured.mean_cluster_size * 1.02,
            "alike": {
                "identical": float((likeness == 1).mean()),
                "mean": float(likeness.mean()),
                "of_filter": likeness.round(4).tolist(),
            },
        },
        "probe_recipe": "10 epochs, made up",
        "network_recipe": "10 epochs of the probe and its convolution, made up",
        "masks": masks,
        "costs": {
            "dense_bytes": weights * 4,
            "sparse_bytes": kept * 8 + 404,
            "dense_multiply_adds": weights,
            "sparse_multiply_adds": kept,
            "dense_seconds_1": 21e-6,
            "sparse_seconds_1": 34e-6,
            "dense_seconds_100": 410e-6,
            "sparse_seconds_100": 95e-6,
        },
    }


def afcc_between(*layers: str) -> dict[str, Any]:
    """An entry "afcc_between" of a manifest, made up."""
    pairs = list(pairwise(layers))
    return {
        "threshold": 0.3,
        "layers": list(layers),
        "recipe": "2 epochs, made up",
        "accuracy": 0.712,
        "masks": {
            name: [
                {
                    "layers": list(pair),
                    "weights": 1_179_648,
                    "kept": 250_000 + 9 * step,
                    "before": 0.4 * level,
                    "trained": 0.7 * level - 0.01 * step,
                }
                for step, pair in enumerate(pairs)
            ]
            for name, level in {"clusters": 1.0, "5 random labels": 0.9, "largest weights": 0.97}.items()
        },
    }


def _history(epochs: int, accuracy: float) -> dict[str, list[float]]:
    progress = 1 - np.exp(-np.arange(1, epochs + 1) / epochs * 4)
    columns = (0.1 * 0.9 ** np.arange(epochs), 4.6 - 4 * progress, np.minimum(0.999, accuracy * 1.3) * progress)
    test = accuracy * progress
    test[1::2] = np.nan  # measured every other epoch
    return {name: list(map(float, column)) for name, column in zip(HISTORY, (*columns, test), strict=True)}


class Server(NamedTuple):
    address: str
    process: int


def with_summaries(path: Path) -> Path:
    """The same file, which says what its layers are at each threshold."""
    with Run(path) as run:
        content = run.content()
        for layer in content.layers:
            found = [summary(run.layers[layer.name].measure(at)) for at in THRESHOLDS]
            layer.record["summary"] = to_record(found)
    write_run(path, content)
    return path


@contextmanager
def served(*arguments: str, folder: Path = ROOT) -> Iterator[str]:
    """The explorer as it is shipped, on a free port, started in `folder`: its address, once it answers."""
    with serving(ROOT / "explorer" / "app.py", *arguments, folder=folder) as server:
        yield server.address


@contextmanager
def serving(app: Path, *arguments: str, folder: Path = ROOT, settings: Sequence[str] = ()) -> Iterator[Server]:
    """Any app of Streamlit, as `served`, with the settings that lie beside it and these."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(app)]
    options = ["--server.port", str(port), "--server.headless", "true", *settings]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, *options, "--", *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield Server(f"http://127.0.0.1:{port}", server.pid)
        finally:
            server.terminate()


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 600
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            if server.poll() is not None:
                raise RuntimeError(f"the explorer ended with {server.returncode} before it answered") from None
            time.sleep(0.05)
    raise TimeoutError(f"{address}: no answer within ten minutes")
