"""What the explorer keeps of a file between runs of a page."""

import numpy as np
import pytest

pytest.importorskip("streamlit", reason="Streamlit is in the extra [explore]")
from explorer.data import load, source
from store.file.read import Run
from store.measure.layer import measure_layer
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> source.FileId:
    path = make_run(tmp_path_factory.mktemp("runs") / "run.h5")
    return source.Source(path.parent, only=path.name).files()[0]


def test_a_measure_is_made_once_and_is_the_layers(file: source.FileId) -> None:
    measured = load.measured(file, "7", 0.4, "stored")
    assert load.measured(file, "7", 0.4, "stored") is measured
    with Run(file.path) as run:
        expected = measure_layer(run.layers["7"].fields().matrices(), 0.4)
    assert np.array_equal(measured.cluster_of, expected.cluster_of)


def test_measures_are_kept_up_to_so_many_bytes_the_last_used_longest(
    file: source.FileId, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.MEASURES.clear()
    one = load.measured(file, "7", 0.0, "stored")
    assert one.cluster_of.base is None  # nothing else is kept with it
    monkeypatch.setattr(load.MEASURES, "most", 3 * one.cluster_of.nbytes)
    for step in range(1, 40):
        load.measured(file, "7", step / 40, "stored")
        assert load.measured(file, "7", 0.0, "stored") is one
        assert sum(kept.cluster_of.nbytes for kept in load.MEASURES.values()) <= load.MEASURES.most
    assert len(load.MEASURES.values()) == 3
