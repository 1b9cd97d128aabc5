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
    layer: str, features: Tensor, labels: Tensor, n_labels: int, schedule: Schedule, seed: int
) -> Training:
    """The training of a layer's probe: fields = features @ weights.T, no bias.

    features (inputs, filters * positions) may lie elsewhere than labels, where the probe is trained.
    """
    torch.manual_seed(seed ^ zlib.crc32(layer.encode()))  # random initial weights, others for each layer
    probe = nn.Linear(features.shape[1], n_labels, bias=False).to(labels.device)

    def inputs(index: Tensor, _draws: object) -> Tensor:
        return features.index_select(0, index.to(features.device)).to(labels.device).float()

    on_device = features.device == labels.device
    return Training(f"probe of layer {layer}", probe, inputs, labels, schedule, seed, on_device=on_device)


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
