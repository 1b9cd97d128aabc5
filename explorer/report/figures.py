"""Figures 1-5: which runs each is drawn of, its picture, its numbers and what to say under it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import polars as pl

from explorer import words
from explorer.charts import layer as charts
from explorer.frames import claims as frames_claims
from explorer.frames import layer as frames
from explorer.frames.telling import cluster_sizes, like_the_papers
from explorer.report import charts as report_charts
from explorer.report.tables import (
    Setting,
    chosen,
    comparable,
    network_name,
    only_quick,
    recipe_of,
    setting_name,
    sweep_command,
)
from store.file.manifest import defined
from store.file.read import Layer, Run
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import LayerMeasure, estimates
from store.measure.scaling import Fit, NotEnough, fits, slopes_within
from store.paper.published import published, settings
from store.tables.layers import in_words
from store.tables.printable import printable

State = Literal["there", "partly", "in its place", "missing"]
_FAMILY = ("recipe", "is_paper", "weights")  # runs of different K are of one curve if they agree in these


@dataclass(frozen=True, eq=False)
class Figure:
    key: str  # "1", "2a": of the file's name
    title: str
    state: State
    notes: list[str]  # sentences; plain text, which may hold names from the files
    picture: charts.Picture | None = None
    data: pl.DataFrame | None = None
    fits: pl.DataFrame | None = None
    commands: tuple[str, ...] = ()


class Scaling(NamedTuple):
    """One of Figures 3-5: the layer or stage whose error it is of, and the tables that hold the paper's points."""

    arch: str
    data: str
    layer: str
    tables: tuple[int, ...]


SCALING = {
    "3": Scaling("vgg16", "cifar100", "10", (4, 1)),
    "4": Scaling("efficientnet_b0", "cifar100", "9", (5, 2)),
    "5": Scaling("vgg16", "cifar10", "10", (6,)),
}


def figures(
    frame: pl.DataFrame, paths: dict[str, Path], folder: Path, threshold: float, gauge: Gauge = AS_TRAINED
) -> list[Figure]:
    """All of them, whatever the runs are. frame: `collection.collect`; paths: of its files.

    Raises FormatError, OSError.
    """
    row = _shown_layer(frame)
    if row is None:
        command = (sweep_command(1, [Setting("vgg16", "cifar100", 100, frame)], folder),)
        names = {
            "1": "Single filter performance",
            "2a": "Signal and noises, clipped",
            "2b": "Signal and noises, fields",
        }
        found = [
            Figure(key, name, "missing", ["There is no trained run."], commands=command) for key, name in names.items()
        ]
    else:
        with Run(paths[row["file"]]) as run:
            layer = run.layers[row["layer"]]
            found = _of_layer(run, layer, threshold, gauge, row, _how_to_make(frame, row, folder))
    return found + [scaling_figure(frame, key, folder) for key in SCALING]


def _shown_layer(frame: pl.DataFrame) -> dict[str, Any] | None:
    """The row of layer 10 of VGG-16 on CIFAR-100; else on the most of its labels; else of the most accurate layer."""
    there = comparable(frame, "vgg16", "cifar100").filter(layer="10")
    if there.height:
        n_labels = max(there["K"])
        return chosen(there, "vgg16", "cifar100", n_labels).sort("seed", maintain_order=True).row(0, named=True)
    there = frame.filter(pl.col("accuracy").is_not_null() & ~pl.col("untrained"))
    if there.is_empty():
        return None
    return there.sort("K", "accuracy", descending=True, maintain_order=True).row(0, named=True)


def _is_the_papers(row: dict[str, Any]) -> bool:
    return (row["arch"], row["data"], row["K"], row["layer"]) == ("vgg16", "cifar100", 100, "10")


def _how_to_make(frame: pl.DataFrame, row: dict[str, Any], folder: Path) -> tuple[str, ...]:
    if _is_the_papers(row):
        return ()
    wanted = Setting("vgg16", "cifar100", 100, frame)
    return (sweep_command(1, [wanted], folder, only_quick(frame, "vgg16", "cifar100")),)


