"""Tables 1-6: the runs that stand for each of the paper's settings, their means beside what was published."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from explorer.frames.runs import SETTING, samples
from explorer.words import printed
from store.paper.published import compared_with, layers, published, settings
from store.tables.printable import printable

TABLES = (1, 2, 3, 4, 5, 6)
QUANTITIES = {"accuracy": "accuracy", "n": "noise", "N_c": "n_clusters", "C_s": "cluster_size"}
"""A column of the paper's -> its name in `store.paper.published`."""
_DATA = ("cifar10", "cifar100", "imagenet")
_WHOLE = {data: max(K for t in TABLES for _, name, K in settings(t) if name == data) for data in _DATA}


@dataclass(frozen=True, eq=False)
class Setting:
    """One network, data set and K of a table, and the runs that are taken for it."""

    arch: str
    data: str
    n_labels: int
    runs: pl.DataFrame  # rows of `collection.collect`, all of one recipe; none where there is no such run

    @property
    def name(self) -> str:
        return setting_name(self.arch, self.data, self.n_labels)

    @property
    def files(self) -> list[str]:
        return self.runs["file"].unique(maintain_order=True).to_list()

    @property
    def missing(self) -> list[str]:
        """The paper's layers that no run has."""
        there = set(self.runs.filter(pl.col("accuracy").is_not_null())["layer"])
        return [layer for layer in layers(self.arch, self.data, self.n_labels) if layer not in there]

    @property
    def recipe(self) -> str:
        return recipe_of(self.runs.row(0, named=True)) if self.runs.height else ""


@dataclass(frozen=True, eq=False)
class Table:
    number: int
    settings: list[Setting]
    quick: bool  # whether the runs at hand are of the quick recipe, so that what is missing had better be

    @property
    def title(self) -> str:
        arch, data, _ = settings(self.number)[0]
        if len(self.settings) == 1:
            return self.settings[0].name
        return f"{network_name(arch)} on {printed(data).removesuffix(str(_WHOLE[data]))}K/{_WHOLE[data]}"

    @property
    def n_rows(self) -> int:
        return sum(len(layers(one.arch, one.data, one.n_labels)) for one in self.settings)

    @property
    def n_there(self) -> int:
        return self.n_rows - sum(len(one.missing) for one in self.settings)

    def frame(self) -> pl.DataFrame:
        """One row a published row, in the paper's order; what the runs do not give is null, and "samples" is 0."""
        rows = [row for one in self.settings for row in _rows(one)]
        return pl.DataFrame([{"table": self.number} | row for row in rows], schema={"table": pl.Int64} | _SCHEMA)

    def commands(self, folder: Path) -> list[str]:
        """What makes the rows that are missing."""
        missing = [one for one in self.settings if one.missing]
        return [sweep_command(self.number, missing, folder, self.quick)] if missing else []


def tables(frame: pl.DataFrame) -> list[Table]:
    """All six, whatever the runs are."""
    found = []
    for number in TABLES:
        arch, data, _ = settings(number)[0]
        there = [Setting(*place, chosen(frame, *place)) for place in settings(number)]
        found.append(Table(number, there, only_quick(frame, arch, data)))
    return found


def only_quick(frame: pl.DataFrame, arch: str, data: str) -> bool:
    return set(comparable(frame, arch, data)["recipe"]) == {"quick"}


def comparable(frame: pl.DataFrame, arch: str, data: str) -> pl.DataFrame:
    """The runs of the network as it is, trained; where there are none, those of its kin."""
    there = frame.filter(data=data, variant="", untrained=False)
    own = there.filter(arch=arch)
    kin = [name for name in set(there["arch"]) if compared_with(name) == arch]
    return own if own.height else there.filter(pl.col("arch").is_in(sorted(kin)[:1]))


