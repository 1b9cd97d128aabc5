"""Images that drive a filter, in a run's file: found again from its activations, and the pictures of those alone."""

from pathlib import Path

import numpy as np
import pytest

from precompute.images import thumbnails
from store.file.read import Run
from store.measure.afcc import from_bfloat16
from store.measure.top_inputs import to_show, top_inputs
from tests.commands import run_here
from tests.image_folders import tiny, write_image_folder


def _command(tmp_path: Path) -> list[str]:
    folder = write_image_folder(tmp_path / "images", "cifar10", tiny("cifar10", 2, 2))
    words = "--arch vgg16 --data cifar10 --epochs 0 --weights none --layers 4 13 --device cpu --out run.h5"
    return [*words.split(), "--data-dir", str(folder)]


def test_they_follow_from_the_activations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert run_here([*_command(tmp_path), "--features", "4"], capfd)[0] == 0
    with Run("run.h5") as run:
        run.verify()
        layer, labels = run.layers["4"], run.label_of_test_input
        assert labels is not None and layer.test_features is not None and layer.top_inputs is not None
        features = from_bfloat16(layer.test_features)
        again = top_inputs(lambda first, last: features[:, first:last], labels, layer.probe_weights)
        assert np.array_equal(again.numbers, layer.top_inputs.numbers)
        assert np.array_equal(again.values, layer.top_inputs.values)
        assert run.manifest["version"] == 3 and not run.has_thumbnails
        assert "receptive_field" not in layer.record


def test_of_too_many_images_those_that_drive_filters_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(thumbnails, "_MOST_BYTES", 7 * 32 * 32 * 3)
    assert run_here([*_command(tmp_path), "--thumbnails"], capfd)[0] == 0
    with Run("run.h5") as run:
        run.verify()
        tops = [layer.top_inputs for layer in run.layers.values()]
        wanted = to_show(np.concatenate([top.inputs for top in tops if top is not None]), 20, 7)
        assert wanted is not None and run.thumbnail_inputs is not None
        assert run.thumbnail_inputs.tolist() == wanted.tolist() and run.manifest["data"]["thumbnails"] == [32, 32, 7]
        without = next(number for number in range(20) if number not in wanted)
        assert run.thumbnail(without) is None
        assert [run.thumbnail(number).shape for number in wanted] == [(32, 32, 3)] * 7  # type: ignore[union-attr]
        rows = run.layers["4"].record["receptive_field"]["rows"]
        assert run.layers["4"].record["receptive_field"]["side"] == 32 and rows[0][0] == 0 and rows[-1][1] == 32
        assert all(0 <= first < last <= 32 for first, last in rows)


def test_a_file_from_before_they_were_kept_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    from dataclasses import replace

    from store.file.write import write_run

    monkeypatch.chdir(tmp_path)
    command = _command(tmp_path)
    assert run_here([*command, "--thumbnails"], capfd)[0] == 0
    with Run("run.h5") as run:
        wanted, content = run.manifest["sha256"], run.content()
    layers = [replace(layer, top_inputs=None) for layer in content.layers]
    write_run(Path("run.h5"), replace(content, layers=layers, thumbnails=None, thumbnail_inputs=None))
    assert "it is there already" in run_here(command, capfd)[1]
    status, _, progress = run_here([*command, "--thumbnails"], capfd)
    assert status == 0 and "activations of the test images" in progress and "probe" not in progress
    with Run("run.h5") as run:
        assert run.manifest["sha256"] == wanted