def _of_layer(
    run: Run, layer: Layer, threshold: float, gauge: Gauge, row: dict[str, Any], commands: tuple[str, ...]
) -> list[Figure]:
    """Figures 1, 2A and 2B."""
    measured = layer.measure(threshold, gauge=gauge)
    state: State = "in its place" if commands else "there"
    network = setting_name(row["arch"], row["data"], row["K"])
    place = f"{words.unit_of(layer)}s of layer {printable(layer.name)} of {network}"
    of_run = f"{place}; {recipe_of(row)}; {printable(row['file'])}{in_words(gauge)}."
    other = ["The paper's figure is of layer 10 of VGG-16 on CIFAR-100, which no run here has."] if commands else []
    found = []
    f = like_the_papers(measured)
    if f is None:
        found.append(Figure("1", "Single filter performance", "missing", [f"No filter has a cluster: {of_run}"]))
    else:
        sizes = cluster_sizes(measured, f)
        listed = " and ".join(", ".join(f"{size}x{size}" for size in sizes).rsplit(", ", 1))
        noise = int(measured.noise[f])
        notes = [
            f"{words.unit_of(layer).capitalize()} {f} of the {layer.n_filters} {of_run}",
            "From the left: the fields, divided by their maximum (black is 0, bright is the maximum, blue below 0); "
            f"the elements above {measured.threshold:g} of it; the same with the labels permuted, {len(sizes)} "
            f"cluster{'s' * (len(sizes) != 1)} ({listed}) framed and {noise} noise element{'s' * (noise != 1)} yellow; "
            "and its upper left corner. Of all filters, this one's clusters are most like those of the paper's figure.",
        ]
        picture = report_charts.single_filter(
            layer.field(f, gauge), measured, f, [printable(name) for name in run.label_names]
        )
        found.append(Figure("1", "Single filter performance", state, notes + other, picture, commands=commands))
    by_label = frames.labels(run, measured)
    for key, suffix, what in (("2a", "", "clipped"), ("2b", ", fields", "fields of the same elements")):
        means = [by_label[f"{name}{suffix}"].mean() for name in ("signal", "noise_I", "noise_I + noise_E")]
        notes = [f"All {layer.n_filters} {of_run}", f"Dashed, the means over the labels: {_listed(means)}."]
        notes += _estimated(layer, measured, row) if key == "2a" else []
        picture = charts.figure_2(by_label, suffix).properties(width=640)
        title = f"Signal, noise_I and noise_I + noise_E of each label, {what}"
        found.append(Figure(key, title, state, notes + other, picture, by_label, commands=commands))
    return found


def _estimated(layer: Layer, measured: LayerMeasure, row: dict[str, Any]) -> list[str]:
    """Eqs. (1)-(3) of our layer means and of the published ones."""
    ours = estimates(
        layer.n_filters, layer.n_labels, measured.mean_clusters, measured.mean_cluster_size, measured.mean_noise
    )
    notes = [f"Eqs. (1)-(3) give {_listed(_three(ours))} from this layer's n, N_c and C_s."]
    paper = published(row["arch"], row["data"], row["K"], row["layer"])
    if paper is not None:
        from_table = estimates(paper.n_filters, row["K"], paper.n_clusters, paper.cluster_size, paper.noise)
        notes.append(
            f"From the published n, N_c and C_s (Table {paper.table}) they give {_listed(_three(from_table))}."
        )
    return notes


def _three(found: Any) -> list[float]:
    return [found.signal, found.noise_internal, found.noise_internal + found.noise_external]


def _listed(values: list[Any]) -> str:
    parts = ["-" if defined(x) is None else f"{x:.0f}" if x >= 1000 else f"{x:.3g}" for x in values]
    return f"signal {parts[0]}, noise_I {parts[1]}, noise_I + noise_E {parts[2]}"


# ---- Figures 3-5 ----------------------------------------------------------------------------------------------------


def scaling_points(frame: pl.DataFrame, of: Scaling) -> pl.DataFrame:
    """Columns source ("paper" or "these runs"), K, error, sample, file; ours all of one recipe, that of the most K."""
    paper = [
        {"source": "paper", "K": n_labels, "error": 1 - row.accuracy, "sample": "", "file": ""}
        for table in of.tables
        for arch, data, n_labels in settings(table)
        if (row := published(arch, data, n_labels, of.layer)) is not None
    ]
    schema: dict[str, Any] = {
        "source": pl.String,
        "K": pl.Int64,
        "error": pl.Float64,
        "sample": pl.String,
        "file": pl.String,
    }
    there = family(frame, of)
    ours = there.select(
        pl.lit("these runs").alias("source"),
        "K",
        "error",
        pl.format("seed {}, labels {}", pl.col("seed").fill_null(0), pl.col("label_seed").fill_null(0)).alias("sample"),
        "file",
    )
    return pl.concat([pl.DataFrame(paper, schema=schema).sort("K"), ours.sort("K", "file")])


