"""A run in the formats of other programs: tables as CSV or parquet, arrays with named axes as netCDF or Zarr.

xarray, h5netcdf, zarr and pyarrow write them; they are in the extra [export], and are imported when they are needed.
"""

import importlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from store.file.read import Layer, Run
from store.file.write import replace_file
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD
from store.tables.measured import Column, Table, measured_tables

KINDS = ("netcdf", "zarr", "csv", "parquet")
_MOST_BYTES = 1 << 30  # of a layer's matrices: all of them are in memory while they are written
_NEEDS = {"netcdf": ("xarray", "h5netcdf"), "zarr": ("xarray", "zarr"), "csv": (), "parquet": ("pyarrow.parquet",)}


class ExportError(ValueError):
    """Why nothing was written; the message says what to do."""


def export(
    run: Run, kind: str, folder: Path, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED
) -> tuple[list[Path], list[str]]:
    """What was written, and the layers whose matrices were left out as too large. Raises ExportError, OSError.

    Tables are four files in the folder; arrays are one, named as the run is. Nothing that is there is replaced.
    """
    for library in _NEEDS[kind]:
        try:
            importlib.import_module(library)
        except ImportError:
            name = library.partition(".")[0]
            raise ExportError(f"to write {kind} takes {name}: pip install 'filterscope[export]'") from None
    stem = run.name.removesuffix(".h5")
    if kind in ("csv", "parquet"):
        paths = {name: folder / f"{stem}-{name}.{kind}" for name in ("layers", "filters", "labels", "clusters")}
        _refuse_existing(*paths.values())
        content = _csv if kind == "csv" else _parquet
        for name, table in measured_tables(run, threshold, gauge).items():
            replace_file(paths[name], content(table))
        return list(paths.values()), []
    path = folder / f"{stem}.{'nc' if kind == 'netcdf' else 'zarr'}"
    _refuse_existing(path)
    folder.mkdir(parents=True, exist_ok=True)
    # Beside its place and then renamed, so that nobody finds a part.
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{path.name}.", suffix=".tmp") as beside:
        unfinished = Path(beside) / path.name
        write = _to_netcdf if kind == "netcdf" else _to_zarr
        without = [name for name, layer in run.layers.items() if not _has_matrices(layer)]
        write(unfinished, datasets(run, threshold, gauge))
        os.replace(unfinished, path)
    return [path], without


def datasets(run: Run, threshold: float, gauge: Gauge) -> Iterator[tuple[str, Any]]:
    """(group, xarray.Dataset): of the run, then of each layer, whose axes are all named and most have coordinates."""
    xarray = importlib.import_module("xarray")
    about = _about(run) | {"threshold": threshold, "gauge": gauge}
    table = measured_tables(run, threshold, gauge)["layers"]
    names = _texts(table["layer"].values)
    columns = {name: ("layer", _array(column)) for name, column in table.items() if name not in ("layer", "index")}
    yield "/", xarray.Dataset(columns, {"layer": names}, about)
    for name, layer in run.layers.items():
        yield f"layers/{name}", xarray.Dataset(*_layer(run, layer, threshold, gauge), about | {"layer": name})


