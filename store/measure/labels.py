"""What one label has in common with each other label. Arrays in, arrays out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.measure.layer import LayerMeasure, clip


class Partners(NamedTuple):
    """What a label has in common with each label, counted over the filters of a layer: (K,) each."""

    clusters: NDArray[np.int64]  # filters in which both are in one cluster
    noise_to: NDArray[np.int64]  # filters in which element (label, other) is noise: its inputs raise the other's output
    noise_from: NDArray[np.int64]  # filters in which element (other, label) is noise


def partners(measured: LayerMeasure, rows: tuple[NDArray[np.float32], NDArray[np.float32]], label: int) -> Partners:
    """rows: what the label causes, and what causes it, (N_f, K) each, as `Fields.of_label` gives them."""
    own = measured.cluster_of[:, label, None]
    together = (own >= 0) & (measured.cluster_of == own)  # (filter, label)
    row, column = (clip(array, measured.cut[:, None]) & ~together for array in rows)
    counts = [array.sum(axis=0) for array in (together, row, column)]
    counts[0][label] = 0  # a label shares its clusters with others
    return Partners(*counts)
