"""Which files are there to choose from."""

import os
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="streamlit is in the extra [explore]")

from explorer.data.source import Source, SourceError, named
from explorer.example import EXAMPLE, EXAMPLES
from store.file.read import Run


def test_who_names_nothing_gets_the_newest_run_and_the_examples_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = [path.name for path in EXAMPLES if path.is_file()]
    assert [file.name for file in named([]).files()] == there
    (tmp_path / "runs").mkdir()
    for age, name in enumerate(["new.h5", "old.h5", ".half.h5", EXAMPLE.name]):
        (tmp_path / "runs" / name).write_bytes(b"")
        os.utime(tmp_path / "runs" / name, (10 - age, 10 - age))
    assert [file.name for file in named([]).files()] == ["new.h5", "old.h5", EXAMPLE.name, *there[1:]]


def test_who_names_a_file_or_a_folder_gets_no_example(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"")
    assert [file.name for file in named(["--store", str(tmp_path)]).files()] == ["a.h5"]
    assert named(["--store", str(tmp_path / "a.h5")]) == Source(tmp_path, only="a.h5")
    with pytest.raises(SourceError, match="No such file"):
        named(["--store", str(tmp_path / "none.h5")])


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.is_file()], ids=lambda path: path.stem)
def test_each_example_is_whole_and_small(path: Path) -> None:
    assert path.stat().st_size < 15e6
    with Run(path) as run:
        run.verify()
        assert not run.unfinished
