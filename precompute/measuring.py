"""What people call from Python: a network in memory, or arrays of activations, -> the same file as a run's.

    from precompute import measure, measure_activations

The images are whatever the caller's loader yields, and go into the network as they come. Activations may be of anything
that has units: another framework's network, or a brain. Nothing but the probes is trained.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from precompute.machine.device import choose_device
from precompute.machine.stopping import Stopping
from precompute.messages.problem import Problem
from precompute.one_layer import LayerActivations, kept_features, quantify, train_probe
from precompute.provenance import provenance
from precompute.recipes import PROBES_ALONE
from store.file.format import HISTORY, LAYER_NAME, FormatError
from store.file.read import Run
from store.file.write import RunContent, sha256, write_run

_PART = 16 << 20  # bytes that are looked at at once, of arrays that may be larger than memory


@dataclass(frozen=True)
class ProbeOptions:
    """How the probes are trained; see `python -m precompute --help`. The supplement's, from zeros, unless said."""

    epochs: int = PROBES_ALONE.epochs
    decay: float = PROBES_ALONE.weight_decay
    batch_size: int = PROBES_ALONE.batch_size
    start: str = "zeros"
    seed: int = 0


def measure_activations(
    activations: Mapping[str, Sequence[ArrayLike | Tensor]],
    train_labels: ArrayLike,
    test_labels: ArrayLike,
    *,
    out: str | Path,
    label_names: Sequence[str] | None = None,
    superclasses: Sequence[str] | None = None,
    features: Sequence[str] = (),
    probe: ProbeOptions = ProbeOptions(),
    name: str = "activations",
    data: str = "arrays",
    unit: str = "filter",
    device: str = "auto",
    fresh: bool = False,
) -> Run:
    """Train a probe on each layer's activations, measure every unit, and write one file; the run, opened.

    activations: layer -> (train, test), in the network's order: arrays (inputs, units) or (inputs, units, positions,
    ...), of NumPy or torch, or memory-mapped (`numpy.load(..., mmap_mode="r")`), which may be larger than memory.
    labels: (inputs,) integers from 0 to K - 1, each at least once in both. label_names, superclasses: K of them.
    features: layers whose test activations go into the file too, so that what-if and resampling are exact.
    name, data: what the network and the data set are called on pages. unit: "filter", "node" or "head".

    The file is replaced after each layer. Called again after a stop, layers that are there are not measured again.
    Raises Problem that names the argument; OSError where the file cannot be written.
    """
    given = Given.of(activations, train_labels, test_labels, label_names, superclasses)
    unknown = [layer for layer in features if layer not in given.layers]
    if unknown:
        raise Problem(f"features: there is no layer {', '.join(unknown)}; there are {', '.join(given.layers)}")
    manifest = {
        "network": {"arch": name, "epochs": 0, "weights": {"from": "activations"}},
        "data": {"name": data, "source": "arrays of activations; no network was seen"},
    }
    about = {layer: {"unit": unit, "filter_size": list(shape[1:])} for layer, shape in given.shapes.items()}
    return measure_given(given, Path(out), manifest, about, tuple(features), probe, device, fresh)


