"""python -m store info | check FILE"""

import argparse
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m store", description="Look at a Filterscope result file.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="what the file is, and the paper's table for it")
    check = commands.add_parser("check", help="whether the file is whole: reads everything, exit status 1 if it is not")
    for command in (info, check):
        command.add_argument("file", help="a result of `python -m precompute`")
    info.add_argument("--threshold", type=float, default=0.3, help="fraction of each filter's maximum (default 0.3)")
    arguments = parser.parse_args()
    if arguments.command == "info" and not 0 <= arguments.threshold <= 1:
        parser.error(f"--threshold is a fraction of the maximum, from 0 to 1, not {arguments.threshold}")
    from store.format import FormatError  # late, as all that is slow to import: `--help` answers at once

    try:
        return _info(arguments.file, arguments.threshold) if arguments.command == "info" else _check(arguments.file)
    except FormatError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {arguments.file}: {error.strerror or error}", file=sys.stderr)
    return 1


def _info(path: str, threshold: float) -> int:
    from store.read import Run
    from store.table import table

    with Run(path) as run:
        print(table(run, threshold))
        manifest = run.manifest
        if run.unfinished:
            print(f"\nunfinished: layers {', '.join(run.unfinished)} are still to come")
        print(f"\n{'file':9} {path} ({run.path.stat().st_size / 1e6:.1f} MB), format {manifest['version']}")
        for name in ("created", "device", "generator"):
            print(f"{name:9} {manifest.get(name, '-')}")
        print(f"{'data':9} {manifest['data'].get('licence', '-')}")
        print(f"{'content':9} sha256 {run.content_sha256}")
    return 0


def _check(path: str) -> int:
    from store.read import Run

    with Run(path) as run:
        run.verify()
        layers = ", ".join(run.layers) or "none yet"
        rest = f"; the run is unfinished, still to come: {', '.join(run.unfinished)}" if run.unfinished else ""
        print(f"{path}: whole; layers {layers}{rest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
