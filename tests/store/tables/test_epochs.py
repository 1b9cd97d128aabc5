"""`store info --at-epoch`: one epoch's table, and the course of all."""

from pathlib import Path

import pytest

from store.__main__ import main
from store.file.read import Run
from store.file.write import write_run
from tests.builders import small_run, with_epochs


@pytest.fixture
def forming(tmp_path: Path) -> Path:
    path = tmp_path / "forming.h5"
    write_run(path, with_epochs(small_run(), (0, 2)))
    return path


def info(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["store", "info", *arguments])
    return main(), *capsys.readouterr()


def test_info_at_an_epoch(forming: Path, capsys, monkeypatch) -> None:
    status, printed, _ = info(capsys, monkeypatch, str(forming))
    assert status == 0 and "epochs    0 2 3 (--at-epoch N shows one, --at-epoch all their course)" in printed
    status, printed, _ = info(capsys, monkeypatch, str(forming), "--at-epoch", "2")
    assert status == 0 and "after epoch 2 of 3; the network's own test accuracy 0.220" in printed
    with Run(forming) as run:
        measured = run.at_epoch(2).layers["10"].measure()
    row = next(line for line in printed.splitlines() if line.split()[:1] == ["10"])
    assert f"{measured.mean_clusters:.2f}" in row and f"{measured.mean_cluster_size:.2f}" in row
    status, _, errors = info(capsys, monkeypatch, str(forming), "--at-epoch", "1")
    assert status == 1 and "no layers of epoch 1; it has those of 0, 2, 3" in errors


def test_info_over_all_epochs(forming: Path, capsys, monkeypatch) -> None:
    status, printed, _ = info(capsys, monkeypatch, str(forming), "--at-epoch", "all")
    assert status == 0
    rows = [line.split() for line in printed.splitlines()]
    assert [row[:2] for row in rows if row[:1] == ["10"]] == [["10", "0"], ["10", "2"], ["10", "3"]]
    last = next(row for row in rows if row[:2] == ["10", "3"])
    assert last[-2:] == ["100%", "1.00"]  # as it is at the end


def test_at_epoch_is_a_number(forming: Path, capsys, monkeypatch) -> None:
    with pytest.raises(SystemExit):
        info(capsys, monkeypatch, str(forming), "--at-epoch", "soon")
    assert "--at-epoch takes an epoch, or all" in capsys.readouterr().err
