"""The paper's claims on each kind of runs of the folder: judged in the report's gauge, and in the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from explorer.frames.claims import WORDS, kinds, ledger
from store.file.read import Run
from store.measure.gauge import Gauge, other_gauge
from store.paper.claims import Finding, judge
from store.paper.records import run_record


@dataclass(frozen=True, eq=False)
class Judged:
    """Runs that differ in K and in their samples alone, which stand for each claim together."""

    kind: str  # may hold text of a file
    files: list[str]
    found: list[Finding]
    others: list[Finding]  # in the other gauge


def judged(frame: pl.DataFrame, paths: Mapping[str, Path], threshold: float, gauge: Gauge) -> list[Judged]:
    """frame: `frames.runs.collect`; paths: of its files. Raises FormatError, OSError."""
    kinds_of_runs = []
    for name, part in kinds(frame).items():
        files = part["file"].unique(maintain_order=True).to_list()
        here, there = [], []
        for file in files:
            with Run(paths[file]) as run:
                here.append(run_record(run, [threshold], gauge=gauge))
                there.append(run_record(run, [threshold], gauge=other_gauge(gauge)))
        kinds_of_runs.append(Judged(name, files, judge(here, threshold), judge(there, threshold)))
    return kinds_of_runs


def table(found: list[Judged], gauge: Gauge) -> pl.DataFrame:
    """One row a claim and kind of runs, as the explorer's ledger has them, with the verdict in the other gauge."""
    rows = ledger({one.kind: one.found for one in found})
    others = [WORDS[other.verdict] for claim in zip(*(one.others for one in found), strict=True) for other in claim]
    place = rows.columns.index("verdict") + 1
    return rows.insert_column(place, pl.Series(f"verdict, {other_gauge(gauge)}", others, pl.String))
