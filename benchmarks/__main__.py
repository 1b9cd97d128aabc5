"""make bench: every benchmark, as the table that benchmarks/README.md keeps. Exit status 1 where a criterion fails."""

import os
import platform
import sys

from benchmarks import commands, explorer, fields, measure, notebook, training, whatif


def main() -> int:
    parts = (commands, measure, fields, whatif, training, explorer, notebook)
    rows = [row for part in parts for row in part.rows()]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| benchmark | measured | wanted | holds |\n|---|---:|---:|---|")
    for row in rows:
        holds = ("yes" if row.holds else "NO") if row.criterion else "-"
        print(f"| {row.name} | {row.measured:.3g} {row.unit} | {row.criterion} | {holds} |")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
