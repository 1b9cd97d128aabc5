"""Many runs -> one frame: a row a run and layer, what pages and report about more than one file begin with.

No Streamlit; a page that keeps it does so a file at a time, with `of_run`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import polars as pl

from explorer import words
from explorer.frames import layer as frames
from store.file import format as fmt
from store.file.manifest import defined, mapping
from store.file.read import Layer, Run
from store.file.summary_results import of_layer
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD
from store.measure.summary import Summary

_SETTING = {
    "file": pl.String,  # the file's name, without its folder
    "content": pl.String,  # equal for two files that hold the same measurement
    "arch": pl.String,
    "variant": pl.String,  # what else the network is, such as other depths; "" for the network as it is
    "data": pl.String,
    "K": pl.Int64,  # labels
    "label_seed": pl.Int64,  # which K labels of the data set
    "seed": pl.Int64,
    "recipe": pl.String,
    "is_paper": pl.Boolean,
    "departures": pl.String,  # what the command line changed of the recipe
    "untrained": pl.Boolean,
    "weights": pl.String,  # from where training began: "none", "hub" or a file's name
    "epochs": pl.Int64,
    "network_accuracy": pl.Float64,  # of the whole network, on test inputs; "accuracy" is the layer's probe's
}
_LAYER = {
    "layer": pl.String,
    "depth": pl.Int64,  # 0 is the first layer of the file
    "unit": pl.String,
    "F_s": pl.String,
    "positions": pl.Int64,
}
NUMBERS = (
    "N_f", "FC_s", "accuracy", "n", "N_c", "C_s", "silent", "signal", "noise_I", "noise_E", "noise_I + noise_E",
    "SNR_I", "SNR_E", "Eq. (1)", "Eq. (2)", "Eq. (3)", "Eq. (1)/(2)", "Eq. (4)",
)  # fmt: skip
_INTEGERS = {"N_f", "FC_s", "silent"}
SCHEMA: dict[str, Any] = (
    _SETTING
    | _LAYER
    | {name: pl.Int64 if name in _INTEGERS else pl.Float64 for name in NUMBERS}
    | {"error": pl.Float64}
)
SETTING = ("arch", "variant", "data", "K", "recipe", "departures", "untrained", "weights", "epochs")
"""Runs that agree in these are samples of one thing; they differ in seed and label_seed."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


File = TypeVar("File", bound=_Named)  # a path, or whatever else a caller knows a file by


class Damaged(NamedTuple):
    """A file that could not be read, or not all of it. Both texts may come from the file: escape them."""

    file: str
    problem: str


def collect(
    where: Path | Iterable[Path], threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED
) -> tuple[pl.DataFrame, list[Damaged]]:
    """Every run of a folder (or of the files that are given) at one threshold, and the files that are damaged.

    Columns as in SCHEMA; the numbers are `frames.layer_numbers`, and error is 1 - accuracy. Undefined numbers are null.
    Of two files with the same measurement, such as one and its packed copy, the first counts. Raises OSError where the
    folder cannot be read.
    """

    def rows(path: Path) -> pl.DataFrame:
        with Run(path) as run:
            return of_run(run, threshold, gauge)

    frame, _, damaged = gather(files(where) if isinstance(where, Path) else where, rows)
    return frame, damaged


def gather(
    files: Iterable[File], rows: Callable[[File], pl.DataFrame]
) -> tuple[pl.DataFrame, list[File], list[Damaged]]:
    """The rows of every file that can be read, those files, and the others. Of two with the same content the first."""
    found, read, damaged, seen = [empty()], [], [], set()
    for file in files:
        try:
            frame = rows(file)
        except (fmt.FormatError, OSError) as error:
            damaged.append(Damaged(file.name, str(error)))
            continue
        if frame.height and (content := frame["content"][0]) not in seen:
            seen.add(content)
            found.append(frame)
            read.append(file)
    return pl.concat(found), read, damaged


