"""The three stages of the paper's method, each from what the one before it made."""

import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from precompute import weights
from precompute.augment import Images, Preprocessing
from precompute.data import Split
from precompute.device import free_memory
from precompute.fields import by_filter, class_means
from precompute.image_files import ImageFiles
from precompute.job import Job
from precompute.options import Problem
from precompute.plan import Plan
from precompute.probe import (
    Activations,
    batch_of,
    make_room,
    passes,
    probe_accuracy,
    probe_answers,
    probe_training,
    probe_weights,
    record,
    share_right,
)
from precompute.taps import Tap
from precompute.train import Training
from precompute.workspace import NETWORK
from store.format import HISTORY
from store.measure import fields_from_factors
from store.semantics import confusion_matrix
from store.write import LayerContent, stores_fields


class DataOnDevice:
    """The job's data set where the network sees it."""

    def __init__(self, job: Job) -> None:
        assert job.data is not None, "only a dry run has no data"
        splits, target = (job.data.train, job.data.test), job.device.target
        mean, std = job.arch.scaling(job.data)
        self.preprocessing = Preprocessing(job.arch.side, mean, std, job.data.flips, job.arch.warps)
        self.train, self.test = (
            Images(_pixels(job, split, name), target, self.preprocessing)
            for name, split in zip(("train", "test"), splits, strict=True)
        )
        self.train_labels, self.test_labels = (torch.from_numpy(split.labels).to(target) for split in splits)


@dataclass
class Trained:
    """Stage 1's outcome."""

    network: nn.Module
    history: dict[str, list[float]]
    seconds: float  # of this process
    went_on_after: float = 0.0  # epochs of an earlier one, whose seconds are not among these


def train_network(job: Job, data: DataOnDevice) -> Trained:
    """Stage 1: train the whole network, from where an earlier process got to."""
    as_it_is = job.recipe.network.epochs == 0
    with job.world.in_turn(job.origin["from"] == "hub"):
        network = weights.network(job.options, job.arch, job.sizes.n_labels, as_it_is).to(job.device.target)
    if as_it_is:
        if job.options.afcc_between and _n_outputs(job, network) != job.sizes.n_labels:
            raise Problem(
                f"--afcc-between trains the network's own outputs: it has {_n_outputs(job, network)}, the data "
                f"{job.sizes.n_labels} labels"
            )
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
    )
    before = 0.0
    state = job.world.from_first(job.work.load_training(NETWORK) if job.world.is_first else None)
    if state is not None:
        training.restore(state)
        epoch, step = divmod(training.step, training.steps_an_epoch)
        before = training.step / training.steps_an_epoch
        print(f"going on with the network's training after {epoch} epochs and {step} steps", flush=True)
    start = time.monotonic()
    history = training.run(job.stopping, partial(job.work.save_training, NETWORK))
    return Trained(network.requires_grad_(False), history, time.monotonic() - start, before)


def _n_outputs(job: Job, network: nn.Module) -> int:
    return len(network.get_submodule(job.arch.output[0]).get_parameter("weight"))


@dataclass
class Recorded:
    """The activations of both splits, and how well the whole network does on them."""

    train: Activations = field(default_factory=dict)
    test: Activations = field(default_factory=dict)
    accuracies: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def record_activations(
    job: Job, plan: Plan | None, data: DataOnDevice, network: nn.Module, taps: list[Tap]
) -> Recorded:
    """Stage 2, first half: what comes out of the frozen layers, for all of them in one pass a split.

    Of several processes the first, which has the plan, gets it all.
    """
    recorded = Recorded()
    if not taps:
        return recorded
    n_outputs = _n_outputs(job, network)
    start = time.monotonic()
    for split, images, labels, out in (
        ("train", data.train, data.train_labels, recorded.train),
        ("test", data.test, data.test_labels, recorded.test),
    ):
        if plan is not None:
            for tap in taps:
                place = job.work.activation_file(split, tap.layer) if plan.on_disk else plan.activation_device
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


def train_probe(job: Job, data: DataOnDevice, recorded: Recorded, tap: Tap) -> Probed:
    """Stage 2, second half: a fully connected layer from one layer's outputs to the labels."""
    train, test = recorded.train[tap.layer], recorded.test[tap.layer]
    start = time.monotonic()
    training = probe_training(
        tap.layer, train, data.train_labels, job.sizes.n_labels, job.recipe.probe, job.options.seed
    )
    training.evaluate = lambda: probe_accuracy(training.model, test, data.test_labels)
    history = training.run(job.stopping)
    return Probed(training.model, history, time.monotonic() - start)


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
    return LayerContent(
        name=tap.layer,
        class_means=means,
        probe_weights=weights,
        fields=fields_from_factors(means, weights) if stores_fields(n_filters, n_labels) else None,
        confusion=confusion_matrix(data.test_labels.cpu().numpy(), answers.cpu().numpy(), n_labels),
        test_features=_bits(test, n_filters) if tap.layer in job.features else None,
        history=probed.history,
        record={
            "unit": tap.unit,
            "module": tap.module,
            "filter_size": [height, width],
            "train_accuracy": probe_accuracy(probed.probe, train, data.train_labels),
            "test_accuracy": share_right(answers, data.test_labels),
            "seconds": probed.seconds,
        },
    )


def _pixels(job: Job, split: Split, name: str) -> "Tensor | ImageFiles":
    """A split's images as its passes want them: an array, or files that one pass decodes as it comes to them.

    A network that is trained sees them many times, so files are decoded once: into memory, or, where half of what is
    free does not hold them, onto disk.
    """
    images = split.images
    if not isinstance(images, ImageFiles):
        return torch.from_numpy(images)
    if not job.trains_network:
        return images
    if job.world.several:  # one copy for all processes, each of which decodes a part
        return torch.from_numpy(job.world.decode(images, job.work.pixel_file(name)))
    place = job.work.pixel_file(name) if images.nbytes > free_memory() // 2 else None
    return torch.from_numpy(images.decoded(place))


def _bits(features: Tensor, n_filters: int) -> NDArray[np.uint16]:
    """(inputs, N_f * S) bfloat16 -> (inputs, N_f, S), the same bits as uint16."""
    bits = features.cpu().contiguous().view(torch.int16).numpy().view(np.uint16)
    return bits.reshape(len(bits), n_filters, -1)
