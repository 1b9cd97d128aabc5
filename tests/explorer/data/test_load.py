"""What the explorer keeps of a file between runs of a page."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("streamlit", reason="Streamlit is in the extra [explore]")
from explorer.data import chance, claims, load, source, what_if
from explorer.state import View
from store.file.read import Run
from store.measure.afcc import parts_of_row
from store.measure.gauge import GAUGES, Gauge
from store.measure.layer import measure_layer
from store.measure.semantics import superclass_sharing, together
from store.measure.summary import summary
from store.paper.records import null_sample
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> source.FileId:
    path = make_run(tmp_path_factory.mktemp("runs") / "run.h5")
    return source.Source(path.parent, only=path.name).files()[0]


def test_a_measure_is_made_once_and_is_the_layers(file: source.FileId) -> None:
    measured = load.measured(file, "7", 0.4, "stored", "as trained")
    assert load.measured(file, "7", 0.4, "stored", "as trained") is measured
    with Run(file.path) as run:
        fields = run.layers["7"].fields().matrices()
    assert np.array_equal(measured.cluster_of, measure_layer(fields, 0.4).cluster_of)


def test_each_gauge_has_its_own_of_everything_that_is_kept_and_no_array_of_its_own(file: source.FileId) -> None:
    """Asked for in both orders: what was made first is not given for the other."""
    run = load.open_run(file)
    layers = {gauge: run.layers["7"].fields(gauge=gauge) for gauge in GAUGES}
    view = View(layer="7", filter=3)
    for gauge in (*GAUGES, *GAUGES):
        fields, here = layers[gauge], replace(view, gauge=gauge)
        measured = load.measured(file, "7", 0.4, "stored", gauge)
        assert np.array_equal(measured.cluster_of, fields.measure(0.4).cluster_of)
        loaded = load.loaded(file, "7", gauge)
        assert loaded is load.loaded(file, "7", gauge) and loaded.fields.gauge == gauge
        np.testing.assert_allclose(loaded.squares, fields.squares(), rtol=1e-5)
        assert load.sweep(file, "7", "stored", gauge)[5] == summary(fields.measure(0.3))
        assert load.rank(file, "7", 3, gauge) == fields.ranks()[3]
        assert chance.of(file, "7", here, "labels shuffled", 3).observed == summary(fields.measure(0.3))
        assert np.array_equal(chance.ranks_of(file, loaded.layer, gauge), fields.ranks())
        pairs = together(fields.measure(0.3).cluster_of)
        sharing, _ = chance.meaning_of(file, here, 50)
        assert sharing is not None and sharing.sharing == superclass_sharing(pairs, run.superclasses, 50).sharing
        assert claims.rows(file, 0.3, gauge).filter(layer="7")["n"][0] == fields.measure(0.3).mean_noise
        assert claims.record(file, [0.3], gauge).layers[1].at[0.3] == summary(fields.measure(0.3))
        drawn = claims.null_samples([file], 0.3, gauge)["labels shuffled"][0][0].layers[1].at[0.3]
        assert drawn == null_sample("labels shuffled", fields, 0.3, 0)
    assert load.loaded(file, "7", GAUGES[0]).fields.arrays[0] is load.loaded(file, "7", GAUGES[1]).fields.arrays[0]
    noises = [fields.measure(0.3).mean_noise for fields in layers.values()]
    assert noises[0] != noises[1]  # else all of this says nothing


def test_what_masks_and_silencing_follow_is_of_the_gauge(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run.h5", {"10": (24, 1)}, features=("10",))
    file = source.Source(path.parent, only=path.name).files()[0]
    view = View(layer="10", test_input=7, silenced=3)
    found: dict[Gauge, Any] = {}
    for gauge in (*GAUGES, *GAUGES):
        here = replace(view, gauge=gauge)
        measured = load.measured(file, "10", 0.3, "stored", gauge)
        kept = what_if.mask(measured, here)
        masked, curve, one = what_if.masked(file, here), what_if.curve(file, here), what_if.one_input(file, here)
        assert masked.weights_kept == kept.sum() and np.array_equal(one.mask, kept)
        everything = what_if.masked(file, replace(here, silenced=0))
        assert curve.accuracy[0] == everything.accuracy  # with the clusters' weights, before any is silenced
        assert np.array_equal(
            one.parts, parts_of_row(measured, load.loaded(file, "10", gauge).fields.of_label(0)[0], 0)
        )
        found.setdefault(gauge, []).append((masked.weights_kept, curve.accuracy.tolist(), one.split.logits.tolist()))
    assert all(first == again for first, again in found.values())
    assert found["as trained"][0][0] != found["zero-sum"][0][0]
    assert found["as trained"][0][2] == pytest.approx(found["zero-sum"][0][2])  # with all weights nothing differs


def test_the_common_part_is_the_files(file: source.FileId) -> None:
    with Run(file.path) as run:
        assert load.common_part(file, "7") == run.layers["7"].common_part


def test_measures_are_kept_up_to_so_many_bytes_the_last_used_longest(
    file: source.FileId, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.MEASURES.clear()
    one = load.measured(file, "7", 0.0, "stored", "as trained")
    assert one.cluster_of.base is None  # nothing else is kept with it
    monkeypatch.setattr(load.MEASURES, "most", 3 * one.cluster_of.nbytes)
    for step in range(1, 40):
        load.measured(file, "7", step / 40, "stored", "as trained")
        assert load.measured(file, "7", 0.0, "stored", "as trained") is one
        assert sum(kept.cluster_of.nbytes for kept in load.MEASURES.values()) <= load.MEASURES.most
    assert len(load.MEASURES.values()) == 3