def chosen(frame: pl.DataFrame, arch: str, data: str, n_labels: int) -> pl.DataFrame:
    """The rows of one setting, of one recipe: the paper's where there is one, else of the most samples, else epochs."""
    there = comparable(frame, arch, data).filter(K=n_labels)
    if there.is_empty():
        return there
    groups = there.group_by(SETTING, maintain_order=True).agg(
        pl.col("is_paper").first(), pl.col("file").n_unique().alias("files")
    )
    best = groups.sort(["is_paper", "files", "epochs"], descending=True, nulls_last=True, maintain_order=True).head(1)
    return there.join(best.select(SETTING), on=SETTING, how="semi", nulls_equal=True, maintain_order="left")


def sweep_command(table: int, missing: Sequence[Setting], folder: Path, quick: bool = False) -> str:
    """`python -m precompute.sweep` for these settings of a table."""
    words = ["python", "-m", "precompute.sweep", "tables", "--tables", str(table)]
    if len(missing) < len(settings(table)):
        words += ["--labels", ",".join(str(one.n_labels) for one in missing)]
    words += ["--recipe", "quick"] if quick else []
    words += ["--out-dir", str(folder)] if folder != Path("runs") else []
    words += ["--data-dir", "FOLDER"] if missing[0].data == "imagenet" else []
    return shlex.join(words)


def network_name(arch: str) -> str:
    return printable(printed(arch))


def setting_name(arch: str, data: str, n_labels: int) -> str:
    """
    >>> setting_name("vgg16", "cifar100", 20), setting_name("vgg16", "cifar100", 100)
    ('VGG-16 on CIFAR-20/100', 'VGG-16 on CIFAR-100')
    """
    name, whole = printable(printed(data)), _WHOLE.get(data)
    if whole is None:
        name += f", {n_labels} labels"
    elif n_labels != whole:
        stem = name.removesuffix(f"-{whole}")
        name = f"{stem}-{n_labels}/{whole}"
    return f"{network_name(arch)} on {name}"


def recipe_of(row: dict[str, Any]) -> str:
    """In words, from a row of the collection; not yet escaped for a page."""
    if row["is_paper"]:
        return "the paper's recipe"
    epochs = "" if row["epochs"] is None else f", {row['epochs']} epochs"
    departures = f" ({printable(row['departures'])})" if row["departures"] else ""
    kin = compared_with(row["arch"]) != row["arch"]
    network = f"{network_name(row['arch'])}, which is not the paper's network, " if kin else ""
    return f"{network}recipe {printable(row['recipe'])}, not the paper's{epochs}{departures}"


_SCHEMA: dict[str, Any] = {
    "arch": pl.String, "data": pl.String, "K": pl.Int64, "layer": pl.String, "N_f": pl.Int64, "F_s": pl.String,
    "FC_s": pl.Int64, "recipe": pl.String, "is_paper": pl.Boolean, "samples": pl.Int64,
} | {f"{name}{of}": pl.Float64 for name in QUANTITIES for of in ("", ", sd", ", paper", ", difference")}  # fmt: skip


def _rows(one: Setting) -> list[dict[str, Any]]:
    means = {row["layer"]: row for row in samples(one.runs, ["layer"], list(QUANTITIES)).iter_rows(named=True)}
    rows = []
    for layer in layers(one.arch, one.data, one.n_labels):
        paper = published(one.arch, one.data, one.n_labels, layer)
        assert paper is not None  # it is one of the paper's layers
        ours = means.get(layer)
        row: dict[str, Any] = {
            "arch": one.arch,
            "data": one.data,
            "K": one.n_labels,
            "layer": layer,
            "N_f": paper.n_filters,
            "F_s": f"{paper.filter_side}x{paper.filter_side}",
            "FC_s": paper.fc_size,
            "recipe": one.runs["recipe"][0] if ours else None,
            "is_paper": one.runs["is_paper"][0] if ours else None,
            "samples": ours["samples"] if ours else 0,
        }
        for name, field in QUANTITIES.items():
            value, expected = ours and ours[name], getattr(paper, field)
            row |= {
                name: value,
                f"{name}, sd": ours and ours[f"{name}, sd"],
                f"{name}, paper": expected,
                f"{name}, difference": None if value is None else value - expected,
            }
        rows.append(row)
    return rows


