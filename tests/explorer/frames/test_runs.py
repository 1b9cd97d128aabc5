"""explorer/frames/runs.py: many runs in one frame, on made-up files."""

import math
from pathlib import Path
from typing import Any

import pytest

from store.file.read import Layer, Run
from store.measure.gauge import GAUGES
from tests.explorer_runs import SMALL, cifar100_labels, make_run, with_summaries

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")

from explorer.frames.runs import NUMBERS, SCHEMA, SETTING, collect, of_run, samples


def recipe(**entries: Any) -> dict[str, Any]:
    return {"name": "quick", "is_paper": False, "seed": 0, "departures": [], "options": {}} | entries


def test_a_row_a_run_and_layer_with_the_numbers_of_the_store(tmp_path: Path) -> None:
    make_run(tmp_path / "a.h5", seed=0)
    make_run(tmp_path / "b.h5", seed=1, labels=cifar100_labels()[:10])
    (tmp_path / "notes.txt").write_text("no run")
    frame, damaged = collect(tmp_path, threshold=0.4)
    assert damaged == [] and frame.height == 2 * len(SMALL) and list(frame.columns) == list(SCHEMA)
    assert frame["file"].unique(maintain_order=True).to_list() == ["a.h5", "b.h5"]
    assert frame.filter(file="b.h5")["K"].to_list() == [10] * len(SMALL)
    with Run(tmp_path / "b.h5") as run:
        measured = run.layers["10"].measure(0.4)
    row = frame.row(by_predicate=(pl.col("file") == "b.h5") & (pl.col("layer") == "10"), named=True)
    assert (row["n"], row["N_c"], row["C_s"]) == (
        measured.mean_noise,
        measured.mean_clusters,
        measured.mean_cluster_size,
    )
    assert (
        row["noise_I + noise_E"]
        == row["noise_I"] + row["noise_E"]
        == pytest.approx(float((measured.noise_internal + measured.noise_external).mean()))
    )
    assert (row["depth"], row["N_f"], row["positions"], row["F_s"]) == (2, 24, 1, "1x1")
    assert row["error"] == 1 - row["accuracy"] == pytest.approx(1 - 0.72)


def test_the_threshold_is_the_one_asked_for(tmp_path: Path) -> None:
    make_run(tmp_path / "a.h5")
    low, high = (collect(tmp_path, threshold=threshold)[0]["n"].sum() for threshold in (0.1, 0.6))
    assert low > high


