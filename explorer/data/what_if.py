"""What a probe says of the test inputs with some of its weights: what the AFCC page shows of a file with test features.

Which weights are kept follows the clusters, and so the gauge; the weights are the file's own in either.

The features of a layer stay in memory, laid out for the sums, since each threshold asks for all of them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.data import load
from explorer.data.cache import LRUCache
from explorer.data.source import FileId, SourceError
from explorer.frames.afcc import OneInput
from explorer.state import View
from store.file.format import TEST_FEATURES, FormatError
from store.measure.afcc import (
    FeatureBlocks,
    SilencingCurve,
    WhatIf,
    afcc_mask,
    from_bfloat16,
    parts_of_row,
    silencing,
    silencing_order,
    split_logits,
    to_blocks,
    what_if,
)
from store.measure.layer import LayerMeasure

_POINTS = 32  # of a silencing curve
_MAX_FEATURES_BYTES = 1 << 30  # of one layer: reading takes twice as much for a moment


@dataclass(frozen=True, eq=False)
class Features:
    """One layer's, in memory."""

    blocks: FeatureBlocks
    labels: NDArray[np.int64]  # (inputs,)
    probe_weights: NDArray[np.float32]  # (N_f, K, S)

    @property
    def nbytes(self) -> int:
        return self.blocks.blocks.nbytes + self.labels.nbytes + self.probe_weights.nbytes


FEATURES: LRUCache[tuple[FileId, str], Features] = LRUCache(256 << 20, lambda features: features.nbytes)
_RESULTS: LRUCache[tuple[object, ...], WhatIf] = LRUCache(16 << 20, lambda result: result.predicted.nbytes)
_CURVES: LRUCache[tuple[object, ...], SilencingCurve] = LRUCache(1 << 20, lambda curve: 2 * curve.accuracy.nbytes)


def features(file: FileId, layer_name: str) -> Features:
    """Of a layer that `has_test_features`. Raises FormatError, OSError, and SourceError where they are too large."""
    return FEATURES.get((file, layer_name), lambda: _read(file, layer_name))


def _read(file: FileId, layer_name: str) -> Features:
    run = load.open_run(file)
    layer = run.layers[layer_name]
    labels = run.label_of_test_input
    if labels is None or not layer.has_test_features:
        raise ValueError(f"layer {layer_name} has no test features")
    if len(labels) * layer.n_filters * layer.positions * 2 > _MAX_FEATURES_BYTES:
        raise SourceError(f"the test features of layer {layer_name} are larger than {_MAX_FEATURES_BYTES >> 30} GiB")
    bits = layer.test_features
    assert bits is not None
    try:
        return Features(to_blocks(bits), labels, layer.probe_weights)
    except ValueError as reason:
        raise FormatError(f"{file.path}: layers/{layer_name}: {reason}") from None


def unmasked(file: FileId, layer_name: str) -> WhatIf:
    """With all weights; without its logits, as all results here."""

    def compute() -> WhatIf:
        given = features(file, layer_name)
        return _answered(given, np.ones(given.probe_weights.shape[:2], bool))

    return _RESULTS.get((file, layer_name), compute)


def masked(file: FileId, view: View) -> WhatIf:
    """With the weights of the filters' clusters, but for those of silenced filters."""
    which = (view.silencing, view.silenced, view.seed) if view.silenced else ()

    def compute() -> WhatIf:
        measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
        return _answered(features(file, view.layer), mask(measured, view))

    return _RESULTS.get((file, view.layer, view.threshold, view.order, view.gauge, *which), compute)


def mask(measured: LayerMeasure, view: View) -> NDArray[np.bool_]:
    """(N_f, K): which filter keeps its weights to which output."""
    kept = afcc_mask(measured.cluster_of)
    kept[silencing_order(view.silencing, measured, view.seed)[: view.silenced]] = False
    return kept


def _answered(given: Features, kept: NDArray[np.bool_]) -> WhatIf:
    found = what_if(given.blocks, given.probe_weights, given.labels, kept)
    return replace(found, logits=np.empty((0, kept.shape[1]), np.float32))  # 4 MB that nobody looks at


def curve(file: FileId, view: View) -> SilencingCurve:
    """Accuracy against the number of silenced filters, of the clusters' weights or of all."""

    def compute() -> SilencingCurve:
        given = features(file, view.layer)
        measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
        kept = afcc_mask(measured.cluster_of)
        if view.weights == "all":
            kept = np.ones_like(kept)
        order = silencing_order(view.silencing, measured, view.seed)
        step = max(1, len(kept) // _POINTS)
        return silencing(given.blocks, given.probe_weights, given.labels, kept, order, step)

    seed = view.seed if view.silencing == "random" else 0
    key = (file, view.layer, view.threshold, view.order, view.gauge, view.silencing, seed, view.weights)
    return _CURVES.get(key, compute)


def one_input(file: FileId, view: View) -> OneInput:
    """The test input of the view. All its logits are with all weights."""
    given = features(file, view.layer)
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    layer = load.loaded(file, view.layer, view.gauge)
    n_filters, _, positions = given.probe_weights.shape
    place = f"layers/{view.layer}/{TEST_FEATURES}"
    activations = from_bfloat16(load.open_run(file).read_entry(place, view.test_input)).reshape(n_filters, positions)
    label = int(given.labels[view.test_input])
    row, _ = layer.fields.of_label(label)
    parts = parts_of_row(measured, row, label)
    return OneInput(label, split_logits(activations, given.probe_weights, parts), parts, mask(measured, view))
