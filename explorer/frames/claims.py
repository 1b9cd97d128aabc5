"""Verdicts and fits -> polars, as `frames`: what the pages Claims and Scaling show and hand out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from explorer.frames import runs as collection
from store.measure.gauge import Gauge
from store.measure.scaling import Fit, Kind, NotEnough
from store.paper.claims import Count, Finding, verdicts_that_differ
from store.paper.published import compared_with, published, settings
from store.paper.records import saturated_layer

WORDS = {"holds": "✓ holds", "fails": "✗ fails", "not enough runs": "○ not enough runs"}
QUANTITIES = ("error", "N_c", "C_s")
_SPREAD = ", sd"


# ---- Claims ---------------------------------------------------------------------------------------------------------


def ledger(found: Mapping[str, Sequence[Finding]]) -> pl.DataFrame:
    """One row a claim and kind of runs, claim by claim; `found` has the findings by the kind's name."""
    rows = [
        {
            "claim": finding.claim.sentence,
            "verdict": WORDS[finding.verdict],
            "runs": name,
            "numbers": finding.numbers or None,
            "holds at thresholds": intervals(finding) or None,
            "seeds": count(finding.seeds),
            "holds by chance": chance(finding) or None,
            "missing": finding.missing or None,
            "criterion": finding.claim.criterion,
            "in the paper": finding.claim.place,
        }
        for claim in zip(*found.values(), strict=True)
        for name, finding in zip(found, claim, strict=True)
    ]
    columns = ["claim", "verdict", "runs", "numbers", "holds at thresholds", "seeds", "holds by chance", "missing",
               "criterion", "in the paper"]  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))


def count(counted: Count) -> str | None:
    return f"{counted.holds} of {counted.of}" if counted.of else None


def intervals(finding: Finding) -> str:
    """Where it holds, of the thresholds that were tried; "" where none was."""
    if not finding.tried:
        return ""
    if not finding.holds_at:
        return "none"
    return ", ".join(f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in finding.intervals)


def chance(finding: Finding) -> str:
    """How often the same test holds where the mechanism cannot be at work."""
    return ", ".join(
        f"{name} {count(counted)}" if counted.of else f"{name}: not possible for this file"
        for name, counted in finding.chance.items()
    )


def verdict_on_chance(finding: Finding) -> str:
    """What that means for a claim that holds, as a sentence; "" where there is nothing to say."""
    if finding.verdict != "holds" or not finding.chance:
        return ""
    tested = {name: counted for name, counted in finding.chance.items() if counted.of}
    always = [name for name, counted in tested.items() if counted.holds == counted.of]
    at_times = [name for name, counted in tested.items() if 0 < counted.holds < counted.of]
    if always:
        return f"It holds with {' and '.join(always)} too: it is no sign of what these filters have learned."
    if at_times:
        return f"It holds in some draws with {' and '.join(at_times)} too: it is a weak sign."
    if not tested:
        return "No null could be tested: whether chance does the same is not known."
    against = f"Against {' and '.join(tested)} it says something about these filters."
    missing = [name for name in finding.chance if name not in tested]
    return against + (f" Against {' and '.join(missing)} it was not tested." if missing else "")


def in_other_gauge(found: Sequence[Finding], others: Sequence[Finding], gauge: Gauge) -> str:
    """How many verdicts differ in the other gauge, and which, as a sentence; gauge: that of `others`."""
    there = "As trained," if gauge == "as trained" else f"In the {gauge} gauge,"
    differ = verdicts_that_differ(others, found)
    if not differ:
        return f"{there} all {len(found)} verdicts are the same."
    listed = "; ".join(f"{one.claim.sentence}: {one.verdict}" for one in differ)
    return f"{there} {len(differ)} of {len(found)} verdicts differ{'s' * (len(differ) == 1)}: {listed}."


# ---- Scaling --------------------------------------------------------------------------------------------------------


