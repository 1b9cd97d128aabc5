"""Which test inputs drive a filter: those of largest activation, and of largest field on their own label."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 16  # inputs a filter and ranking
RANKINGS = ("activation", "own field")  # by the mean over positions, and by what it adds to the input's own label

_VALUES_AT_ONCE = 1 << 24  # of activations: 64 MB


@dataclass(frozen=True, eq=False)
class TopInputs:
    """Of each filter and ranking, the M = min(MOST, inputs) test inputs that stand first, the largest value first."""

    inputs: NDArray[np.int32]  # (N_f, 2, M): numbers of test inputs
    positions: NDArray[np.int32]  # (N_f, 2, M): where the filter's activation, or what it adds, is largest
    values: NDArray[np.float32]  # (N_f, 2, M): mean activation over positions, and sum over s of w[f, i, s] a[f, s]

    @property
    def numbers(self) -> NDArray[np.int32]:
        """Inputs and positions in one, (N_f, 2, M, 2), as a file has them."""
        return np.stack([self.inputs, self.positions], axis=-1)


def top_inputs(
    columns: Callable[[int, int], NDArray[np.float32]], labels: NDArray[np.int64], weights: NDArray[np.float32]
) -> TopInputs:
    """columns(first, last): a[f, s] of all test inputs for the filters from first to last, (inputs, filters, S).

    labels (inputs,): each input's own, i. weights (N_f, K, S). Of equal values the input that comes first.
    """
    n_filters, _, positions = weights.shape
    most = min(MOST, len(labels))
    shape = (n_filters, len(RANKINGS), most)
    found = TopInputs(np.empty(shape, np.int32), np.empty(shape, np.int32), np.empty(shape, np.float32))
    step = max(1, _VALUES_AT_ONCE // (len(labels) * positions))
    for first in range(0, n_filters, step):
        last = min(first + step, n_filters)
        activations = columns(first, last)
        own = weights[first:last, labels].transpose(1, 0, 2)  # (inputs, filters, S): to the input's own label
        for ranking, parts in enumerate((activations, activations * own)):
            total = parts.sum(axis=2, dtype=np.float64)
            values = (total / positions if ranking == 0 else total).astype(np.float32)  # (inputs, filters)
            top = np.argsort(-values, axis=0, kind="stable")[:most]
            where = parts.argmax(axis=2)
            found.inputs[first:last, ranking] = top.T
            found.positions[first:last, ranking] = np.take_along_axis(where, top, axis=0).T
            found.values[first:last, ranking] = np.take_along_axis(values, top, axis=0).T
    return found


def to_show(inputs: NDArray[np.int32], n_inputs: int, limit: int) -> NDArray[np.int64] | None:
    """Which test inputs' pictures are kept, in order of their numbers; None for all of them, where the limit allows it.

    inputs (filters of all layers, 2, M). Rank by rank, so that every filter has its first before any has its second;
    those of one rank by how many filters have them.
    """
    if n_inputs <= limit:
        return None
    chosen: list[int] = []
    for rank in range(inputs.shape[2]):
        numbers, times = np.unique(inputs[:, :, rank], return_counts=True)
        known = set(chosen)
        chosen += [number for number in numbers[np.argsort(-times, kind="stable")].tolist() if number not in known]
        if len(chosen) >= limit:
            break
    return np.sort(np.array(chosen[:limit], np.int64))
