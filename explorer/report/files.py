"""A folder of runs -> a folder of files: what is read, what is written, and what is said of it."""

import sys
from pathlib import Path

from explorer.frames.claims import in_other_gauge
from explorer.frames.files import csv
from explorer.frames.runs import collect, files
from explorer.report import pictures
from explorer.report.claims import judged
from explorer.report.claims import table as claims_table
from explorer.report.figures import figures
from explorer.report.page import Report, page
from explorer.report.tables import latex, tables
from store.file.format import FormatError
from store.file.write import replace_file
from store.measure.gauge import AS_TRAINED, Gauge, other_gauge
from store.paper.claims import DRAWS
from store.tables.printable import printable


class ReportError(ValueError):
    """There can be no report; the message says why, and what to do."""


def write_report(
    runs: Path, out: Path, threshold: float, with_figures: bool, gauge: Gauge = AS_TRAINED, draws: int = DRAWS
) -> list[str]:
    """Write everything into `out`; returns what to print. draws: of each null. Raises ReportError, OSError."""
    if with_figures and not pictures.can_draw():
        raise ReportError(
            "figures need vl-convert-python: pip install -e '.[report]', or take the tables alone with --no-figures"
        )
    found = files(runs)
    if not found:
        raise ReportError(f"{runs}: no result is there (*.h5); `python -m precompute` makes them")
    out.mkdir(parents=True, exist_ok=True)
    frame, damaged = collect(found, threshold, gauge)
    for file, problem in damaged:
        print(
            f"left out: {printable(problem if problem.startswith(str(runs)) else f'{file}: {problem}')}",
            file=sys.stderr,
        )
    if frame.is_empty():
        reason = "every file is damaged" if len(damaged) == len(found) else "no file has a finished layer"
        raise ReportError(f"{runs}: {reason}")
    folder = runs if runs.is_dir() else runs.parent
    try:
        paths = {path.name: path for path in found}
        drawn_of = figures(frame, paths, folder, threshold, gauge)
        claims = judged(frame, paths, threshold, gauge, draws)
    except FormatError as error:  # replaced since it was collected
        raise ReportError(str(error)) from error
    report_tables = tables(frame)
    drawn = {}
    for figure in drawn_of:
        name = f"figure-{figure.key}"
        if figure.data is not None:
            replace_file(out / f"{name}.csv", csv(figure.data))
        if figure.fits is not None:
            replace_file(out / f"{name}-fits.csv", csv(figure.fits))
        if with_figures and figure.picture is not None:
            picture = pictures.svg(figure.picture)
            replace_file(out / f"{name}.svg", picture.encode())
            replace_file(out / f"{name}.png", pictures.png(picture))
            drawn[figure.key] = pictures.on_page(picture, figure.key)
    for table in report_tables:
        replace_file(out / f"table-{table.number}.csv", csv(table.frame()))
        replace_file(out / f"table-{table.number}.tex", latex(table, folder).encode())
    replace_file(out / "runs.csv", csv(frame))
    replace_file(out / "claims.csv", csv(claims_table(claims, gauge)))
    report = Report(folder, threshold, gauge, frame, damaged, report_tables, drawn_of, drawn, claims, draws)
    replace_file(out / "index.html", page(report).encode())
    return _said(report, out)


def _said(report: Report, out: Path) -> list[str]:
    lines = [f"Table {table.number}: {table.n_there} of {table.n_rows} rows, {table.title}" for table in report.tables]
    states = {"there": "", "partly": "in part", "in its place": "of another run", "missing": "missing"}
    lines += [
        f"Figure {figure.key.upper()}: {states[figure.state] or 'there'}, {figure.title}" for figure in report.figures
    ]
    lines += [
        f"Claims on {one.kind}: {sum(finding.verdict == 'holds' for finding in one.found)} of {len(one.found)} hold; "
        + in_other_gauge(one.found, one.others, other_gauge(report.gauge)).partition(":")[0].removesuffix(".")
        for one in report.claims
    ]
    return [*lines, f"{out / 'index.html'}: it opens in any browser; tables and figures are beside it"]
