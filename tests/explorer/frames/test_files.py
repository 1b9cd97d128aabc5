"""Tables on the page and in files: what R, pandas and polars read is what the table holds."""

import csv as stdlib_csv
import io
from typing import Any

import pytest

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
from explorer.frames import files

FRAME = pl.DataFrame(
    {
        "layer": ["13", "2"],
        "silent": [True, None],
        "cluster": [1, None],
        "label ids": [[3, 17], []],
        "names": [["tench, Tinca tinca", 'a "cat"'], []],
        "field": [0.5, None],
    },
    schema_overrides={"label ids": pl.List(pl.Int64), "names": pl.List(pl.String)},
)


def test_the_page_has_lists_as_text_and_no_numbers_of_labels() -> None:
    shown = files.on_page(FRAME)
    assert shown.columns == ["layer", "silent", "cluster", "names", "field"]
    assert shown["names"].to_list() == ['tench, Tinca tinca, a "cat"', ""]
    assert files.on_page(shown).equals(shown)


def test_parquet_holds_the_table_as_it_is() -> None:
    assert pl.read_parquet(io.BytesIO(files.parquet(FRAME))).equals(FRAME)


def test_csv_quotes_texts_and_says_true_as_r_does() -> None:
    text = files.csv(FRAME).decode()
    head, first, second = text.splitlines()
    assert head == '"layer","silent","cluster","label ids","names","field"'
    assert first.startswith('"13","TRUE",1,"3; 17",') and first.endswith(",0.5")
    assert second.startswith('"2",') and ",," in second
    (row, _) = list(stdlib_csv.DictReader(io.StringIO(text)))
    assert row["names"].split("; ") == FRAME["names"].to_list()[0]
    assert [int(label) for label in row["label ids"].split("; ")] == FRAME["label ids"].to_list()[0]


def test_pandas_reads_booleans_and_whole_numbers() -> None:
    pandas: Any = pytest.importorskip("pandas", reason="pandas comes with the extra [explore]")
    found = pandas.read_csv(io.BytesIO(files.csv(FRAME.head(1))), dtype={"layer": str})
    assert found["silent"].dtype == bool and found["cluster"].dtype.kind == "i" and found["layer"][0] == "13"
