"""Names and numbers are known before pixels, and are those that reading gives."""

import numpy as np
import pytest

from precompute.images import data
from precompute.images.image_files import ImageFiles
from precompute.images.outline import Sizes, missing_images, outline
from precompute.messages.problem import Problem
from precompute.options import Options, parse
from tests.image_folders import WRITERS, tiny, write_image_folder, written


def known_and_read(options: Options) -> list[tuple[Sizes, list[str], str]]:
    known, read = outline(options), data.load(options)
    return [(known.sizes, known.label_names, known.source), (read.sizes, read.label_names, f"read from {read.source}")]


@pytest.mark.parametrize("labels", [None, *range(2, 10)])
def test_of_digits(labels):
    more = [] if labels is None else ["--labels", str(labels)]
    options = parse(["--data", "digits", *more])
    known, read = known_and_read(options)
    assert known == read
    assert missing_images(options, outline(options).sizes) == ""


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("form", WRITERS)
def test_of_every_form_of_cifar(form, name, tmp_path):
    folder = written(tmp_path, form, name)
    known, read = known_and_read(parse(f"--data {name} --data-dir {folder} --label-seed 3 --labels 7".split()))
    assert known == read


def test_nothing_is_opened_of_images_in_files_of_their_own(tmp_path):
    folder = write_image_folder(tmp_path / "images", "cifar10", tiny("cifar10"))
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    options = parse(["--data", "cifar10", "--data-dir", str(folder)])
    assert (outline(options).sizes.train, outline(options).sizes.test) == (50, 20)
    with pytest.raises(Problem, match="not a readable image"):
        data.load(options)


def test_images_that_are_files_are_listed_by_reading_them():
    assert outline(Options(data="folder")) is None


@pytest.mark.parametrize("per_label", [(1, 1), (3, 2), (144, 36), (10**6, 10**6)])
def test_the_first_images_of_each_label(per_label):
    options = parse(["--data", "digits", "--labels", "4", "--per-label", *map(str, per_label)])
    known, read = known_and_read(options)
    assert known == read
    some, whole = data.load(options), data.load(Options(data="digits", labels=4))
    for most, part, of in zip(per_label, (some.train, some.test), (whole.train, whole.test), strict=True):
        for label in range(4):
            expected = np.asarray(of.images)[of.labels == label][:most]
            assert (np.asarray(part.images)[part.labels == label] == expected).all()
    lacks = missing_images(options, read[0])
    assert (lacks == "") == (read[0] == whole.sizes), "a recipe names what is left out"


def test_no_image_of_a_label_is_refused():
    with pytest.raises(Problem, match="--per-label 0 5: at least one image of each label"):
        parse(["--data", "digits", "--per-label", "0", "5"])


def test_files_are_chosen_without_decoding_them(tmp_path):
    folder = write_image_folder(tmp_path / "images", "cifar10", tiny("cifar10"))
    found = data.load(parse(["--data", "folder", "--data-dir", str(folder), "--per-label", "2", "1"]))
    assert (found.sizes.train, found.sizes.test) == (20, 10)
    everything = data.load(parse(["--data", "folder", "--data-dir", str(folder)]))
    assert isinstance(found.train.images, ImageFiles) and isinstance(everything.train.images, ImageFiles)
    assert found.train.images.paths[:2] == everything.train.images.paths[:2]
