"""Which filter of a layer to show first: the one most like the filter of the paper's Figure 1."""

import numpy as np

from store.measure.layer import LayerMeasure

_EXAMPLE = (3, 2, 2)  # cluster sizes of the filter that the paper's Figure 1 shows


def cluster_sizes(measured: LayerMeasure, f: int) -> list[int]:
    """Labels of each cluster of a filter, larger before smaller: as `permutation` orders them."""
    of = measured.cluster_of[f]
    return sorted(np.bincount(of[of >= 0]).tolist(), reverse=True)


def like_the_papers(measured: LayerMeasure) -> int | None:
    """The filter whose clusters are most like _EXAMPLE, then the one with the least noise; None where none has any."""
    some = np.flatnonzero(measured.n_clusters > 0).tolist()

    def distance(f: int) -> tuple[int, int, int]:
        sizes = cluster_sizes(measured, f)
        width = max(len(sizes), len(_EXAMPLE))
        ours, paper = ([*values, *[0] * (width - len(values))] for values in (sizes, _EXAMPLE))
        return sum(abs(a - b) for a, b in zip(ours, paper, strict=True)), int(measured.noise[f]), f

    return min(some, key=distance, default=None)
