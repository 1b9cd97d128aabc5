"""Benchmark 3: field matrices from class means against silencing filter by filter over the test set."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import Row, interleaved, median_ratio
from precompute.fields import by_filter, class_means
from store.measure.layer import fields_from_factors

N_INPUTS, N_LABELS, N_FILTERS, POSITIONS = 10_000, 100, 512, 4  # layer 10 of VGG-16 on CIFAR-100's test set
SILENCED = 16  # filters that are silenced one by one; the time is scaled up to all


def silencing(features: Tensor, weights: Tensor, labels: Tensor, filters: range) -> Tensor:
    """The paper's words as a program: for each filter, all other weights zero, all test inputs, means over labels."""
    counts = torch.bincount(labels, minlength=N_LABELS)[:, None]
    fields = torch.empty(len(filters), N_LABELS, N_LABELS)
    for place, chosen in enumerate(filters):
        aperture = slice(chosen * POSITIONS, (chosen + 1) * POSITIONS)
        silenced = torch.zeros_like(weights)
        silenced[:, aperture] = weights[:, aperture]
        outputs = features @ silenced.T  # (input, output_label)
        fields[place] = torch.zeros(N_LABELS, N_LABELS).index_add_(0, labels, outputs) / counts
    return fields


def from_class_means(features: Tensor, weights: Tensor, labels: Tensor) -> np.ndarray:
    means = class_means(features, labels, N_LABELS, N_FILTERS)
    return fields_from_factors(means, by_filter(weights.numpy(), N_FILTERS))


def rows() -> list[Row]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(N_INPUTS, N_FILTERS * POSITIONS, generator=generator).relu_().bfloat16()
    weights = torch.randn(N_LABELS, N_FILTERS * POSITIONS, generator=generator) / 45  # logits of order one
    labels = torch.arange(N_INPUTS) % N_LABELS
    exact = features.float()
    slow = partial(silencing, exact, weights, labels, range(SILENCED))
    slow_times, fast_times = interleaved(slow, partial(from_class_means, features, weights, labels), rounds=5)
    faster = median_ratio(slow_times, to=fast_times) * N_FILTERS / SILENCED
    difference = np.abs(from_class_means(features, weights, labels)[:SILENCED] - slow().numpy()).max()
    size = f"{N_FILTERS} filters, {N_INPUTS} inputs, {N_LABELS} labels"
    return [
        Row(f"silencing filter by filter ({size}) / fields from class means", faster, "x", ">= 100", faster >= 100),
        Row("largest difference between the two", difference, "", "<= 1e-5", bool(difference <= 1e-5)),
    ]
