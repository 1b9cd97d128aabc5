"""`make results [RUNS="FILE ..."]`: numbers of README.md and docs/, from result files; none of them is typed.

    python -m benchmarks.results [FILE ...]

A block of README.md, or of a page of docs/, names what it shows and the files that it is from, in the comment that it
begins with; a block whose files are not all there, or do not hold what it shows, is left as it is. The explorer's
example file everybody has, so that a test can make its blocks again. With files, docs/results.md is written too: a
section each, with the command that makes it.
"""

import re
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import doubts
from explorer.frames.runs import of_run
from explorer.report.tables import QUANTITIES, mean_and_deviation, recipe_of, tables
from precompute.messages.progress import seconds
from precompute.networks.models import find_arch
from precompute.options import Options, parse
from store.file.format import TEST_FEATURES, FormatError
from store.file.read import Run
from store.measure.layer import THRESHOLD
from store.paper.claims import OVER_TIME, judge
from store.paper.published import published
from store.paper.records import SATURATED, run_record, saturated_layer
from store.tables.afcc import afcc_tables
from store.tables.chance import chance_table, meaning
from store.tables.epochs import course
from store.tables.layers import cells, recipe, table, title

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(
    r"(?P<mark><!-- make results: (?P<kind>[a-z-]+)(?P<files>( \S+)+) -->\n).*?(?P<end><!-- until here -->\n)", re.S
)
_NAMED = ("arch", "data")  # options that a command has even where they are the defaults
_HEAD = """# Results

Written by `make results RUNS="..."` from the files themselves, in the order given. Under each row of ours is the
paper's, where it has one. A recipe that is not the paper's is named in the first line of each table.
"""


def main(files: list[str]) -> int:
    try:
        for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
            page.write_text(with_blocks(page.read_text("utf-8"), ROOT), "utf-8")
        if files:
            sections = []
            for file in files:
                with Run(file) as run:
                    sections.append(section(run))
            (ROOT / "docs" / "results.md").write_text("\n".join([_HEAD, *sections]), "utf-8")
    except (FormatError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def with_blocks(text: str, root: Path) -> str:
    """The text with each block made again whose files are all there, below `root`.

    Raises KeyError for a block of a kind that is none, FormatError for a file that is no result.
    """

    def made_again(block: re.Match[str]) -> str:
        paths = [root / file for file in block["files"].split()]
        show = KINDS[block["kind"]]
        if not all(path.exists() for path in paths):
            return block[0]
        with ExitStack() as stack:
            shown = show([stack.enter_context(Run(path)) for path in paths])
        return f"{block['mark']}{shown}{block['end']}" if shown else block[0]

    return _BLOCK.sub(made_again, text)


def _tables(runs: list[Run]) -> str:
    return "\n".join(f"```\n{_table(run)}\n```\n" for run in runs)


def _tables_and_how(runs: list[Run]) -> str:
    return "\n".join(f"```\n{_table(run)}\n```\n\n{how(run)}\n" for run in runs)


def _commands_and_tables(runs: list[Run]) -> str:
    return "\n".join(f"```bash\n{command(run)}\n```\n\n```\n{_table(run)}\n```\n" for run in runs)


def _afcc(runs: list[Run]) -> str:
    found = [_stripped(text) for run in runs if (text := afcc_tables(run))]
    return "\n".join(f"```\n{text}\n```\n" for text in found)


def _last_layers(runs: list[Run]) -> str:
    """A row a run: its command, its recipe, and what is printed of its last layer."""
    shown = ["layer", "N_f", "F_s", "accuracy", "n", "N_c", "C_s"]
    lines = [f"| command | recipe | unit | {' | '.join(shown)} |", "|---|---|---|" + "---:|" * len(shown)]
    for run in runs:
        *_, last = run.layers.values()
        row = cells(last)
        head = [f"`{command(run)}`", recipe(run), last.record.get("unit", "filter")]
        lines.append(f"| {' | '.join([*head, *(row[name] for name in shown)])} |")
    return "\n".join(lines) + "\n"


def _beside_the_papers(runs: list[Run]) -> str:
    """A row a run: its command, and its saturated layer beside the paper's numbers."""
    names = ("accuracy", "n", "N_c", "C_s")
    lines = [f"| command | layer | {' | paper | '.join(names)} | paper |", "|---|---:|" + "---:|" * 2 * len(names)]
    for run in runs:
        network, data = run.manifest["network"]["arch"], run.manifest["data"]["name"]
        accuracies = {name: layer.record.get("test_accuracy") for name, layer in run.layers.items()}
        layer = run.layers[saturated_layer(network, accuracies)]
        ours, paper = cells(layer), published(network, data, run.n_labels, layer.name)
        theirs = (paper.accuracy, paper.noise, paper.n_clusters, paper.cluster_size) if paper else ("-",) * 4
        pairs = [f"{ours[name]} | {number}" for name, number in zip(names, theirs, strict=True)]
        lines.append(f"| `{command(run)}` | {layer.name} | {' | '.join(pairs)} |")
    return "\n".join(lines) + "\n"


def _meaning(runs: list[Run]) -> str:
    """What labels in one cluster share, of every layer."""
    lines = []
    for run in runs:
        lines.append(title(run))
        for layer in reversed(run.layers.values()):
            lines += [f"layer {layer.name}", *(f"  {line}" for line in meaning(run, layer, THRESHOLD, seed=0))]
    return "\n".join(["```", *lines, "```\n"])


def _chance(runs: list[Run]) -> str:
    """The last two layers of each beside their null models."""
    last = [(run, layer) for run in runs for layer in list(run.layers.values())[-2:]]
    return "```\n" + "\n\n".join(chance_table(*one, THRESHOLD, samples=20, seed=0) for one in last) + "\n```\n"


def _samples(runs: list[Run]) -> str:
    """A row a K: means over its runs where the paper's accuracy saturates, beside the published number."""
    rows_of_runs = pl.concat(of_run(run, THRESHOLD) for run in runs)
    there = [(one, table.frame()) for table in tables(rows_of_runs) for one in table.settings if one.runs.height]
    numbers = "".join(f" {name} | paper |" for name in QUANTITIES)
    lines = [f"| | layer | recipe | samples |{numbers}", f"|---|---:|---|---:|{'---:|---:|' * len(QUANTITIES)}"]
    for one, rows in sorted(there, key=lambda one: (one[0].data, one[0].n_labels)):
        first = one.runs.row(0, named=True)
        row = rows.filter(K=one.n_labels, layer=SATURATED[one.arch]).row(0, named=True)
        shown = [one.name, row["layer"], recipe_of(first), str(row["samples"])]
        for name in QUANTITIES:
            shown += [" ± ".join(mean_and_deviation(name, row)), f"{row[f'{name}, paper']:g}"]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _emergence(runs: list[Run]) -> str:
    """How the layers form: a row a layer and epoch, and since when claims hold that need one network alone."""
    lines = []
    for run in runs:
        lines += [_stripped(course(run)), ""]
        found = [judge([run_record(run, epoch=epoch)], THRESHOLD) for epoch in run.epochs]
        for findings in zip(*found, strict=True):
            if findings[0].claim.key in OVER_TIME:
                said = ", ".join(f"{at.verdict} ({epoch})" for at, epoch in zip(findings, run.epochs, strict=True))
                lines.append(f"{findings[0].claim.sentence}: {said}")
    return "\n".join(["```", *lines, "```\n"])


KINDS: dict[str, Callable[[list[Run]], str]] = {
    "table": _tables,
    "table-and-how": _tables_and_how,
    "commands-and-tables": _commands_and_tables,
    "last-layers": _last_layers,
    "pretrained": _beside_the_papers,
    "afcc": _afcc,
    "chance": _chance,
    "meaning": _meaning,
    "samples": _samples,
    "emergence": _emergence,
    "gauge": doubts.gauge,
    "starts": doubts.starts,
    "without-start": doubts.without_start,
    "rests-on": doubts.whole,
    "rests-on-short": doubts.short,
    "claims": doubts.claims,
}


def section(run: Run) -> str:
    afcc = afcc_tables(run)
    parts = [f"## {run.name}", f"```bash\n{command(run)}\n```", f"```\n{_table(run)}\n```", how(run)]
    return "\n\n".join([*parts, f"```\n{_stripped(afcc)}\n```"] if afcc else parts) + "\n"


def _table(run: Run) -> str:
    return _stripped(table(run))


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())


