"""A run in other programs' formats: what they read is what the run says."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.file.read import Run
from store.file.write import write_run
from store.tables import export as export_module
from store.tables.export import KINDS, ExportError, export
from store.tables.measured import Column, measured_tables
from tests.builders import small_run
from tests.store.test_main import store_command

NAMES = ['a, "quoted" name', "naïve", "TRUE", "1", "cat"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.h5"
    content = small_run({"13": (6, 4), "2": (5, 1)}, n_labels=5, label_names=NAMES)
    content.layers[1].confusion = np.diag(content.test_inputs).astype(np.int32)
    content.layers[1].class_means[2] = 0  # a silent filter
    write_run(path, content)
    return path


def test_csv_reads_back_to_the_same_values(path: Path, tmp_path: Path) -> None:
    with Run(path) as run:
        written, without = export(run, "csv", tmp_path / "new" / "folder", 0.4)
        tables = measured_tables(run, 0.4)
    assert not without and [file.name for file in written] == [f"run-{name}.csv" for name in tables]
    for file, table in zip(written, tables.values(), strict=True):
        head, *rows = csv.reader(io.StringIO(file.read_text("utf-8"), newline=""))
        assert head == list(table)
        for number, row in enumerate(rows):
            for text, column in zip(row, table.values(), strict=True):
                value = column.values[number]
                if column.kind is bool:
                    assert text == ("TRUE" if value else "FALSE")
                else:
                    assert (column.kind(text) if text else None) == value
    layers, filters = written[0].read_text("utf-8"), written[1].read_text("utf-8")
    assert layers.splitlines()[1].startswith('"13",0,6,4,')  # text in quotes, numbers not
    assert filters.count("TRUE") == 1


def test_parquet_has_text_integers_and_booleans_as_such(path: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is in the extra [export]")
    with Run(path) as run:
        written, _ = export(run, "parquet", tmp_path, 0.4)
        tables = measured_tables(run, 0.4)
    for file, table in zip(written, tables.values(), strict=True):
        found = parquet.read_table(file)
        assert found.column_names == list(table)
        kinds = {str: "string", int: "int64", float: "double", bool: "bool"}
        for name, column in table.items():
            assert str(found.schema.field(name).type) == kinds[column.kind]
            assert found[name].to_pylist() == list(column.values)


def test_an_integer_that_is_absent_leaves_the_others_integers() -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is in the extra [export]")
    table = {"n": Column(int, [1, None, 1 << 60])}
    assert export_module._csv(table) == b'"n"\n1\n\n1152921504606846976\n'
    assert parquet.read_table(io.BytesIO(export_module._parquet(table)))["n"].to_pylist() == [1, None, 1 << 60]


@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
def test_xarray_opens_fields_and_measures_by_the_names_of_axes(kind: str, path: Path, tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray", reason="xarray is in the extra [export]")
    pytest.importorskip("h5netcdf" if kind == "netcdf" else "zarr", reason="in the extra [export]")
    with Run(path) as run:
        (written,), without = export(run, kind, tmp_path, 0.4, "zero-sum")
        assert not without and [file.name for file in tmp_path.iterdir()] == [written.name]
        options: dict[str, Any] = {"engine": "h5netcdf"} if kind == "netcdf" else {"engine": "zarr"}
        with xarray.open_datatree(written, **options) as tree:
            assert tree.attrs["arch"] == "vgg16" and tree.attrs["threshold"] == 0.4
            assert tree["layer"].values.tolist() == ["13", "2"] and tree["N_f"].dtype.kind == "i"
            for name, layer in run.layers.items():
                found, measured = tree[f"layers/{name}"], layer.measure(0.4, gauge="zero-sum")
                fields = layer.fields(gauge="zero-sum").matrices()
                assert found["fields"].dims == ("filter", "input_label", "output_label")
                assert np.array_equal(found["fields"].values, fields)
                assert found["fields"].sel(filter=3, input_label="cat", output_label="naïve") == fields[3, 4, 1]
                assert np.array_equal(found["cluster_of"].values, measured.cluster_of)
                assert found["silent"].dtype == bool and np.array_equal(found["silent"].values, measured.silent)
                assert np.array_equal(found["noise_E"].values, measured.noise_external)
                assert found["input_label"].values.tolist() == NAMES
                assert found["class_means"].dims == ("filter", "input_label", "position")
        with xarray.open_dataset(written, group="layers/2", **options) as one:  # without the groups above it
            assert one["output_label"].values.tolist() == NAMES and one.sizes["position"] == 1
            assert np.array_equal(one["confusion"].values, run.layers["2"].confusion)


def test_labels_of_one_letter_stay_letters(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray", reason="xarray is in the extra [export]")
    write_run(tmp_path / "run.h5", small_run(label_names=["a", "b", "c", "d"]))
    for kind, engine in (("netcdf", "h5netcdf"), ("zarr", "zarr")):
        pytest.importorskip(engine, reason="in the extra [export]")
        with Run(tmp_path / "run.h5") as run:
            (written,), _ = export(run, kind, tmp_path)
        with xarray.open_dataset(written, group="layers/10", engine=engine) as one:
            assert one["input_label"].values.tolist() == ["a", "b", "c", "d"]


def test_matrices_that_are_too_large_are_left_out_and_said(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    xarray = pytest.importorskip("xarray", reason="xarray is in the extra [export]")
    monkeypatch.setattr(export_module, "_MOST_BYTES", 5 * 5 * 5 * 4)
    with Run(path) as run:
        (written,), without = export(run, "netcdf", tmp_path)
    assert without == ["13"]
    with xarray.open_datatree(written, engine="h5netcdf") as tree:
        assert "fields" not in tree["layers/13"] and "fields" in tree["layers/2"]
        assert "probe_weights" in tree["layers/13"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_replaced_and_nothing_half_done_is_left(kind: str, path: Path, tmp_path: Path) -> None:
    pytest.importorskip("xarray", reason="xarray is in the extra [export]")
    with Run(path) as run:
        written, _ = export(run, kind, tmp_path)
        before = sorted(tmp_path.iterdir())
        with pytest.raises(ExportError, match="is there already and is not replaced"):
            export(run, kind, tmp_path)
    assert sorted(tmp_path.iterdir()) == before == sorted(written)


def test_what_is_missing_is_named(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(export_module._NEEDS, "zarr", ("not_there_zarr",))
    with (
        Run(path) as run,
        pytest.raises(ExportError, match=r"takes not_there_zarr: pip install 'filterscope\[export\]'"),
    ):
        export(run, "zarr", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_names_what_it_wrote(path: Path, tmp_path: Path) -> None:
    done = store_command("export", path, "--to", "csv", tmp_path, "--threshold", 0.5)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(file) for file in map(tmp_path.joinpath, _FILES)]
    again = store_command("export", path, "--to", "csv", tmp_path)
    assert again.returncode == 1 and again.stderr.startswith("error: ") and "is not replaced" in again.stderr
    wrong = store_command("export", path, "--to", "csv", tmp_path, "--threshold", 2)
    assert wrong.returncode == 2 and "--threshold is a fraction" in wrong.stderr


_FILES = [f"run-{name}.csv" for name in ("layers", "filters", "labels", "clusters")]
