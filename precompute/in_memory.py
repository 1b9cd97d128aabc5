"""A network in memory, and images as somebody's loader yields them -> activations, and from these a run's file.

    from precompute import measure

    run = measure(network, train_loader, test_loader, out="runs/mine.h5")

Without `out` the file is a temporary one: a notebook looks at the run and forgets it (`explorer.notebook.show`).
Nothing is done to the images: they go into the network as the loader yields them, on the device where its weights are.
"""

import atexit
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from precompute.activations import KEPT
from precompute.measuring import Given, ProbeOptions, measure_given
from precompute.messages.problem import Problem, one_line
from precompute.messages.progress import Progress
from precompute.networks import choose
from precompute.networks.calls import IMAGES, trace_on
from precompute.networks.main_path import Looked
from precompute.networks.outputs import find_outputs
from precompute.networks.taps import Tap, watch
from store.file.read import Run

_BATCH = 64  # inputs at once, of what is no loader and has no batches of its own

Inputs = DataLoader[Any] | Dataset[Any] | tuple[Any, Any] | Iterable[tuple[Any, Any]]


def measure(
    network: nn.Module,
    train: Inputs,
    test: Inputs,
    *,
    out: str | Path | None = None,
    layers: Sequence[str] = (),
    unit: str | None = None,
    label_names: Sequence[str] | None = None,
    superclasses: Sequence[str] | None = None,
    features: Sequence[str] = (),
    probe: ProbeOptions = ProbeOptions(),  # noqa: B008  (frozen)
    name: str | None = None,
    data: str = "images",
    device: str = "auto",
    fresh: bool = False,
) -> Run:
    """Probe a network as it is, and write the file that a run writes; the run, opened.

    network: any module from a batch of images (batch, channels, height, width) to outputs. It is not trained, and is
    left as it was. train, test: a DataLoader, a dataset of (image, label) pairs, a pair of arrays, images and labels,
    or any iterable of batches of (images, labels). A loader may draw in any order; one that leaves out what does not
    fill a batch (`drop_last`) measures without it. layers: paths of modules, as `network.named_modules()` has them, and
    "head", what the classifier reads; by default the ends of the network's stages, and "head" where the last stage is
    not what the classifier reads. unit: "node" or "head" (of attention), for transformers. out: by default a file of
    this process, which ends with it. The other arguments as of `measure_activations`; device: of the probes.

    Ctrl-C leaves the layers that are finished in the file, and the same call goes on. Raises Problem, OSError.
    """
    first = next(iter(_batches(train)), None)
    if first is None:
        raise Problem("train: no inputs")
    name = name or type(network).__name__
    taps, default = _taps(network, name, first[0], tuple(layers), unit)
    chosen = [tap for tap in taps if tap.layer in default]
    kept: dict[str, list[tuple[Tensor, tuple[int, ...]]]] = {tap.layer: [] for tap in chosen}
    labels: list[Tensor] = []
    accuracies: dict[str, float] = {}
    with _frozen(network):
        for split, inputs in (("train", train), ("test", test)):
            seen, of_inputs, answers, n_outputs = _record(network, chosen, inputs, split)
            labels.append(of_inputs)
            for tap in chosen:
                kept[tap.layer].append(seen[tap.layer])
            if answers is not None:
                accuracies[f"{split}_accuracy"] = (answers == of_inputs).double().mean().item()
    activations = {layer: tuple(flat.view(len(flat), *shape) for flat, shape in pair) for layer, pair in kept.items()}
    train_labels, test_labels = (one.numpy() for one in labels)
    content = Given.of(activations, train_labels, test_labels, label_names, superclasses)
    if n_outputs != len(content.label_names):
        accuracies = {}  # it tells other labels apart than the probes do
    manifest = {
        "network": {"arch": name, "epochs": 0, "weights": {"from": "memory"}, "n_outputs": n_outputs} | accuracies,
        "data": {"name": data, "source": "images of the caller's"},
    }
    about = {
        tap.layer: {
            "unit": tap.unit, "pooling": tap.pool, "module": tap.where, "filter_size": list(kept[tap.layer][0][1][1:]),
        }
        for tap in chosen
    }  # fmt: skip
    place = Path(out) if out is not None else _temporary()
    return measure_given(content, place, manifest, about, tuple(features), probe, device, fresh)


