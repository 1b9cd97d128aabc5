"""Anybody's images in class folders: with test images or a split from the seed; what cannot be used is named."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from precompute.images import class_folders, data
from precompute.images.data import DataSet
from precompute.images.image_files import ImageFiles
from precompute.images.outline import Sizes, is_here
from precompute.images.splits import split
from precompute.messages.problem import Problem
from precompute.options import Options, output_path, parse
from tests.image_trees import message, save, write_folder

COUNTS = {"cats": 10, "dogs": 4, "größe [1] *": 2, "train": 3}


def loaded(folder: Path, **options: Any) -> DataSet:
    return data.load(Options(data="folder", data_dir=folder, **options), side=4)


def numbers(of: Any) -> list[int]:
    """Which images these are, by their pixels."""
    return of.images.decoded()[:, 0, 0, 0].tolist()


def refusal(folder: Path) -> str:
    with pytest.raises(Problem) as problem:
        loaded(folder)
    return message(problem.value)


def test_a_split_is_drawn_where_there_are_no_test_images(tmp_path):
    found = loaded(write_folder(tmp_path, COUNTS))
    assert found.label_names == list(COUNTS)
    assert Counter(found.test.labels.tolist()) == {0: 2, 1: 1, 2: 1, 3: 1}
    assert Counter(found.train.labels.tolist()) == {0: 8, 1: 3, 2: 1, 3: 2}
    truth = np.repeat(np.arange(4), list(COUNTS.values()))
    for of in (found.train, found.test):
        assert truth[numbers(of)].tolist() == of.labels.tolist()
        assert numbers(of) == sorted(numbers(of))
    assert sorted(numbers(found.train) + numbers(found.test)) == list(range(19))
    assert found.sizes == Sizes(4, 14, 5, (3, 4, 4))
    assert found.source == "image folder; a fifth of each label's images tests, drawn from seed 0"
    assert (found.flips, found.superclasses, found.label_indices) == (True, [""] * 4, [0, 1, 2, 3])
    assert found.licence == "not stated: somebody's own images"


def test_the_same_images_in_train_alone_have_the_same_split(tmp_path):
    bare = loaded(write_folder(tmp_path / "a", COUNTS))
    below = loaded(write_folder(tmp_path / "b", COUNTS, "train"))
    assert below.checksums == bare.checksums
    assert numbers(below.test) == numbers(bare.test)


def test_the_split_is_drawn_from_the_seed(tmp_path):
    folder = write_folder(tmp_path, COUNTS)
    drawn = {seed: numbers(loaded(folder, seed=seed).test) for seed in range(5)}
    assert drawn[4] == numbers(loaded(folder, seed=4).test)
    assert len({tuple(test) for test in drawn.values()}) == 5
    assert drawn[0] == GOLDEN  # the numbers stand here because results on disk depend on them


GOLDEN = [0, 5, 12, 14, 16]


@given(
    counts=st.dictionaries(st.text("aé [", min_size=1, max_size=5), st.integers(2, 60), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_fifth_of_each_label_tests_at_least_one_and_nothing_is_in_both(counts, seed):
    by_label = {label: [Path(label, str(k)) for k in range(count)] for label, count in counts.items()}
    train, test = split(by_label, seed)
    for (paths, labels), rest in ((train, test), (test, train)):
        assert not set(paths) & set(rest[0])
        assert len(paths) == len(set(paths)) == len(labels)
        assert [list(counts)[label] for label in labels] == [Path(str(path)).parent.as_posix() for path in paths]
    for label, count in enumerate(counts.values()):
        n_test = int((test[1] == label).sum())
        assert n_test >= 1
        assert n_test == 1 or abs(n_test - count / 5) <= 0.5
        assert n_test + (train[1] == label).sum() == count


def test_every_image_tests_with_some_seed():
    by_label = {"cats": [Path(str(k)) for k in range(10)]}
    drawn = Counter(path for seed in range(400) for path in split(by_label, seed)[1][0])
    assert len(drawn) == 10
    assert max(drawn.values()) < 2 * min(drawn.values())  # 80 expected of each


@pytest.mark.parametrize("name", ["test", "val", "valid", "Validation"])
def test_test_images_that_are_there_are_taken(name, tmp_path):
    write_folder(tmp_path, COUNTS, "train")
    write_folder(tmp_path, dict.fromkeys(COUNTS, 1), name, first=100)
    found = loaded(tmp_path, seed=3)
    assert numbers(found.train) == list(range(19))
    assert numbers(found.test) == [100, 101, 102, 103]
    assert found.test.labels.tolist() == [0, 1, 2, 3]
    assert found.source == f"image folder with train/ and {name}/"
    assert found.checksums == loaded(tmp_path, seed=4).checksums


def test_test_comes_before_val(tmp_path):
    for name, first in (("train", 0), ("val", 50), ("test", 100)):
        write_folder(tmp_path, {"cats": 2, "dogs": 2}, name, first)
    assert numbers(loaded(tmp_path).test) == [100, 101, 102, 103]


def test_labels_may_be_called_train_and_test(tmp_path):
    found = loaded(write_folder(tmp_path, {"bus": 2, "test": 2, "train": 2}))
    assert found.label_names == ["bus", "test", "train"]


@pytest.mark.parametrize("flips", [True, False])
def test_training_images_are_mirrored_unless_a_person_forbids_it(flips, tmp_path):
    from precompute.job import prepare
    from precompute.machine.stopping import Stopping
    from precompute.stages import DataOnDevice

    write_folder(tmp_path, COUNTS)
    options = Options(data="folder", data_dir=tmp_path, device="cpu", no_flip=not flips)
    job = prepare(options, Stopping())
    assert DataOnDevice(job, {}).preprocessing.flips is flips
    assert ("no mirrored images" in job.recipe.departures) is not flips


def test_k_labels(tmp_path):
    folder = write_folder(tmp_path, COUNTS)
    whole, two = loaded(folder), loaded(folder, labels=2)
    assert two.label_names == [whole.label_names[label] for label in two.label_indices]
    for of, of_two in ((whole.train, two.train), (whole.test, two.test)):
        kept = np.isin(of.labels, two.label_indices)
        assert numbers(of_two) == np.array(numbers(of))[kept].tolist()
        assert [two.label_indices[label] for label in of_two.labels] == of.labels[kept].tolist()
    with pytest.raises(Problem, match="--labels 5: folder has 4 labels"):
        loaded(folder, labels=5)


def test_side_and_crop_are_the_networks(tmp_path):
    folder = write_folder(tmp_path, COUNTS)
    found = data.load(Options(data="folder", data_dir=folder), side=6, crop=0.5)
    for of in (found.train, found.test):
        assert isinstance(of.images, ImageFiles)
        assert (of.images.side, of.images.crop) == (6, 0.5)
        assert of.images.batch([0]).shape == (1, 6, 6, 3)
    assert found.sizes.image_shape == (3, 6, 6)
    assert data.load(Options(), side=6).sizes.image_shape == (3, 32, 32)  # arrays are as they are


def test_what_is_no_image_is_ignored_and_counted(tmp_path):
    folder = write_folder(tmp_path, COUNTS)
    expected = loaded(folder).checksums
    for litter in (".DS_Store", "Thumbs.db", "cats/desktop.ini", "dogs/._image 010.png"):
        (folder / litter).write_bytes(b"\0")
    (folder / "__MACOSX" / "cats").mkdir(parents=True)
    (folder / ".cache").mkdir()
    assert loaded(folder).source.endswith("drawn from seed 0")
    (folder / "LICENCE").touch()
    assert loaded(folder).source.endswith("drawn from seed 0; 1 file that is no image ignored")
    (folder / "cats" / "notes.txt").touch()
    (folder / "cats" / "more.png").mkdir()
    save(folder / "beside.png", 1)
    found = loaded(folder)
    ignored = "1 image outside the labels' folders ignored; 2 files that are no images ignored"
    assert found.source.endswith(f"drawn from seed 0; {ignored}")
    assert found.checksums == expected


def test_links_are_followed(tmp_path):
    real = write_folder(tmp_path / "real", COUNTS)
    linked = tmp_path / "linked"
    (linked / "dogs").mkdir(parents=True)
    for path in (real / "dogs").iterdir():
        (linked / "dogs" / path.name).symlink_to(path)
    for label in COUNTS.keys() - {"dogs"}:
        (linked / label).symlink_to(real / label)
    assert loaded(linked).checksums == loaded(real).checksums
    assert numbers(loaded(linked).test) == numbers(loaded(real).test)
    broken = linked / "dogs" / "gone.jpg"
    broken.symlink_to("nowhere.jpg")
    assert refusal(linked) == f"{broken}: a link to nowhere.jpg, where nothing is. Restore the image, or remove it"


def test_images_in_folders_below_a_label_are_read(tmp_path):
    for label in ("a", "b"):
        for number in range(25):
            save(tmp_path / label / ("" if number < 5 else "session2") / f"{number:02}.png", number)
    found = loaded(tmp_path)
    assert len(found.train) + len(found.test) == 50
    assert found.source.endswith("drawn from seed 0; 40 images in folders below a label's folder")
    (tmp_path / "a" / "session2" / "notes.txt").touch()
    assert loaded(tmp_path).source.endswith("below a label's folder; 1 file that is no image ignored")


def test_links_to_folders_below_a_label_are_followed_but_not_in_circles(tmp_path):
    folder = write_folder(tmp_path / "images", {"cats": 2, "dogs": 2})
    for number in range(3):
        save(tmp_path / "elsewhere" / f"{number}.png", 50 + number)
    (folder / "cats" / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "cats" / "circle").symlink_to(folder / "cats")
    (tmp_path / "elsewhere" / "circle").symlink_to(folder)
    found = loaded(folder)
    assert sorted(numbers(found.train) + numbers(found.test)) == [0, 1, 2, 3, 50, 51, 52]


def test_tiny_imagenet(tmp_path):
    """Labels have images/ and a list of boxes; val/ has a list of labels, and test/ has no labels at all."""
    for number, label in enumerate(("n01443537", "n01629819")):
        for image in range(3):
            save(tmp_path / "train" / label / "images" / f"{label}_{image}.JPEG", 10 * number + image)
        (tmp_path / "train" / label / f"{label}_boxes.txt").write_text("n01443537_0.JPEG\t0\t10\t63\t58\n")
    for image in range(4):
        save(tmp_path / "val" / "images" / f"val_{image}.JPEG", 100 + image)
        save(tmp_path / "test" / "images" / f"test_{image}.JPEG", 200 + image)
    lines = [
        f"val_{image}.JPEG\t{label}\t0\t32\t44\t62\n" for image, label in enumerate(("n01629819", "n01443537") * 2)
    ]
    (tmp_path / "val" / "val_annotations.txt").write_text("".join(lines))
    found = loaded(tmp_path)
    assert found.label_names == ["n01443537", "n01629819"]
    assert numbers(found.train) == [0, 1, 2, 10, 11, 12]
    assert (numbers(found.test), found.test.labels.tolist()) == ([101, 103, 100, 102], [0, 0, 1, 1])
    said = (
        "6 images in folders below a label's folder; 2 files that are no images ignored; not used: test/ with 4 images"
    )
    assert found.source == f"image folder with train/ and val/; {said}"
    (tmp_path / "val" / "images" / "val_1.JPEG").rename(tmp_path / "val" / "images" / "val_9.JPEG")
    place = tmp_path / "val" / "val_annotations.txt"
    assert refusal(tmp_path) == f"{place}, line 2: names 'val_1.JPEG', which is not there. Unpack the data set again"
    place.write_text("".join(lines).replace("val_1.", "val_9.").replace(lines[3], ""))
    assert refusal(tmp_path).endswith("val_3.JPEG: val_annotations.txt has no line for it. Unpack the data set again")
    place.write_text("val_0.JPEG n01629819")
    assert "line 1: 'val_0.JPEG n01629819'; expected an image, a tab and its label" in refusal(tmp_path)


def test_parts_that_are_not_used_are_named(tmp_path):
    for name, count in (("train", 4), ("val", 2), ("test", 3), ("extra", 1)):
        write_folder(tmp_path, {"cats": count, "dogs": count}, name)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "LICENCE").touch()
    assert loaded(tmp_path).source == (
        "image folder with train/ and test/; not used: extra/ with 2 images, val/ with 4 images"
    )


def test_folders_of_systems_are_passed_over(tmp_path):
    folder = write_folder(tmp_path, COUNTS)
    expected = loaded(folder).checksums
    for name in ("lost+found", "@eaDir", ".ipynb_checkpoints", "__MACOSX", "$RECYCLE.BIN", "#recycle"):
        for place in (folder / name, folder / "cats" / name):
            place.mkdir()
            save(place / "image.png", 200)
    assert loaded(folder).checksums == expected
    assert loaded(folder).source.endswith("drawn from seed 0")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take one form for the other")
def test_labels_that_differ_only_in_their_unicode_form_are_one(tmp_path):
    composed, taken_apart = "caf\u00e9", "cafe\u0301"
    write_folder(tmp_path / "a", {composed: 3, "tea": 2}, "train")
    write_folder(tmp_path / "a", {taken_apart: 1, "tea": 1}, "test")
    assert loaded(tmp_path / "a").label_names == [composed, "tea"]
    both = loaded(write_folder(tmp_path / "b", {composed: 3, taken_apart: 4, "tea": 2}))
    assert both.label_names == [composed, "tea"]
    assert Counter(both.train.labels.tolist() + both.test.labels.tolist()) == {0: 7, 1: 2}


def test_train_and_test_below_every_label_are_not_mixed(tmp_path):
    for label in ("cats", "dogs"):
        write_folder(tmp_path / label, {"Train": 2, "val": 1})
    assert refusal(tmp_path) == (
        f"{tmp_path / 'cats'}: holds Train/ and val/; nobody can say whether they are parts of label 'cats' or of a "
        "data set of its own. Expected Train/LABEL/* and val/LABEL/*"
    )


def test_images_of_every_kind_side_by_side(tmp_path):
    for label, number in (("a", 10), ("b", 200)):
        (tmp_path / label).mkdir()
        grey = Image.new("L", (30, 20), number)
        for mode, name in (("L", "1.JPG"), ("CMYK", "2.jpeg"), ("P", "3.gif"), ("RGBA", "4.webp"), ("1", "5.Tiff")):
            grey.convert(mode).resize((9 + number, 7)).save(tmp_path / label / name)
    found = loaded(tmp_path)
    assert len(found.train) + len(found.test) == 10
    assert isinstance(found.train.images, ImageFiles)
    assert found.train.images.decoded().shape == (8, 4, 4, 3)


# What cannot be used


def test_no_folder(tmp_path):
    with pytest.raises(Problem, match=r"--data folder needs --data-dir, a folder with images as train/LABEL/\* and "):
        data.load(Options(data="folder"))
    assert refusal(tmp_path / "none") == f"--data-dir {tmp_path / 'none'}: no such folder"
    assert refusal(tmp_path).startswith(f"--data-dir {tmp_path}: the folder is empty. Expected images as train/LABEL/*")


def test_no_labels(tmp_path):
    save(tmp_path / "cat.png", 1)
    assert refusal(tmp_path) == (
        f"{tmp_path}: holds no folders, and 1 image outside; expected a folder of images for each label, at least 2, "
        "or another form of docs/inputs.md"
    )
    save(tmp_path / "cats" / "cat.png", 1)
    assert "holds one folder, cats/, and 1 image outside; expected a folder" in refusal(tmp_path)


def test_one_image_of_a_label(tmp_path):
    folder = write_folder(tmp_path, {"cats": 2, "dogs": 1})
    assert refusal(folder) == (
        f"{folder / 'dogs' / 'image 002.png'}: the only image of 'dogs'; a label needs one to train and one to test"
    )
    write_folder(tmp_path / "b", {"cats": 1, "dogs": 1}, "train")
    write_folder(tmp_path / "b", {"cats": 1, "dogs": 1}, "test")
    assert len(loaded(tmp_path / "b").train) == 2  # where test images are there, one is enough


def test_a_label_without_images(tmp_path):
    folder = write_folder(tmp_path, COUNTS)
    (folder / "zebras").mkdir()
    where = f"{folder / 'zebras'}: no images of label 'zebras': "
    assert refusal(folder) == f"{where}it is empty. Fill the folder, or remove it"
    (folder / "zebras" / "photo.heic").touch()
    (folder / "zebras" / "more").mkdir()
    assert refusal(folder) == f"{where}its only file is no image (by its suffix). Fill the folder, or remove it"
    (folder / "zebras" / "more" / "photo.raw").touch()
    assert refusal(folder) == f"{where}none of its 2 files is an image (by its suffix). Fill the folder, or remove it"


def test_labels_that_differ_between_train_and_test(tmp_path):
    write_folder(tmp_path, dict.fromkeys("abcdefgh", 1), "train")
    write_folder(tmp_path, dict.fromkeys("ai", 1), "test")
    words = "train/ and test/ must have the same"
    assert refusal(tmp_path) == f"{tmp_path / 'test'}: no folder for label b, c, d, e, f ...; {words}"
    write_folder(tmp_path, dict.fromkeys("bcdefgh", 1), "test")
    assert refusal(tmp_path) == f"{tmp_path / 'train'}: no folder for label i; {words}"


def test_test_images_without_training_images(tmp_path):
    write_folder(tmp_path, {"cats": 2, "dogs": 2}, "val")
    assert refusal(tmp_path) == (f"{tmp_path}: has val/ with a folder a label, and no such train/. Add train/LABEL/*")


def test_more_labels_than_a_result_has_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr(class_folders, "MAX_LABELS", 3)
    folder = write_folder(tmp_path, COUNTS)
    assert refusal(folder) == f"{folder}: holds 4 folders, one a label; a result has room for 3"


def test_names_that_a_result_cannot_hold(tmp_path):
    for number, name in enumerate(("two\nlines", "bell\a")):
        folder = write_folder(tmp_path / str(number), {"cats": 2, name: 2})
        assert f"{ascii(name)[1:-1]}': the folder's name is the label's; rename it to at most 256" in refusal(folder)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 only")
def test_a_name_that_is_not_in_utf8(tmp_path):
    folder = write_folder(tmp_path, {"cats": 2, os.fsdecode(b"d\xf6gs"): 2})
    assert "d\\udcf6gs': the name is not in UTF-8; rename the folder" in refusal(folder)


def test_file_names_may_be_anything(tmp_path):
    folder = write_folder(tmp_path, {"cats": 2, "dogs": 2})
    before = loaded(folder).checksums
    if sys.platform != "darwin":
        (folder / "cats" / "image 000.png").rename(folder / "cats" / os.fsdecode(b"c\xe4t\n.png"))
        assert loaded(folder).checksums != before
        images = loaded(folder).train.images
        assert isinstance(images, ImageFiles) and len(images.decoded()) == 2


# The command line


def test_each_folder_has_its_own_file():
    def path(folder: str) -> str:
        return str(output_path(Options(data="folder", data_dir=Path(folder))))

    assert path("my/flowers") == path("my/flowers/") == "runs/vgg16-folder-flowers.h5"
    assert path("my/größe [1] *") == "runs/vgg16-folder-größe_1_.h5"
    assert path(".") == f"runs/vgg16-folder-{Path.cwd().name}.h5"
    assert str(output_path(Options(data="imagenet", data_dir=Path("x")))) == "runs/vgg16-imagenet.h5"


@pytest.mark.parametrize("name", ["imagenet", "folder"])
def test_a_data_set_that_is_never_downloaded_needs_a_folder(name):
    with pytest.raises(Problem) as problem:
        parse(["--data", name])
    assert message(problem.value).startswith(f"--data {name} needs --data-dir, a folder with ")
    assert parse(["--data", name, "--data-dir", "x"]).data_dir == Path("x")
    assert is_here(Options(data=name))  # so that a dry run reads it as well
