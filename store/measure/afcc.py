"""What if only the clusters were connected: AFCC masks, exact accuracies, silenced filters, one input's logits.

"Applying filter's cluster connections": of a probe's weights, those from a filter to the labels of its clusters are
kept, all others are zero (the paper's Discussion). The probe is linear and has no bias, so what the masked probe says
of every test input follows from its features, and no network runs. Arrays in, arrays out.

A logit is the sum of weight x activation over filters and positions, in order, taken in float64 and rounded once to
float32, as a field is. Products of two float32 are exact there, so a logit is the exact one but for that last rounding
(a matrix product in float32, as PyTorch has it, is off by about 1e-6 of the sum of magnitudes). The largest of the
rounded logits is the answer, the first of equals, as `torch.argmax` decides: where a label and the right one are
rounded to the same float32, or an input meets no kept weight at all, ties do occur.

>>> import numpy as np
>>> features = np.array([[1.0, 0.5], [0.0, 2.0]], np.float32)  # two inputs, two filters of one position
>>> weights = np.array([[[1.0], [0.2]], [[0.1], [1.0]]], np.float32)  # (filter, output, position)
>>> mask = afcc_mask(np.array([[0, -1], [-1, 0]]))
>>> result = what_if(to_blocks(features), weights, labels=np.array([0, 1]), mask=mask)
>>> result.logits.tolist(), result.accuracy, result.weights_kept
([[1.0, 0.5], [0.0, 2.0]], 1.0, 2)
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure import probe
from store.measure.layer import LayerMeasure, clip
from store.measure.threads import parallel_ranges

SilencingOrder = Literal["noisiest", "smallest maximum", "random"]

SIGNAL, INTERNAL, EXTERNAL, REST = range(4)  # the parts of a row of fields, as `parts_of_row` numbers them

_INPUTS_A_BLOCK = 256  # the sums of a block of 100 labels fit the second-level cache, and a row is 32 vectors long


def afcc_mask(cluster_of: NDArray[np.integer]) -> NDArray[np.bool_]:
    """cluster_of (N_f, K) -> (N_f, K): whether w[f, j, :] is kept, if and only if label j is in a cluster of f."""
    cluster_of = np.asarray(cluster_of)
    if cluster_of.ndim != 2:
        raise ValueError(f"cluster_of: expected (filters, labels), got shape {cluster_of.shape}")
    return cluster_of >= 0


@dataclass(frozen=True, eq=False)
class FeatureBlocks:
    """The features of all test inputs, in the order in which the sums run over them."""

    blocks: NDArray[Any]  # (blocks, N_f * S, inputs a block): bit patterns of float32, or of bfloat16
    n_inputs: int

    @property
    def shift(self) -> np.uint32:
        """By which a pattern becomes that of a float32."""
        return np.uint32(32 - 8 * self.blocks.dtype.itemsize)


def to_blocks(features: NDArray[np.float32] | NDArray[np.uint16]) -> FeatureBlocks:
    """Features (inputs, N_f * S) or (inputs, N_f, S), turned once so that each later `what_if` is quick.

    float32, or uint16 for bfloat16 bit patterns, as `store.file.read.Layer.test_features` has them; the result takes as
    much memory as they do. Raises TypeError, or ValueError where a value is not finite.
    """
    given = np.asarray(features)
    if given.dtype not in (np.float32, np.uint16):
        raise TypeError(f"features: expected float32, or bfloat16 bits as uint16, got {given.dtype}")
    if given.ndim not in (2, 3) or 0 in given.shape:
        raise ValueError(f"features: expected (inputs, filters * positions), got shape {given.shape}")
    flat: NDArray[Any] = np.ascontiguousarray(given.reshape(len(given), -1))
    flat = flat.view(np.uint32 if flat.dtype == np.float32 else np.uint16)
    exponent = flat.dtype.type(0x7F80 if flat.dtype == np.uint16 else 0x7F800000)  # all ones: infinite or NaN
    width = min(_INPUTS_A_BLOCK, -(-len(flat) // 8) * 8)
    blocks = np.zeros((-(-len(flat) // width), flat.shape[1], width), flat.dtype)
    for number, block in enumerate(blocks):
        inputs = flat[number * width : (number + 1) * width]
        if ((inputs & exponent) == exponent).any():
            raise ValueError("features: found one that is not finite")
        block[:, : len(inputs)] = inputs.T
    return FeatureBlocks(blocks, len(flat))


def from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 bit patterns -> the same numbers as float32, of the same shape."""
    if bits.dtype != np.uint16:
        raise TypeError(f"bits: expected bfloat16 bit patterns as uint16, got {bits.dtype}")
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What the masked probe makes of the test inputs, before any retraining."""

    logits: NDArray[np.float32]  # (inputs, K)
    predicted: NDArray[np.int64]  # (inputs,): the label with the largest logit, the first of equals
    accuracy: float
    accuracy_of_label: NDArray[np.float64]  # (K,): NaN where a label has no test inputs
    lost: NDArray[np.bool_]  # (K,): labels with test inputs of which none is recognised
    unconnected: NDArray[np.bool_]  # (K,): labels in no cluster of any filter, so that their logit is always zero
    weights_kept: int


def what_if(features: FeatureBlocks, probe_weights: NDArray[np.float32], labels: ArrayLike, mask: ArrayLike) -> WhatIf:
    """The masked probe's logits and accuracies.

    features as `to_blocks` gives them; probe_weights (N_f, K, S) float32; labels (inputs,), that of each test input;
    mask (N_f, K), which filter keeps its weights to which output. Raises ValueError or TypeError, naming the argument.
    """
    weights, of_input, kept = _probe(features, probe_weights, labels, mask)
    n_filters, n_labels, n_positions = weights.shape
    predicted, logits = _run(features, weights, kept, np.arange(n_filters), np.array([n_filters]))
    right = predicted[0] == of_input
    inputs = np.bincount(of_input, minlength=n_labels)
    recognised = np.bincount(of_input[right], minlength=n_labels)
    return WhatIf(
        logits=logits,
        predicted=predicted[0],
        accuracy=float(right.mean()),
        accuracy_of_label=np.where(inputs > 0, recognised / np.maximum(inputs, 1), np.nan),
        lost=(inputs > 0) & (recognised == 0),
        unconnected=np.logical_not(kept.any(axis=0)),
        weights_kept=int(kept.sum()) * n_positions,
    )


def silencing_order(order: SilencingOrder, measured: LayerMeasure, seed: int = 0) -> NDArray[np.int64]:
    """Which filters to silence first: (N_f,). Of equals, the first filter first; a maximum that is NaN comes last."""
    if order == "noisiest":
        return np.argsort(-measured.noise, kind="stable")
    if order == "smallest maximum":
        return np.argsort(measured.maximum, kind="stable")
    if order == "random":
        return np.random.default_rng(seed).permutation(len(measured.noise))
    raise ValueError(f"order: expected 'noisiest', 'smallest maximum' or 'random', got {order!r}")


@dataclass(frozen=True, eq=False)
class SilencingCurve:
    """Test accuracy while more and more filters are silenced."""

    silenced: NDArray[np.int64]  # (P,): the number of silenced filters at each point, from 0 to N_f
    accuracy: NDArray[np.float64]  # (P,)


def silencing(
    features: FeatureBlocks,
    probe_weights: NDArray[np.float32],
    labels: ArrayLike,
    mask: ArrayLike,
    order: ArrayLike,
    step: int = 1,
) -> SilencingCurve:
    """Accuracy with the first 0, step, 2 step, ... and at last all filters of `order` (N_f,) silenced.

    The other arguments are those of `what_if`. It is computed from the end, where all are silent, adding one filter
    after another; taking them away instead would leave the rounding of what is gone.
    """
    weights, of_input, kept = _probe(features, probe_weights, labels, mask)
    n_filters = len(weights)
    filters = np.asarray(order)
    if filters.dtype.kind not in "iu" or not np.array_equal(np.sort(filters, axis=None), np.arange(n_filters)):
        raise ValueError(f"order: expected each of the filters 0 to {n_filters - 1} once, got {str(order)[:80]}")
    if step < 1:
        raise ValueError(f"step: expected a number of filters of at least 1, got {step}")
    silenced = np.unique(np.append(np.arange(0, n_filters, step), n_filters))
    backwards = filters.astype(np.int64)[::-1].copy()
    predicted, _ = _run(features, weights, kept, backwards, n_filters - silenced[::-1])
    return SilencingCurve(silenced, (predicted == of_input).mean(axis=1)[::-1].copy())


def parts_of_row(measured: LayerMeasure, row: NDArray[np.float32], label: int) -> NDArray[np.int8]:
    """Which part of the label's row each element is, in every filter: (N_f, K) of SIGNAL, INTERNAL, EXTERNAL, REST.

    row (N_f, K): the label's row of every filter's field matrix, F[:, label, :]. The diagonal element of a label that
    is in a cluster is signal, the cluster's other elements are internal noise, those above the threshold outside
    clusters external noise; the rest is not above the threshold. Their numbers are those of `LayerMeasure`.
    """
    if row.shape != measured.cluster_of.shape:
        raise ValueError(f"row: expected (filters, labels) {measured.cluster_of.shape}, got {row.shape}")
    n_labels = row.shape[1]
    if not 0 <= label < n_labels:
        raise IndexError(f"label: expected 0 to {n_labels - 1}, got {label}")
    own = measured.cluster_of[:, label, None]
    parts = np.where(clip(row, measured.cut[:, None]), np.int8(EXTERNAL), np.int8(REST))
    parts[(own >= 0) & (measured.cluster_of == own)] = INTERNAL
    parts[own[:, 0] >= 0, label] = SIGNAL
    return parts


@dataclass(frozen=True, eq=False)
class SplitLogits:
    """One input's logits, taken apart."""

    given: NDArray[np.float64]  # (N_f, K): what each filter gives to each logit
    by_part: NDArray[np.float64]  # (4, K): what the SIGNAL, INTERNAL, EXTERNAL and REST elements of all filters give

    @property
    def logits(self) -> NDArray[np.float64]:
        """(K,): the sum over the parts, which is the sum over the filters."""
        sums: NDArray[np.float64] = self.by_part.sum(axis=0)
        return sums

    def ranked(self, output: int) -> NDArray[np.int64]:
        """The filters by what they give to an output, the most first: (N_f,)."""
        return np.argsort(-self.given[:, output], kind="stable")


