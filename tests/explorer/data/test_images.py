"""Images that drive filters, as a page gets them: against the file, and where there are none."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest

from store.file.read import Run
from store.file.receptive import box
from tests.explorer_runs import make_run

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from PIL import Image

from explorer.data import images
from explorer.data.source import FileId, Source


def known_as(path: Path) -> FileId:
    return Source(path.parent, only=path.name).files()[0]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "run.h5", {"4": (12, 4), "10": (24, 1)}, thumbnails=True)


def decoded(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def test_a_filter_has_those_of_the_file(path: Path):
    strip = images.driving(known_as(path), "4", 5)
    assert strip is not None
    with Run(path) as run:
        layer, labels = run.layers["4"], run.label_of_test_input
        top = layer.top_inputs
        assert top is not None and labels is not None
        for ranking, found in enumerate(strip["rankings"]):
            positive = int((top.values[5, ranking] > 0).sum())
            assert len(found) == positive > 0
            for rank, image in enumerate(found):
                number = int(top.inputs[5, ranking, rank])
                assert (image["input"], image["label"]) == (number, labels[number])
                assert image["box"] == box(layer.record, int(top.positions[5, ranking, rank]))
                assert np.array_equal(decoded(image["source"]), run.thumbnail(number))  # type: ignore[arg-type]


def test_a_label_has_the_images_that_drive_filters(path: Path):
    found = images.of_label(known_as(path), "4", 3)
    with Run(path) as run:
        top, labels = run.layers["4"].top_inputs, run.label_of_test_input
        assert top is not None and labels is not None
        wanted = {
            (int(number), f)
            for f in range(12)
            for number, value in zip(top.inputs[f, 1], top.values[f, 1], strict=True)
            if labels[number] == 3 and value > 0
        }
    assert {(number, f) for number, filters in found for f in filters} == wanted and wanted
    assert [len(filters) for _, filters in found] == sorted((len(filters) for _, filters in found), reverse=True)


def test_a_montage_is_as_large_as_it_is_asked_to_be(path: Path):
    tile = images.montage(known_as(path), "4", 5, 100)
    assert tile.shape == (100, 100, 3) and len(np.unique(tile.reshape(-1, 3), axis=0)) > 10


def test_large_pictures_are_small_files(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "_EXACT", 4)
    images.source.clear()
    source = images.source(known_as(path), 7)
    images.source.clear()
    assert source is not None and source.startswith("data:image/jpeg;base64,") and decoded(source).shape == (8, 8, 3)


def test_without_pictures_there_are_none(tmp_path: Path):
    file = known_as(make_run(tmp_path / "run.h5", {"4": (12, 4)}, features=("4",)))
    assert not images.has_pictures(file, "4") and images.driving(file, "4", 0) is None
    assert images.source(file, 0) is None and images.of_label(file, "4", 0) == []
    assert not images.montage(file, "4", 0, 9).any()
