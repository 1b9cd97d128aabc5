"""The glossary: each symbol of the tables is explained, and none is explained that is not one."""

from pathlib import Path

import pytest

from explorer import words
from explorer.frames import layer as frames
from store.file.read import Run
from store.tables.layers import table
from tests.explorer_runs import make_run


def test_every_symbol_of_the_papers_table_is_explained(tmp_path: Path) -> None:
    with Run(make_run(tmp_path / "run.h5")) as run:
        measures = {name: layer.measure(0.3) for name, layer in run.layers.items()}
        tables = [of(run, measures, "clustered") for of in (frames.paper_table, frames.signal_table)]
    columns = [name for table in tables for name in table.columns if not name.startswith("Eq.")]
    assert len(columns) > 15
    assert [name for name in columns if words.meaning(name) is None] == []


@pytest.mark.parametrize("name", ["n, paper", "n, B - A", "signal A", "noise_E, fields", "SNR_I, by chance"])
def test_a_column_of_a_symbol_has_its_meaning(name: str) -> None:
    symbol = name.partition(", ")[0].removesuffix(" A")
    assert words.meaning(name) == words.meaning(symbol) is not None


@pytest.mark.parametrize("name", ["name", "A", "B / A", "super-class", ""])
def test_other_columns_have_none(name: str) -> None:
    assert words.meaning(name) is None


def test_a_network_that_is_not_the_papers_is_named_beside_its_rows(tmp_path: Path) -> None:
    network = {"arch": "efficientnet_lite0", "epochs": 0, "weights": {"from": "package"}}
    with Run(make_run(tmp_path / "lite.h5", network=network, recipe={"name": "frozen"}, layers={"9": (4, 1)})) as run:
        said = words.not_the_papers(run)
        printed = table(run)
    assert said.startswith("EfficientNet-Lite0 is not the paper's network: the paper's numbers beside it are Effic")
    assert said.endswith("Its pretrained weights are as they were.")
    assert "not the paper's network: the rows of the paper are efficientnet_b0's" in printed
    assert [line.split()[0] for line in printed.splitlines()[-2:]] == ["9", "paper"]
