"""The three stages of the paper's method, each from what the one before it made."""

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from precompute.activations import Activations, batch_of, passes, record
from precompute.bootstrap import sample
from precompute.disk.placement import activation_place, make_room, pixels
from precompute.disk.workspace import NETWORK
from precompute.fields import by_filter, class_means
from precompute.images.augment import Images, Preprocessing
from precompute.job import Job, Todo
from precompute.machine.device import to_device
from precompute.machine.memory import Place
from precompute.messages.wording import counted
from precompute.networks.taps import Tap
from precompute.plan import Plan
from precompute.probe import (
    accuracy_of,
    initial_probe,
    probe_accuracy,
    probe_answers,
    probe_training,
    probe_weights,
    start_share,
)
from precompute.training.loop import Training
from store.file.format import HISTORY
from store.file.write import LayerContent, stores_fields
from store.measure.layer import fields_from_factors
from store.measure.semantics import confusion_matrix


class DataOnDevice:
    """The job's data set where the network sees it. places: as the plan has them."""

    def __init__(self, job: Job, places: dict[str, Place]) -> None:
        assert job.data is not None, "only a dry run has no data"
        splits, target = (job.data.train, job.data.test), job.device.target
        mean, std = job.arch.scaling(job.data)
        flips = job.data.flips and not job.options.no_flip
        self.preprocessing = Preprocessing(job.arch.side, mean, std, flips, job.arch.warps)
        self.train, self.test = (
            Images(
                pixels(split.images, name, places.get(name), job.work, target, job.world), target, self.preprocessing
            )
            for name, split in zip(("train", "test"), splits, strict=True)
        )
        self.train_labels, self.test_labels = (torch.from_numpy(split.labels).to(target) for split in splits)


@dataclass
class Trained:
    """Stage 1's outcome."""

    network: nn.Module
    history: dict[str, list[float]]
    seconds: float  # of this process
    resumed_at_epoch: float = 0.0  # epochs of an earlier one, whose seconds are not among these


def train_network(job: Job, data: DataOnDevice, saved: dict[str, Any] | None) -> Trained:
    """Stage 1: train the whole network, from where an earlier process got to: the first process has it `saved`."""
    with job.world.in_turn(job.origin["from"] == "hub"):
        network = to_device(job.network(), job.device)
    if job.recipe.network.epochs == 0:
        return Trained(network.requires_grad_(False), {column: [] for column in HISTORY}, 0.0)

    def test_accuracy() -> float:
        mine = job.world.shards(len(data.test), batch_of(job.arch.side))[job.world.rank]
        labels, right = data.test_labels[mine], torch.tensor(0)
        for batch, outputs, _ in passes(network, [], data.test.part(mine), job.device):
            right += int((outputs.argmax(1) == labels[batch]).sum())
        return job.world.total(right).item() / len(data.test)

    training = Training(
        name="network",
        model=network,
        inputs=data.train.augmented,
        labels=data.train_labels,
        schedule=job.recipe.network,
        seed=job.options.seed,
        autocast=job.device.autocast,
        evaluate=test_accuracy,
        world=job.world,
        on_device=data.train.on_device,
    )
    before = 0.0
    state = job.world.from_first(saved)
    if state is not None:
        training.restore(state)
        epoch, step = divmod(training.step, training.steps_an_epoch)
        before = training.step / training.steps_an_epoch
        print(
            f"going on with the network's training after {counted(epoch, 'epoch')} and {counted(step, 'step')}",
            flush=True,
        )
    start = time.monotonic()
    history = training.run(job.stopping, partial(job.work.save_training, NETWORK))
    return Trained(network.requires_grad_(False), history, time.monotonic() - start, before)