def files(folder: Path) -> list[Path]:
    """The result files of a folder by name, or the one file. Raises OSError."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.iterdir() if path.suffix == ".h5" and not path.name.startswith("."))


def empty() -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMA)


def of_run(run: Run, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED) -> pl.DataFrame:
    """One row a layer, from input to output; a layer at a time is in memory. Raises FormatError, OSError."""
    setting = _setting(run)
    rows = []
    for depth, layer in enumerate(run.layers.values()):
        found = recorded(layer, threshold, gauge) or layer.measure(threshold, gauge=gauge)
        numbers = frames.layer_numbers(layer, found, "clustered")
        internal, external, accuracy = numbers["noise_I"], numbers["noise_E"], numbers["accuracy"]
        both = None if internal is None or external is None else internal + external
        rows.append(
            setting
            | {"layer": layer.name, "depth": depth, "unit": words.unit_of(layer), "F_s": frames.filter_size(layer)}
            | {"positions": layer.positions, "error": None if accuracy is None else 1 - accuracy}
            | numbers
            | {"noise_I + noise_E": both}
        )
    return pl.DataFrame([{name: row[name] for name in SCHEMA} for row in rows], schema=SCHEMA)


def recorded(layer: Layer, threshold: float, gauge: Gauge) -> Summary | None:
    """What the file says of a layer, which then is not measured."""
    return of_layer(layer.record, threshold) if gauge == AS_TRAINED else None


def _setting(run: Run) -> dict[str, Any]:
    """What the manifest says of the run; any of it may be missing, or be anything."""
    manifest = run.manifest
    network, data, recipe = (_record(manifest, name) for name in ("network", "data", "recipe"))
    options, epochs = _record(recipe, "options"), _whole(network.get("epochs"))
    source = _record(network, "weights").get("from")
    departures = recipe.get("departures")
    changes = ["depths", "unit", "checkpoint"]
    return {
        "file": run.name,
        "content": run.measurement_sha256,
        "arch": str(network.get("arch")),
        "variant": ", ".join(f"{name} {options[name]}" for name in changes if options.get(name) is not None),
        "data": str(data.get("name")),
        "K": run.n_labels,
        "label_seed": _whole(data.get("label_seed", options.get("label_seed"))),
        "seed": _whole(recipe.get("seed")),
        "recipe": str(recipe.get("name", "?")),
        "is_paper": recipe.get("is_paper") is True,
        "departures": ", ".join(map(str, departures)) if isinstance(departures, list) else "",
        "untrained": run.is_untrained,
        "weights": "none" if source is None else str(source),
        "epochs": epochs,
        "network_accuracy": defined(network.get("test_accuracy")),
    }


def _record(of: dict[str, Any], name: str) -> dict[str, Any]:
    return mapping(of.get(name))


def _whole(value: object) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return value if fits else None  # type: ignore[return-value]


UNTRAINED = "untrained network"  # as a null


def untrained_beside(of: Iterable[Mapping[str, Any]], among: Iterable[Mapping[str, Any]]) -> list[int]:
    """Which of `among` are untrained runs of the same networks, data and K as `of`; none where one of `of` is itself.

    A row a run: any of its rows.
    """
    rows = list(of)
    if any(row["untrained"] for row in rows):
        return []
    wanted = {_bare(row) for row in rows}
    return [place for place, row in enumerate(among) if row["untrained"] and _bare(row) in wanted]


def _bare(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("arch", "variant", "data", "K"))


def samples(frame: pl.DataFrame, keys: Sequence[str], numbers: Sequence[str]) -> pl.DataFrame:
    """Mean and standard deviation over the rows that agree in `keys`, in the order of their first.

    Columns: the keys, "samples", and for each number its name and "NAME, sd" (n - 1; null of fewer than two).
    """
    return frame.group_by(list(keys), maintain_order=True).agg(
        pl.len().alias("samples"),
        *(pl.col(name).mean() for name in numbers),
        *(pl.col(name).std().alias(f"{name}, sd") for name in numbers),
    )