def test_a_damaged_file_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    make_run(tmp_path / "good.h5")
    content = bytearray(make_run(tmp_path / "flipped.h5", seed=1).read_bytes())
    for place in range(len(content) // 3, len(content) * 2 // 3, 97):  # in the data, wherever it lies
        content[place] ^= 0xFF
    (tmp_path / "flipped.h5").write_bytes(content)
    (tmp_path / "text.h5").write_text("not a run")
    frame, damaged = collect(tmp_path)
    assert [file for file, _ in damaged] == ["flipped.h5", "text.h5"] and all(problem for _, problem in damaged)
    assert frame["file"].unique().to_list() == ["good.h5"]


def test_a_copy_is_no_second_sample(tmp_path: Path) -> None:
    make_run(tmp_path / "a.h5")
    make_run(tmp_path / "a-packed.h5", dense=False)
    make_run(tmp_path / "b.h5", seed=1)
    assert collect(tmp_path)[0]["file"].unique().sort().to_list() == ["a-packed.h5", "b.h5"]


def test_what_tells_samples_from_other_settings(tmp_path: Path) -> None:
    network = {"arch": "vgg16", "test_accuracy": 0.7}
    make_run(tmp_path / "trained.h5", recipe=recipe(seed=3), network=network | {"epochs": 30})
    make_run(tmp_path / "untrained.h5", seed=1, network=network | {"epochs": 0})
    ready = network | {"epochs": 0, "weights": {"from": "hub"}}
    make_run(tmp_path / "ready.h5", seed=2, network=ready, recipe=recipe(departures=["epochs 0"]))
    cut = recipe(options={"depths": "3:1", "unit": None}, is_paper=True, name="paper")
    make_run(tmp_path / "cut.h5", seed=3, recipe=cut)
    rows = {row["file"]: row for row in collect(tmp_path)[0].unique("file").iter_rows(named=True)}
    assert [name for name, row in rows.items() if row["untrained"]] == ["untrained.h5"]
    assert rows["ready.h5"]["weights"] == "hub" and rows["trained.h5"]["weights"] == "none"
    assert rows["trained.h5"]["seed"] == 3 and rows["cut.h5"]["variant"] == "depths 3:1" and rows["cut.h5"]["is_paper"]
    assert len({tuple(row[name] for name in SETTING) for row in rows.values()}) == 4


def test_a_manifest_that_says_nothing_or_nonsense_is_read(tmp_path: Path) -> None:
    make_run(tmp_path / "a.h5", recipe={}, network={"arch": "vgg16", "epochs": 1, "test_accuracy": "very good"})
    make_run(tmp_path / "b.h5", seed=1, recipe=recipe(seed="<b>", departures="x", options=[1], is_paper="yes"))
    make_run(tmp_path / "c.h5", seed=2, recipe=recipe(seed=1 << 80))
    frame, damaged = collect(tmp_path)
    assert damaged == [] and frame["seed"].null_count() == frame.height and not frame["is_paper"].any()


def test_an_undefined_number_is_null_and_never_nan(tmp_path: Path) -> None:
    with Run(make_run(tmp_path / "a.h5")) as run:
        frame = of_run(run, threshold=1.0)  # nothing is strictly above its own maximum
    assert frame["n"].null_count() == frame["SNR_E"].null_count() == frame.height
    assert not any(frame[name].is_nan().any() for name, kind in SCHEMA.items() if kind == pl.Float64)


def test_mean_and_standard_deviation_over_samples(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / f"{seed}.h5", seed=seed, recipe=recipe(seed=seed))
    make_run(tmp_path / "other.h5", seed=9, recipe=recipe(seed=0, name="paper"))
    frame = collect(tmp_path)[0]
    found = samples(frame, ["recipe", "layer"], NUMBERS).filter(recipe="quick", layer="7").row(0, named=True)
    n = frame.filter(recipe="quick", layer="7")["n"].to_list()
    mean = sum(n) / 3
    assert found["samples"] == 3 and found["n"] == pytest.approx(mean)
    assert (
        found["n, sd"] == pytest.approx(math.sqrt(sum((value - mean) ** 2 for value in n) / 2)) and found["n, sd"] > 0
    )
    alone = samples(frame, ["recipe", "layer"], ["n"]).filter(recipe="paper", layer="7").row(0, named=True)
    assert alone["samples"] == 1 and alone["n, sd"] is None


def test_what_a_file_says_of_its_layers_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_summaries(make_run(tmp_path / "run.h5", SMALL))
    with Run(path) as run:
        measured = {gauge: [of_run(run, at, gauge) for at in (0.3, 0.31)] for gauge in GAUGES}
    without = make_run(tmp_path / "without.h5", SMALL)
    with Run(without) as run:
        assert of_run(run, 0.3).drop("file", "content").equals(measured["as trained"][0].drop("file", "content"))
    monkeypatch.setattr(Layer, "measure", lambda *_, **__: pytest.fail("it was measured"))
    with Run(path) as run:
        assert of_run(run, 0.3).equals(measured["as trained"][0])
        with pytest.raises(pytest.fail.Exception):  # of these the file says nothing
            of_run(run, 0.31)
        with pytest.raises(pytest.fail.Exception):
            of_run(run, 0.3, "zero-sum")


def test_nothing_at_all(tmp_path: Path) -> None:
    frame, damaged = collect(tmp_path)
    assert frame.is_empty() and list(frame.columns) == list(SCHEMA) and damaged == []
    with pytest.raises(FileNotFoundError):
        collect(tmp_path / "missing")
