"""Test images in a file: only where they were asked for, as they are or made smaller."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from precompute.images.image_files import ImageFiles
from precompute.images.outline import Sizes
from precompute.images.thumbnails import SIDE, thumbnail_bytes, thumbnails
from precompute.options import parse
from store.file import format as fmt
from store.file.pack import packed
from store.file.read import Run
from store.file.write import write_run
from tests.builders import edit_manifest, small_run
from tests.commands import run_here
from tests.image_folders import tiny, write_image_folder


def test_small_images_stay_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3), np.uint8)
    assert np.array_equal(thumbnails(images), images)
    grey = thumbnails(images[..., :1])
    assert grey.shape == (3, 8, 9, 3) and (grey == images[..., :1]).all()


def test_large_images_are_made_smaller_and_keep_their_shape():
    images = np.zeros((2, 200, 100, 3), np.uint8)
    images[1, :, 50:] = 200
    small = thumbnails(images)
    assert small.shape == (2, SIDE, SIDE // 2, 3)
    assert not small[0].any() and (small[1, :, -8:] == 200).all() and not small[1, :, :8].any()
    assert thumbnail_bytes(Sizes(2, 1, 2, (3, 200, 100))) == small.nbytes


def test_images_in_files_are_decoded_for_it(tmp_path: Path):
    paths = []
    for value in (10, 200):
        paths.append(tmp_path / f"{value}.png")
        Image.new("RGB", (128, 128), (value, 0, 255)).save(paths[-1])
    small = thumbnails(ImageFiles(paths, 128))
    assert small.shape == (2, SIDE, SIDE, 3)
    assert (small == np.array([[10, 0, 255], [200, 0, 255]], np.uint8)[:, None, None]).all()


def test_a_file_keeps_them_and_a_packed_one_does_not(tmp_path: Path):
    run = small_run()
    run.thumbnails = np.random.default_rng(0).integers(0, 256, (int(run.test_inputs.sum()), 5, 6, 3), np.uint8)
    write_run(tmp_path / "run.h5", run)
    with Run(tmp_path / "run.h5") as read:
        read.verify()
        assert read.manifest["version"] == 3
        assert read.manifest["data"]["thumbnails"] == [5, 6]
        assert np.array_equal(read.thumbnail(3), run.thumbnails[3])
        content = read.content()
    write_run(tmp_path / "again.h5", content)
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "run.h5").read_bytes()
    write_run(tmp_path / "packed.h5", packed(content))
    with Run(tmp_path / "packed.h5") as read:
        assert not read.has_thumbnails and read.thumbnail(3) is None


@pytest.mark.parametrize("size", [[0, 5], [5], [513, 5], [5, True], "5x6", {"5": 6}, [1.5, 2]])
def test_sizes_that_are_none_are_refused(size, tmp_path: Path):
    write_run(tmp_path / "run.h5", small_run())
    with Run(tmp_path / "run.h5") as run:
        data = run.manifest["data"]
    edit_manifest(tmp_path / "run.h5", data=data | {"thumbnails": size})
    with pytest.raises(fmt.FormatError, match="thumbnails"):
        Run(tmp_path / "run.h5")


def test_a_file_that_lacks_what_it_says_is_refused(tmp_path: Path):
    write_run(tmp_path / "run.h5", small_run())
    with Run(tmp_path / "run.h5") as run:
        data = run.manifest["data"]
    edit_manifest(tmp_path / "run.h5", data=data | {"thumbnails": [5, 6]})
    with pytest.raises(fmt.FormatError, match="thumbnails: missing"):
        Run(tmp_path / "run.h5")


def test_they_change_nothing_that_is_measured():
    options = parse(["--thumbnails", "--features", "10"])
    assert {"thumbnails", "features"}.isdisjoint(options.recipe_options())  # what is measured is the same


def test_a_run_takes_test_features_also_when_it_is_done(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    folder = write_image_folder(tmp_path / "images", "cifar10", tiny("cifar10", 2, 2))
    words = "--arch vgg16 --data cifar10 --recipe quick --epochs 1 --batch-size 10 --layers 10 13 --device cpu"
    command = [*words.split(), "--data-dir", str(folder)]
    assert run_here([*command, "--out", "later.h5"], capfd)[0] == 0
    with Run("later.h5") as run:
        assert run.layers["13"].test_features is None
        assert run.label_of_test_input is not None  # beside what drives each filter
    status, _, progress = run_here([*command, "--out", "later.h5", "--features", "13", "--thumbnails"], capfd)
    assert status == 0 and "activations of the test images: 20 images, 1 layer" in progress
    assert "activations of the train images" not in progress and "probe" not in progress
    assert run_here([*command, "--out", "at-once.h5", "--features", "13", "--thumbnails"], capfd)[0] == 0
    with Run("later.h5") as later, Run("at-once.h5") as at_once:
        later.verify()
        assert later.manifest["sha256"] == at_once.manifest["sha256"]
        assert later.layers["13"].test_features is not None and later.layers["10"].test_features is None
    status, printed, _ = run_here([*command, "--out", "later.h5", "--features", "13"], capfd)
    assert status == 0 and "it is there already" in printed


def test_a_run_takes_them_also_when_it_is_done(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    images = tiny("cifar10", 2, 2)
    folder = write_image_folder(tmp_path / "images", "cifar10", images)
    words = (
        "--arch vgg16 --data cifar10 --recipe quick --epochs 0 --weights none --layers 13 --features 13 --device cpu"
    )
    command = [*words.split(), "--data-dir", str(folder), "--out", "run.h5"]
    assert run_here(command, capfd)[0] == 0
    with Run("run.h5") as run:
        assert not run.has_thumbnails
        before = run.manifest["sha256"]
    status, printed, _ = run_here([*command, "--thumbnails"], capfd)
    assert status == 0 and "it is there already" in printed
    with Run("run.h5") as run:
        run.verify()
        found = np.stack([run.thumbnail(k) for k in range(20)])
        labels = run.label_of_test_input
        assert run.manifest["sha256"].items() > before.items()
    of_test, wanted = images["test"]
    assert sorted(map(bytes, found)) == sorted(map(bytes, np.asarray(of_test)))
    place = {bytes(image): label for image, label in zip(np.asarray(of_test), wanted, strict=True)}
    assert [place[bytes(image)] for image in found] == labels.tolist()
