"""Arrays -> polars: every table of the pages, as it is shown and downloaded. Undefined numbers are null."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from store.file.manifest import defined
from store.file.read import Layer, Run
from store.measure.labels import Partners
from store.measure.layer import LayerMeasure, clip, estimates, permutation
from store.measure.summary import Average, Summary, summary
from store.paper.published import Published, PublishedAFCC, published, published_afcc

PUBLISHED = ", paper"  # the end of a column's name


def published_row(run: Run, layer: Layer) -> Published | None:
    return published(run.manifest["network"]["arch"], run.manifest["data"]["name"], run.n_labels, layer.name)


def published_afcc_of(run: Run, layer: Layer) -> PublishedAFCC | None:
    return published_afcc(run.manifest["network"]["arch"], run.manifest["data"]["name"], run.n_labels, layer.name)


def layer_numbers(layer: Layer, of: LayerMeasure | Summary, average: Average) -> dict[str, float | None]:
    """Everything that is one number a layer, by its symbol; signal and noises are means over the labels."""
    found = of if isinstance(of, Summary) else summary(of)
    noise, n_clusters, size = found.means(average)
    estimate = estimates(layer.n_filters, layer.n_labels, n_clusters, size, noise)
    values = {
        "N_f": layer.n_filters,
        "FC_s": layer.n_filters * layer.positions,
        "accuracy": layer.record.get("test_accuracy"),
        "n": noise,
        "N_c": n_clusters,
        "C_s": size,
        "silent": found.silent,
        "signal": found.signal,
        "Eq. (1)": estimate.signal,
        "noise_I": found.noise_internal,
        "Eq. (2)": estimate.noise_internal,
        "noise_E": found.noise_external,
        "Eq. (3)": estimate.noise_external,
        "SNR_I": found.snr_internal,
        "Eq. (1)/(2)": estimate.snr_internal,
        "SNR_E": found.snr_external,
        "Eq. (4)": estimate.snr_external,
    }
    return {name: defined(value) for name, value in values.items()}


def paper_table(
    run: Run,
    measures: dict[str, LayerMeasure],
    average: Average,
    common: Mapping[str, float | None] | None = None,
) -> pl.DataFrame:
    """The paper's table, deepest layer first, with what it published, where it did, beside each number.

    common: by layer, the share of the probe's weights that is common to all outputs, which is then a column.
    """
    rows = []
    for name in reversed(measures):
        layer = run.layers[name]
        numbers = layer_numbers(layer, measures[name], average)
        row = published_row(run, layer)
        rows.append(
            {
                "layer": name,
                "N_f": layer.n_filters,
                "F_s": filter_size(layer),
                "FC_s": layer.n_filters * layer.positions,
                "accuracy": numbers["accuracy"],
                "accuracy, paper": row and row.accuracy,
                "n": numbers["n"],
                "n, paper": row and row.noise,
                "N_c": numbers["N_c"],
                "N_c, paper": row and row.n_clusters,
                "C_s": numbers["C_s"],
                "C_s, paper": row and row.cluster_size,
                "silent": int(measures[name].silent.sum()),
            }
            | ({} if common is None else {"common part": defined(common[name])})
        )
    texts = {"layer", "F_s"}
    counts = {"N_f", "FC_s", "silent"}
    kinds: dict[str, Any] = {
        column: pl.String if column in texts else pl.Int64 if column in counts else pl.Float64 for column in rows[0]
    }
    frame = pl.DataFrame(rows, schema=kinds)
    nothing = [column.name for column in frame if column.name.endswith(PUBLISHED) and column.null_count() == len(rows)]
    return frame.drop(nothing)


def signal_table(run: Run, measures: dict[str, LayerMeasure], average: Average) -> pl.DataFrame:
    """Signal, noises and their ratios, deepest layer first: counted, and as Eqs. (1)-(4) give them."""
    columns = [
        "signal",
        "Eq. (1)",
        "noise_I",
        "Eq. (2)",
        "noise_E",
        "Eq. (3)",
        "SNR_I",
        "Eq. (1)/(2)",
        "SNR_E",
        "Eq. (4)",
    ]
    rows = []
    for name in reversed(measures):
        numbers = layer_numbers(run.layers[name], measures[name], average)
        rows.append({"layer": name} | {column: numbers[column] for column in columns})
    return pl.DataFrame(rows, schema={"layer": pl.String} | dict.fromkeys(columns, pl.Float64))


def depth(run: Run, measures: dict[str, LayerMeasure], average: Average) -> pl.DataFrame:
    """One row a layer, quantity and source ("this run" or "paper"), from input to output, for the charts."""
    rows: list[tuple[str, str, str, float]] = []
    for name, measured in measures.items():
        layer = run.layers[name]
        numbers = layer_numbers(layer, measured, average)
        for quantity in ("accuracy", "n", "N_c", "C_s", "signal", "noise_I", "noise_E"):
            rows.append((name, quantity, "this run", _or_nan(numbers[quantity])))
        if row := published_row(run, layer):
            shown = {"accuracy": row.accuracy, "n": row.noise, "N_c": row.n_clusters, "C_s": row.cluster_size}
            rows += [(name, quantity, "paper", value) for quantity, value in shown.items()]
    schema = {"layer": pl.String, "quantity": pl.String, "source": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("value").is_not_nan())


def filters(measured: LayerMeasure, squares: NDArray[np.float64]) -> pl.DataFrame:
    """One row a filter. squares (N_f,): each filter's sum of squared fields."""
    n_filters = len(measured.noise)
    of = np.repeat(np.arange(n_filters), measured.n_clusters)  # the filter of each cluster
    largest = np.zeros(n_filters, np.int64)
    np.maximum.at(largest, of, measured.cluster_sizes)
    labels = np.bincount(of, measured.cluster_sizes, n_filters)
    total = squares.sum()
    numbers = pl.col(pl.Float64, pl.Float32)
    return pl.DataFrame(
        {
            "filter": np.arange(n_filters),
            "clusters": measured.n_clusters,
            "largest cluster": largest,
            "mean cluster size": np.divide(
                labels, measured.n_clusters, where=measured.n_clusters > 0, out=labels * np.nan
            ),
            "labels in clusters": labels.astype(np.int64),
            "noise": measured.noise,
            "above threshold": measured.n_above,
            "maximum": measured.maximum,
            "share of fields": squares / total if 0 < total < np.inf else np.full(len(squares), np.nan),
            "silent": measured.silent,
        }
    ).with_columns(pl.when(numbers.is_finite()).then(numbers))  # a maximum may be infinite: fields that overflowed


