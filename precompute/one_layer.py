"""Stages 2 and 3 for one layer, from its activations alone: where these come from does not matter here."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from precompute.bootstrap import sample
from precompute.fields import by_filter, class_means
from precompute.machine.stopping import Stopping
from precompute.probe import (
    accuracy_of,
    initial_probe,
    probe_accuracy,
    probe_answers,
    probe_training,
    probe_weights,
    start_share,
)
from precompute.recipes import Schedule
from store.file.summary_results import to_record
from store.file.write import LayerContent, stores_fields
from store.measure.fields import Fields
from store.measure.layer import fields_from_factors
from store.measure.semantics import confusion_matrix
from store.measure.summary import THRESHOLDS, summary
from store.measure.top_inputs import TopInputs, top_inputs


@dataclass(frozen=True)
class LayerActivations:
    """What comes out of a layer, on both splits; it may lie elsewhere than the labels, where the probe is trained."""

    name: str
    train: Tensor | None  # (inputs, N_f * S), position by position within a filter; None where no probe is trained
    test: Tensor
    train_labels: Tensor  # (inputs,) int64
    test_labels: Tensor
    n_labels: int
    n_filters: int


@dataclass
class Probed:
    """The trained probe of a layer."""

    probe: nn.Module
    history: dict[str, list[float]]
    seconds: float
    start_share: float | None  # of its weights, what is left of their start; None where it was not trained


def train_probe(layer: LayerActivations, schedule: Schedule, start: str, seed: int, stopping: Stopping) -> Probed:
    """Stage 2: a fully connected layer from the layer's outputs to the labels. Raises Problem, Stopped."""
    assert layer.train is not None, "a probe is trained on training inputs"
    began = time.monotonic()
    training = probe_training(layer.name, layer.train, layer.train_labels, layer.n_labels, schedule, seed, start)
    initial = probe_weights(initial_probe(layer.name, layer.train.shape[1], layer.n_labels, seed, start))
    training.evaluate = lambda: probe_accuracy(training.model, layer.test, layer.test_labels)
    training.evaluations = schedule.epochs  # after each: when the probe is good enough is a question of its own
    history = training.run(stopping)
    share = start_share(initial, probe_weights(training.model))
    return Probed(training.model, history, time.monotonic() - began, share)


def quantify(layer: LayerActivations, probed: Probed, seed: int, record: dict[str, Any]) -> LayerContent:
    """Stage 3: the field matrix of every filter. record: what else is known of the layer."""
    means = class_means(layer.test, layer.test_labels, layer.n_labels, layer.n_filters)
    weights = by_filter(probe_weights(probed.probe), layer.n_filters)
    answers = probe_answers(probed.probe, layer.test)
    sampled, half = sample(layer.test, layer.test_labels, means, weights, seed)
    trained: dict[str, Any] = {}
    if layer.train is not None:
        trained["train_accuracy"] = probe_accuracy(probed.probe, layer.train, layer.train_labels)
    if probed.start_share is not None:
        trained["start_share"] = round(probed.start_share, 6)
    is_dense = stores_fields(layer.n_filters, layer.n_labels)
    fields = fields_from_factors(means, weights) if is_dense else None
    counts = np.bincount(layer.test_labels.cpu().numpy(), minlength=layer.n_labels)
    looked_at = Fields(fields, (means, weights))
    return LayerContent(
        name=layer.name,
        class_means=means,
        probe_weights=weights,
        fields=fields,
        confusion=confusion_matrix(layer.test_labels.cpu().numpy(), answers.cpu().numpy(), layer.n_labels),
        class_means_half=half,
        top_inputs=driving(layer.test, layer.test_labels, weights),
        history=probed.history,
        record={
            "sample": sampled,
            "summary": to_record([summary(looked_at.measure(at, None, counts)) for at in THRESHOLDS]),
            "test_accuracy": accuracy_of(answers, layer.test_labels),
            "seconds": probed.seconds,
        }
        | trained
        | record,
    )


def driving(features: Tensor, labels: Tensor, weights: NDArray[np.float32]) -> TopInputs:
    """Which test inputs drive each filter, from their activations (inputs, N_f * S) and labels (inputs,).

    weights (N_f, K, S).
    """
    _, _, positions = weights.shape

    def columns(first: int, last: int) -> NDArray[np.float32]:
        some = features[:, first * positions : last * positions].float().cpu().numpy()
        return some.reshape(len(some), last - first, positions)

    return top_inputs(columns, labels.cpu().numpy(), weights)


def kept_features(test: Tensor, n_filters: int) -> NDArray[np.uint16]:
    """A layer's activations on the test inputs, (inputs, N_f, S) uint16, as bfloat16 bit patterns."""
    bits = test.to(torch.bfloat16).cpu().contiguous().view(torch.int16).numpy().view(np.uint16)
    return bits.reshape(len(bits), n_filters, -1)
