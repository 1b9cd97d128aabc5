"""The whole command that makes a run again, with more of it."""

import shlex
from pathlib import Path
from typing import Any

from explorer.example import EXAMPLES
from store.file.manifest import mapping
from store.file.read import Run

PROBES_ALONE = "probes alone"  # the recipe of activations that came from elsewhere
_NOT_WRITTEN = ("arch", "data", "untrained")  # written otherwise


def same_run(run: Run, *more: str) -> str:
    """The run's own `python -m precompute` command: what is there is not computed again, `more` is added.

    The example's file is part of the program: its command makes a file in runs/. "" for a run that was made from
    activations, which no file names.
    """
    if mapping(run.manifest.get("recipe")).get("name") == PROBES_ALONE:
        return ""
    options = mapping(mapping(run.manifest.get("recipe")).get("options"))
    data = mapping(run.manifest.get("data"))
    words = ["--arch", str(run.manifest["network"]["arch"]), "--data", str(data.get("name"))]
    source = data.get("source")
    if isinstance(source, str) and "://" not in source and ("/" in source or "\\" in source):
        words += ["--data-dir", source]
    for name, value in options.items():
        if name not in _NOT_WRITTEN and isinstance(name, str):
            words += _written(name, value)
    if options.get("untrained") is True:
        words.append("--untrained")
    words += ["--layers", *run.layers]
    if run.remote is None and Path(run.path).resolve() not in EXAMPLES:
        words += ["--out", str(run.path)]
    return " ".join(["python -m precompute", *map(shlex.quote, [*words, *more])])


def _written(name: str, value: Any) -> list[str]:
    """An option of the recipe as it is given; none where it is at a default that says nothing."""
    option = f"--{name.replace('_', '-')}"
    if value is None or value is False or value == []:
        return []
    if value is True:
        return [option]
    if isinstance(value, list):
        return [option, *map(str, value)]
    return [option, str(value)] if isinstance(value, str | int | float) else []
