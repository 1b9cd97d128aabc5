"""The folder that save_to_disk makes: all parts, or one; what it names is looked for in it and nowhere else."""

import json

import numpy as np
import pytest

from precompute.images.stored import arrow
from precompute.images.stored.found import WHOLE
from precompute.images.stored.tables import LABEL_COLUMNS
from precompute.messages.problem import Problem
from tests.image_folders import png
from tests.stored_images import NAMES, TWO, colours, table, write_saved


def read(folder):
    assert arrow.is_there(folder)
    return arrow.read(folder, LABEL_COLUMNS, texts=True)


def test_one_part_in_several_files(tmp_path):
    images, labels = colours({"train": 6})["train"]
    table(images, labels).save_to_disk(str(tmp_path / "saved"), num_shards=3)
    assert len(list((tmp_path / "saved").glob("*.arrow"))) == 3
    found = read(tmp_path / "saved")
    assert found.label_names == NAMES
    assert found.parts.keys() == {WHOLE}
    np.testing.assert_array_equal(found.parts[WHOLE].labels, labels)


def test_images_given_as_files_names_are_kept_as_images(tmp_path):
    images, labels = colours({"train": 2})["train"]
    places = [tmp_path / f"{row}.png" for row in range(len(images))]
    for place, image in zip(places, images, strict=True):
        place.write_bytes(png(image))
    table([str(place) for place in places], labels).save_to_disk(str(tmp_path / "saved"))
    expected = [place.read_bytes() for place in places]
    for place in places:
        place.unlink()
    assert [image.read_bytes() for image in read(tmp_path / "saved").parts[WHOLE].images] == expected


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("dataset_dict.json", {"splits": ["train", "../other"]}, "names '../other', which is no file or folder in it"),
        ("dataset_dict.json", {"splits": 3}, "names no splits"),
        ("dataset_dict.json", [], "cut off or damaged"),
        ("dataset_dict.json", {"splits": []}, "names no Arrow files"),
        ("train/state.json", {"_data_files": [{"filename": "/etc/passwd"}]}, "names '/etc/passwd', which is no file"),
        ("train/state.json", {"_data_files": [{"filename": "data-1.arrow"}]}, "data-1.arrow: missing; half-copied"),
        ("train/state.json", {"_data_files": [{}]}, "names 'None'|None: missing"),
        ("train/dataset_info.json", None, "dataset_info.json: missing; half-copied"),
        ("train/dataset_info.json", "{", "cut off or damaged"),
    ],
)
def test_a_folder_that_is_not_whole(file, content, words, tmp_path):
    folder = write_saved(tmp_path / "saved", colours(TWO))
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(Problem, match=words):
        read(folder)


@pytest.mark.parametrize("kept", [0, 0.03, 0.5])
def test_a_file_that_was_cut_off_is_named(kept, tmp_path):
    folder = write_saved(tmp_path / "saved", colours(TWO))
    (path,) = (folder / "test").glob("*.arrow")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(Problem) as problem:
        read(folder)
    assert str(problem.value).startswith(str(path))
