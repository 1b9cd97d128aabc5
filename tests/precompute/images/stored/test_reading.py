"""The same images in every form of files of many: the same data set, under the file's own names of labels."""

import numpy as np
import pytest

from precompute.images import data
from precompute.images.image_files import ImageFiles
from precompute.images.stored import reading
from precompute.messages.problem import Problem
from precompute.options import Options
from store.file.read import Run
from tests.commands import run_here
from tests.image_trees import message, write_folder
from tests.stored_images import KEEP_NAMES, NAMES, SIDE, TWO, WRITERS, colours


def loaded(folder, **options):
    return data.load(Options(data="folder", data_dir=folder, **options), side=SIDE)


def pixels(split: data.Split):
    assert isinstance(split.images, ImageFiles)
    return split.images.decoded()[:, 0, 0]


@pytest.mark.parametrize("form", WRITERS)
def test_every_form_gives_the_same_images_and_labels(form, tmp_path):
    parts = colours(TWO)
    found = loaded(WRITERS[form](tmp_path / "images", parts))
    assert found.source == f"{form}, train and test"
    assert found.label_names == (NAMES if form in KEEP_NAMES else ["0", "1", "2"])
    assert not found.sorted_folders
    for name, (images, labels) in parts.items():
        split = getattr(found, name)
        order = np.argsort(labels, kind="stable")  # label by label
        np.testing.assert_array_equal(split.labels, labels[order])
        np.testing.assert_array_equal(pixels(split), images[order][:, 0, 0])


@pytest.mark.parametrize("form", WRITERS)
def test_a_fifth_tests_where_there_is_no_part_for_it(form, tmp_path):
    found = loaded(WRITERS[form](tmp_path / "images", colours({"train": 10})))
    assert found.source == f"{form}; a fifth of each label's images tests, drawn from seed 0"
    assert np.bincount(found.train.labels).tolist() == [8, 8, 8]
    assert np.bincount(found.test.labels).tolist() == [2, 2, 2]
    together = {tuple(pixel) for split in (found.train, found.test) for pixel in pixels(split)}
    assert len(together) == 30
    other = loaded(tmp_path / "images", seed=1)
    assert not np.array_equal(pixels(other.test), pixels(found.test))


@pytest.mark.parametrize("form", WRITERS)
def test_a_third_part_is_said_to_be_unused(form, tmp_path):
    found = loaded(WRITERS[form](tmp_path / "images", colours({"train": 3, "val": 2, "test": 2})))
    assert found.source == f"{form}, train and test; not used: val with 6 images"


@pytest.mark.parametrize("form", WRITERS)
def test_another_image_in_a_file_is_noticed(form, tmp_path):
    parts = colours(TWO)
    before = loaded(WRITERS[form](tmp_path / "before", parts)).checksums
    images, labels = parts["test"]
    parts["test"] = np.concatenate([images[1:3], images[:1], images[3:]]), labels
    after = loaded(WRITERS[form](tmp_path / "after", parts)).checksums
    assert before["train_content_sha256"] == after["train_content_sha256"]
    assert before["test_content_sha256"] != after["test_content_sha256"]


def test_class_folders_come_first(tmp_path):
    folder = write_folder(tmp_path / "images", {"cats": 5, "dogs": 5})
    np.savez(folder / "features.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.arange(4))
    assert loaded(folder).label_names == ["cats", "dogs"]
    assert reading.read(write_folder(tmp_path / "more", {"cats": 2, "dogs": 2})) is None


def test_a_folder_without_any_form_is_told_what_is_read(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(Problem) as problem:
        loaded(tmp_path)
    assert "holds no folders; expected a folder of images for each label" in message(problem.value)


@pytest.mark.parametrize("form", WRITERS)
def test_the_whole_program_on_each_form(form, tmp_path, capfd):
    folder = WRITERS[form](tmp_path / "images", colours({"train": 8, "test": 4}))
    out = tmp_path / "run.h5"
    command = (
        "--arch timm:test_resnet --image-size 32 --weights none --epochs 1 --layers layer4 --device cpu --data folder"
    )
    status, printed, errors = run_here([*command.split(), "--data-dir", str(folder), "--out", str(out)], capfd)
    assert status == 0, errors
    assert f"images read from {form}, train and test" in printed
    with Run(out) as run:
        run.verify()
        assert run.manifest["data"]["source"] == f"{form}, train and test"
        assert run.test_inputs.tolist() == [4, 4, 4]
