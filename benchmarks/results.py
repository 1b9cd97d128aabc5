"""`make results [RUNS="FILE ..."]`: the README's results, and docs/results.md, from result files; none is typed.

    python -m benchmarks.results [FILE ...]

The README's block is of the explorer's example file, which everybody has, so that a test can make it again. With files,
docs/results.md is written too: a section each, with the command that makes it.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

from store.afcc_table import afcc_tables
from store.format import FormatError
from store.read import Run
from store.table import table

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "explorer" / "example.h5"
BEGIN, END = "<!-- written by `make results`, from the example file -->\n", "<!-- until here -->\n"
_HEAD = """# Results

Written by `make results RUNS="..."` from the files themselves, in the order given. Under each row of ours is the
paper's, where it has one. A recipe that is not the paper's is named in the first line of each table.
"""


def main(files: list[str]) -> int:
    try:
        with Run(EXAMPLE) as run:
            readme = ROOT / "README.md"
            readme.write_text(with_block(readme.read_text("utf-8"), block(run)), "utf-8")
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


def with_block(text: str, block: str) -> str:
    """The text with what stands between the marks replaced. Raises ValueError where a mark is missing."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError("the marks that `make results` writes between are not there")
    return f"{before}{BEGIN}{block}{END}{after}"


def block(run: Run) -> str:
    return f"```\n{_table(run)}\n```\n\n{how(run)}\n"


def section(run: Run) -> str:
    title = f"## {run.name}"
    afcc = afcc_tables(run)
    parts = [title, f"```bash\n{command(run)}\n```", f"```\n{_table(run)}\n```", how(run)]
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
    before = manifest["network"].get("went_on_after")
    took = [
        (f"the network{f' after its first {before:g} epochs' if before else ''}", durations.get("train_network")),
        ("activations", durations.get("record_activations")),
        (f"{len(run.layers)} probes", probes or None),
    ]
    times = ", ".join(f"{name} {seconds / 60:.0f} min" for name, seconds in took if seconds)
    departures = "; ".join((manifest.get("recipe") or {}).get("departures") or [])
    recipe = f"{departures}; one" if departures else "One"
    return f"{recipe[0].upper()}{recipe[1:]} network, one seed. Made on {manifest['device']}: {times}."


def command(run: Run) -> str:
    """The command line that makes the run again; an option that is at its default is left out."""
    options: dict[str, Any] = (run.manifest.get("recipe") or {}).get("options") or {}
    words = ["python", "-m", "precompute"]
    for name, value in options.items():
        if name in ("seed", "label_seed") and value == 0:
            continue
        if value in (None, False, [], ()):
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words += map(str, value) if isinstance(value, list) else [str(value)]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