def labels(run: Run, measured: LayerMeasure) -> pl.DataFrame:
    """One row a label: Figure 2A, and from "signal, fields" on Figure 2B."""
    assert measured.signal_field is not None  # the explorer always measures with counts
    assert measured.noise_internal_field is not None and measured.noise_external_field is not None
    columns = {
        "label": np.arange(run.n_labels),
        "name": run.label_names,
        "super-class": run.superclasses,
        "signal": measured.signal,
        "noise_I": measured.noise_internal,
        "noise_E": measured.noise_external,
        "noise_I + noise_E": measured.noise_internal + measured.noise_external,
        "signal, fields": measured.signal_field,
        "noise_I, fields": measured.noise_internal_field,
        "noise_E, fields": measured.noise_external_field,
        "noise_I + noise_E, fields": measured.noise_internal_field + measured.noise_external_field,
        "test inputs": run.test_inputs,
    }
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))


def clusters(run: Run, cluster_of: NDArray[np.int32]) -> pl.DataFrame:
    """One row a cluster of a filter, in the order in which the permuted matrix shows them."""
    rows = []
    order = permutation(cluster_of)
    for cluster, place in _places(cluster_of).items():
        members = order[cluster_of[order] == cluster].tolist()
        kinds = [run.superclasses[label] for label in members if run.superclasses[label]]
        rows.append(
            {
                "cluster": place,
                "labels": len(members),
                "label ids": members,
                "names": [run.label_names[label] for label in members],
                "super-classes": list(dict.fromkeys(kinds)),
            }
        )
    texts = pl.List(pl.String)
    kinds_of: dict[str, Any] = {"cluster": pl.Int64, "labels": pl.Int64, "label ids": pl.List(pl.Int64)}
    return pl.DataFrame(rows, schema=kinds_of | {"names": texts, "super-classes": texts})


def _places(cluster_of: NDArray[np.int32]) -> dict[int, int]:
    """The place of each cluster along the permuted matrix, from 1: its number wherever a person reads one."""
    found = dict.fromkeys(cluster_of[permutation(cluster_of)].tolist())
    return {cluster: place for place, cluster in enumerate((each for each in found if each >= 0), 1)}


