"""The three stages of the paper's method, each from what the one before it made."""

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from precompute.augment import Images
from precompute.data import DataSet
from precompute.device import Device
from precompute.fields import by_filter, class_means
from precompute.models import Arch, Tap
from precompute.plan import Plan
from precompute.probe import Activations, make_room, passes, probe_accuracy, probe_training, probe_weights, record
from precompute.recipes import Recipe
from precompute.stopping import Stopping
from precompute.train import Training
from precompute.workspace import Workspace
from store.measure import fields_from_factors
from store.write import LayerContent, stores_fields


class DataOnDevice:
    """A data set where the network sees it."""

    def __init__(self, data: DataSet, arch: Arch, device: Device) -> None:
        self.n_labels = data.n_labels
        self.train, self.test = (
            Images(torch.from_numpy(split.images), device.target, arch.pixel_mean, arch.pixel_std, data.flips)
            for split in (data.train, data.test)
        )
        self.train_labels, self.test_labels = (
            torch.from_numpy(split.labels).to(device.target) for split in (data.train, data.test)
        )


@dataclass
class Trained:
    """Stage 1's outcome."""

    network: nn.Module
    history: dict[str, list[float]]
    seconds: float  # of this process, which may have gone on from an earlier one


def train_network(
    arch: Arch, data: DataOnDevice, recipe: Recipe, seed: int, device: Device, work: Workspace, stopping: Stopping
) -> Trained:
    """Stage 1: "the entire deep architecture is trained using optimized parameters to minimize the loss function"."""
    network = arch.build(data.n_labels, seed).to(device.target)

    def test_accuracy() -> float:
        right = 0
        for batch, outputs, _ in passes(network, [], data.test, device):
            right += int((outputs.argmax(1) == data.test_labels[batch]).sum())
        return right / len(data.test)

    training = Training(
        name="network",
        model=network,
        inputs=data.train.augmented,
        labels=data.train_labels,
        schedule=recipe.network,
        seed=seed,
        autocast=device.autocast,
        evaluate=test_accuracy,
    )
    state = work.load_network()
    if state is not None:
        training.restore(state)
        epoch, step = divmod(training.step, training.steps_an_epoch)
        print(f"going on from epoch {epoch}, step {step} of the network's training")
    start = time.monotonic()
    history = training.run(stopping, work.save_network)
    return Trained(network.requires_grad_(False), history, time.monotonic() - start)


@dataclass
class Recorded:
    """The activations of both splits, and how well the whole network does on them."""

    train: Activations = field(default_factory=dict)
    test: Activations = field(default_factory=dict)
    accuracies: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def record_activations(
    network: nn.Module, taps: list[Tap], data: DataOnDevice, plan: Plan, device: Device, work: Workspace
) -> Recorded:
    """Stage 2, first half: "the output of the training set for the mth layer", for all layers in one pass a split."""
    recorded = Recorded()
    start = time.monotonic()
    for split, images, labels, out in (
        ("train", data.train, data.train_labels, recorded.train),
        ("test", data.test, data.test_labels, recorded.test),
    ):
        for tap in taps:
            place = work.activation_file(split, tap.layer) if plan.on_disk else plan.activation_device
            out[tap.layer] = make_room(len(images), plan.n_features(tap.layer), place)
        answers = record(split, network, taps, images, device, out)
        recorded.accuracies[f"{split}_accuracy"] = (answers == labels.cpu()).float().mean().item()
    recorded.seconds = time.monotonic() - start
    return recorded


def probe_layer(
    tap: Tap, recorded: Recorded, data: DataOnDevice, plan: Plan, recipe: Recipe, seed: int, stopping: Stopping
) -> LayerContent:
    """Stage 2, second half, and stage 3 for one layer: train its probe, then quantify each of its filters."""
    start = time.monotonic()
    train, test = recorded.train[tap.layer], recorded.test[tap.layer]
    training = probe_training(tap.layer, train, data.train_labels, data.n_labels, recipe.probe, seed)
    training.evaluate = lambda: probe_accuracy(training.model, test, data.test_labels)
    history = training.run(stopping)

    n_filters, height, width = plan.shapes[tap.layer]
    means = class_means(test, data.test_labels, data.n_labels, n_filters)
    weights = by_filter(probe_weights(training.model), n_filters)
    return LayerContent(
        name=tap.layer,
        class_means=means,
        probe_weights=weights,
        fields=fields_from_factors(means, weights) if stores_fields(n_filters, data.n_labels) else None,
        test_features=_bits(test, n_filters) if tap.layer in plan.features else None,
        history=history,
        record={
            "unit": tap.unit,
            "module": tap.module,
            "filter_size": [height, width],
            "train_accuracy": probe_accuracy(training.model, train, data.train_labels),
            "test_accuracy": probe_accuracy(training.model, test, data.test_labels),
            "seconds": time.monotonic() - start,
        },
    )


def _bits(features: Tensor, n_filters: int) -> NDArray[np.uint16]:
    """(inputs, N_f * S) bfloat16 -> (inputs, N_f, S), the same bits as uint16."""
    bits = features.cpu().contiguous().view(torch.int16).numpy().view(np.uint16)
    return bits.reshape(len(bits), n_filters, -1)
