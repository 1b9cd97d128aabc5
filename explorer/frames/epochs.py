"""A layer over the epochs of its training -> polars. Undefined numbers are null."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from explorer.frames.sample import Seen, recorded
from store.file.manifest import defined
from store.file.read import Run
from store.measure.halves import alike
from store.measure.layer import LayerMeasure
from store.measure.summary import summary

Measures = Mapping[tuple[int, str], LayerMeasure]  # by epoch and layer
ERROR = " ±"  # the end of a column's name: one standard error of what stands before it
QUANTITIES = ("accuracy", "n", "N_c", "C_s", "SNR_I", "SNR_E")


def course(run: Run, measures: Measures, view: Seen) -> pl.DataFrame:
    """A row an epoch and layer, from the input to the output, with standard errors where the file has them.

    same: the share of filters whose clusters are those of the trained network; Jaccard: the mean over filters of the
    share of the elements in clusters of either that are in clusters of both.
    """
    rows = []
    for layer in run.layers:
        final = measures[run.epochs[-1], layer].cluster_of
        for epoch in run.epochs:
            if (measured := measures.get((epoch, layer))) is None:
                continue
            found, kept = summary(measured), alike(measured.cluster_of, final)
            noise, n_clusters, size = found.means(view.average)
            stored = run.at_epoch(epoch).layers[layer]
            accuracy = defined(stored.record.get("test_accuracy"))
            sample = recorded(stored, view)

            def error(name: str, sample: Any = sample) -> float | None:
                return None if sample is None else sample.error(view.threshold, name)

            rows.append(
                {
                    "layer": layer,
                    "epoch": epoch,
                    "accuracy": accuracy,
                    "accuracy" + ERROR: _of_share(accuracy, int(run.test_inputs.sum())),
                    "n": defined(noise),
                    "n" + ERROR: error("n"),
                    "N_c": defined(n_clusters),
                    "N_c" + ERROR: error("N_c"),
                    "C_s": defined(size),
                    "C_s" + ERROR: error("C_s"),
                    "SNR_I": defined(found.snr_internal),
                    "SNR_I" + ERROR: _of_ratio(found.signal, found.noise_internal, error("signal"), error("noise_I")),
                    "SNR_E": defined(found.snr_external),
                    "SNR_E" + ERROR: _of_ratio(found.signal, found.noise_external, error("signal"), error("noise_E")),
                    "signal": defined(found.signal),
                    "noise_I": defined(found.noise_internal),
                    "noise_E": defined(found.noise_external),
                    "same clusters": kept.identical,
                    "Jaccard": kept.jaccard,
                }
            )
    numbers = [name for name in rows[0] if name not in ("layer", "epoch")] if rows else []
    schema = {"layer": pl.String, "epoch": pl.Int64} | dict.fromkeys(numbers, pl.Float64)
    return pl.DataFrame(rows, schema=schema)


def long(frame: pl.DataFrame, quantities: tuple[str, ...] = QUANTITIES) -> pl.DataFrame:
    """Of `course`: a row a quantity, with value, low and high (one standard error each way; null where unknown)."""
    parts = []
    for name in quantities:
        error = pl.col(name + ERROR) if name + ERROR in frame.columns else pl.lit(None, pl.Float64)
        value = pl.col(name)
        parts.append(
            frame.select("layer", "epoch", quantity=pl.lit(name), value=value, low=value - error, high=value + error)
        )
    return pl.concat(parts).filter(pl.col("value").is_not_null())


def since(frame: pl.DataFrame, layer: str, column: str, least: float) -> int | None:
    """The epoch from which on a column of `course` stays at or above `least` in a layer; None where it never does."""
    of_layer = frame.filter(pl.col("layer") == layer).sort("epoch")
    found = None
    for epoch, value in of_layer.select("epoch", column).rows():
        found = None if value is None or value < least else epoch if found is None else found
    return found


def own_accuracy(run: Run) -> pl.DataFrame:
    """The network's own test accuracy: columns epoch and value."""
    known = [(epoch, defined(run.at_epoch(epoch).test_accuracy)) for epoch in run.epochs]
    return pl.DataFrame(
        [(epoch, value) for epoch, value in known if value is not None],
        schema={"epoch": pl.Int64, "value": pl.Float64},
        orient="row",
    )


def of_label(run: Run, measures: Measures, label: int) -> pl.DataFrame:
    """One label's signal and noises: a row an epoch and layer."""
    rows = [
        (layer, epoch, int(at.signal[label]), float(at.noise_internal[label]), float(at.noise_external[label]))
        for layer in run.layers
        for epoch in run.epochs
        if (at := measures.get((epoch, layer))) is not None
    ]
    columns = {"layer": pl.String, "epoch": pl.Int64, "signal": pl.Int64, "noise_I": pl.Float64, "noise_E": pl.Float64}
    return pl.DataFrame(rows, schema=columns, orient="row")


def _of_share(share: float | None, number: int) -> float | None:
    """Of a share of so many independent inputs."""
    return None if share is None or not number or not 0 <= share <= 1 else math.sqrt(share * (1 - share) / number)


def _of_ratio(signal: float, noise: float, of_signal: float | None, of_noise: float | None) -> float | None:
    """Of signal / noise, as if the two were independent, which they are not quite: to first order."""
    if of_signal is None or of_noise is None or not signal > 0 or not noise > 0:
        return None
    return signal / noise * math.hypot(of_signal / signal, of_noise / noise)
