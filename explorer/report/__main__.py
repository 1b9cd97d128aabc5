"""python -m explorer.report RUNS --out FOLDER: the paper's Tables 1-6 and Figures 1-5 from a folder of runs.

Exit status: 0 the report is there, 1 it is not, 2 a wrong command line. Damaged files are named, and left out.
"""

import argparse
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m explorer.report",
        description="Write the paper's Tables 1-6 and Figures 1-5 from a folder of runs, the published numbers beside "
        "them: index.html, which needs no network, and every table as CSV and LaTeX, every figure as SVG and PNG.",
    )
    parser.add_argument("runs", help="the folder with the results of `python -m precompute`, or one of them")
    parser.add_argument("--out", default="report", help="the folder to write into (default: report)")
    parser.add_argument("--threshold", type=float, default=0.3, help="fraction of each filter's maximum (default 0.3)")
    parser.add_argument(
        "--gauge", choices=["as trained", "zero-sum"], default="as trained",
        help="of the fields: as trained, as the paper's are, or without what weights add to all outputs alike",
    )  # fmt: skip
    parser.add_argument(
        "--draws", type=int, default=5, metavar="N",
        help="of each null model, beside the claims: shuffled labels, rotated filters (default 5; 0: none)",
    )  # fmt: skip
    parser.add_argument("--no-figures", action="store_true", help="tables alone; needs no extra [report]")
    arguments = parser.parse_args()
    if not 0 <= arguments.threshold <= 1:
        parser.error(f"--threshold is a fraction of the maximum, from 0 to 1, not {arguments.threshold}")
    if not 0 <= arguments.draws <= 1000:
        parser.error(f"--draws is a number of draws, from 0 to 1000, not {arguments.draws}")
    try:  # late, as all that is slow to import: `--help` answers at once
        from explorer.report.files import ReportError, write_report
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; install the extra: pip install -e '.[report]'", file=sys.stderr)
        return 1
    from store.tables.printable import printable

    try:
        lines = write_report(
            Path(arguments.runs), Path(arguments.out), arguments.threshold, not arguments.no_figures, arguments.gauge,
            arguments.draws,
        )  # fmt: skip
    except ReportError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        place = printable(error.filename or arguments.out)
        print(f"error: {place}: {printable(error.strerror or error)}", file=sys.stderr)
        return 1
    print("\n".join(map(printable, lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
