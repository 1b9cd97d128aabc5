"""make trust: crashes, hostile files and load, at full length; writes docs/trust.md. Exit status 1 where one fails.

    python -m tests.trust [NUMBER ...] [--short] [--out FILE]

With numbers only these parts are run, and their sections of the document are replaced. `--short` is what `make test`
runs; it writes nothing unless `--out` says where.
"""

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path

from tests import ROOT
from tests.trust.finding import Finding
from tests.trust.parts import PARTS, Part

DOCUMENT = ROOT / "docs" / "trust.md"
PREAMBLE = """# Trust

What a crash, a damaged or hostile file, a full disk and a crowd do to Filterscope, measured by `make trust`, which
writes this page; `make test` runs the same programme in a shorter form. Each part alone:
`python -m tests.trust NUMBER`.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help=f"1 to {max(PARTS)}; default: all")
    parser.add_argument("--short", action="store_true", help="as `make test` does; writes nothing by itself")
    parser.add_argument("--out", type=Path, help=f"the document to bring up to date (default: {DOCUMENT.name} in docs)")
    arguments = parser.parse_args()
    if unknown := set(arguments.numbers) - set(PARTS):
        parser.error(f"no part {', '.join(map(str, sorted(unknown)))}; there are 1 to {max(PARTS)}")
    out = arguments.out or (None if arguments.short else DOCUMENT)
    all_hold = True
    for number in arguments.numbers or PARTS:
        part = PARTS[number]
        print(f"{number}. {part.title}", flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="filterscope-trust-") as folder:
            findings = part.run(not arguments.short, Path(folder))
        taken = time.monotonic() - start
        for finding in findings:
            print(f"  {'ok' if finding.holds else 'NO':3} {finding.what}: {finding.measured}", flush=True)
        all_hold &= all(finding.holds for finding in findings)
        if out is not None:  # after each part: a programme of an hour that is stopped keeps what it has
            write_section(out, number, section(number, part, findings, taken))
    return 0 if all_hold else 1


def section(number: int, part: Part, findings: list[Finding], seconds: float) -> str:
    """A part's findings as Markdown, under the heading that `write_section` looks for."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        f"## {number}. {part.title}",
        "",
        " ".join(part.explanation.split()),
        "",
        "| | wanted | measured | holds |",
        "|---|---|---|---|",
        *(f"| {f.what} | {f.wanted} | {f.measured} | {'yes' if f.holds else 'NO'} |" for f in findings),
        *(f"\n{f.what}: {f.reason}" for f in findings if f.reason),
        "",
        f"`python -m tests.trust {number}`, {seconds:.0f} s; {machine}.",
    ]
    return "\n".join(lines) + "\n"


def write_section(document: Path, number: int, text: str) -> None:
    """Put the section of a part where it belongs, in place of the one that was there."""
    old = document.read_text(encoding="utf-8") if document.exists() else ""
    sections = {int(found[1]): found[0] for found in re.finditer(r"^## (\d+)\..*?(?=^## |\Z)", old, re.M | re.S)}
    sections[number] = text
    body = [sections[key].rstrip() for key in sorted(sections)]
    document.write_text("\n\n".join([PREAMBLE.rstrip(), *body]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