def against_labels(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a kind of runs and K, at the saturated layer: means and standard deviations over the samples.

    rows: of `collection`. Columns "runs" (the kind, by `names`), "layer", "K", "samples", each quantity and its sd, and
    the published one.
    """
    if rows.is_empty():
        return pl.DataFrame(schema=_schema())
    parts = []
    for name, of_kind in kinds(rows).items():
        last = at_saturated(of_kind)
        means = collection.samples(last, ("arch", "data", "layer", "K"), QUANTITIES).sort("K")
        parts.append(means.with_columns(pl.lit(name).alias("runs")))
    found = pl.concat(parts)
    papers = [_paper(row) for row in found.iter_rows(named=True)]
    beside = pl.DataFrame(papers, schema=dict.fromkeys((f"{name}, paper" for name in QUANTITIES), pl.Float64))
    return pl.concat([found, beside], how="horizontal").select(*_schema()).cast(pl.Schema(_schema()))


def kinds(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of runs that differ in K and in their samples alone, by a name that tells the kinds apart."""
    setting = [name for name in collection.SETTING if name != "K"]
    found: dict[str, pl.DataFrame] = {}
    for part in rows.partition_by(setting, maintain_order=True):
        row = part.row(0, named=True)
        name = kind_name(row)
        while name in found:  # they differ in what is not in the name
            name += " *"
        found[name] = part
    return found


def kind_name(row: Mapping[str, Any]) -> str:
    parts = [f"{row['arch']} on {row['data']}", "untrained" if row["untrained"] else f"recipe {row['recipe']}"]
    parts += [row["variant"]] if row["variant"] else []
    parts += [row["departures"]] if row["departures"] and not row["untrained"] else []
    return ", ".join(parts)


def at_saturated(rows: pl.DataFrame) -> pl.DataFrame:
    """Of runs of one kind, the rows of one layer: the paper's, or of another network the most accurate on average."""
    means = rows.group_by("layer", maintain_order=True).agg(pl.col("accuracy").mean(), pl.col("depth").max())
    accuracies = dict(means.sort("depth").select("layer", "accuracy").iter_rows())
    return rows.filter(pl.col("layer") == saturated_layer(rows["arch"][0], accuracies))


def the_papers_points(arch: str, data: str, layer: str) -> pl.DataFrame:
    """The published numbers of a network and data set at one layer: K and the quantities."""
    tables = {setting for table in range(1, 7) for setting in settings(table)}
    found = []
    for n_labels in sorted(k for network, of, k in tables if (network, of) == (compared_with(arch), data)):
        row = {"arch": arch, "data": data, "K": n_labels, "layer": layer}
        numbers = _paper(row)
        if numbers["error, paper"] is not None:
            found.append({"K": n_labels} | {name: numbers[f"{name}, paper"] for name in QUANTITIES})
    return pl.DataFrame(found, schema={"K": pl.Int64} | dict.fromkeys(QUANTITIES, pl.Float64))


def _paper(row: Mapping[str, Any]) -> dict[str, float | None]:
    found = published(row["arch"], row["data"], row["K"], row["layer"])
    numbers = (1 - found.accuracy, found.n_clusters, found.cluster_size) if found else (None, None, None)
    return {f"{name}, paper": number for name, number in zip(QUANTITIES, numbers, strict=True)}


def _schema() -> dict[str, Any]:
    numbers = [f"{name}{what}" for name in QUANTITIES for what in ("", _SPREAD, ", paper")]
    texts = {"runs": pl.String, "layer": pl.String, "K": pl.Int64, "samples": pl.Int64}
    return texts | dict.fromkeys(numbers, pl.Float64)


def fits(found: Mapping[str, Mapping[Kind, Fit | NotEnough]]) -> pl.DataFrame:
    """One row a curve, of these runs' errors or the paper's; from and to: the 95% interval of the slope or power."""
    rows = []
    for of, by_kind in found.items():
        for kind, fitted in by_kind.items():
            row: dict[str, Any] = {"of": of, "curve": kind}
            if isinstance(fitted, Fit):
                low, high = fitted.slope_interval or (None, None)
                row |= {"formula": fitted.formula, "intercept": fitted.intercept}
                row |= {"slope or power": fitted.slope, "from": low, "to": high}
                row |= {"root mean square residual": fitted.rms, "at K = 1": fitted.at_one, "points": fitted.n_points}
            else:
                row["formula"] = fitted.reason
            rows.append(row)
    numbers = ("intercept", "slope or power", "from", "to", "root mean square residual", "at K = 1")
    schema: dict[str, Any] = dict.fromkeys(("of", "curve", "formula"), pl.String) | dict.fromkeys(numbers, pl.Float64)
    return pl.DataFrame(rows, schema=schema | {"points": pl.Int64})


def curve(fitted: Fit, labels: Sequence[int], steps: int = 60) -> pl.DataFrame:
    """Points along a fitted curve from K = 1 to the largest."""
    at = np.linspace(1, max(labels), steps)
    return pl.DataFrame({"K": at, "error": fitted(at)}).with_columns(curve=pl.lit(fitted.kind))


def residuals(found: Mapping[Kind, Fit | NotEnough], labels: Sequence[int]) -> pl.DataFrame:
    """One row a point and curve; labels: K of each point, in the order of the fit."""
    parts = [
        pl.DataFrame({"K": list(labels), "residual": fitted.residuals}).with_columns(curve=pl.lit(kind))
        for kind, fitted in found.items()
        if isinstance(fitted, Fit) and len(fitted.residuals) == len(labels)
    ]
    schema = pl.Schema({"K": pl.Int64, "residual": pl.Float64, "curve": pl.String})
    return pl.concat([pl.DataFrame(schema=schema), *(part.select(*schema).cast(schema) for part in parts)])


def over_time(found: Mapping[int, Sequence[Finding]]) -> pl.DataFrame:
    """A row an epoch and claim: what is said of the network as it was then."""
    rows = [
        (epoch, finding.claim.sentence, finding.verdict, finding.numbers or finding.missing)
        for claim in range(len(next(iter(found.values()), ())))
        for epoch, findings in found.items()
        for finding in [findings[claim]]
    ]
    columns = {"epoch": pl.Int64, "claim": pl.String, "verdict": pl.String, "numbers": pl.String}
    return pl.DataFrame(rows, schema=columns, orient="row")
