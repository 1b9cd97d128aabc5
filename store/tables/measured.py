"""What a run's file says and what a threshold makes of it, as tables: a name and equally long columns each.

A label has its number beside its name, so that tables can be joined; a layer's name is text in all of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from store.file.manifest import defined
from store.file.read import Run
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD, LayerMeasure
from store.measure.summary import summary


@dataclass(frozen=True)
class Column:
    kind: type  # str, int, float or bool
    values: Sequence[Any]  # None where there is none, or a number is undefined


Table = Mapping[str, Column]


def measured_tables(run: Run, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED) -> dict[str, Table]:
    """`layers`: a row a layer, from input to output; `filters` and `labels`: a row a layer and filter, or label.

    `clusters`: a row for each label of each cluster of each filter, so that no table has lists.
    """
    measures = {name: layer.measure(threshold, gauge=gauge) for name, layer in run.layers.items()}
    return {
        "layers": _layers(run, measures),
        "filters": _filters(measures),
        "labels": _labels(run, measures),
        "clusters": _clusters(run, measures),
    }


def _layers(run: Run, measures: Mapping[str, LayerMeasure]) -> Table:
    found = [summary(measured) for measured in measures.values()]
    return {
        "layer": Column(str, list(measures)),
        "index": Column(int, range(len(measures))),
        "N_f": Column(int, [layer.n_filters for layer in run.layers.values()]),
        "positions": Column(int, [layer.positions for layer in run.layers.values()]),
        "accuracy": Column(float, [defined(layer.record.get("test_accuracy")) for layer in run.layers.values()]),
        "n": _floats([measured.mean_noise for measured in measures.values()]),
        "N_c": _floats([measured.mean_clusters for measured in measures.values()]),
        "C_s": _floats([measured.mean_cluster_size for measured in measures.values()]),
        "silent": Column(int, [one.silent for one in found]),
        "signal": _floats([one.signal for one in found]),
        "noise_I": _floats([one.noise_internal for one in found]),
        "noise_E": _floats([one.noise_external for one in found]),
    }


def _filters(measures: Mapping[str, LayerMeasure]) -> Table:
    every = list(measures.values())
    return {
        "layer": Column(str, [name for name, measured in measures.items() for _ in measured.noise]),
        "filter": Column(int, [f for measured in every for f in range(len(measured.noise))]),
        "clusters": Column(int, _joined(every, "n_clusters")),
        "noise": Column(int, _joined(every, "noise")),
        "above_threshold": Column(int, _joined(every, "n_above")),
        "maximum": _floats(_joined(every, "maximum")),
        "silent": Column(bool, _joined(every, "silent")),
    }


def _labels(run: Run, measures: Mapping[str, LayerMeasure]) -> Table:
    every, labels = list(measures.values()), range(run.n_labels)
    return {
        "layer": Column(str, [name for name in measures for _ in labels]),
        "label_id": Column(int, [label for _ in measures for label in labels]),
        "label": Column(str, [*run.label_names] * len(every)),
        "super_class": Column(str, [of or None for of in run.superclasses] * len(every)),
        "test_inputs": Column(int, run.test_inputs.tolist() * len(every)),
        "signal": _floats(_joined(every, "signal")),
        "noise_I": _floats(_joined(every, "noise_internal")),
        "noise_E": _floats(_joined(every, "noise_external")),
        "signal_fields": _floats(_joined(every, "signal_field")),
        "noise_I_fields": _floats(_joined(every, "noise_internal_field")),
        "noise_E_fields": _floats(_joined(every, "noise_external_field")),
    }


def _clusters(run: Run, measures: Mapping[str, LayerMeasure]) -> Table:
    rows: list[tuple[str, int, int, int, int]] = []
    for name, measured in measures.items():
        first = np.cumsum(measured.n_clusters) - measured.n_clusters  # of each filter among the layer's cluster sizes
        filters, labels = np.nonzero(measured.cluster_of >= 0)
        clusters = measured.cluster_of[filters, labels]
        sizes = measured.cluster_sizes[first[filters] + clusters]
        rows += zip([name] * len(filters), *(a.tolist() for a in (filters, clusters, sizes, labels)), strict=True)
    layers, filters_, clusters_, sizes_, labels_ = zip(*rows, strict=True) if rows else ((),) * 5
    return {
        "layer": Column(str, layers),
        "filter": Column(int, filters_),
        "cluster": Column(int, clusters_),
        "size": Column(int, sizes_),
        "label_id": Column(int, labels_),
        "label": Column(str, [run.label_names[label] for label in labels_]),
    }


def _joined(measures: Sequence[LayerMeasure], name: str) -> list[Any]:
    return [value for measured in measures for value in getattr(measured, name).tolist()]


def _floats(values: Sequence[float]) -> Column:
    return Column(float, [value if math.isfinite(value) else None for value in values])