def elements(run: Run, matrix: NDArray[np.float32], measured: LayerMeasure, filter_index: int) -> pl.DataFrame:
    """One row for each element of a filter's matrix that is above the threshold, largest first."""
    rows, columns = np.nonzero(clip(matrix, measured.cut[filter_index]))
    of = measured.cluster_of[filter_index]
    together = (of[rows] >= 0) & (of[rows] == of[columns])
    place = np.zeros(len(of) + 1, np.int64)  # of each cluster; the last for none, which is -1
    for cluster, number in _places(of).items():
        place[cluster] = number
    names = np.array(run.label_names, dtype=object)
    frame = pl.DataFrame(
        {
            "input id": rows,
            "input label": pl.Series(names[rows].tolist(), dtype=pl.String),
            "output id": columns,
            "output label": pl.Series(names[columns].tolist(), dtype=pl.String),
            "field": matrix[rows, columns],
            "field / maximum": matrix[rows, columns].astype(np.float64) / float(measured.maximum[filter_index]),
            "cluster": pl.Series(np.where(together, place[of[rows]], 0), dtype=pl.Int64),
            "part": pl.Series(
                np.where(~together, "noise", np.where(rows == columns, "signal", "internal")).tolist(), dtype=pl.String
            ),
        }
    )
    return frame.with_columns(pl.col("cluster").replace(0, None)).sort("field", descending=True, maintain_order=True)


def filters_of_label(run: Run, measured: LayerMeasure, label: int, diagonal: NDArray[np.float32]) -> pl.DataFrame:
    """One row for each filter that holds the label in a cluster; diagonal (N_f,): field of the label on itself."""
    rows = []
    for f in np.flatnonzero(measured.cluster_of[:, label] >= 0).tolist():
        members = np.flatnonzero(measured.cluster_of[f] == measured.cluster_of[f, label]).tolist()
        others = [other for other in members if other != label]
        rows.append(
            {
                "filter": f,
                "cluster size": len(members),
                "with ids": others,
                "with": [run.label_names[other] for other in others],
                "field": float(diagonal[f]),
                "field / maximum": float(diagonal[f]) / float(measured.maximum[f]),
                "clusters": int(measured.n_clusters[f]),
                "noise": int(measured.noise[f]),
            }
        )
    schema: dict[str, Any] = {
        "filter": pl.Int64, "cluster size": pl.Int64, "with ids": pl.List(pl.Int64), "with": pl.List(pl.String),
        "field": pl.Float64, "field / maximum": pl.Float64, "clusters": pl.Int64, "noise": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema).sort("field", descending=True, maintain_order=True)


def partner_labels(run: Run, found: Partners) -> pl.DataFrame:
    """One row for each label that has something in common with the one `found` is of, most shared clusters first."""
    frame = pl.DataFrame(
        {
            "name": run.label_names,
            "shared clusters": found.clusters,
            "noise to": found.noise_to,
            "noise from": found.noise_from,
            "super-class": run.superclasses,
            "label": np.arange(run.n_labels),
        }
    )
    counts = [pl.col(name) for name in ("shared clusters", "noise to", "noise from")]
    some = frame.filter(pl.sum_horizontal(counts) > 0)
    return some.sort(
        ["shared clusters", pl.col("noise to") + pl.col("noise from")], descending=True, maintain_order=True
    )


def sweep(points: Sequence[Summary], average: Average) -> pl.DataFrame:
    """One row a threshold."""
    rows = []
    for point in points:
        noise, n_clusters, size = point.means(average)
        rows.append(
            {
                "threshold": point.threshold,
                "n": noise,
                "N_c": n_clusters,
                "C_s": size,
                "SNR_I": point.snr_internal,
                "SNR_E": point.snr_external,
            }
        )
    return pl.DataFrame(rows).with_columns(pl.col(pl.Float64).fill_nan(None))


def history(columns: Mapping[str, NDArray[np.float64]]) -> pl.DataFrame:
    """Training: one row an epoch."""
    n_epochs = max((len(column) for column in columns.values()), default=0)
    frame = pl.DataFrame({"epoch": np.arange(1, n_epochs + 1)} | dict(columns))
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def histogram(values: NDArray[Any], bins: int = 30) -> pl.DataFrame:
    """Counts in bins of equal width; of width 1 where there are few whole numbers. Columns from, to, count."""
    if values.size == 0:
        return pl.DataFrame(schema={"from": pl.Float64, "to": pl.Float64, "count": pl.Int64})
    first, last = float(values.min()), float(values.max())
    width = max(1.0, math.ceil((last - first + 1) / bins))
    edges = np.arange(first, last + 2 * width, width)
    counts, _ = np.histogram(values, edges)
    return pl.DataFrame({"from": edges[:-1], "to": edges[1:], "count": counts}).filter(pl.col("from") <= last)


def filter_size(layer: Layer) -> str:
    """F_s: "2x2" where the file tells the shape, else the number of positions."""
    shape = layer.record.get("filter_size")
    if isinstance(shape, list) and shape and all(isinstance(side, int) for side in shape):
        return "x".join(map(str, shape))
    return str(layer.positions)


def joined(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
