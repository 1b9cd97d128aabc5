"""A run and a layer as a notebook shows them: the numbers of the table, and nothing of a stranger's as markup."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from store.file.read import Run
from store.tables.layers import HEAD, rows_of, table
from tests.builders import edit_manifest, write_small


def read(page: str) -> tuple[list[str], list[list[str]]]:
    """The heads of its table, and its rows."""
    rows: list[list[str]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag == "tr":
                rows.append([])
            elif tag in ("td", "th"):
                rows[-1].append("")
            elif tag == "sub":
                rows[-1][-1] += "_"

        def handle_data(self, data: str) -> None:
            if rows:
                rows[-1][-1] += data

    parser = Parser()
    parser.feed(page)
    return rows[0], rows[1:]


def test_a_run_shows_its_table(result_file: Path) -> None:
    with Run(result_file) as run:
        head, rows = read(run._repr_html_())
        assert head == HEAD
        assert rows == [row for name in ("13", "10") for row in rows_of(run, run.layers[name])]
        assert len(rows) == len(table(run).splitlines()) - 4, "as many as the text has"
        assert "threshold 0.3" in run._repr_html_() and "still to come" not in run._repr_html_()


def test_a_layer_shows_its_rows(result_file: Path) -> None:
    with Run(result_file) as run:
        layer = run.layers["10"]
        assert read(layer._repr_html_()) == (HEAD, rows_of(run, layer))
        assert repr(layer) == f"Layer('10') of Run({str(result_file)!r}): 6 filters, 4 labels"


def test_a_layer_that_is_to_come_is_named(tmp_path: Path) -> None:
    path = write_small(tmp_path / "run.h5", planned_layers=["10", "13", "14"])
    with Run(path) as run:
        assert "still to come: 14" in run._repr_html_()


def test_a_closed_run_says_how_to_open_it(result_file: Path) -> None:
    with Run(result_file) as run:
        assert run.is_open
    assert not run.is_open
    for page in (run._repr_html_(), run.layers["10"]._repr_html_()):
        assert "<table" not in page and "closed; open it again with Run(" in page


def test_a_run_elsewhere_is_not_read_for_being_shown(result_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Run(result_file) as run:
        monkeypatch.setattr(run, "remote", object())
        monkeypatch.setattr(run, "read", None)
        assert read(run._repr_html_()) == (["layer", "N_f"], [["13", "5"], ["10", "6"]])


def test_a_strangers_words_are_text(tmp_path: Path) -> None:
    path = write_small(tmp_path / "run.h5")
    edit_manifest(path, network__arch="<script>alert(1)</script>", recipe__name='"><img src=x onerror=alert(1)>\x1b[2J')
    with Run(path) as run:
        page = run._repr_html_()
    tags = set(re.findall(r"<([a-z]+)", page))
    assert tags == {"p", "b", "br", "table", "thead", "tbody", "tr", "th", "td", "sub"}
    assert "&lt;script&gt;" in page and "\x1b" not in page
