"""python -m store info | check | pack | unpack | export | publish FILE"""

import argparse
import os
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m store", description="Look at a Filterscope result file.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="what the file is, and the paper's table for it")
    check = commands.add_parser("check", help="whether the file is whole: reads everything, exit status 1 if it is not")
    pack = commands.add_parser("pack", help="write the smallest file with the same results, to hand on")
    unpack = commands.add_parser("unpack", help="the other way: every matrix in the file, for other programs to read")
    export = commands.add_parser("export", help="tables (CSV, parquet) or arrays with named axes (netCDF, Zarr) of it")
    publish = commands.add_parser("publish", help="send it, with a card and its checksum, to the Hugging Face hub")
    for command in (info, check, pack, unpack, export, publish):
        command.add_argument(
            "file", help="a result of `python -m precompute`, or, but to pack, unpack and publish it, its address"
        )
    for command in (info, export):
        command.add_argument(
            "--threshold", type=float, default=0.3, help="fraction of each filter's maximum (default 0.3)"
        )
        command.add_argument(
            "--gauge", choices=["as trained", "zero-sum"], default="as trained",
            help="of the fields: as trained, or without what the probe's weights add to all outputs alike",
        )  # fmt: skip
    info.add_argument(
        "--at-epoch",
        metavar="N",
        help="the layers after this epoch of the training; all: how they form over all of them",
    )
    info.add_argument("--nulls", action="store_true", help="each layer beside what chance gives (null models), and z")
    info.add_argument(
        "--untrained", action="append", default=[], metavar="RUN",
        help="with --nulls: a run made by --untrained, as one more null; may be said several times",
    )  # fmt: skip
    info.add_argument("--samples", type=int, help="draws of each null model (default 20)")
    info.add_argument(
        "--rests-on", action="store_true", help="what each layer's numbers rest on: start, gauge, sample, chance"
    )
    info.add_argument("--layer", help="this layer alone (default: all)")
    info.add_argument("--seed", type=int, help="of the draws (default 0)")
    pack.add_argument("--out", help="the file to write (default: FILE with -packed in its name)")
    unpack.add_argument(
        "--out", help="the file to write (default: FILE without -packed, or with -unpacked in its name)"
    )
    export.add_argument("--to", required=True, choices=["netcdf", "zarr", "csv", "parquet"], help="what to write")
    export.add_argument("folder", metavar="DIR", help="where to; it is made where there is none")
    publish.add_argument("--to", required=True, help="hf:USER/NAME, a data set; it is made where there is none")
    publish.add_argument("--private", action="store_true", help="where it is made: for its owner alone")
    publish.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    arguments = parser.parse_args()
    if arguments.command in ("info", "export") and not 0 <= arguments.threshold <= 1:
        parser.error(f"--threshold is a fraction of the maximum, from 0 to 1, not {arguments.threshold}")
    if arguments.command == "info":
        _understand(parser, arguments)
    from store.file.format import FormatError  # late, as all that is slow to import: `--help` answers at once
    from store.file.remote import RemoteError, is_address
    from store.tables.printable import printable

    try:
        if arguments.command in ("pack", "unpack", "publish") and is_address(arguments.file):
            raise RemoteError(f"{arguments.command} takes a file of this machine; download it first")
        if arguments.command == "info":
            if arguments.rests_on:
                return _rests_on(arguments.file, arguments.threshold)
            if arguments.at_epoch is not None:
                return _at_epoch(arguments)
            return _nulls(arguments) if arguments.nulls else _info(arguments)
        if arguments.command == "check":
            return _check(arguments.file)
        if arguments.command == "publish":
            return _publish(arguments)
        if arguments.command == "export":
            return _export(arguments)
        return (_pack if arguments.command == "pack" else _unpack)(Path(arguments.file), arguments.out)
    except (FormatError, RemoteError) as error:
        print(f"error: {printable(error)}", file=sys.stderr)
    except BrokenPipeError:  # who read the output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
    except OSError as error:
        place = printable(error.filename or arguments.file)
        print(f"error: {place}: {printable(error.strerror or error)}", file=sys.stderr)
    return 1


