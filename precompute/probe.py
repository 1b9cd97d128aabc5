"""The linear probes: a fully connected layer without bias, from one layer's activations to the labels."""

import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from precompute.recipes import Schedule
from precompute.training.loop import Training

_BATCH = 500  # inputs at once


def probe_training(
    layer: str, features: Tensor, labels: Tensor, n_labels: int, schedule: Schedule, seed: int, start: str = "zeros"
) -> Training:
    """The training of a layer's probe: fields = features @ weights.T, no bias.

    features (inputs, filters * positions) may lie elsewhere than labels, where the probe is trained.
    """
    probe = initial_probe(layer, features.shape[1], n_labels, seed, start).to(labels.device)

    def inputs(index: Tensor, _draws: object) -> Tensor:
        return features.index_select(0, index.to(features.device)).to(labels.device).float()

    on_device = features.device == labels.device
    return Training(f"probe of layer {layer}", probe, inputs, labels, schedule, seed, on_device=on_device)


def initial_probe(layer: str, n_features: int, n_labels: int, seed: int, start: str) -> nn.Linear:
    """What a probe starts from: zeros, or random weights, other ones for each layer.

    The loss is convex in the weights, so a start is only what the training has not removed. From zeros, the sum of the
    weights over the outputs stays zero, since the gradients of a softmax add up to zero: the gauge is fixed.
    """
    if start == "random":
        torch.manual_seed(seed ^ zlib.crc32(layer.encode()))
        return nn.Linear(n_features, n_labels, bias=False)
    probe = nn.Linear(n_features, n_labels, bias=False, device="meta").to_empty(device="cpu")
    nn.init.zeros_(probe.weight)
    return probe


def start_share(start: NDArray[np.floating], trained: NDArray[np.floating]) -> float:
    """The share of a probe's weights that is their start: both of one shape, any.

    What is left of the start is its projection, <trained, start> / <start, start> times the start (the regression of
    one on the other); the share is its norm over the trained weights' norm. 0 for a start from zeros.
    """
    one, other = (array.ravel().astype(np.float64) for array in (start, trained))
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return abs(float(one @ other)) / size if size > 0 else 0.0


def probe_weights(probe: nn.Module) -> NDArray[np.float32]:
    """(labels, filters * positions)"""
    weights: NDArray[np.float32] = probe.get_parameter("weight").detach().cpu().numpy()
    return weights


@torch.no_grad()
def probe_answers(probe: nn.Module, features: Tensor) -> Tensor:
    """(inputs,) int64 on the probe's device: the label with the largest field."""
    device = next(probe.parameters()).device
    batches = (features[first : first + _BATCH] for first in range(0, len(features), _BATCH))
    return torch.cat([probe(batch.to(device).float()).argmax(1) for batch in batches])


def accuracy_of(answers: Tensor, labels: Tensor) -> float:
    return (answers == labels).cpu().double().mean().item()


def probe_accuracy(probe: nn.Module, features: Tensor, labels: Tensor) -> float:
    """The share of inputs whose label has the largest field."""
    return accuracy_of(probe_answers(probe, features), labels)
