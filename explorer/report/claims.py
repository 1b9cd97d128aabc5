"""The paper's claims on each kind of runs of the folder: judged in the report's gauge, in the other, and by chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from explorer.frames.claims import WORDS, kinds, ledger
from explorer.frames.runs import UNTRAINED, untrained_beside
from store.file.read import Run
from store.measure.gauge import Gauge, other_gauge
from store.measure.summary import Summary
from store.paper.claims import DRAWS, Finding, judge, null_samples
from store.paper.records import CLAIM_NULLS, ClaimNull, RunRecord, null_sample, run_record

_Drawn = dict[tuple[str, ClaimNull, int], Summary | None]  # by layer, null and seed


@dataclass(frozen=True, eq=False)
class Judged:
    """Runs that differ in K and in their samples alone, which stand for each claim together."""

    kind: str  # may hold text of a file
    files: list[str]
    found: list[Finding]
    others: list[Finding]  # in the other gauge


def judged(
    frame: pl.DataFrame, paths: Mapping[str, Path], threshold: float, gauge: Gauge, draws: int = DRAWS
) -> list[Judged]:
    """frame: `frames.runs.collect`; paths: of its files; draws: of each null. Raises FormatError, OSError."""
    of_file = {rows["file"][0]: rows.row(0, named=True) for rows in frame.partition_by("file", maintain_order=True)}
    kinds_of_runs = []
    for name, part in kinds(frame).items():
        files = part["file"].unique(maintain_order=True).to_list()
        here, there, drawn = [], [], []
        for file in files:
            with Run(paths[file]) as run:
                here.append(run_record(run, [threshold], gauge=gauge))
                there.append(run_record(run, [threshold], gauge=other_gauge(gauge)))
                drawn.append(_drawn(run, here[-1], threshold, gauge, draws))
        samples = _null_samples(here, drawn, threshold, draws)
        if draws:
            beside = untrained_beside([of_file[file] for file in files], of_file.values())
            samples[UNTRAINED] = [[_record(paths[list(of_file)[place]], threshold, gauge)] for place in beside]
        kinds_of_runs.append(Judged(name, files, judge(here, threshold, (), samples), judge(there, threshold)))
    return kinds_of_runs


def table(found: list[Judged], gauge: Gauge) -> pl.DataFrame:
    """One row a claim and kind of runs, as the explorer's ledger has them, with the verdict in the other gauge."""
    rows = ledger({one.kind: one.found for one in found})
    others = [WORDS[other.verdict] for claim in zip(*(one.others for one in found), strict=True) for other in claim]
    place = rows.columns.index("verdict") + 1
    return rows.insert_column(place, pl.Series(f"verdict, {other_gauge(gauge)}", others, pl.String))


def _drawn(run: Run, record: RunRecord, threshold: float, gauge: Gauge, draws: int) -> _Drawn:
    """Each layer of the record in each draw, while the file is open: a layer at a time is in memory."""
    found: _Drawn = {}
    for name in [layer.name for layer in record.layers] if draws else []:
        fields = run.layers[name].fields(gauge=gauge)
        for null in CLAIM_NULLS:
            for seed in range(draws):
                found[name, null, seed] = null_sample(null, fields, threshold, seed)
    return found


def _null_samples(
    records: list[RunRecord], drawn: list[_Drawn], threshold: float, draws: int
) -> dict[str, list[list[RunRecord]]]:
    def draw(number: int, layer: str, null: ClaimNull, seed: int) -> Summary | None:
        return drawn[number][layer, null, seed]

    return null_samples(records, draw, threshold, draws) if draws else {}


def _record(path: Path, threshold: float, gauge: Gauge) -> RunRecord:
    with Run(path) as run:
        return run_record(run, [threshold], gauge=gauge)