def _understand(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    for name in ("samples", "layer", "seed", "untrained"):
        if getattr(arguments, name) not in (None, []) and not arguments.nulls:
            parser.error(f"--{name} is of --nulls")
    if arguments.at_epoch is not None and not (arguments.at_epoch == "all" or arguments.at_epoch.isdecimal()):
        parser.error(f"--at-epoch takes an epoch, or all, not {arguments.at_epoch}")
    if arguments.at_epoch is not None and (arguments.nulls or arguments.rests_on):
        parser.error("--at-epoch does not go with --nulls or --rests-on, which are about the trained network")
    arguments.samples = 20 if arguments.samples is None else arguments.samples
    arguments.seed = 0 if arguments.seed is None else arguments.seed
    if arguments.samples < 1:
        parser.error(f"--samples is a number of draws, at least 1, not {arguments.samples}")
    if arguments.seed < 0:
        parser.error(f"--seed is not negative, not {arguments.seed}")


def _info(arguments: argparse.Namespace) -> int:
    from store.file.read import Run
    from store.tables.afcc import afcc_tables
    from store.tables.layers import common_parts, table
    from store.tables.printable import printable

    with Run(arguments.file) as run:
        print(table(run, arguments.threshold, arguments.gauge))
        print(f"\ncommon part of the probe's weights, the same to all outputs: {common_parts(run)}")
        if found := afcc_tables(run):
            print(f"\n{found}")
        manifest = run.manifest
        if run.unfinished:
            print(f"\nunfinished: layers {', '.join(map(printable, run.unfinished))} are still to come")
        if len(run.epochs) > 1:
            epochs = " ".join(map(str, run.epochs))
            print(f"\n{'epochs':9} {epochs} (--at-epoch N shows one, --at-epoch all their course)", end="")
        size = f"{run.size / 1e6:.1f} MB"
        print(f"\n{'file':9} {printable(run.place)} ({size}), format {manifest['version']}")
        for name in ("created", "device", "generator"):
            print(f"{name:9} {printable(manifest.get(name, '-'))}")
        print(f"{'data':9} {printable(manifest['data'].get('licence', '-'))}")
        print(f"{'content':9} sha256 {run.content_sha256}")
    return 0


def _at_epoch(arguments: argparse.Namespace) -> int:
    from store.file.format import FormatError
    from store.file.read import Run
    from store.tables.epochs import course
    from store.tables.layers import table

    with Run(arguments.file) as run:
        if arguments.at_epoch == "all":
            print(course(run, arguments.threshold, arguments.gauge))
            return 0
        epoch = int(arguments.at_epoch)
        if epoch not in run.epochs:
            there = ", ".join(map(str, run.epochs))
            raise FormatError(f"{run.place} has no layers of epoch {epoch}; it has those of {there}")
        print(table(run, arguments.threshold, arguments.gauge, epoch))
    return 0


def _rests_on(path: str, threshold: float) -> int:
    from store.file.read import Run
    from store.tables.layers import title
    from store.tables.rests_on import rests_on_table

    with Run(path) as run:
        print(title(run), rests_on_table(run, threshold), sep="\n")
    return 0


def _nulls(arguments: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from store.file.format import FormatError
    from store.file.read import Run
    from store.tables.chance import chance_table
    from store.tables.layers import title

    with Run(arguments.file) as run, ExitStack() as files:
        untrained = [files.enter_context(Run(path)) for path in arguments.untrained]
        for other in untrained:
            if not other.is_untrained or other.n_labels != run.n_labels:
                raise FormatError(f"{other.place}: not an untrained network of {run.n_labels} labels")
        if arguments.layer is not None and arguments.layer not in run.layers:
            raise FormatError(f"{run.place}: no layer {arguments.layer!r}; it has {', '.join(run.layers) or 'none'}")
        print(title(run), flush=True)
        for layer in reversed(run.layers.values()):  # deepest first, as in the paper
            if arguments.layer in (None, layer.name):
                print()
                same = [other.layers[layer.name] for other in untrained if layer.name in other.layers]
                at, gauge = arguments.threshold, arguments.gauge
                measured = [of_other.measure(at, gauge=gauge) for of_other in same]
                print(chance_table(run, layer, at, arguments.samples, arguments.seed, measured, gauge), flush=True)
    return 0


def _check(path: str) -> int:
    from store import guard
    from store.file.read import Run
    from store.file.remote import is_address
    from store.tables.printable import printable

    if not is_address(path):
        guard.check(Path(path))  # a file that makes HDF5 loop would hold Ctrl-C up as well
    with Run(path) as run:
        run.verify()
        layers = ", ".join(run.layers) or "none yet"
        missing = ", ".join(map(printable, run.unfinished))
        rest = f"; the run is unfinished, still to come: {missing}" if missing else ""
        print(f"{printable(run.place)}: whole; layers {layers}{rest}")
    return 0


def _pack(source: Path, out: str | None) -> int:
    from store.file.format import FormatError
    from store.file.pack import is_packed, packed
    from store.file.read import Run
    from store.file.write import write_run
    from store.tables.printable import printable

    target = Path(out) if out else source.with_name(f"{source.stem}-packed{source.suffix}")
    with Run(source) as run:
        if target.exists() and target.samefile(source):  # which may hold more than a packed file has
            raise FormatError(f"{target}: the file to pack itself; name another with --out")
        run.verify()
        content = run.content()
        if is_packed(content) and run.is_current:
            print(f"{printable(source)}: packed already, {_megabytes(source)}; nothing was written")
            return 0
        write_run(target, packed(content))
    print(f"{printable(target)}: {_megabytes(target)}, from {_megabytes(source)}")
    return 0


def _unpack(source: Path, out: str | None) -> int:
    from store.file.format import FormatError
    from store.file.pack import unpacked
    from store.file.read import Run
    from store.file.write import write_run
    from store.tables.printable import printable

    stem = source.stem.removesuffix("-packed") if source.stem.endswith("-packed") else f"{source.stem}-unpacked"
    target = Path(out) if out else source.with_name(f"{stem}{source.suffix}")
    with Run(source) as run:
        if target.exists():  # likely the file that was packed, which may hold what a packed one has no more
            raise FormatError(f"{target}: is there already and is not replaced; name another with --out")
        run.verify()
        content = unpacked(run.content())
        write_run(target, content)
    print(f"{printable(target)}: {_megabytes(target)}, from {_megabytes(source)}")
    matrices = [layer.name for layer in content.layers if layer.class_means is None]
    factors = [layer.name for layer in content.layers if layer.fields is None]
    if matrices:
        print(f"layers {', '.join(matrices)}: the matrices alone; their class means and weights are not in the file")
    if factors:
        print(
            f"layers {', '.join(factors)}: class means and weights alone; matrices of more than 64 MiB are not stored"
        )
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from store.file.read import Run
    from store.tables.export import ExportError, export
    from store.tables.printable import printable

    try:
        with Run(arguments.file) as run:
            written, without = export(run, arguments.to, Path(arguments.folder), arguments.threshold, arguments.gauge)
    except ExportError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return 1
    for path in written:
        print(printable(path))
    if without:
        print(f"layers {', '.join(without)}: without matrices, which would take more than 1 GiB each")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    from store.publish import PublishError, parcel, send, shown
    from store.tables.printable import printable

    try:
        ready = parcel(Path(arguments.file), arguments.to)
        print(shown(ready), flush=True)
        if arguments.dry_run:
            print("nothing was sent: --dry-run")
        else:
            print(f"sent: {printable(send(ready, arguments.private))}")
    except PublishError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return 1
    return 0


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
