"""Names and numbers are known before pixels, and are those that reading gives."""

import pytest

from precompute.images import data
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