def _layer(run: Run, layer: Layer, threshold: float, gauge: Gauge) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables and coordinates of a layer."""
    fields = layer.fields(gauge=gauge)
    measured = layer.measure(threshold, gauge=gauge)
    inputs, both = ("filter", "input_label"), ("input_label", "output_label")
    variables: dict[str, Any] = {}
    if _has_matrices(layer):
        variables["fields"] = ("filter", *both), fields.matrices()
    if layer.has_factors:
        variables["class_means"] = (*inputs, "position"), layer.class_means
        variables["probe_weights"] = ("filter", "output_label", "position"), layer.probe_weights
    if layer.confusion is not None:
        variables["confusion"] = both, layer.confusion
    variables |= {
        "cluster_of": (inputs, measured.cluster_of, {"long_name": "number of the label's cluster, -1 for none"}),
        "maximum": ("filter", measured.maximum),
        "cut": ("filter", measured.cut, {"long_name": "an element above it is 1; infinite where the filter is silent"}),
        "n_clusters": ("filter", measured.n_clusters),
        "noise": ("filter", measured.noise, {"long_name": "elements that are 1 outside clusters"}),
        "n_above": ("filter", measured.n_above, {"long_name": "elements that are 1"}),
        "silent": ("filter", measured.silent),
        "signal": ("input_label", measured.signal),
        "noise_I": ("input_label", measured.noise_internal),
        "noise_E": ("input_label", measured.noise_external),
        "signal_fields": ("input_label", measured.signal_field),
        "noise_I_fields": ("input_label", measured.noise_internal_field),
        "noise_E_fields": ("input_label", measured.noise_external_field),
        "test_inputs": ("input_label", run.test_inputs),
    }
    labels = _texts(run.label_names)
    coordinates = {
        "filter": np.arange(layer.n_filters),
        "input_label": labels,
        "output_label": labels,
        "input_id": ("input_label", np.arange(layer.n_labels)),
        "output_id": ("output_label", np.arange(layer.n_labels)),
        "super_class": ("input_label", _texts(run.superclasses)),
    }
    return variables, coordinates


def _has_matrices(layer: Layer) -> bool:
    return layer.n_filters * layer.n_labels**2 * 4 <= _MOST_BYTES


def _about(run: Run) -> dict[str, Any]:
    data, network, recipe = run.manifest["data"], run.manifest["network"], run.manifest.get("recipe") or {}
    found = {
        "arch": network["arch"],
        "data": data["name"],
        "licence": data.get("licence"),
        "recipe": recipe.get("name"),
        "is_paper": str(bool(recipe.get("is_paper"))).lower(),
        "seed": recipe.get("seed"),
        "created": run.manifest.get("created"),
        "content_sha256": run.content_sha256,
    }
    return {name: value for name, value in found.items() if isinstance(value, str | int | float)}


def _to_netcdf(path: Path, groups: Iterator[tuple[str, Any]]) -> None:
    for number, (group, dataset) in enumerate(groups):
        mode = "a" if number else "w"
        dataset.to_netcdf(path, mode=mode, group=None if group == "/" else group, engine="h5netcdf")


def _to_zarr(path: Path, groups: Iterator[tuple[str, Any]]) -> None:
    """Of version 2, which has a specification for text."""
    for number, (group, dataset) in enumerate(groups):
        mode = "a" if number else "w"
        dataset.to_zarr(path, mode=mode, group=None if group == "/" else group, zarr_format=2, consolidated=False)
    importlib.import_module("zarr").consolidate_metadata(path, zarr_format=2)


def _csv(table: Table) -> bytes:
    """Texts in quotes and numbers not, TRUE and FALSE as R has them, nothing where there is no value."""
    columns = [map(_SPELLED[column.kind], column.values) for column in table.values()]
    rows = [map(_quoted, table), *zip(*columns, strict=True)]
    return "".join(",".join(row) + "\n" for row in rows).encode()


def _quoted(text: str | None) -> str:
    return "" if text is None else '"' + text.replace('"', '""') + '"'


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


_SPELLED: dict[type, Callable[[Any], str]] = {
    str: _quoted, int: _number, float: _number, bool: lambda value: "TRUE" if value else "FALSE",
}  # fmt: skip


def _parquet(table: Table) -> bytes:
    """Integers that may be absent stay integers, and no number is NaN."""
    arrow = importlib.import_module("pyarrow")
    kinds = {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    columns = {name: arrow.array(list(column.values), kinds[column.kind]) for name, column in table.items()}
    buffer = io.BytesIO()
    importlib.import_module("pyarrow.parquet").write_table(arrow.table(columns), buffer)
    return buffer.getvalue()


def _array(column: Column) -> Any:
    if column.kind is float:
        return np.array([np.nan if value is None else value for value in column.values])
    return np.array(list(column.values), {int: np.int64, bool: np.bool_}[column.kind])


def _texts(values: Any) -> Any:
    """At least two letters wide: one letter is read back as a single byte."""
    return np.array([*values, "  "])[:-1]


def _refuse_existing(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise ExportError(f"{path}: is there already and is not replaced; name another folder")
