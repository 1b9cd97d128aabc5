"""Resamples drawn for a page: at any threshold, scan order and gauge, kept, and given to every page."""

from pathlib import Path

import numpy as np
import pytest

from store.file.read import Run
from store.file.sample_results import of_layer
from store.measure.bootstrap import QUANTITIES
from store.measure.layer import scan_order
from tests.explorer_runs import make_run
from tests.store.tables.test_rests_on import sampled_file

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.data import load, sample
from explorer.data.source import FileId, Source
from explorer.frames import sample as frames
from explorer.state import View
from tests.explorer.views.test_pages import open_app, press, shown, table, unfold  # noqa: F401

VIEW = View(layer="10", threshold=0.37, order="reversed", gauge="zero-sum")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "run.h5", features=("10",))


def known_as(path: Path) -> FileId:
    return Source(path.parent, only=path.name).files()[0]


def test_it_is_of_the_view(path: Path) -> None:
    file = known_as(path)
    assert sample.clusters(file, VIEW) is None and not sample.is_resampled(file, VIEW)
    found = sample.resampled(file, VIEW)
    with Run(path) as run:
        layer = run.layers["10"]
        order = scan_order("reversed", run.n_labels)
        wanted = layer.bootstrap(0.37, order, sample.resamples(layer), sample.SEED, "zero-sum")
        measured = layer.measure(0.37, order, "zero-sum")
    assert found is not None and wanted is not None and found.clusters is not None
    assert (wanted.measured.cluster_of == measured.cluster_of).all()
    assert [found.error(0.37, name) for name in QUANTITIES] == pytest.approx(wanted.errors[0], rel=1e-3, nan_ok=True)
    assert np.abs(found.clusters.share - wanted.share).max() <= 0.01 + 1e-9
    assert sample.is_resampled(file, VIEW) and sample.clusters(file, VIEW) is found.clusters
    rows = {row["quantity"]: row for row in frames.resampled(found, measured).iter_rows(named=True)}
    assert rows["n"]["measured"] == measured.mean_noise
    assert rows["n"]["to"] - rows["n"]["95% from"] == pytest.approx(2 * 1.96 * rows["n"]["±"])


def test_the_record_is_shown_where_nothing_was_drawn(tmp_path: Path) -> None:
    recorded, _ = sampled_file(tmp_path / "run.h5")
    file = known_as(recorded)
    of_file = of_layer(load.open_run(file).layers["10"].record)
    assert of_file is not None and of_file.clusters is not None
    found = sample.clusters(file, View(layer="10", threshold=0.4))
    assert found is not None and (found.share == of_file.clusters.share).all() and found.threshold == 0.3
    for other in (View(layer="10", order="reversed"), View(layer="10", gauge="zero-sum")):
        assert sample.clusters(file, other) is None


def test_a_person_resamples_on_layer_and_filter_knows(open_app, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("explorer.parts.sample._QUICK", 0)
    at = open_app("--store", path, page="layer", layer="10", threshold="0.41")
    unfold(at, "resampling")
    press(at, "Resample")
    rows = table(at, "95% from")
    assert list(rows["quantity"]) == list(QUANTITIES) and (rows["±"] >= 0).all()
    file = known_as(path)
    known = sample.clusters(file, View(layer="10", threshold=0.41))
    assert known is not None and known.threshold == 0.41
    at = open_app("--store", path, page="layer", layer="4")
    unfold(at, "resampling")
    assert "needs the activations of each test input" in shown(at)
