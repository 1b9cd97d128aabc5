"""The page Emergence, run without a browser."""

from pathlib import Path
from typing import Any

import pytest

from explorer.views.claims import _holds_since
from store.file.read import Run
from store.measure.layer import scan_order
from store.measure.summary import summary
from store.paper.claims import judge
from store.paper.records import run_record
from tests.explorer.views.test_pages import open_app, press, shown, table, unfold, unharmed  # noqa: F401
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def forming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "forming.h5", at_epochs=(0, 1, 10))


def test_its_tables_are_the_layers(open_app: Any, forming: Path) -> None:  # noqa: F811
    at = open_app("--store", forming, page="emergence", layer="10", label="7")
    unharmed(at)
    unfold(at, "epochs_table")
    course = table(at, "Jaccard")
    with Run(forming) as run:
        row = course[(course["layer"] == "10") & (course["epoch"] == 1)].iloc[0]
        measured = run.at_epoch(1).layers["10"].measure()
        assert row["n"] == measured.mean_noise and row["SNR_E"] == summary(measured).snr_external
        first, last = (run.at_epoch(e).layers["10"].measure().mean_noise for e in (0, 30))
        assert f"{first:.1f} to {last:.1f}" in shown(at)
    unfold(at, "epochs_label_table")


def test_other_thresholds_orders_and_gauges(open_app: Any, forming: Path) -> None:  # noqa: F811
    at = open_app("--store", forming, page="emergence", layer="4", threshold="0.6", order="reversed", gauge="zero-sum")
    unharmed(at)
    with Run(forming) as run:
        order = scan_order("reversed", run.n_labels)
        measured = run.at_epoch(0).layers["4"].measure(0.6, order, "zero-sum")
    assert f"{measured.mean_noise:.1f} to" in shown(at)


def test_the_python_text_runs(open_app: Any, forming: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    at = open_app("--store", forming, page="emergence", layer="10")
    unfold(at, "python")
    capsys.readouterr()
    exec(at.code[0].value, {})
    lines = capsys.readouterr().out.splitlines()
    with Run(forming) as run:
        layer = run.at_epoch(10).layers["10"]
        assert (
            lines[2]
            == f"10 {layer.record['test_accuracy']} {layer.measure().mean_noise} {layer.measure().mean_clusters}"
        )
    assert [line.split()[0] for line in lines] == ["0", "1", "10", "30"]


def test_a_network_that_was_not_trained_has_no_epochs(open_app: Any, tmp_path: Path) -> None:  # noqa: F811
    network = {"arch": "vgg16", "epochs": 0, "test_accuracy": 0.1}
    path = make_run(tmp_path / "untrained.h5", network=network)
    at = open_app("--store", path, page="emergence")
    unharmed(at)
    assert "there are no epochs to look at" in shown(at)


def test_claims_are_tested_at_each_epoch(open_app: Any, forming: Path) -> None:  # noqa: F811
    at = open_app("--store", forming, page="claims")
    unfold(at, "claims_over_time")
    said = table(at, "epoch")
    with Run(forming) as run:
        for epoch in run.epochs:
            finding = next(f for f in judge([run_record(run, epoch=epoch)], 0.3) if f.claim.key == "noise")
            row = said[(said["epoch"] == epoch) & (said["claim"] == finding.claim.sentence)].iloc[0]
            assert (row["verdict"], row["numbers"]) == (finding.verdict, finding.numbers)
    assert len(said) == 3 * 4


@pytest.mark.parametrize(
    ("verdicts", "since"),
    [(["fails", "holds", "holds"], 1), (["holds", "fails", "holds"], 5), (["holds", "fails"], None), (["holds"], 0)],
)
def test_since_when_a_claim_holds(verdicts: list[Any], since: int | None) -> None:
    assert _holds_since(verdicts, [0, 1, 5][: len(verdicts)]) == since