@dataclass(frozen=True)
class Given:
    """Activations and labels that fit together."""

    layers: dict[str, tuple[Tensor, Tensor]]  # (inputs, units * positions) each
    shapes: dict[str, tuple[int, ...]]  # (units, height, width) or (units, 1, positions)
    train_labels: NDArray[np.int64]
    test_labels: NDArray[np.int64]
    label_names: list[str]
    superclasses: list[str]

    @classmethod
    def of(
        cls,
        activations: Mapping[str, Sequence[ArrayLike | Tensor]],
        train_labels: ArrayLike,
        test_labels: ArrayLike,
        label_names: Sequence[str] | None,
        superclasses: Sequence[str] | None,
    ) -> "Given":
        train, test = _labels("train_labels", train_labels), _labels("test_labels", test_labels)
        n_labels = int(max(train.max(), test.max())) + 1 if label_names is None else len(label_names)
        for which, labels in (("train_labels", train), ("test_labels", test)):
            counts = np.bincount(labels, minlength=n_labels)
            if len(counts) > n_labels:
                raise Problem(f"{which}: label {labels.max()}, but there are {n_labels} names")
            if counts.min() == 0:
                raise Problem(f"{which}: label {int(counts.argmin())} of 0 to {n_labels - 1} has no input")
        if n_labels < 2:
            raise Problem("train_labels: a single label; two are needed at least")
        groups = list(superclasses) if superclasses is not None else [""] * n_labels
        if len(groups) != n_labels:
            raise Problem(f"superclasses: {len(groups)}, for {n_labels} labels")
        if not activations:
            raise Problem("activations: there is no layer")
        layers, shapes = {}, {}
        for layer, pair in activations.items():
            if not LAYER_NAME.fullmatch(layer):
                raise Problem(f"activations: {layer!r} is no name of a layer: 1 to 64 of A-Z a-z 0-9 _ . -")
            both = [_flat(layer, which, array, len(labels)) for which, array, labels in
                    zip(("train", "test"), pair, (train, test), strict=True)]  # fmt: skip
            if both[0][1] != both[1][1]:
                raise Problem(f"activations, {layer}: {both[0][1]} a training input, {both[1][1]} a test input")
            layers[layer], shapes[layer] = (both[0][0], both[1][0]), both[0][1]
        names = [str(label) for label in (label_names if label_names is not None else range(n_labels))]
        return cls(layers, shapes, train, test, names, groups)


def measure_given(
    given: Given,
    out: Path,
    manifest: dict[str, Any],
    about: Mapping[str, dict[str, Any]],
    features: tuple[str, ...],
    options: ProbeOptions,
    device: str,
    fresh: bool,
) -> Run:
    """Stages 2 and 3 of every layer that is not in the file yet."""
    out = out if out.suffix == ".h5" else out.with_name(out.name + ".h5")
    target, n_labels = choose_device(device), len(given.label_names)
    schedule = replace(PROBES_ALONE, epochs=options.epochs, weight_decay=options.decay, batch_size=options.batch_size)
    checksums = {f"{split}_sha256": sha256(labels) for split, labels in
                 (("train", given.train_labels), ("test", given.test_labels))}  # fmt: skip
    recipe = {
        "name": "probes alone", "is_paper": False, "departures": [], "probe": asdict(schedule), "seed": options.seed,
        "probe_start": options.start, "options": {},
    }  # fmt: skip
    content = RunContent(
        manifest=manifest
        | provenance(target, ("torch", "numpy", "h5py"))
        | {"recipe": recipe, "planned_layers": list(given.layers)},
        label_names=given.label_names,
        superclasses=given.superclasses,
        test_inputs=np.bincount(given.test_labels, minlength=n_labels),
        history={column: [] for column in HISTORY},
        label_of_test_input=given.test_labels,
    )
    content.manifest["data"] |= checksums | {
        "n_labels": n_labels, "train_inputs": len(given.train_labels), "test_inputs": len(given.test_labels),
    }  # fmt: skip
    digests = {layer: _digest_of_pair(*pair) for layer, pair in given.layers.items()}
    there = {} if fresh else _there(out, content, digests)
    labels = [torch.from_numpy(values).to(target.target) for values in (given.train_labels, given.test_labels)]
    out.parent.mkdir(parents=True, exist_ok=True)
    for layer, (train, test) in given.layers.items():
        n_units = given.shapes[layer][0]
        if layer in there:
            content.layers.append(there[layer])
        else:
            of = LayerActivations(layer, train, test, labels[0], labels[1], n_labels, n_units)
            probed = train_probe(of, schedule, options.start, options.seed, Stopping())
            record = dict(about[layer]) | {"activations_sha256": digests[layer]}
            content.layers.append(quantify(of, probed, options.seed, record))
        if layer in features:
            content.layers[-1].test_features = kept_features(test, n_units)
        try:
            write_run(out, content)
        except FormatError as error:
            raise Problem(f"{out}: the result cannot be written: {error}") from error
    return Run(out)


