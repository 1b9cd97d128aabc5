"""Arrays and AFCC results -> polars, as `frames`."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from store.file.afcc_results import BATCHES, BetweenResults, Costs, LayerResults
from store.file.manifest import defined
from store.file.read import Run
from store.measure.afcc import EXTERNAL, INTERNAL, REST, SIGNAL, SilencingCurve, SplitLogits, WhatIf
from store.measure.layer import LayerMeasure

PARTS = {SIGNAL: "signal", INTERNAL: "noise_I", EXTERNAL: "noise_E", REST: "below threshold"}

_HISTORIES = {"probe_trained": "probe trained again", "network_trained": "with the network"}


@dataclass(frozen=True, eq=False)
class OneInput:
    """One test input, its logits taken apart."""

    label: int
    split: SplitLogits
    parts: NDArray[np.int8]  # (N_f, K): of the row of its label, as `parts_of_row` has them
    mask: NDArray[np.bool_]  # (N_f, K)


def label_accuracies(run: Run, masked: WhatIf, unmasked: WhatIf) -> pl.DataFrame:
    """One row a label, the least accurate last."""
    frame = pl.DataFrame(
        {
            "label": np.arange(run.n_labels),
            "name": run.label_names,
            "super-class": run.superclasses,
            "clusters only": masked.accuracy_of_label,
            "all weights": unmasked.accuracy_of_label,
            "difference": masked.accuracy_of_label - unmasked.accuracy_of_label,
            "state": np.where(masked.unconnected, "unconnected", np.where(masked.lost, "lost", "")).tolist(),
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))
    return frame.sort("clusters only", descending=True, nulls_last=True, maintain_order=True)


def silencing(curve: SilencingCurve) -> pl.DataFrame:
    return pl.DataFrame({"silenced": curve.silenced, "accuracy": curve.accuracy})


def masks(results: LayerResults) -> pl.DataFrame:
    """One row a mask: what is kept, and accuracies before and after training again."""
    rows = [
        (
            mask.name,
            mask.kept,
            mask.kept / results.weights if mask.kept is not None and results.weights else None,
            mask.before,
            _last(mask.probe_trained),
            _last(mask.network_trained),
        )
        for mask in results.masks
    ]
    numbers = ("share kept", "before", *_HISTORIES.values())
    schema = {"mask": pl.String, "kept": pl.Int64} | dict.fromkeys(numbers, pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row")


def epochs(results: LayerResults) -> pl.DataFrame:
    """One row a mask, way of training and epoch; epoch 0 is before."""
    rows: list[tuple[str, str, int, float]] = []
    for mask in results.masks:
        for name, shown in _HISTORIES.items():
            values = getattr(mask, name)
            if values:
                series = enumerate((mask.before, *values))
                rows += [(mask.name, shown, epoch, value) for epoch, value in series if value is not None]
    schema = {"mask": pl.String, "training": pl.String, "epoch": pl.Int64, "accuracy": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def costs(found: Costs) -> pl.DataFrame:
    """One row a cost: dense, sparse (CSR), and how many times as much the sparse one is. Times in microseconds."""
    dense, sparse = found.dense, found.sparse
    rows = [
        ("bytes", dense.bytes, sparse.bytes),
        ("multiply-adds of an input", dense.multiply_adds, sparse.multiply_adds),
        *(
            (f"microseconds, a batch of {batch}", _micro(dense.seconds[batch]), _micro(sparse.seconds[batch]))
            for batch in BATCHES
        ),
    ]
    complete = [(name, one, other, other / one if one and other is not None else None) for name, one, other in rows]
    schema = {"cost": pl.String} | dict.fromkeys(("dense", "CSR", "CSR / dense"), pl.Float64)
    return pl.DataFrame(complete, schema=schema, orient="row")


def train_and_test(results: LayerResults, of_test: LayerMeasure) -> pl.DataFrame:
    """n, N_c and C_s of clusters from test and from training inputs; one row for each of the three."""
    means = (of_test.mean_noise, of_test.mean_clusters, of_test.mean_cluster_size)
    rows = [
        (name, defined(value), results.train_means[name])
        for name, value in zip(("n", "N_c", "C_s"), means, strict=True)
    ]
    schema = {"quantity": pl.String, "of test inputs": pl.Float64, "of training inputs": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def likeness(values: Iterable[float | None]) -> pl.DataFrame:
    """Counts in twenty bins from 0 to 1, as `frames.histogram` has them."""
    known = [value for value in values if value is not None]
    edges = np.linspace(0, 1, 21)
    counts, _ = np.histogram(known, edges)
    return pl.DataFrame({"from": edges[:-1].round(2), "to": edges[1:].round(2), "count": counts})


def between(results: BetweenResults) -> pl.DataFrame:
    """One row a mask and pair of layers, in the order in which they were pruned."""
    rows = [
        (
            step.mask,
            step.layers,
            step.weights,
            step.kept,
            step.kept / step.weights if step.kept is not None and step.weights else None,
            step.before,
            step.trained,
        )
        for step in results.steps
    ]
    schema = {
        "mask": pl.String, "layers": pl.String, "weights": pl.Int64, "kept": pl.Int64, "share kept": pl.Float64,
        "before": pl.Float64, "trained again": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def split(run: Run, one: OneInput, outputs: Iterable[int]) -> pl.DataFrame:
    """One row an output and part: what all filters' elements of that part give to the output's logit."""
    shown = list(outputs)
    return pl.DataFrame(
        {
            "place": np.repeat(np.arange(len(shown)), len(PARTS)),
            "name": [run.label_names[output] for output in shown for _ in PARTS],
            "part": [name for _ in shown for name in PARTS.values()],
            "given": one.split.by_part[list(PARTS)][:, shown].T.ravel(),
        }
    )


def given(one: OneInput, output: int) -> pl.DataFrame:
    """One row a filter: what it gives to an output's logit, most first."""
    order = one.split.ranked(output)
    names = np.array(list(PARTS.values()), dtype=object)
    return pl.DataFrame(
        {
            "filter": order,
            "given": one.split.given[order, output],
            "part": names[one.parts[order, output]].tolist(),
            "kept": one.mask[order, output],
        }
    )


def _last(values: tuple[float | None, ...]) -> float | None:
    return values[-1] if values else None


def _micro(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e6
