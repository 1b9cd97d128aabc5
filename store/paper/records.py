"""What the claims are tested on: plain records of runs, and what takes a layer's place against chance.

`run_record` reads them from a file; whoever has measured a layer already makes them of what was measured.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.file.manifest import mapping
from store.file.read import Layer, Run
from store.file.sample_results import of_layer
from store.measure.fields import Fields
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD, LayerMeasure, scan_order
from store.measure.nulls import rotated, shuffled
from store.measure.summary import Summary, summary
from store.paper.published import compared_with, published, settings

SATURATED = {"vgg16": "10", "efficientnet_b0": "9"}  # "saturated at m = 10"; stage 9 is the last, Figures 3-5

ClaimNull = Literal["labels shuffled", "rotated filters"]
CLAIM_NULLS: tuple[ClaimNull, ...] = ("labels shuffled", "rotated filters")


class Scan(NamedTuple):
    """A layer in another scan order, against the stored one."""

    order: str
    averages: float  # the largest relative change of n, N_c and C_s
    filters: float  # share of filters with other clusters


class TrainClusters(NamedTuple):
    """Clusters of training inputs beside those of test inputs, as AFCC left them in the file."""

    threshold: float
    identical: float  # share of filters
    alike: float  # mean share of elements in common


@dataclass(frozen=True)
class LayerRecord:
    name: str
    accuracy: float | None
    at: Mapping[float, Summary]  # by threshold
    scans: Mapping[float, Sequence[Scan]] = field(default_factory=dict)
    train: TrainClusters | None = None
    halves: float | None = None  # how alike the two halves of the test inputs are (Jaccard): the ceiling of `train`


@dataclass(frozen=True)
class RunRecord:
    """One file. layers: from input to output, the paper's alone where it has any of this network."""

    name: str
    n_labels: int
    seed: int | None
    test_inputs: int
    saturated: str
    layers: Sequence[LayerRecord]

    @property
    def last(self) -> LayerRecord | None:
        """The saturated layer."""
        return next((layer for layer in self.layers if layer.name == self.saturated), None)

    @property
    def until_saturated(self) -> Sequence[LayerRecord]:
        names = [layer.name for layer in self.layers]
        return self.layers[: names.index(self.saturated) + 1] if self.saturated in names else []


def scan(order: str, stored: LayerMeasure, other: LayerMeasure) -> Scan:
    """`other` is the same layer at the same threshold, its labels visited in another order."""
    changes = []
    for name in ("mean_noise", "mean_clusters", "mean_cluster_size"):
        before, after = getattr(stored, name), getattr(other, name)
        if before != after and not (math.isnan(before) and math.isnan(after)):
            changes.append(abs(after - before) / before if before > 0 else math.inf)
    differ = (_as_sets(stored.cluster_of) != _as_sets(other.cluster_of)).any(axis=1)
    return Scan(order, max(changes, default=0.0), float(differ.mean()))


def the_papers(arch: str, layers: Sequence[str]) -> list[str]:
    """The layers that the paper has of this network, in the order given; all where it has none of them."""
    tables = {setting for table in range(1, 7) for setting in settings(table) if setting[0] == compared_with(arch)}
    known = [name for name in layers if any(published(*setting, name) for setting in tables)]
    return known or list(layers)


def saturated_layer(arch: str, accuracies: Mapping[str, float | None]) -> str:
    """Where the accuracy saturates: the paper's layer; of another network the most accurate, the deepest of equals."""
    papers = SATURATED.get(compared_with(arch), "")
    if papers in accuracies:
        return papers
    return max(reversed(list(accuracies)), key=lambda name: -1.0 if (a := accuracies[name]) is None else a)


def null_sample(kind: ClaimNull, fields: Fields, threshold: float, seed: int) -> Summary | None:
    """A layer with its output labels permuted, or its filters rotated (`nulls`); None where it cannot be."""
    try:
        drawn = rotated(fields, seed) if kind == "rotated filters" else shuffled(fields, seed)
    except ValueError:  # there are matrices alone, too many filters to rotate, or values that are not finite
        return None
    return summary(drawn.measure(threshold))


At = tuple[Summary, Sequence[Scan]]


def measured_at(stored: LayerMeasure, others: Mapping[str, LayerMeasure]) -> At:
    """A layer at one threshold, and what other scan orders, by their names, change."""
    return summary(stored), [scan(order, stored, other) for order, other in others.items()]


def measure(layer: Layer, threshold: float, gauge: Gauge = AS_TRAINED) -> At:
    fields = layer.fields(gauge=gauge)
    orders: tuple[Literal["reversed"], Literal["random"]] = ("reversed", "random")
    stored = fields.measure(threshold)
    return measured_at(stored, {name: fields.measure(threshold, scan_order(name, layer.n_labels)) for name in orders})


def run_record(
    run: Run,
    thresholds: Sequence[float] = (THRESHOLD,),
    measure: Callable[[Layer, float, Gauge], At] = measure,
    gauge: Gauge = AS_TRAINED,
    epoch: int | None = None,
) -> RunRecord:
    """A file's record; what its manifest says may be missing, or be anything. Raises FormatError, OSError.

    epoch: of the training, where it is not the trained network's record.

    Clusters of training inputs are those that the run has left in the file: as trained, whatever the gauge.
    """
    arch = str(mapping(run.manifest["network"]).get("arch"))
    layers, of_epoch = [], run.at_epoch(run.epochs[-1] if epoch is None else epoch).layers
    for name in the_papers(arch, list(of_epoch)):
        layer = of_epoch[name]
        found = {threshold: measure(layer, threshold, gauge) for threshold in thresholds}
        layers.append(
            LayerRecord(
                name,
                _number(layer.record.get("test_accuracy")),
                {threshold: at for threshold, (at, _) in found.items()},
                {threshold: scans for threshold, (_, scans) in found.items()},
                _train_clusters(mapping(layer.record.get("afcc"))),
                _halves(layer),
            )
        )
    saturated = saturated_layer(arch, {layer.name: layer.accuracy for layer in layers}) if layers else ""
    seed = mapping(run.manifest.get("recipe")).get("seed")
    return RunRecord(
        run.name, run.n_labels, seed if isinstance(seed, int) else None, int(run.test_inputs.sum()), saturated, layers
    )


def _train_clusters(afcc: dict[str, Any]) -> TrainClusters | None:
    alike = mapping(mapping(afcc.get("train_clusters")).get("alike"))
    values = [_number(value) for value in (afcc.get("threshold"), alike.get("identical"), alike.get("mean"))]
    threshold, identical, mean = values
    return None if threshold is None or identical is None or mean is None else TrainClusters(threshold, identical, mean)


def _halves(layer: Layer) -> float | None:
    found = of_layer(layer.record)
    return found.halves.jaccard if found is not None and found.halves is not None else None


def _number(value: object) -> float | None:
    """A part of one, or None."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if is_number else None  # type: ignore[arg-type]


def _as_sets(cluster_of: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N_f, K): for each label the first of its cluster, which does not depend on the order in which they are found."""
    n_filters, n_labels = cluster_of.shape
    first = np.full((n_filters, n_labels + 1), -1, np.int64)  # of each cluster; the last column is for "no cluster"
    rows = np.arange(n_filters)
    for label in range(n_labels - 1, -1, -1):
        first[rows, cluster_of[:, label]] = label
    first[:, -1] = -1
    return np.take_along_axis(first, cluster_of.astype(np.int64) % (n_labels + 1), axis=1)
