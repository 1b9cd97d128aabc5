"""Images in a file: which of them drive a filter, and pictures of some; what cannot be is refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.file.format import FormatError
from store.file.pack import is_packed, packed
from store.file.read import Run
from store.file.write import RunContent, file_image, write_run
from store.measure.top_inputs import MOST, TopInputs
from tests.builders import edit_manifest, small_run


def _with_images(pictures: list[int] | None) -> RunContent:
    run = small_run(features=False)
    n_inputs, random = int(run.test_inputs.sum()), np.random.default_rng(0)
    for layer in run.layers:
        assert layer.class_means is not None
        n_filters, _, positions = layer.class_means.shape
        shape = (n_filters, 2, min(MOST, n_inputs))
        inputs = np.stack([[random.permutation(n_inputs)[: shape[2]] for _ in range(2)] for _ in range(n_filters)])
        where = random.integers(0, positions, shape)
        values = -np.sort(-random.standard_normal(shape).astype(np.float32), axis=2)
        layer.top_inputs = TopInputs(inputs.astype(np.int32), where.astype(np.int32), values)
    run.label_of_test_input = np.repeat(np.arange(len(run.test_inputs)), run.test_inputs)
    number = n_inputs if pictures is None else len(pictures)
    run.thumbnails = random.integers(0, 256, (number, 4, 5, 3), np.uint8)
    run.thumbnail_inputs = None if pictures is None else np.array(pictures)
    return run


@pytest.mark.parametrize("pictures", [None, [1, 2, 5]])
def test_they_come_back_as_they_were(pictures: list[int] | None, tmp_path: Path):
    content = _with_images(pictures)
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        run.verify()
        assert run.manifest["version"] == 3
        for layer in content.layers:
            found, wanted = run.layers[layer.name].top_inputs, layer.top_inputs
            assert found is not None and wanted is not None
            assert np.array_equal(found.numbers, wanted.numbers) and np.array_equal(found.values, wanted.values)
        assert content.thumbnails is not None
        for place, number in enumerate(pictures or range(3)):
            assert np.array_equal(run.thumbnail(number), content.thumbnails[place])  # type: ignore[arg-type]
        assert (run.thumbnail(3) is None) == (pictures is not None)
        assert file_image(run.content()) == (tmp_path / "run.h5").read_bytes()
    small = packed(content)
    assert is_packed(small) and not is_packed(replace(small, layers=content.layers))
    assert small.thumbnails is None and all(layer.top_inputs is None for layer in small.layers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda top: top.inputs.__setitem__((0, 0, 0), -1), "test inputs -1"),
        (lambda top: top.inputs.__setitem__((0, 1, 2), 10**6), "1000000, expected 0 to"),
        (lambda top: top.positions.__setitem__((1, 0, 0), 10**6), "positions"),
        (lambda top: top.values.__setitem__((1, 1, 1), 100), "not in the order"),
        (lambda top: top.values.__setitem__((1, 1, 0), np.inf), "infinite"),
    ],
)
def test_what_is_no_ranking_is_refused(change: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = _with_images(None)
    change(run.layers[0].top_inputs)
    with pytest.raises(FormatError, match=message):
        file_image(run)
    with monkeypatch.context() as careless:
        careless.setattr("store.file.format.check_top_inputs", lambda *_: None)
        careless.setattr("store.file.format.is_finite", lambda *_: True)
        write_run(tmp_path / "run.h5", run)
    with Run(tmp_path / "run.h5") as read, pytest.raises(FormatError, match=message):
        read.verify()


@pytest.mark.parametrize("pictures", [[2, 1], [1, 1], [-1, 3], [0, 10**6]])
def test_pictures_of_no_input_are_refused(pictures: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = _with_images(pictures)
    with pytest.raises(FormatError, match="thumbnail_inputs: expected test inputs"):
        file_image(run)
    with monkeypatch.context() as careless:
        careless.setattr("store.file.format.check_thumbnail_inputs", lambda *_: None)
        write_run(tmp_path / "run.h5", run)
    with Run(tmp_path / "run.h5") as read, pytest.raises(FormatError, match="thumbnail_inputs"):
        read.verify()


@pytest.mark.parametrize("size", [[4, 5, 0], [4, 5, 10**6], [4, 5, 2, 2], [4, 5, True]])
def test_a_number_of_pictures_that_cannot_be_is_refused(size: list[int], tmp_path: Path):
    write_run(tmp_path / "run.h5", _with_images([1, 2]))
    with Run(tmp_path / "run.h5") as run:
        data = run.manifest["data"]
    edit_manifest(tmp_path / "run.h5", data=data | {"thumbnails": size})
    with pytest.raises(FormatError, match=r"data\.thumbnails"):
        Run(tmp_path / "run.h5")


def test_one_without_the_other_is_refused(tmp_path: Path):
    write_run(tmp_path / "run.h5", _with_images(None))
    with Run(tmp_path / "run.h5") as run:
        layers = run.manifest["layers"]
    layers[0]["datasets"].remove("top_values")
    edit_manifest(tmp_path / "run.h5", layers=layers)
    with pytest.raises(FormatError, match="go together"):
        Run(tmp_path / "run.h5")
