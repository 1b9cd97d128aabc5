"""The console script `filterscope`: one name for what `python -m` starts in each of the three buildings."""

import importlib
import sys
from pathlib import Path

# Command: module whose `main` it is, what stands before the rest of the command line, the extra it needs, what it does.
COMMANDS: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "explore": ("", (), "explore", "open a result, a folder of them or an address in the browser"),
    "precompute": ("precompute.__main__", (), "train", "train a network and its probes; write every filter's fields"),
    "sweep": ("precompute.sweep.__main__", (), "train", "many runs: the paper's tables, seeds, numbers of labels"),
    "info": ("store.__main__", ("info",), "", "what a result is, and the paper's table for it"),
    "check": ("store.__main__", ("check",), "", "whether a result is whole"),
    "pack": ("store.__main__", ("pack",), "", "the smallest file with the same numbers, to hand on"),
    "unpack": ("store.__main__", ("unpack",), "", "the other way, for other programs to read"),
    "export": (
        "store.__main__",
        ("export",),
        "export",
        "as tables or arrays: CSV, parquet, netCDF, Zarr",
    ),
    "publish": ("store.__main__", ("publish",), "remote", "send a result to the Hugging Face hub"),
    "report": ("explorer.report.__main__", (), "report", "the paper's tables and figures from a folder of runs"),
    "capsule": ("explorer.capsule.__main__", (), "explore", "one layer as one HTML file that needs no server"),
}

_HELP = f"""usage: filterscope COMMAND ...

What does each single filter of a trained network contribute to each label?

{chr(10).join(f"  {name:<11} {what}" for name, (*_, what) in COMMANDS.items())}

filterscope COMMAND --help says more. `filterscope explore` alone opens the newest result in runs/, or an example."""

_EXPLORE_HELP = """usage: filterscope explore [FILE|FOLDER|ADDRESS] [--server.port N] [--server.headless true] ...

Open the explorer in the browser: on a result, the newest of a folder, or one at an address (https://, hf://, s3://;
with [remote]). Without any, on the newest in runs/, or, where there is none, on an example. Options are those of
Streamlit; Ctrl-C ends it."""


def main() -> int:
    command, rest = (sys.argv[1] if len(sys.argv) > 1 else "--help"), sys.argv[2:]
    if command in ("-h", "--help"):
        print(_HELP)
        return 0
    if command == "--version":
        from importlib.metadata import version

        print(f"filterscope {version('filterscope')}")
        return 0
    if command not in COMMANDS:
        print(f"error: there is no command {command!r}; filterscope --help lists them", file=sys.stderr)
        return 2
    module, before, extra, _ = COMMANDS[command]
    try:
        if command == "explore":
            return _explore(rest)
        sys.argv = [f"filterscope {command}", *before, *rest]
        return int(importlib.import_module(module).main())
    except ModuleNotFoundError as error:
        if not extra or (error.name or "").split(".")[0] in ("store", "precompute", "explorer"):
            raise
        print(f"error: {error.name} is missing; install the extra: pip install 'filterscope[{extra}]'", file=sys.stderr)
        return 1


def _explore(arguments: list[str]) -> int:
    """As `streamlit run explorer/app.py`, wherever the package is."""
    if {"-h", "--help"} & set(arguments):
        print(_EXPLORE_HELP)
        return 0
    is_named = bool(arguments) and not arguments[0].startswith("-")
    store = ["--store", arguments[0]] if is_named else []
    from streamlit.web import cli

    app = Path(importlib.import_module("explorer").__path__[0]) / "app.py"
    sys.argv = ["streamlit", "run", str(app), *arguments[is_named:], "--", *store]
    cli.main(prog_name="streamlit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