def _there(out: Path, wanted: RunContent, digests: dict[str, str]) -> dict[str, Any]:
    """Layers that stand at the output's place already, of the same labels, activations and recipe. Raises Problem."""
    if not out.exists():
        return {}
    try:
        with Run(out) as run:
            earlier = run.content()
    except FormatError as error:
        raise Problem(f"{error}. Name another out, or give fresh=True") from error
    keys = ("train_sha256", "test_sha256")
    same_data = all(earlier.manifest["data"].get(key) == wanted.manifest["data"][key] for key in keys)
    if not same_data or earlier.manifest.get("recipe") != json.loads(json.dumps(wanted.manifest["recipe"])):
        what = "another recipe" if same_data else "other labels"
        raise Problem(f"{out} is a result of {what}. Name another out, or give fresh=True")
    found = {layer.name: layer for layer in earlier.layers}
    changed = [name for name, layer in found.items()
               if name in digests and layer.record.get("activations_sha256") != digests[name]]  # fmt: skip
    if changed:
        raise Problem(f"{out} is of other activations of layer {', '.join(changed)}. Name another out, or fresh=True")
    return {name: layer for name, layer in found.items() if name in digests}


def _labels(which: str, given: ArrayLike) -> NDArray[np.int64]:
    labels = np.asarray(given)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or labels.min() < 0:
        raise Problem(f"{which}: {labels.dtype} of shape {labels.shape}; expected (inputs,) integers from 0 on")
    return labels.astype(np.int64)


def _flat(layer: str, which: str, given: ArrayLike, n_inputs: int) -> tuple[Tensor, tuple[int, ...]]:
    """(inputs, units * positions), without a copy, and (units, height, width)."""
    array = given if isinstance(given, Tensor) else np.asanyarray(given)
    if isinstance(array, np.ndarray):
        if array.dtype.kind == "V":
            raise Problem(
                f"activations, {layer}, {which}: bytes of no type ({array.dtype.str}), as NumPy saves JAX's bfloat16; "
                "make them float32 before they are saved"
            )
        if array.dtype.kind != "f" or not array.dtype.isnative:
            raise Problem(f"activations, {layer}, {which}: {array.dtype}; expected floating-point numbers")
        with warnings.catch_warnings(action="ignore"):  # it may not be written to: nothing here writes
            array = torch.from_numpy(array)
    elif not array.is_floating_point():
        raise Problem(f"activations, {layer}, {which}: {array.dtype}; expected floating-point numbers")
    if array.ndim < 2 or len(array) != n_inputs or 0 in array.shape:
        raise Problem(
            f"activations, {layer}, {which}: shape {tuple(array.shape)}; expected ({n_inputs}, units) or "
            f"({n_inputs}, units, positions), an input a label"
        )
    units, *positions = array.shape[1:]
    height = 1 if len(positions) < 2 else positions[0]
    width = int(np.prod(positions[1:] if len(positions) > 1 else positions))
    _check_finite(layer, which, flat := array.detach().reshape(n_inputs, -1))
    return flat, (units, height, width)


def _check_finite(layer: str, which: str, flat: Tensor) -> None:
    for part in _parts(flat):
        if not bool(torch.isfinite(part).all()):
            raise Problem(f"activations, {layer}, {which}: values that are not finite")


def _parts(array: Tensor) -> Iterator[Tensor]:
    """An array in parts along its first axis, so that of one on disk no more is in memory."""
    step = max(1, _PART // max(1, array[0].numel() * array.element_size()))
    for first in range(0, len(array), step):
        yield array[first : first + step]


def _digest_of_pair(train: Tensor, test: Tensor) -> str:
    """Of the activations' bits: another call with the same arrays goes on where this one was stopped."""
    digest = hashlib.sha256()
    for array in (train, test):
        for part in _parts(array):
            digest.update(part.contiguous().cpu().view(torch.uint8).numpy().data)
    return digest.hexdigest()
