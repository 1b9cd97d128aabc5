"""The report as one HTML file: no script, nothing fetched, light or dark as the reader's system is.

Names, recipes and file names come from the runs, which may be a stranger's: all of it goes through `markup.text`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from explorer.frames.claims import WORDS, chance, in_other_gauge, verdict_on_chance
from explorer.frames.runs import Damaged
from explorer.report.claims import Judged
from explorer.report.figures import Figure
from explorer.report.markup import commands, counted, files, rich, signed, text
from explorer.report.tables import QUANTITIES, Setting, Table, difference, mean_and_deviation, recipe_of
from store.measure.gauge import Gauge, other_gauge
from store.paper.citation import PAPER, software
from store.paper.claims import Finding
from store.tables.layers import in_words
from store.tables.printable import printable

_STYLE = Path(__file__).with_name("report.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_RUN_COLUMNS = ["layer", "F_s", "N_f", "accuracy", "n", "N_c", "C_s", "silent", "signal", "noise_I", "noise_E", "SNR_E"]
_DIGITS = {"accuracy": 3, "n": 1, "SNR_E": 1, "signal": 1}


@dataclass(frozen=True, eq=False)
class Report:
    folder: Path
    threshold: float
    gauge: Gauge
    runs: pl.DataFrame  # collection.collect
    damaged: list[Damaged]
    tables: list[Table]
    figures: list[Figure]
    drawn: Mapping[str, str]  # SVG for the page by a figure's key; none where figures were not asked for
    claims: list[Judged]
    draws: int  # of each null, for the claims


def page(report: Report) -> str:
    body = [
        _opening(report),
        _contents(report),
        *(_table(table, report.folder) for table in report.tables),
        *(_figure(figure, report.drawn.get(figure.key)) for figure in report.figures),
        _claims(report),
        _all_runs(report),
        _footer(report),
    ]
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            "<title>The paper's tables and figures - Filterscope</title>\n",
            f"<style>\n{_STYLE.read_text('utf-8')}</style>\n</head>\n<body>\n<main>\n",
            *body,
            "</main>\n</body>\n</html>\n",
        ]
    )


def _opening(report: Report) -> str:
    runs = report.runs.unique("file", maintain_order=True)
    lines = [
        "<h1>The paper's tables and figures</h1>",
        f'<p class="faint">{text(PAPER)}.</p>',
        f"<p>From {counted(runs.height, 'run')} in the folder {text(report.folder)}, clipped at "
        f"{report.threshold:g} of each filter's maximum{in_words(report.gauge)}. Each number is a mean over the "
        "samples, with their standard deviation where there are at least two; beside it the published one, and the "
        "difference. What no run gives is shown as missing.</p>",
    ]
    used = {file for table in report.tables for one in table.settings for file in one.files}
    ours = runs.filter(pl.col("file").is_in(list(used)) & ~pl.col("is_paper"))
    if ours.height:
        papers = len(used) - ours.height
        whole = f"Of the {counted(len(used), 'run')} in the tables {papers or 'none'} {'is' if papers < 2 else 'are'}"
        lines.append(
            f'<p class="warning"><strong>{whole} of the paper\'s recipe.</strong> {"The others" if papers else "They"} '
            "were trained by a schedule of our own, as is said with each: what differs from the published numbers may "
            "be the recipe's doing.</p>"
        )
    if report.damaged:
        rows = "".join(f"<li>{text(file)}: {text(problem)}</li>" for file, problem in report.damaged)
        count = counted(len(report.damaged), "file")
        lines.append(f'<div class="warning">{count} could not be read, and nothing of it is here:<ul>{rows}</ul></div>')
    return "\n".join(lines) + "\n"


def _contents(report: Report) -> str:
    rows = []
    for table in report.tables:
        state = f"{table.n_there} of {table.n_rows} rows"
        state = "all rows" if table.n_there == table.n_rows else state if table.n_there else "missing"
        rows.append((f"table-{table.number}", f"Table {table.number}", table.title, state))
    for figure in report.figures:
        state = {"in its place": "of another run", "partly": "in part"}.get(figure.state, figure.state)
        rows.append((f"figure-{figure.key}", f"Figure {figure.key.upper()}", figure.title, state))
    rows.append(("claims", "Claims", "the paper's, as tests", f"on {counted(len(report.claims), 'kind')} of runs"))
    cells = "".join(
        f'<tr><td><a href="#{place}">{name}</a></td><td class="text">{rich(title)}</td>'
        f'<td class="text">{state}</td></tr>'
        for place, name, title, state in rows
    )
    head = '<thead><tr><th></th><th scope="col" class="text">of</th><th scope="col" class="text">here</th></tr></thead>'
    return f'<div class="wide"><table class="wrap">{head}<tbody>{cells}</tbody></table></div>\n'


def _table(table: Table, folder: Path) -> str:
    head = (
        '<thead><tr><th colspan="5"></th>'
        + "".join(f'<th colspan="3" scope="colgroup">{rich(name)}</th>' for name in QUANTITIES)
        + "</tr><tr>"
        + "".join(f'<th scope="col">{name}</th>' for name in ("layer", "N<sub>f</sub>", "F<sub>s</sub>"))
        + '<th scope="col">FC<sub>s</sub></th><th scope="col">samples</th>'
        + '<th scope="col" class="first">ours</th><th scope="col">paper</th><th scope="col">diff.</th>'
        * len(QUANTITIES)
        + "</tr></thead>"
    )
    frame = table.frame()
    groups = "".join(
        f'<tbody class="group"><tr><th colspan="{5 + 3 * len(QUANTITIES)}" scope="rowgroup">{_heading(one)}</th></tr>'
        + "".join(map(_row, frame.filter(arch=one.arch, data=one.data, K=one.n_labels).iter_rows(named=True)))
        + "</tbody>"
        for one in table.settings
    )
    name = f"table-{table.number}"
    return (
        f'<section><h2 id="{name}">Table {table.number}. {text(table.title)}</h2>\n'
        f'<div class="wide"><table>{head}{groups}</table></div>\n'
        f"{commands(table.commands(folder), 'The rows that are missing')}{files(name, ('csv', 'tex'))}</section>\n"
    )


def _heading(one: Setting) -> str:
    if not one.files:
        return f"{text(one.name)} <span>&middot; no run</span>"
    return f"{text(one.name)} <span>&middot; {text(one.recipe)}; {text(', '.join(one.files))}</span>"


def _row(row: dict[str, Any]) -> str:
    cells = [text(row["layer"]), row["N_f"], row["F_s"], row["FC_s"], row["samples"] or "–"]
    line = "".join(f"<td>{cell}</td>" for cell in cells)
    for name in QUANTITIES:
        ours = " &plusmn; ".join(map(signed, mean_and_deviation(name, row)))
        paper = f'<td class="paper">{row[f"{name}, paper"]:g}</td>'
        line += f'<td class="first">{ours}</td>{paper}<td>{signed(difference(name, row))}</td>'
    return f"<tr{'' if row['samples'] else ' class=missing'}>{line}</tr>"


def _figure(figure: Figure, drawn: str | None) -> str:
    name = f"figure-{figure.key}"
    shown = drawn or ('<p class="faint">Not drawn.</p>' if figure.picture else '<p class="faint">Missing.</p>')
    caption = " ".join(map(rich, figure.notes))
    tables = "" if figure.fits is None else _fits(figure.fits)
    what = "The runs that are missing"
    kinds = [*(("svg", "png") if drawn else ()), *(("csv",) if figure.data is not None else ())]
    fits = files(f"{name}-fits", ("csv",)) if figure.fits is not None else ""
    return (
        f'<section><h2 id="{name}">Figure {figure.key.upper()}. {rich(figure.title)}</h2>\n'
        f"<figure>{shown}<figcaption>{caption}</figcaption></figure>\n"
        f"{tables}{commands(figure.commands, what)}{files(name, kinds)}{fits}</section>\n"
    )


def _fits(fits: pl.DataFrame) -> str:
    rows = []
    for row in fits.iter_rows(named=True):
        if row["intercept"] is None:
            cells = [f'<td class="text" colspan="5">{text(row["formula"])}</td>']
        else:
            inside = row["from"] is not None
            interval = f"{row['from']:.2g} to {row['to']:.2g}" if inside else "-"
            numbers = [
                f"{row['slope or power']:.3g}",
                interval,
                f"{row['root mean square residual']:.2g}",
                f"{row['at K = 1']:.3f}",
            ]
            if row["points"] == 2:
                numbers[2] = "-"
            formula = rich(row["formula"]).replace("-", "−")
            cells = [f'<td class="text">{formula}</td>', *(f"<td>{signed(cell)}</td>" for cell in numbers)]
        rows.append(f'<tr><td>{text(row["of"])}</td><td class="text">{text(row["curve"])}</td>{"".join(cells)}</tr>')
    head = "".join(
        f'<th scope="col"{style}>{name}</th>'
        for name, style in [
            ("points of", ""), ("fit", ' class="text"'), ("", ' class="text"'), ("b", ""), ("95% interval of b", ""),
            ("rms residual", ""), ("error at K = 1", ""),
        ]
    )  # fmt: skip
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>\n'


def _claims(report: Report) -> str:
    other = other_gauge(report.gauge)
    by_chance = ["holds by chance"] if report.draws else []
    columns = ["verdict", "claim", "measured", f"verdict, {other}", *by_chance]
    head = "".join(f'<th scope="col" class="text">{name}</th>' for name in columns)
    groups = []
    for one in report.claims:
        lines = "".join(
            f'<tr><td>{WORDS[finding.verdict]}</td><td class="text">{rich(finding.claim.sentence)}</td>'
            f'<td class="text">{text(finding.numbers or f"needed: {finding.missing}")}</td>'
            f'<td class="text">{WORDS[there.verdict]}</td>'
            f"{_by_chance(finding) if by_chance else ''}</tr>"
            for finding, there in zip(one.found, one.others, strict=True)
        )
        summary = in_other_gauge(one.found, one.others, other).partition(":")[0].removesuffix(".")
        title = f"{text(one.kind)} <span>&middot; {text(summary)}; {text(', '.join(one.files))}</span>"
        groups.append(
            f'<tbody class="group"><tr><th colspan="{len(columns)}" scope="rowgroup">{title}</th></tr>{lines}</tbody>'
        )
    drawn = ""
    if report.draws:
        drawn = (
            f" Chance: the same test with shuffled labels and with rotated filters, {counted(report.draws, 'draw')} of "
            "each, and on untrained networks where the folder has some. A claim that holds by chance as well says "
            "nothing of what these filters have learned."
        )
    return (
        '<section><h2 id="claims">Claims</h2>\n'
        f'<p class="faint">Each claim as a test{text(in_words(report.gauge))}; how each is tested, and at which '
        "thresholds it holds, is on the explorer's page Claims. What a probe's weights add to all outputs alike "
        f"changes no prediction: where a verdict differs without it, it rests on that choice.{drawn}</p>\n"
        f'<div class="wide"><table class="wrap"><thead><tr>{head}</tr></thead>{"".join(groups)}</table></div>\n'
        f"{files('claims', ('csv',))}</section>\n"
    )


def _by_chance(finding: Finding) -> str:
    """How often it holds by chance, and what that means; a dash where chance has nothing to do with the claim."""
    said = f"{chance(finding)}. {verdict_on_chance(finding)}".strip() if finding.chance else ""
    return f'<td class="text">{text(said) or "–"}</td>'


def _all_runs(report: Report) -> str:
    head = "".join(f'<th scope="col">{rich(name)}</th>' for name in _RUN_COLUMNS)
    groups = []
    for rows in report.runs.partition_by("file", maintain_order=True):
        first = rows.row(0, named=True)
        what = f"{printable(first['arch'])} on {printable(first['data'])}, {first['K']} labels; {recipe_of(first)}"
        known = {"seed": first["seed"], "labels by seed": first["label_seed"]}
        seeds = ", ".join(f"{name} {seed}" for name, seed in known.items() if seed is not None)
        what += "; untrained" if first["untrained"] else ""
        lines = "".join(
            f"<tr>{''.join(f'<td>{_cell(name, row[name])}</td>' for name in _RUN_COLUMNS)}</tr>"
            for row in rows.iter_rows(named=True)
        )
        title = f"{text(first['file'])} <span>&middot; {text(what)}{text('; ' * bool(seeds) + seeds)}</span>"
        heading = f'<tr><th colspan="{len(_RUN_COLUMNS)}" scope="rowgroup">{title}</th></tr>'
        groups.append(f'<tbody class="group">{heading}{lines}</tbody>')
    count = report.runs["file"].n_unique()
    return (
        '<section><h2 id="runs">All runs</h2>\n'
        f"<details><summary>Every layer of the {counted(count, 'run')}, those that no table is of among them</summary>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>{"".join(groups)}</table></div></details>\n'
        f"{files('runs', ('csv',))}</section>\n"
    )


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.{_DIGITS.get(name, 2)}f}" if isinstance(value, float) else text(value)


def _footer(report: Report) -> str:
    try:
        ours = software(version("filterscope"))
    except PackageNotFoundError:
        ours = software("(not installed)")
    notes = [
        "n, N<sub>c</sub> and C<sub>s</sub> are means over the filters with at least one cluster. Samples are runs of "
        "one recipe that differ in their seed or in their choice of labels; of several recipes, the paper's goes "
        "first.",
        "Of Figures 3-5, the interval is Student's, at 95%, all points taken for independent; rms residuals are in "
        "units of the error, so that the three fits can be compared.",
        f"{text(ours)}.",
    ]
    return "<footer>" + "".join(f'<p class="faint">{note}</p>' for note in notes) + "</footer>\n"
