"""All matrices of a layer in one, as its picture."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def mean_matrix(matrices: Iterable[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """(K, K): the mean over filters of each one's matrix divided by its maximum, cut off at -1.

    Silent filters are left out; None where all are silent. Added in float64, filter by filter, and rounded once.
    """
    total, count = None, 0
    for matrix in matrices:
        maximum = np.float64(matrix.max())
        if maximum > 0 and np.isfinite(maximum):
            scaled = np.maximum(matrix / maximum, -1.0)
            total, count = (scaled if total is None else total + scaled), count + 1
    return None if total is None else (total / count).astype(np.float32)