def family(frame: pl.DataFrame, of: Scaling) -> pl.DataFrame:
    """Rows of the layer from the runs of one recipe; of each K those that its table has, too."""
    there = comparable(frame, of.arch, of.data).filter(pl.col("error").is_not_null(), layer=of.layer)
    if there.is_empty():
        return there
    groups = there.group_by(_FAMILY, maintain_order=True).agg(
        pl.col("K").n_unique().alias("labels"), pl.len().alias("runs")
    )
    best = groups.sort(["labels", "is_paper", "runs"], descending=True, maintain_order=True).head(1)
    of_one = there.join(best.select(_FAMILY), on=_FAMILY, how="semi", maintain_order="left")
    return pl.concat([chosen(of_one, of.arch, of.data, n_labels) for n_labels in sorted(set(of_one["K"]))])


def scaling_figure(frame: pl.DataFrame, key: str, folder: Path) -> Figure:
    of = SCALING[key]
    points, there = scaling_points(frame, of), family(frame, of)
    by_source = {
        source: fits(*(points.filter(source=source)[name].to_numpy() for name in ("K", "error")))
        for source in ("paper", "these runs")
    }
    ours = by_source["these runs"]
    drawn = "these runs" if isinstance(ours["linear"], Fit) else "paper"
    curves = [
        (source, fit)
        for source, found in by_source.items()
        for kind, fit in found.items()
        if isinstance(fit, Fit) and (kind == "linear" or source == drawn)
    ]
    missing = [
        (table, Setting(*place, frame))
        for table in of.tables
        for place in settings(table)
        if place[2] not in set(there["K"])
    ]
    quick = only_quick(frame, of.arch, of.data)
    commands = [
        sweep_command(table, [one for number, one in missing if number == table], folder, quick)
        for table in dict.fromkeys(number for number, _ in missing)
    ]
    word = "stage" if of.arch.startswith("efficientnet") else "layer"
    whole = max(K for table in of.tables for _, _, K in settings(table))
    drawn_arch = there["arch"][0] if there.height else of.arch
    title = f"Test error of {network_name(drawn_arch)} on CIFAR-K/{whole} against K, at {word} {of.layer}"
    picture = report_charts.error_by_labels(points, curves, drawn, max(points["K"]))
    state: State = "missing" if there.is_empty() else "partly" if missing else "there"
    notes = _scaling_notes(there, points, by_source["these runs"])
    return Figure(key, title, state, notes, picture, points, frames_claims.fits(by_source), tuple(commands))


def _scaling_notes(there: pl.DataFrame, points: pl.DataFrame, ours: Any) -> list[str]:
    if there.is_empty():
        return ["No run: these are the paper's points alone, with fits made of them here."]
    alike = there.row(0, named=True) | {"epochs": None, "departures": ""}
    n_runs = there["file"].n_unique()
    notes = [f"{n_runs} run{'s' * (n_runs != 1)}, {recipe_of(alike)}; the error is 1 - the probe's accuracy."]
    changed = there.filter(pl.col("departures") != "").unique(["K", "departures"], maintain_order=True)
    notes += [f"K = {row['K']}: {printable(row['departures'])}." for row in changed.iter_rows(named=True)]
    if isinstance(ours["linear"], NotEnough):
        return [*notes, f"These runs: {ours['linear'].reason}. The curves are fits of the paper's points."]
    own = points.filter(source="these runs")
    each = slopes_within(own["sample"].to_list(), own["K"].to_numpy(), own["error"].to_numpy())
    slopes = [fit.slope for fit in each.values() if isinstance(fit, Fit)]
    if len(slopes) > 1:
        notes.append(f"Slopes of {len(slopes)} samples one by one: {min(slopes):.3g} to {max(slopes):.3g}.")
    if len(set(there["K"])) > 2:
        return [*notes, "Below: what the fits leave over."]
    return [*notes, "A line through two K says nothing of whether the error is linear in K."]
