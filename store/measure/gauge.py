"""The gauge of a probe's weights: what may be added to them without changing a prediction, and what then changes.

Softmax does not change when the same amount is added to all outputs. So v[f, s] added to the weights w[f, j, s] of all
outputs j leaves every probability, and the loss, as they are; row i of filter f's fields it shifts by
sum over s of A[f, i, s] v[f, s], and with it what is above the threshold.

    as trained   the fields of the weights as they are, as in the paper
    zero-sum     F0[f, i, j] = F[f, i, j] - mean over j of F[f, i, j]: the same whatever was added

The mean is taken over the float32 fields, in float64, in the order of j; the difference is rounded once to float32. So
matrices alone, and class means with weights, give the same bits. Arrays in, arrays out.

>>> import numpy as np
>>> zero_sum(np.float32([[[3.0, 1.0], [1.0, 1.0]]]))
array([[[ 1., -1.],
        [ 0.,  0.]]], dtype=float32)
>>> weights = np.float32([[[1.0], [-0.5], [-0.5]]])  # one filter, three outputs, one position
>>> common_part(weights), round(common_part(shifted(weights, 1.0)), 3)
(0.0, 0.816)
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure import kernels
from store.measure.threads import parallel_ranges

Gauge = Literal["as trained", "zero-sum"]

AS_TRAINED: Gauge = "as trained"
GAUGES: tuple[Gauge, ...] = get_args(Gauge)


def is_zero_sum(gauge: Gauge) -> bool:
    """Raises ValueError for what is no gauge."""
    if gauge not in GAUGES:
        raise ValueError(f"gauge: expected {' or '.join(map(repr, GAUGES))}, got {gauge!r}")
    return gauge == "zero-sum"


def other_gauge(gauge: Gauge) -> Gauge:
    return "as trained" if is_zero_sum(gauge) else "zero-sum"


def zero_sum(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fields (N_f, K, K) in the zero-sum gauge; the given ones stay as they are.

    Twice is once but for rounding: the mean of a row that was rounded is within 2^-24 of the row's largest magnitude of
    zero, so that an element moves by at most this and one rounding of its own, together 2^-23 of that magnitude. The
    measures are the same unless an element lies that close to the threshold.
    """
    fields = np.ascontiguousarray(fields)
    found = np.empty_like(fields)

    def fill(share: int, first: int, last: int) -> None:
        kernels.fill_zero_sum(first, last, fields, found)

    parallel_ranges(fill, len(fields), work=fields.size)
    return found


def common_weights(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the weights (N_f, K, S) to all outputs have in common, c[f, s] = mean over j of w[f, j, s]: (N_f, S)."""
    common: NDArray[np.float64] = np.asarray(weights, np.float64).mean(axis=1)
    return common


def common_part(weights: NDArray[np.float32]) -> float:
    """The share of the probe's weights (N_f, K, S) that is common to all outputs: sqrt(K) ||c|| / ||w||, from 0 to 1.

    Norms are Euclidean, over all entries (Frobenius), of c as in `common_weights` and of w; sqrt(K), since c is in the
    weights K times. So its square is the part of the sum of squared weights that the zero-sum gauge removes. NaN where
    all weights are zero.
    """
    whole = float(np.linalg.norm(np.asarray(weights, np.float64)))
    common = float(np.linalg.norm(common_weights(weights)))
    return float(np.sqrt(weights.shape[1])) * common / whole if whole > 0 else float("nan")


def shifted(weights: NDArray[np.float32], amount: ArrayLike) -> NDArray[np.float32]:
    """The weights (N_f, K, S) with v added to all outputs alike; v: one number, or v[f, s] of shape (N_f, S)."""
    v = np.broadcast_to(np.asarray(amount, np.float64), (weights.shape[0], weights.shape[2]))
    return (weights.astype(np.float64) + v[:, None, :]).astype(np.float32)
