"""Class means x probe weights -> field matrices.

"The performance of each filter was calculated using test inputs, with all weights of the trained FC layer silenced
except for those that emerged from the filter." The probe is linear and has no bias, so what the inputs of label i cause
on output j through a filter, on average, is its mean activation for label i times its weights to j. No filter is
silenced in turn, and the fields of all filters add up to the probe's output.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def class_means(features: Tensor, labels: Tensor, n_labels: int, n_filters: int) -> NDArray[np.float32]:
    """A[f, i, s]: features (inputs, N_f * S) and labels (inputs,) -> (N_f, K, S), each mean taken in float64.

    A label without inputs raises ValueError: it has no mean.
    """
    labels = labels.to(features.device)
    counts = torch.bincount(labels, minlength=n_labels)
    if counts.min() == 0:
        raise ValueError(f"label {int(counts.argmin())} has no inputs, so it has no class mean")
    means = np.empty((n_labels, features.shape[1]), np.float32)
    for label in range(n_labels):
        of_label = features[labels == label]
        if of_label.device.type == "mps":  # has no float64
            of_label = of_label.cpu()
        means[label] = of_label.mean(dim=0, dtype=torch.float64).cpu().numpy()
    return by_filter(means, n_filters)


def by_filter(per_label: NDArray[np.float32], n_filters: int) -> NDArray[np.float32]:
    """(K, N_f * S), as class means or probe weights come, -> (N_f, K, S)."""
    by_label = per_label.reshape(len(per_label), n_filters, -1)  # (label, filter, position)
    return np.ascontiguousarray(by_label.transpose(1, 0, 2))
