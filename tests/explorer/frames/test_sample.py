"""Standard errors in the tables and charts of the pages, and the shares that the live matrix is given."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from explorer.charts import layer as charts
from explorer.charts.sample import with_bars
from explorer.frames import layer as frames
from explorer.frames import sample
from explorer.matrix.pack import sample_of
from explorer.state import View, from_address
from store.file.read import Run
from store.file.sample_results import of_layer
from store.measure.summary import THRESHOLDS, summary
from store.tables.rests_on import DRAWS, rests_on
from tests.builders import write_small
from tests.store.tables.test_rests_on import sampled_file

SHOWN = View(layer="10")


def test_errors_stand_behind_their_numbers_where_they_are_of_what_is_shown(tmp_path: Path) -> None:
    path, layer = sampled_file(tmp_path / "run.h5")
    record = layer.record["sample"]
    with Run(path) as run:
        measures = {"10": run.layers["10"].measure(0.3)}
        plain = frames.paper_table(run, measures, "clustered")
        table = sample.with_errors(plain, run, measures, SHOWN)
        names = table.columns
        assert names[names.index("n") + 1] == "n ±" and "N_c, sure" in names[names.index("N_c") + 1 :][:2]
        assert table["n ±"][0] == record["errors"]["n"][record["thresholds"].index(0.3)]
        assert 0 <= table["N_c, sure"][0] <= table["N_c"][0]
        for other in (View(layer="10", average="all"), View(layer="10", order="reversed")):
            assert sample.with_errors(plain, run, measures, other).equals(plain)
            assert sample.depth_bars(run, measures, other).is_empty() and sample.biased(run, other) == []
        bars = sample.depth_bars(run, measures, SHOWN)
        depth = charts.depth(frames.depth(run, measures, "clustered"), ["n"], "n")
    assert ((bars["low"] + bars["high"]) / 2).to_list()[0] == float(np.float64(measures["10"].mean_noise))
    drawn = json.loads(with_bars(depth, bars, ["n"], "layer").to_json())
    assert any(part.get("mark", {}).get("type") == "rule" for part in drawn["layer"])
    assert with_bars(depth, bars.filter(pl.lit(False)), ["n"], "layer") is depth


def test_a_file_without_its_sample_has_the_table_that_it_had(tmp_path: Path) -> None:
    with Run(write_small(tmp_path / "run.h5")) as run:
        measures = {name: layer.measure(0.3) for name, layer in run.layers.items()}
        plain = frames.paper_table(run, measures, "clustered")
        assert sample.with_errors(plain, run, measures, SHOWN).equals(plain)
        found = sample.rests_on([rests_on(run, layer) for layer in run.layers.values()], DRAWS)
    assert found["layer"].to_list() == ["10", "13"] and found["sample"].to_list() == ["-", "-"]


def test_the_sweep_has_a_bar_at_each_threshold(tmp_path: Path) -> None:
    with Run(sampled_file(tmp_path / "run.h5")[0]) as run:
        layer = run.layers["10"]
        frame = frames.sweep([summary(layer.measure(threshold)) for threshold in THRESHOLDS], "clustered")
        bars = sample.sweep_bars(layer, frame, SHOWN)
    assert bars.filter(pl.col("quantity") == "n")["threshold"].to_list() == list(THRESHOLDS)
    assert (bars["low"] <= bars["high"]).all()


def test_the_live_matrix_is_given_each_cluster_of_the_filter_with_its_share(tmp_path: Path) -> None:
    path, layer = sampled_file(tmp_path / "run.h5")
    shares = [int(share) / 100 for share in layer.record["sample"]["clusters"]["share"].split()]
    with Run(path) as run:
        recorded = of_layer(run.layers["10"].record)
        measured, other = run.layers["10"].measure(0.3), run.layers["10"].measure(0.4)
    assert recorded is not None and recorded.clusters is not None
    given = [sample_of(recorded.clusters, measured, f) for f in range(5)]
    assert [share for one in given if one for _, share in one["clusters"]] == shares
    for f, one in enumerate(given):
        assert one is not None and one["threshold"] == 0.3
        for c, (labels, _) in enumerate(one["clusters"]):
            assert [int(label) for label in labels.split(",")] == np.flatnonzero(measured.cluster_of[f] == c).tolist()
    assert sample_of(recorded.clusters, other, 0) is None


def test_the_gallery_knows_each_filters_least_sure_cluster(tmp_path: Path) -> None:
    path, layer = sampled_file(tmp_path / "run.h5")
    shares = iter(int(share) for share in layer.record["sample"]["clusters"]["share"].split())
    with Run(path) as run:
        of = run.layers["10"]
        measured, other = of.measure(0.3), of.measure(0.4)
        table = frames.filters(measured, of.fields().squares())
        recorded = of_layer(of.record)
        assert recorded is not None
        found = sample.with_shares(table, recorded.clusters, measured)[sample.LEAST_SURE].to_list()
        assert sample.with_shares(table, recorded.clusters, other) is table
        assert sample.with_shares(table, None, measured) is table
    assert found == [min((next(shares) for _ in range(n)), default=None) for n in measured.n_clusters.tolist()]
    assert from_address({"sure": "50-100"}).sure == (50, 100) and from_address({"sure": "9-1"}).sure is None