def number(quantity: str, value: float | None, like: float | None = None) -> str:
    """A number of ours, with the digits that `like` would have; the paper's stand as they were published, `:g`."""
    if value is None:
        return "-"
    size = abs(value if like is None else like)
    digits = 3 if quantity == "accuracy" else 1 if quantity == "n" and size >= 10 else 2
    return f"{value:.{digits}f}"


def mean_and_deviation(quantity: str, row: dict[str, Any]) -> list[str]:
    """Ours, of a row of `Table.frame`, and where there are several samples their deviation, with as many digits."""
    value, deviation = row[quantity], row[f"{quantity}, sd"]
    return [number(quantity, value), *([] if deviation is None else [number(quantity, deviation, value)])]


def difference(quantity: str, row: dict[str, Any]) -> str:
    """Ours - the paper's, of a row of `Table.frame`."""
    value = row[f"{quantity}, difference"]
    return "-" if value is None else ("+" if value >= 0 else "") + number(quantity, value, row[quantity])


def latex(table: Table, folder: Path) -> str:
    """The table for a manuscript: booktabs, and graphicx, which fits it to the page."""
    head = " & ".join(rf"\multicolumn{{3}}{{c}}{{{symbol}}}" for symbol in ("Accuracy", "$n$", "$N_c$", "$C_s$"))
    rules = "".join(rf"\cmidrule(lr){{{first}-{first + 2}}}" for first in range(6, 18, 3))
    lines = [
        r"% \usepackage{booktabs, graphicx}; written by Filterscope (python -m explorer.report)",
        *(f"% missing: {command}" for command in table.commands(folder)),
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex(table.title)}: mean $\pm$ standard deviation over the samples, the published value (Meir et "
        r"al., Table~" + str(table.number) + "), and the difference.}",
        rf"\label{{tab:filterscope-{table.number}}}",
        r"\resizebox{\textwidth}{!}{%",
        r"\begin{tabular}{lrrrr" + "rrr" * len(QUANTITIES) + "}",
        r"\toprule",
        rf" & & & & & {head} \\",
        rules,
        r"Layer & $N_f$ & $F_s$ & $FC_s$ & Samples" + " & ours & paper & diff." * len(QUANTITIES) + r" \\",
    ]
    frame = table.frame()
    for one in table.settings:
        note = f"{one.name}: {one.recipe or 'no run'}"
        lines += [r"\midrule", rf"\multicolumn{{{5 + 3 * len(QUANTITIES)}}}{{l}}{{{tex(note)}}} \\"]
        lines += [_latex_row(row) for row in frame.filter(arch=one.arch, data=one.data, K=one.n_labels).to_dicts()]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def _latex_row(row: dict[str, Any]) -> str:
    side = row["F_s"].split("x")[0]
    cells = [tex(row["layer"]), str(row["N_f"]), rf"${side} \times {side}$", str(row["FC_s"]), str(row["samples"])]
    for name in QUANTITIES:
        value = r" \pm ".join(mean_and_deviation(name, row))
        ours = "--" if value == "-" else f"${value}$"
        gap = difference(name, row)
        cells += [ours, f"{row[f'{name}, paper']:g}", "--" if gap == "-" else f"${gap}$"]
    return " & ".join(cells) + r" \\"


_TEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
} | {c: f"\\{c}" for c in "&%$#_{}"}  # fmt: skip


def tex(text: str) -> str:
    """As text in LaTeX, whatever it is: a file's names may be a stranger's.

    >>> tex("50% of my_net {a}")
    '50\\\\% of my\\\\_net \\\\{a\\\\}'
    """
    return "".join(_TEX.get(c, c) for c in printable(text))
