"""How alike the clusters of two measures of one layer are. Arrays in, arrays out."""

import numpy as np
from numpy.typing import NDArray


def cluster_jaccard(of_one: NDArray[np.integer], of_other: NDArray[np.integer]) -> NDArray[np.float64]:
    """(N_f,): of each filter, the share of the elements in clusters of either measure that are in clusters of both.

    of_one, of_other: `cluster_of` (N_f, K) of each, as in `LayerMeasure`. 1 where neither has a cluster.

    >>> cluster_jaccard(np.array([[0, 0, -1]]), np.array([[0, 0, 1]]))  # 4 elements in common, 5 in all
    array([0.8])
    """
    found = np.ones(len(of_one))
    for f, pair in enumerate(zip(of_one, of_other, strict=True)):
        one, other = ((clusters[:, None] == clusters) & (clusters >= 0)[:, None] for clusters in pair)
        either = int((one | other).sum())
        if either:
            found[f] = int((one & other).sum()) / either
    return found