def split_logits(
    features: NDArray[np.float32], probe_weights: NDArray[np.float32], parts: NDArray[np.int8]
) -> SplitLogits:
    """What each filter, and each part of the row of the input's label, gives to the logits of one input.

    features (N_f, S) of the input; probe_weights (N_f, K, S); parts (N_f, K) from `parts_of_row` for the input's label.
    In float64: nothing is lost, and what a mask leaves is the sum over what it keeps.
    """
    n_filters, n_labels, n_positions = probe_weights.shape
    if features.shape != (n_filters, n_positions):
        raise ValueError(f"features: expected one input's (filters, positions), got shape {features.shape}")
    if parts.shape != (n_filters, n_labels):
        raise ValueError(f"parts: expected (filters, labels) {(n_filters, n_labels)}, got {parts.shape}")
    given = np.matmul(probe_weights.astype(np.float64), features.astype(np.float64)[:, :, None])[:, :, 0]
    by_part = np.array([np.where(parts == part, given, 0.0).sum(axis=0) for part in (SIGNAL, INTERNAL, EXTERNAL, REST)])
    return SplitLogits(given, by_part)


def _probe(
    features: FeatureBlocks, probe_weights: NDArray[np.float32], labels: ArrayLike, mask: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    weights = np.asarray(probe_weights)
    if weights.dtype != np.float32:
        raise TypeError(f"probe_weights: expected float32, got {weights.dtype}")
    n_features = features.blocks.shape[1]
    if weights.ndim != 3 or weights.shape[0] * weights.shape[2] != n_features:
        raise ValueError(
            f"probe_weights: expected (filters, labels, positions) for {n_features} features, got {weights.shape}"
        )
    if not np.isfinite(weights).all():
        raise ValueError("probe_weights: found one that is not finite")
    n_filters, n_labels, _ = weights.shape
    of_input = np.asarray(labels)
    if of_input.dtype.kind not in "iu" or of_input.shape != (features.n_inputs,):
        raise ValueError(f"labels: expected one a test input, shape ({features.n_inputs},), got {of_input.shape}")
    if of_input.min() < 0 or of_input.max() >= n_labels:
        raise ValueError(f"labels: expected 0 to {n_labels - 1}, found {of_input.min()} to {of_input.max()}")
    kept = np.asarray(mask)
    if kept.dtype != np.bool_ or kept.shape != (n_filters, n_labels):
        raise ValueError(
            f"mask: expected bool (filters, labels) {(n_filters, n_labels)}, got {kept.dtype} {kept.shape}"
        )
    return np.ascontiguousarray(weights), of_input.astype(np.int64), kept


def _run(
    features: FeatureBlocks,
    weights: NDArray[np.float32],
    kept: NDArray[np.bool_],
    order: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(P, inputs) labels after each stop, and (inputs, K) logits after the last."""
    n_blocks, _, width = features.blocks.shape
    n_labels = weights.shape[1]
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    outputs = np.nonzero(kept)[1]
    predicted = np.empty((len(stops), n_blocks, width), np.int64)
    logits = np.empty((n_blocks, width, n_labels), np.float32)

    def task(share: int, first: int, last: int) -> None:
        arguments = weights, starts, outputs, order, stops, predicted, logits
        probe.masked_probe(first, last, features.blocks, features.shift, *arguments)

    parallel_ranges(task, n_blocks, work=features.n_inputs * len(outputs) * weights.shape[2])
    n_inputs = features.n_inputs
    return predicted.reshape(len(stops), -1)[:, :n_inputs], logits.reshape(-1, n_labels)[:n_inputs]
