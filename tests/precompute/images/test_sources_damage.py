"""A damaged or half-filled folder is never taken for a data set; the message names the file and what to do."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from precompute.messages.problem import Problem
from tests.image_folders import (
    WRITERS,
    parquet_frame,
    png,
    read_folder,
    tiny,
    write_image_folder,
    write_parquet,
    written,
)


def refusal(folder: Path, name: str = "cifar10") -> str:
    """What a person is told, in one line."""
    with pytest.raises(Problem) as problem:
        read_folder(folder, name)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_a_missing_or_empty_folder(tmp_path):
    assert refusal(tmp_path / "none") == f"--data-dir {tmp_path / 'none'}: no such folder"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal(empty).startswith(f"--data-dir {empty}: the folder is empty. Expected cifar-10-batches-py/")
    (empty / ".DS_Store").touch()
    assert "the folder is empty" in refusal(empty)
    (empty / "cifar-10-python.tar.gz").touch()  # downloaded, not unpacked
    assert f"{empty}: holds no cifar10. Expected cifar-10-batches-py/" in refusal(empty)


@pytest.mark.parametrize(
    ("form", "missing", "named"),
    [
        ("image folder", "test", "has no test/ folder; half-filled"),
        ("image folder", "train", "has no train/ folder; half-filled"),
        ("image folder", "test/frog", "no folder for label frog; half-filled"),
        ("parquet", "plain_text/test-00000-of-00001.parquet", "no test parquet file; half-downloaded"),
        ("parquet", "plain_text/train-00000-of-00001.parquet", "no train parquet file; half-downloaded"),
        ("torchvision's pickles", "cifar-10-batches-py/test_batch", "test_batch: missing; the folder is half-filled"),
        ("torchvision's pickles", "cifar-10-batches-py/data_batch_3", "data_batch_3: missing"),
    ],
)
def test_a_part_is_missing(form, missing, named, tmp_path):
    folder = written(tmp_path, form)
    read_folder(folder)
    path = folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert str(folder) in refusal(folder)
    assert named in refusal(folder)
    assert refusal(folder).endswith("Unpack or download it again")


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("image folder", "test/frog/00012.png"),
        ("parquet", "plain_text/test-00000-of-00001.parquet"),
        ("torchvision's pickles", "cifar-10-batches-py/data_batch_3"),
    ],
)
@pytest.mark.parametrize("kept", [0.0, 0.03, 0.5, 0.97])
def test_a_file_that_was_cut_off_is_named(form, file, kept, tmp_path):
    folder = written(tmp_path, form)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: int(len(content) * kept)])
    assert refusal(folder).startswith(f"{folder / file}: ")
    assert refusal(folder).endswith("Unpack or download it again")


@pytest.mark.parametrize("form", WRITERS)
def test_damaged_bytes_are_refused_in_words_or_change_nothing_but_pixels(form, tmp_path):
    """Only Problem may come out, whatever a decoder trips over."""
    folder = written(tmp_path, form)
    path = sorted(path for path in folder.rglob("*") if path.is_file())[-1]
    content, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        span = 600 if random.random() < 0.7 else len(content)  # most of it where the structure is
        for place in random.integers(0, min(span, len(content)), random.integers(1, 4)):
            damaged[place if random.random() < 0.5 else -place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            found = read_folder(folder)
        except Problem:
            refused += 1
        else:
            assert len(found.test[0]) == len(found.test[1]) == 20
    assert refused > 10


def test_an_image_of_another_size_is_named(tmp_path):
    folder = written(tmp_path, "image folder")
    path = folder / "train" / "ship" / "00041.png"
    path.write_bytes(png(np.zeros((32, 48, 3), np.uint8)))
    assert refusal(folder) == f"{path}: 48x32 pixels, expected 32x32; scale it"


def test_an_image_of_16_bits_is_named(tmp_path):
    folder = written(tmp_path, "image folder")
    path = folder / "train" / "ship" / "00041.png"
    Image.fromarray(np.full((32, 32), 40_000, np.uint16)).save(path)
    assert refusal(folder) == f"{path}: more than 8 bits a pixel; convert it to 8 bits"


def test_a_row_of_a_parquet_file_is_named(tmp_path):
    images, labels = tiny("cifar10")["test"]
    folder = written(tmp_path, "parquet")
    frame = parquet_frame("cifar10", images, labels)
    encoded = frame["img"].struct.field("bytes").to_list()
    for bad, words in ((None, "not a readable image"), (png(images[0][:16]), "32x16 pixels, expected 32x32")):
        encoded[13] = bad
        path = folder / "plain_text" / "test-00000-of-00001.parquet"
        pl.DataFrame({"image": pl.Series(encoded, dtype=pl.Binary), "label": labels}).write_parquet(path)
        assert refusal(folder).startswith(f"{path}, row 13: {words}")


def test_a_text_file_among_the_images_is_named(tmp_path):
    folder = written(tmp_path, "image folder")
    (folder / "test" / "cat" / "README.txt").write_text("cats")
    expected = f"{folder / 'test' / 'cat' / 'README.txt'}: not a readable image (of no known kind)"
    assert refusal(folder).startswith(expected)


def test_fewer_images_of_a_label_are_counted(tmp_path):
    folder = written(tmp_path, "image folder")
    (folder / "test" / "frog" / "00012.png").unlink()
    assert f"{folder}: half-filled: test has 1 images of 'frog' and 2 of 'airplane'" in refusal(folder)
    (folder / "test" / "frog" / "00013.png").unlink()
    assert f"{folder / 'test' / 'frog'}: no images" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.col("label") - 1, "labels -1 to 8, expected 0 to 9"),
        (pl.col("label") + 1, "labels 1 to 10, expected 0 to 9"),
        (pl.when(pl.col("label") > 0).then(pl.col("label")).alias("label"), "inputs without a label"),
        (pl.col("label").cast(pl.String), "expected encoded images ('img') and integer labels"),
        (pl.col("label").cast(pl.Float64), "expected encoded images ('img') and integer labels"),
        (pl.lit(7).alias("img"), "expected encoded images ('img') and integer labels"),
        (pl.struct(data=pl.lit(b"")).alias("img"), "expected encoded images ('img') and integer labels"),
    ],
)
def test_columns_that_are_not_what_they_should_be(change, words, tmp_path):
    folder = written(tmp_path, "parquet")
    path = folder / "plain_text" / "test-00000-of-00001.parquet"
    pl.read_parquet(path).with_columns(change).write_parquet(path)
    assert words in refusal(folder)


def test_a_split_without_images(tmp_path):
    folder = written(tmp_path, "parquet")
    path = folder / "plain_text" / "test-00000-of-00001.parquet"
    pl.read_parquet(path).clear().write_parquet(path)
    assert f"{folder}: test holds no images" in refusal(folder)


def test_another_data_set_is_refused(tmp_path):
    images = write_image_folder(tmp_path / "a", "cifar10", tiny("cifar10"))
    assert "no folder for label apple, aquarium_fish, baby, bear, beaver ...; half-filled, or another" in refusal(
        images, "cifar100"
    )
    parquet = write_parquet(tmp_path / "b", "cifar100", tiny("cifar100", 1, 1))
    assert "columns" in refusal(parquet, "cifar10")
    pickles = written(tmp_path / "c", "torchvision's pickles", "cifar100")
    assert "holds no cifar10. Expected cifar-10-batches-py/" in refusal(pickles, "cifar10")


def test_folders_of_other_labels_are_not_passed_over(tmp_path):
    images = written(tmp_path, "image folder")
    (images / "train" / ".cache").mkdir()
    read_folder(images)
    (images / "train" / "zebra").mkdir()
    assert (
        refusal(images)
        == f"{images / 'train'}: folders of other labels, zebra; --data folder takes images of any labels"
    )


# Pickles


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "not cifar100"),
        ({"data": np.zeros((4, 3072), np.uint8)}, "no entry 'fine_labels'"),
        ({b"data": np.zeros((4, 3072), np.uint8), b"fine_labels": [0] * 4}, "no entry 'data'"),  # keys as bytes
        ({"data": np.zeros((4, 3071), np.uint8), "fine_labels": [0] * 4}, "cannot reshape"),
        ({"data": np.zeros((4, 3072), np.int64), "fine_labels": [0] * 4}, "pixels of type int64, expected uint8"),
        ({"data": np.zeros((4, 3072), np.uint8), "fine_labels": [0] * 3}, "4 images and 3 labels; damaged"),
    ],
)
def test_a_pickle_of_something_else(content, words, tmp_path):
    folder = written(tmp_path, "torchvision's pickles", "cifar100")
    path = folder / "cifar-100-python" / "test"
    path.write_bytes(pickle.dumps(content, protocol=2))
    assert refusal(folder, "cifar100").startswith(f"{path}: ")
    assert words in refusal(folder, "cifar100")


class Runs:
    """Unpickled by a plain unpickler, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_never_runs_anything(tmp_path):
    folder, trace = written(tmp_path, "torchvision's pickles", "cifar100"), tmp_path / "it ran"
    path = folder / "cifar-100-python" / "train"
    path.write_bytes(pickle.dumps({"data": Runs(trace), "fine_labels": []}, protocol=2))
    assert "which a data set has no need of" in refusal(folder, "cifar100")
    assert not trace.exists()
    with path.open("rb") as stream:  # it would have: the test can fail
        pickle.load(stream)
    assert trace.exists()


@pytest.mark.parametrize(
    "called", ["os system", "builtins eval", "numpy load", "numpy.core.multiarray fromfile", "_codecs open"]
)
def test_only_arrays_are_built(called, tmp_path):
    folder = written(tmp_path, "torchvision's pickles", "cifar100")
    opcodes = "\x80\x02c" + called.replace(" ", "\n") + "\n(U\x04tesxtR."
    (folder / "cifar-100-python" / "train").write_bytes(opcodes.encode("latin1"))
    assert f"it wants to run {called.replace(' ', '.')}, which a data set has no need of" in refusal(folder, "cifar100")
