"""The sample of a layer, while its activations are at hand: resamples, and class means of one half of the inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from precompute.fields import class_means
from store.file.sample_results import to_record
from store.measure.bootstrap import affordable, bootstrap
from store.measure.halves import halves_alike, in_first_half

Means = NDArray[np.float32]


def sample(
    features: Tensor, labels: Tensor, means: Means, weights: Means, seed: int
) -> tuple[dict[str, Any], Means | None]:
    """The record (`layers[].sample` in FORMAT.md), and A of one half, (N_f, K, S).

    features (inputs, N_f * S) and labels (inputs,) of the test inputs; means and weights (N_f, K, S). There is no half
    where a label has a single input.
    """
    n_filters, n_labels, positions = means.shape
    of_input = labels.cpu().numpy()

    def columns(first: int, last: int) -> NDArray[np.float32]:
        of_filters = features[:, first * positions : last * positions].float().cpu().numpy()
        return of_filters.reshape(len(of_input), last - first, positions)

    resamples = affordable(n_filters, n_labels, positions)
    found = bootstrap(columns, of_input, weights, resamples=resamples, seed=seed)
    counts = np.bincount(of_input, minlength=n_labels)
    if counts.min() < 2:
        return to_record(found, seed, None), None
    first = np.flatnonzero(in_first_half(of_input))
    half = class_means(features[first], labels[first], n_labels, n_filters)
    return to_record(found, seed, halves_alike(means, half, weights, counts)), half
