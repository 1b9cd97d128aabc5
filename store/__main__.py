"""python -m store info | check | pack FILE"""

import argparse
import os
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m store", description="Look at a Filterscope result file.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="what the file is, and the paper's table for it")
    check = commands.add_parser("check", help="whether the file is whole: reads everything, exit status 1 if it is not")
    pack = commands.add_parser("pack", help="write the smallest file with the same results, to hand on")
    for command in (info, check, pack):
        command.add_argument("file", help="a result of `python -m precompute`")
    info.add_argument("--threshold", type=float, default=0.3, help="fraction of each filter's maximum (default 0.3)")
    pack.add_argument("--out", help="the file to write (default: FILE with -packed in its name)")
    arguments = parser.parse_args()
    if arguments.command == "info" and not 0 <= arguments.threshold <= 1:
        parser.error(f"--threshold is a fraction of the maximum, from 0 to 1, not {arguments.threshold}")
    from store.format import FormatError  # late, as all that is slow to import: `--help` answers at once

    try:
        if arguments.command == "info":
            return _info(arguments.file, arguments.threshold)
        return _check(arguments.file) if arguments.command == "check" else _pack(arguments.file, arguments.out)
    except FormatError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:  # who read the output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
    except OSError as error:
        print(f"error: {error.filename or arguments.file}: {error.strerror or error}", file=sys.stderr)
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


def _pack(path: str, out: str | None) -> int:
    from pathlib import Path

    from store.pack import packed
    from store.read import Run
    from store.write import write_run

    source = Path(path)
    target = Path(out) if out else source.with_name(f"{source.stem}-packed{source.suffix}")
    with Run(source) as run:
        run.verify()
        write_run(target, packed(run.content()))
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, from {source.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
