"""The three stages of the paper's method, each from what the one before it made."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from precompute import one_layer
from precompute.activations import Activations, batch_of, passes, record
from precompute.disk.placement import activation_place, make_room, pixels
from precompute.disk.workspace import NETWORK
from precompute.frozen_pass import FrozenPass, by_torch, choose_pass
from precompute.images.augment import DrawnImages, Images, Preprocessing
from precompute.job import Job, Todo
from precompute.machine.device import to_device
from precompute.machine.memory import Place
from precompute.messages.wording import counted
from precompute.networks.class_order import permuted
from precompute.networks.taps import Tap
from precompute.one_layer import LayerActivations, Probed, kept_features, quantify
from precompute.own_probe import own_probe
from precompute.plan import Plan
from precompute.training.hooks import Snapshots
from precompute.training.loop import Training
from store.file.format import HISTORY
from store.file.write import LayerContent


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
        for batch, outputs, _ in passes(by_torch(network, [], job.device), data.test.part(mine)):
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
    as_it_forms = Snapshots(training, job.epochs, job.work.save_snapshot)
    history = training.run(job.stopping, partial(job.work.save_training, NETWORK), [as_it_forms])
    return Trained(network.requires_grad_(False), history, time.monotonic() - start, before)


@dataclass
class Recorded:
    """The activations of both splits, and how well the whole network does on them."""

    train_labels: Tensor  # (recorded training inputs,): more than there are images where each is drawn several times
    train: Activations = field(default_factory=dict)
    test: Activations = field(default_factory=dict)
    accuracies: dict[str, float] = field(default_factory=dict)
    passed: FrozenPass | None = None
    seconds: float = 0.0

    def forget(self) -> None:
        """Make room for the next ones."""
        self.train.clear()
        self.test.clear()


def record_activations(job: Job, plan: Plan | None, data: DataOnDevice, network: nn.Module, todo: Todo) -> Recorded:
    """Stage 2, first half: what comes out of the frozen layers, for all of them in one pass a split.

    Of several processes the first, which has the plan, gets it all.
    """
    draws = job.recipe.probe_draws
    train = data.train.drawn(draws, job.options.seed) if draws else data.train
    recorded = Recorded(data.train_labels.repeat(max(1, draws)))
    n_outputs = job.n_outputs(network)
    start = time.monotonic()
    recorded.passed = _frozen_pass(job, network, todo, {"train": train, "test": data.test})
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
        answers = record(split, recorded.passed.forward, taps, images, out, job.world)
        if n_outputs == job.sizes.n_labels and job.has_own_answers:
            recorded.accuracies[f"{split}_accuracy"] = (answers == labels.cpu()).double().mean().item()
            if split == "test" and job.head is not None:
                recorded.accuracies |= permuted(labels.cpu().numpy(), answers.numpy(), n_outputs)
    recorded.seconds = time.monotonic() - start
    return recorded


def _frozen_pass(job: Job, network: nn.Module, todo: Todo, splits: Mapping[str, Images | DrawnImages]) -> FrozenPass:
    """One for all splits, which may tap other layers: a tap more costs less than an export."""
    taps = [tap for tap in job.taps if any(tap in todo.recorded(split) for split in splits)]
    passing = [images for split, images in splits.items() if todo.recorded(split)]

    def first() -> Tensor:
        _, pixels = next(passing[0].batches(batch_of(job.arch.side)))
        return pixels

    found = choose_pass(network, taps, job.device, job.options.frozen_pass, sum(map(len, passing)), first)
    if found.differences and job.world.is_first:
        print(f"images pass by {found.by}, as by torch to {max(found.differences.values()):.0e}", flush=True)
    return found


def train_probe(job: Job, plan: Plan, data: DataOnDevice, recorded: Recorded, tap: Tap) -> Probed:
    """Stage 2, second half: a fully connected layer from one layer's outputs to the labels."""
    layer = activations(job, data, recorded, tap, plan.shapes[tap.layer][0])
    return one_layer.train_probe(layer, job.recipe.probe, job.recipe.probe_start, job.options.seed, job.stopping)


def probe(
    job: Job, plan: Plan, data: DataOnDevice, recorded: Recorded, tap: Tap, network: nn.Module
) -> tuple[Probed, dict[str, Any]]:
    """The layer's probe, and what its record says of it: trained, or with --probe own the classifier."""
    if job.options.probe == "own":
        return own_probe(network, job.arch, plan.shapes[tap.layer], job.sizes.n_labels)
    return train_probe(job, plan, data, recorded, tap), {}


def quantify_filters(
    job: Job,
    plan: Plan,
    data: DataOnDevice,
    recorded: Recorded,
    tap: Tap,
    probed: Probed,
    said: dict[str, Any],
) -> LayerContent:
    """Stage 3: the field matrix of every filter of a layer. said: what its record says of the probe."""
    n_filters, height, width = plan.shapes[tap.layer]
    about = {"unit": tap.unit, "pooling": tap.pool, "module": tap.where, "filter_size": [height, width]} | said
    assert recorded.passed is not None
    about["frozen_pass"] = recorded.passed.said(tap.layer)
    content = quantify(activations(job, data, recorded, tap, n_filters), probed, job.options.seed, about)
    if tap.layer in job.features:
        content.test_features = test_features(recorded, tap, n_filters)
    return content


def activations(job: Job, data: DataOnDevice, recorded: Recorded, tap: Tap, n_filters: int) -> LayerActivations:
    """What came out of a layer, as stages 2 and 3 of one layer take it."""
    train, test = recorded.train.get(tap.layer), recorded.test[tap.layer]
    labels = (recorded.train_labels, data.test_labels)
    return LayerActivations(tap.layer, train, test, *labels, job.sizes.n_labels, n_filters)


def test_features(recorded: Recorded, tap: Tap, n_filters: int) -> NDArray[np.uint16]:
    """A layer's activations on the test images, (inputs, N_f, S), as bfloat16 bit patterns."""
    return kept_features(recorded.test[tap.layer], n_filters)