def _temporary() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="filterscope-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "run.h5"


def _taps(
    network: nn.Module, name: str, images: Tensor, layers: tuple[str, ...], unit: str | None
) -> tuple[list[Tap], list[str]]:
    """All taps, and the layers that are probed. Raises Problem."""
    pair = images[:IMAGES].repeat(IMAGES, *[1] * (images.ndim - 1))[:IMAGES]
    with _frozen(network):
        try:
            root = trace_on(network, pair.to(_device(network)))
        except Exception as error:  # there is nothing that a network may not raise
            shape = tuple(images.shape)
            raise Problem(f"network: a batch of shape {shape} does not pass through it: {one_line(error)}") from error
        looked = Looked(network, root, find_outputs(name, root, None))
        return choose.in_a_pass(name, looked, looked, layers, unit, ())


def _record(
    network: nn.Module, taps: list[Tap], inputs: Inputs, split: str
) -> tuple[dict[str, tuple[Tensor, tuple[int, ...]]], Tensor, Tensor | None, int | None]:
    """One pass: layer -> (activations (inputs, units * positions), (units, height, width)); labels; answers; outputs.

    No answers and no number of outputs where the network gives something else than (batch, outputs).
    """
    parts: dict[str, list[Tensor]] = {tap.layer: [] for tap in taps}
    shapes: dict[str, tuple[int, ...]] = {}
    labels, answers, n_outputs = list[Tensor](), list[Tensor](), None
    total = _length(inputs)
    progress = Progress(f"activations of the {split} inputs", total or 1, shown=total is not None)
    device, done = _device(network), 0
    with torch.no_grad(), watch(network, taps) as seen:
        for images, of_batch in _batches(inputs):
            outputs = network(images.to(device))
            for tap in taps:
                parts[tap.layer].append(seen[tap.layer].flatten(1).to(KEPT).cpu())
                shapes[tap.layer] = tuple(seen[tap.layer].shape[1:])
            labels.append(of_batch)
            if isinstance(outputs, Tensor) and outputs.ndim == 2:
                answers.append(outputs.argmax(1).cpu())
                n_outputs = outputs.shape[1]
            done += len(of_batch)
            progress.step(done)
    if not labels:
        raise Problem(f"{split}: no inputs")
    progress.finish(f"{done} inputs, {len(taps)} layers")
    activations = {layer: (torch.cat(of_layer), shapes[layer]) for layer, of_layer in parts.items()}
    return activations, torch.cat(labels), torch.cat(answers) if answers else None, n_outputs


def _batches(inputs: Inputs) -> Iterator[tuple[Tensor, Tensor]]:
    """Images as they come, and their labels (batch,) int64. Raises Problem."""
    if isinstance(inputs, tuple) and len(inputs) == 2 and not isinstance(inputs[0], tuple):
        images, labels = (torch.as_tensor(np.asarray(one) if not isinstance(one, Tensor) else one) for one in inputs)
        if len(images) != len(labels):
            raise Problem(f"{len(images)} images and {len(labels)} labels")
        pairs: Iterable[Any] = zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)
    elif isinstance(inputs, Dataset):
        pairs = DataLoader(inputs, _BATCH)
    else:
        pairs = inputs
    for pair in pairs:
        try:
            images, labels = pair
        except (TypeError, ValueError):
            raise Problem(f"a batch is {type(pair).__name__}; expected a pair, images and labels") from None
        labels = torch.as_tensor(labels).cpu()
        if not isinstance(images, Tensor) or labels.ndim != 1 or labels.is_floating_point():
            raise Problem("a batch: expected a tensor of images, and labels (batch,), whole numbers")
        yield images, labels.long()


def _length(inputs: Inputs) -> int | None:
    """How many inputs there are; None where that is not known beforehand."""
    if isinstance(inputs, tuple):
        return len(inputs[0])
    of = inputs.dataset if isinstance(inputs, DataLoader) else inputs
    try:
        return len(of) if isinstance(of, Dataset) else None  # type: ignore[arg-type]
    except TypeError:
        return None


def _device(network: nn.Module) -> torch.device:
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """In evaluation mode, each module, and afterwards as it was."""
    was = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in was.items():
            module.training = training