@dataclass
class Recorded:
    """The activations of both splits, and how well the whole network does on them."""

    train_labels: Tensor  # (recorded training inputs,): more than there are images where each is drawn several times
    train: Activations = field(default_factory=dict)
    test: Activations = field(default_factory=dict)
    accuracies: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def record_activations(job: Job, plan: Plan | None, data: DataOnDevice, network: nn.Module, todo: Todo) -> Recorded:
    """Stage 2, first half: what comes out of the frozen layers, for all of them in one pass a split.

    Of several processes the first, which has the plan, gets it all.
    """
    draws = job.recipe.probe_draws
    train = data.train.drawn(draws, job.options.seed) if draws else data.train
    recorded = Recorded(data.train_labels.repeat(max(1, draws)))
    n_outputs = job.n_outputs(network)
    start = time.monotonic()
    for split, images, labels, out in (
        ("train", train, recorded.train_labels, recorded.train),
        ("test", data.test, data.test_labels, recorded.test),
    ):
        taps = todo.recorded(split)
        if not taps:
            continue
        if plan is not None:
            for tap in taps:
                place = activation_place(plan.places["activations"], job.work, job.device.target, split, tap.layer)
                out[tap.layer] = make_room(len(images), plan.n_features(tap.layer), place)
        answers = record(split, network, taps, images, job.device, out, job.world)
        if n_outputs == job.sizes.n_labels:  # else it tells other labels apart than the probes do
            recorded.accuracies[f"{split}_accuracy"] = (answers == labels.cpu()).double().mean().item()
    recorded.seconds = time.monotonic() - start
    return recorded


@dataclass
class Probed:
    """The trained probe of a layer."""

    probe: nn.Module
    history: dict[str, list[float]]
    seconds: float
    start_share: float  # of its weights, what is left of their start


def train_probe(job: Job, data: DataOnDevice, recorded: Recorded, tap: Tap) -> Probed:
    """Stage 2, second half: a fully connected layer from one layer's outputs to the labels."""
    train, test = recorded.train[tap.layer], recorded.test[tap.layer]
    start = time.monotonic()
    recipe, seed, n_labels = job.recipe, job.options.seed, job.sizes.n_labels
    training = probe_training(tap.layer, train, recorded.train_labels, n_labels, recipe.probe, seed, recipe.probe_start)
    initial = probe_weights(initial_probe(tap.layer, train.shape[1], n_labels, seed, recipe.probe_start))
    training.evaluate = lambda: probe_accuracy(training.model, test, data.test_labels)
    training.evaluations = recipe.probe.epochs  # after each: when the probe is good enough is a question of its own
    history = training.run(job.stopping)
    share = start_share(initial, probe_weights(training.model))
    return Probed(training.model, history, time.monotonic() - start, share)


def quantify_filters(
    job: Job, plan: Plan, data: DataOnDevice, recorded: Recorded, tap: Tap, probed: Probed
) -> LayerContent:
    """Stage 3: the field matrix of every filter of a layer."""
    train, test = recorded.train[tap.layer], recorded.test[tap.layer]
    n_labels = job.sizes.n_labels
    n_filters, height, width = plan.shapes[tap.layer]
    means = class_means(test, data.test_labels, n_labels, n_filters)
    weights = by_filter(probe_weights(probed.probe), n_filters)
    answers = probe_answers(probed.probe, test)
    sampled, half = sample(test, data.test_labels, means, weights, job.options.seed)
    return LayerContent(
        name=tap.layer,
        class_means=means,
        probe_weights=weights,
        fields=fields_from_factors(means, weights) if stores_fields(n_filters, n_labels) else None,
        confusion=confusion_matrix(data.test_labels.cpu().numpy(), answers.cpu().numpy(), n_labels),
        test_features=test_features(recorded, tap, n_filters) if tap.layer in job.features else None,
        class_means_half=half,
        history=probed.history,
        record={
            "sample": sampled,
            "unit": tap.unit,
            "module": tap.where,
            "filter_size": [height, width],
            "train_accuracy": probe_accuracy(probed.probe, train, recorded.train_labels),
            "test_accuracy": accuracy_of(answers, data.test_labels),
            "start_share": round(probed.start_share, 6),
            "seconds": probed.seconds,
        },
    )


def test_features(recorded: Recorded, tap: Tap, n_filters: int) -> NDArray[np.uint16]:
    """A layer's activations on the test images, (inputs, N_f, S), as bfloat16 bit patterns."""
    bits = recorded.test[tap.layer].cpu().contiguous().view(torch.int16).numpy().view(np.uint16)
    return bits.reshape(len(bits), n_filters, -1)
