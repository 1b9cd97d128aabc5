"""Tables of a run at a threshold: the numbers are the layer's, and each label has its number beside its name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.file.read import Run
from store.file.write import write_run
from store.tables.measured import Table, measured_tables
from tests.builders import small_run


@pytest.fixture
def run(tmp_path: Path):
    content = small_run({"9": (6, 4), "10": (5, 1)}, n_labels=5)
    content.layers[1].class_means[2] = 0  # a silent filter
    content.superclasses[1] = ""
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        yield run


def rows(table: Table, **wanted: Any) -> list[dict[str, Any]]:
    found = [
        dict(zip(table, row, strict=True)) for row in zip(*(column.values for column in table.values()), strict=True)
    ]
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def test_all_columns_of_a_table_are_as_long_and_of_their_kind(run: Run) -> None:
    for table in measured_tables(run).values():
        assert len({len(column.values) for column in table.values()}) == 1
        for column in table.values():
            assert all(value is None or type(value) is column.kind for value in column.values)


def test_layers_stand_in_depth_order_with_their_numbers(run: Run) -> None:
    table = measured_tables(run, 0.4)["layers"]
    assert list(table["layer"].values) == ["9", "10"] and list(table["index"].values) == [0, 1]
    for name, layer in run.layers.items():
        measured = layer.measure(0.4)
        (row,) = rows(table, layer=name)
        assert row["n"] == measured.mean_noise and row["N_c"] == measured.mean_clusters
        assert row["C_s"] == measured.mean_cluster_size and row["silent"] == measured.silent.sum()
        assert row["signal"] == measured.signal.mean()


def test_filters_and_labels_have_the_numbers_of_their_layer(run: Run) -> None:
    tables = measured_tables(run, 0.3, "zero-sum")
    measured = run.layers["10"].measure(0.3, gauge="zero-sum")
    found = rows(tables["filters"], layer="10")
    assert [row["clusters"] for row in found] == measured.n_clusters.tolist()
    assert [row["silent"] for row in found] == measured.silent.tolist()
    found = rows(tables["labels"], layer="10")
    assert [row["label_id"] for row in found] == list(range(5))
    assert [row["label"] for row in found] == list(run.label_names)
    assert [row["super_class"] for row in found] == ["even", None, "even", "odd", "even"]
    assert [row["noise_E"] for row in found] == measured.noise_external.tolist()


def test_clusters_say_what_the_layer_says(run: Run) -> None:
    table = measured_tables(run, 0.3)["clusters"]
    for name, layer in run.layers.items():
        of = np.full((layer.n_filters, layer.n_labels), -1)
        sizes: dict[Any, set[Any]] = {}
        for row in rows(table, layer=name):
            of[row["filter"], row["label_id"]] = row["cluster"]
            assert row["label"] == run.label_names[row["label_id"]]
            sizes.setdefault((row["filter"], row["cluster"]), set()).add(row["size"])
        assert np.array_equal(of, layer.measure(0.3).cluster_of)
        assert all(counted == {int((of[f] == c).sum())} for (f, c), counted in sizes.items())


def test_a_run_of_silent_filters_has_no_cluster_and_no_mean(tmp_path: Path) -> None:
    content = small_run({"9": (2, 1)}, features=False)
    content.layers[0].class_means[:] = 0
    content.layers[0].fields[:] = 0
    write_run(tmp_path / "silent.h5", content)
    with Run(tmp_path / "silent.h5") as run:
        tables = measured_tables(run)
    assert all(len(column.values) == 0 for column in tables["clusters"].values())
    assert tables["layers"]["N_c"].values == [None] and tables["layers"]["silent"].values == [2]