def how(run: Run) -> str:
    """Seed, device and time, in a sentence."""
    manifest = run.manifest
    durations = manifest.get("durations") or {}
    probes = sum(layer.record.get("seconds") or 0.0 for layer in run.layers.values())
    before = manifest["network"].get("resumed_at_epoch", manifest["network"].get("went_on_after"))  # its name of 0.1
    already = before is not None and before >= manifest["network"]["epochs"]  # by an earlier process
    took = [
        (
            f"the network{f' after its first {before:g} epochs' if before else ''}",
            None if already else durations.get("train_network"),
        ),
        ("activations", durations.get("record_activations")),
        (f"{len(run.layers)} probes", probes or None),
    ]
    times = ", ".join(f"{name} {seconds(duration)}" for name, duration in took if duration)
    record = manifest.get("recipe") or {}
    departures = "; ".join(record.get("departures") or [])
    departs = f"Departs from the recipe {record.get('name', '?')}: {departures}. " if departures else ""
    return f"{departs}One network, one seed. Made on {manifest['device']}: {times}."


def command(run: Run) -> str:
    """The command line that makes the run again, with what was asked for after it; defaults are left out."""
    options: dict[str, Any] = dict((run.manifest.get("recipe") or {}).get("options") or {})
    options["layers"] = list(run.layers)
    kept = [name for name, layer in run.layers.items() if TEST_FEATURES in layer.record["datasets"]]
    options["features"] = kept or options.get("features", [])  # a packed file has none, but an early one says so
    options["at_epochs"] = list(run.epochs[:-1])
    options["afcc"] = [layer.name for layer in run.layers.values() if "afcc" in layer.record]
    options["afcc_between"] = (run.manifest.get("afcc_between") or {}).get("layers")
    words = _words(options)
    if find_arch(parse(words)).layers == tuple(run.layers):
        words = _words(options | {"layers": []})
    return shlex.join(["python", "-m", "precompute", *words])


def _words(options: dict[str, Any]) -> list[str]:
    words, defaults = [], Options().recipe_options()
    for name, value in options.items():
        if value is None or value is False or value == [] or (value == defaults.get(name) and name not in _NAMED):
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words += map(str, value) if isinstance(value, list) else [str(value)]
    return words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
