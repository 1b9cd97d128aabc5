"""Tables over epochs, against the layers themselves."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from explorer.frames import epochs as frames
from explorer.state import View
from store.file.read import Run
from store.measure.halves import alike
from store.measure.summary import summary
from tests.explorer_runs import make_run

EPOCHS = (0, 3, 10)


@pytest.fixture(scope="module")
def forming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "forming.h5", at_epochs=EPOCHS)


def measures(run: Run) -> frames.Measures:
    return {(e, name): layer.measure() for e in run.epochs for name, layer in run.at_epoch(e).layers.items()}


def test_the_course_is_that_of_the_layers(forming: Path) -> None:
    with Run(forming) as run:
        found = frames.course(run, measures(run), View())
        assert found.select("layer", "epoch").rows() == [(name, e) for name in run.layers for e in (*EPOCHS, 30)]
        row = found.row(by_predicate=(pl.col("layer") == "10") & (pl.col("epoch") == 3), named=True)
        layer, at = run.at_epoch(3).layers["10"], summary(run.at_epoch(3).layers["10"].measure())
        assert (row["n"], row["N_c"], row["C_s"]) == (at.noise, at.n_clusters, at.cluster_size)
        assert (row["SNR_E"], row["accuracy"]) == (at.snr_external, layer.record["test_accuracy"])
        assert row["n ±"] == row["N_c ±"] == 0.2  # as the file says
        kept = alike(layer.measure().cluster_of, run.layers["10"].measure().cluster_of)
        assert (row["same clusters"], row["Jaccard"]) == (kept.identical, kept.jaccard)
        at_the_end = found.filter(pl.col("epoch") == 30)
        assert at_the_end["Jaccard"].to_list() == [1.0] * 3
        assert at_the_end["n ±"].null_count() == 3  # of which nothing is known


def test_errors_are_left_out_where_they_are_of_other_numbers(forming: Path) -> None:
    with Run(forming) as run:
        for view in (
            replace(View(), average="all"),
            replace(View(), gauge="zero-sum"),
            replace(View(), threshold=0.31),
        ):
            found = frames.course(run, measures(run), view)
            assert found["n ±"].null_count() == found.height
            assert found["accuracy ±"].null_count() == 0


def test_the_error_of_a_ratio() -> None:
    """signal 30 +- 3, noise 10 +- 1: a tenth of each, so 14% of the ratio."""
    assert frames._of_ratio(30.0, 10.0, 3.0, 1.0) == pytest.approx(3 * 0.1 * 2**0.5)
    assert frames._of_ratio(30.0, 0.0, 3.0, 1.0) is None


def test_since_when() -> None:
    table = pl.DataFrame({"layer": ["10"] * 5, "epoch": [0, 1, 2, 5, 9], "x": [1.0, 4.0, 2.0, 3.0, None]})
    assert frames.since(table, "10", "x", 1.0) is None  # undefined at the end
    table = table.filter(pl.col("x").is_not_null())
    assert [frames.since(table, "10", "x", least) for least in (1.0, 2.0, 3.0, 4.0)] == [0, 1, 5, None]


def test_one_label_over_time(forming: Path) -> None:
    with Run(forming) as run:
        found = frames.of_label(run, measures(run), 7)
        row = found.row(by_predicate=(pl.col("layer") == "4") & (pl.col("epoch") == 10), named=True)
        measured = run.at_epoch(10).layers["4"].measure()
        assert (row["signal"], row["noise_E"]) == (measured.signal[7], measured.noise_external[7])
        assert frames.own_accuracy(run)["epoch"].to_list() == [0, 3, 10, 30]


def test_long_has_a_bar_where_there_is_an_error(forming: Path) -> None:
    with Run(forming) as run:
        course = frames.course(run, measures(run), View())
    long = frames.long(course, ("n",))
    assert long.height == course.height
    assert long["low"].null_count() == 3
    assert (long["high"] - long["value"]).drop_nulls().to_list() == pytest.approx([0.2] * 9)
