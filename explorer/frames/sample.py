"""The sample of a run -> polars: standard errors beside the layers' numbers, and what these rest on.

The errors are of means over the filters with a cluster, labels scanned as stored: where the page shows
others, there are none to show.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import polars as pl

from store.file.read import Layer, Run
from store.file.sample_results import ClusterShares, SampleResults, of_layer
from store.measure.bootstrap import QUANTITIES
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import LayerMeasure, ScanOrder
from store.measure.summary import Average, summary
from store.tables.rests_on import RestsOn, cells, n_sure, sure_clusters

LEAST_SURE = "least sure cluster, %"
_95 = 1.96  # standard errors
_BAR: dict[str, Any] = {"quantity": pl.String, "low": pl.Float64, "high": pl.Float64}
_COLUMNS = ("layer", "n", "N_c", "C_s", "N_c, sure", "start", "gauge", "halves", "sample", "shuffled", "rotated",
            "verdict")  # fmt: skip


class Seen(Protocol):
    """What of a view decides whether the record of the sample is about it."""

    @property
    def threshold(self) -> float: ...
    @property
    def average(self) -> Average: ...
    @property
    def order(self) -> ScanOrder: ...
    @property
    def gauge(self) -> Gauge: ...


def recorded(layer: Layer, view: Seen) -> SampleResults | None:
    """What the file says of the sample, where it is about the means that are shown."""
    as_measured = view.average == "clustered" and view.order == "stored" and view.gauge == AS_TRAINED
    return of_layer(layer.record) if as_measured else None


def with_errors(table: pl.DataFrame, run: Run, measures: Mapping[str, LayerMeasure], view: Seen) -> pl.DataFrame:
    """The paper's table with a standard error behind n, N_c and C_s, and N_c over sure clusters; as it was without."""
    columns: dict[str, list[float | None]] = {name: [] for name in ("n ±", "N_c ±", "C_s ±", "N_c, sure")}
    for name in table["layer"]:
        found = recorded(run.layers[name], view)
        sure = None if found is None else sure_clusters(measures[name], found)
        for quantity in ("n", "N_c", "C_s"):
            columns[f"{quantity} ±"].append(None if found is None else found.error(view.threshold, quantity))
        columns["N_c, sure"].append(None if sure is None else n_sure(measures[name], sure))
    shown = [
        pl.Series(name, values, pl.Float64)
        for name, values in columns.items()
        if any(value is not None for value in values)
    ]
    order = list(table.columns)
    for series in shown:
        order.insert(order.index(series.name.split(" ±")[0].split(",")[0]) + 1, series.name)
    return table.with_columns(shown).select(order)


def with_shares(table: pl.DataFrame, clusters: ClusterShares | None, measured: LayerMeasure) -> pl.DataFrame:
    """Rows of `frames.filters` with the % of the resamples that find the least sure cluster; as they were without.

    Null for a filter without clusters. clusters: in the scan order and gauge of `measured`.
    """
    if not clusters or clusters.threshold != measured.threshold or len(clusters.share) != measured.cluster_sizes.size:
        return table
    least = np.full(len(measured.n_clusters), np.inf)
    np.minimum.at(least, np.repeat(np.arange(len(least)), measured.n_clusters), clusters.share)
    percent = [round(100 * share) if np.isfinite(share) else None for share in least]
    return table.with_columns(pl.Series(LEAST_SURE, percent, pl.Int64))


def biased(run: Run, view: Seen) -> list[str]:
    """Layers of whose n, N_c or C_s an interval of +- 1.96 errors would hold the truth less than 90 times in 100."""
    found = {name: recorded(layer, view) for name, layer in run.layers.items()}
    return [
        name
        for name, sample in found.items()
        if sample is not None and any(sample.is_biased(view.threshold, of) for of in ("n", "N_c", "C_s"))
    ]


def depth_bars(run: Run, measures: Mapping[str, LayerMeasure], view: Seen) -> pl.DataFrame:
    """One row a layer and quantity that has a standard error: value -+ one of it."""
    rows = []
    for name, measured in measures.items():
        found = recorded(run.layers[name], view)
        values = _values(measured)
        for quantity in QUANTITIES:
            error = None if found is None else found.error(view.threshold, quantity)
            if error is not None:
                rows.append((name, quantity, values[quantity] - error, values[quantity] + error))
    return pl.DataFrame(rows, schema={"layer": pl.String} | _BAR, orient="row")


def sweep_bars(layer: Layer, frame: pl.DataFrame, view: Seen) -> pl.DataFrame:
    """The same at each threshold; frame: of `frames.layer.sweep`."""
    found = recorded(layer, view)
    rows = []
    for row in frame.iter_rows(named=True):
        for quantity in ("n", "N_c", "C_s"):
            error = None if found is None else found.error(row["threshold"], quantity)
            if error is not None and row[quantity] is not None:
                rows.append((row["threshold"], quantity, row[quantity] - error, row[quantity] + error))
    return pl.DataFrame(rows, schema={"threshold": pl.Float64} | _BAR, orient="row")


def resampled(found: SampleResults, measured: LayerMeasure) -> pl.DataFrame:
    """One row a quantity at the threshold of `measured`: its standard error, bias, and value -+ 1.96 errors."""
    rows = []
    at = round(measured.threshold, 9)
    for quantity, value in _values(measured).items():
        error, bias = found.error(measured.threshold, quantity), found.bias.get(at, {}).get(quantity)
        value = value if np.isfinite(value) else None
        low, high = (None, None) if error is None or value is None else (value - _95 * error, value + _95 * error)
        rows.append((quantity, value, error, bias, low, high, found.is_biased(measured.threshold, quantity)))
    columns = dict.fromkeys(("measured", "±", "bias", "95% from", "to"), pl.Float64)
    return pl.DataFrame(rows, schema={"quantity": pl.String} | columns | {"off by its bias": pl.Boolean}, orient="row")


def rests_on(found: list[RestsOn], draws: int) -> pl.DataFrame:
    """A row a layer, as text: a number with its error is one cell."""
    rows = []
    for one in found:
        layer, n, clusters, size, *rest = cells(one, draws)
        sure = "-" if one.n_sure is None else f"{one.n_sure:.2f}"
        rows.append(dict(zip(_COLUMNS, (layer, n, clusters, size, sure, *rest), strict=True)))
    return pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.String))


def _values(measured: LayerMeasure) -> dict[str, Any]:
    found = summary(measured)
    numbers = (found.noise, found.n_clusters, found.cluster_size, found.signal, found.noise_internal,
               found.noise_external)  # fmt: skip
    return dict(zip(QUANTITIES, numbers, strict=True))
