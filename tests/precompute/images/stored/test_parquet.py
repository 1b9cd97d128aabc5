"""Parquet files as `datasets` writes them: the names in the file win over any order of ours."""

import json

import numpy as np
import polars as pl
import pytest

from precompute.images.stored import parquet, reading
from precompute.images.stored.tables import LABEL_COLUMNS
from precompute.messages.problem import Problem
from tests.image_folders import png
from tests.stored_images import NAMES, TWO, colours, library, table, write_parquet


def read(folder, wanted=LABEL_COLUMNS, texts=True):
    return parquet.read(folder, parquet.files_in(folder), wanted, texts)


def written(folder, part: str = "train", feature=None, **columns):
    """A file by another program: columns, and what `datasets` would keep of the labels, if anything."""
    folder.mkdir(exist_ok=True)
    metadata = {} if feature is None else {"huggingface": json.dumps({"info": {"features": {"label": feature}}})}
    pl.DataFrame(columns).write_parquet(folder / f"{part}.parquet", metadata=metadata)
    return folder


def encoded(count: int) -> pl.Series:
    return pl.Series([png(np.full((8, 8, 3), row, np.uint8)) for row in range(count)], dtype=pl.Binary)


def test_several_files_of_a_part_come_in_their_order(tmp_path):
    images, labels = colours({"train": 4})["train"]
    (tmp_path / "data").mkdir()
    for number, rows in enumerate((slice(0, 5), slice(5, 12))):
        table(images[rows], labels[rows]).to_parquet(tmp_path / "data" / f"train-{number:05}-of-00002.parquet")
    found = read(tmp_path)
    assert found.parts.keys() == {"train"}
    assert found.label_names == NAMES
    np.testing.assert_array_equal(found.parts["train"].labels, labels)


def test_files_that_number_their_labels_differently_are_not_mixed(tmp_path):
    images, labels = colours({"train": 2})["train"]
    table(images, labels).to_parquet(tmp_path / "test.parquet")
    table(images, labels, NAMES[::-1]).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(Problem, match=r"names its labels mole, ant, zebra; another .* zebra, ant, mole"):
        read(tmp_path)


def test_images_that_are_files_names_are_read_where_the_files_are(tmp_path):
    """`datasets` keeps names alone of images that were given as names."""
    images, labels = colours({"train": 2})["train"]
    places = [tmp_path / f"{row}.png" for row in range(len(images))]
    for place, image in zip(places, images, strict=True):
        place.write_bytes(png(image))
    (tmp_path / "data").mkdir()
    table([str(place) for place in places], labels).to_parquet(tmp_path / "data" / "train.parquet")
    frame = pl.read_parquet(tmp_path / "data" / "train.parquet")
    assert frame["image"].struct.field("bytes").null_count() == len(frame), "else this tests nothing"
    found = read(tmp_path / "data").parts["train"]
    assert [image.read_bytes() for image in found.images] == [place.read_bytes() for place in places]
    places[3].unlink()
    with pytest.raises(Problem, match=r"train.parquet, row 3: holds no image, only its name, .*3\.png', where nothing"):
        read(tmp_path / "data")


def test_names_relative_to_the_file(tmp_path):
    folder = tmp_path / "data"
    stored = [{"bytes": None, "path": "images/a.png"}]
    kind = pl.Struct({"bytes": pl.Binary, "path": pl.String})
    written(folder, image=pl.Series(stored, dtype=kind), label=[1])
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(b"content")
    assert read(folder).parts["train"].images[0].read_bytes() == b"content"


def test_columns_of_other_programs(tmp_path):
    found = read(written(tmp_path / "a", image=encoded(2), label=["cat", "ant"]))
    assert found.parts["train"].labels == ["cat", "ant"]
    found = read(written(tmp_path / "b", jpg=encoded(2), target=[3, 1], n=[9, 9]))
    assert found.parts["train"].labels.tolist() == [3, 1]
    assert found.label_names is None
    names = {"_type": "ClassLabel", "names": ["x", "y"]}
    found = read(written(tmp_path / "c", feature=names, image=encoded(2), labels=[7, 8], label=[1, 0]))
    assert (found.label_names, found.parts["train"].labels.tolist()) == (["x", "y"], [1, 0])


@pytest.mark.parametrize(
    "feature",
    [
        {"_type": "Value"}, {"_type": "ClassLabel"}, {"_type": "ClassLabel", "names": []}, [1], "x",
        {"_type": "ClassLabel", "names": ["a", 1]}, {"_type": "ClassLabel", "names": ["a", "a"]},
    ],
)  # fmt: skip
def test_metadata_that_names_no_labels_is_as_none(feature, tmp_path):
    found = read(written(tmp_path / "a", feature=feature, image=encoded(2), label=[1, 0]))
    assert found.label_names is None


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"image": encoded(2), "score": [0.1, 0.2]}, "expected encoded images .* and labels, numbers or names"),
        ({"pixels": [1, 2], "label": [0, 1]}, "expected encoded images"),
        ({"image": encoded(2), "label": [0, None]}, "inputs without a label in column 'label'"),
    ],
)
def test_columns_that_are_no_images_and_labels(columns, words, tmp_path):
    with pytest.raises(Problem, match=words) as problem:
        read(written(tmp_path / "a", **columns))
    assert str(problem.value).startswith(str(tmp_path / "a" / "train.parquet"))


@pytest.mark.parametrize("kept", [0, 0.03, 0.5, 0.97])
def test_a_file_that_was_cut_off_is_named(kept, tmp_path):
    folder = write_parquet(tmp_path / "images", colours(TWO))
    path = folder / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(Problem, match=r"cut off or damaged .* Unpack or download it again") as problem:
        read(folder)
    assert str(problem.value).startswith(str(path))


def test_rows_that_so_small_a_file_cannot_hold(tmp_path):
    """A dictionary's one entry, said to be repeated without end."""
    rows = pl.repeat(0, 5_000_000, eager=True)
    folder = written(tmp_path / "a", image=pl.Series([b"x"], dtype=pl.Binary).gather(rows), label=rows)
    assert (folder / "train.parquet").stat().st_size < 5_000_000, "else this tests nothing"
    with pytest.raises(Problem, match="says that it has 5000000 rows, which so small a file cannot hold"):
        read(folder)


def test_what_would_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    folder = write_parquet(tmp_path / "images", colours(TWO))
    assert reading.read(folder) is not None
    monkeypatch.setattr("precompute.images.stored.tables.free_memory", lambda: 3000)
    with pytest.raises(Problem, match=r"in 2 files are read into memory, of which 3 kB are free. Write the images out"):
        reading.read(folder)


def test_the_library_reads_what_we_call_its_form(tmp_path):
    """The files of these tests are `datasets`' own, names included."""
    folder = write_parquet(tmp_path / "images", colours(TWO))
    files = {"train": str(folder / "train-00000-of-00001.parquet")}
    back = library("datasets").load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert back["train"].features["label"].names == NAMES
