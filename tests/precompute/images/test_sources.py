"""A data set is the same in whichever form and folder it comes."""

import functools
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image

from precompute.messages.problem import Problem
from tests import stored_images
from tests.image_folders import (
    NAMES,
    WRITERS,
    parquet_frame,
    python2_pickle,
    read_folder,
    tiny,
    write_parquet,
    write_pickles,
    written,
)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("form", WRITERS)
def test_every_form_gives_the_same_arrays(form, name, tmp_path):
    found = read_folder(written(tmp_path, form, name), name)
    assert found.form == form
    for split, (images, labels) in tiny(name).items():
        read_images, read_labels = getattr(found, split)
        np.testing.assert_array_equal(read_images, images)
        np.testing.assert_array_equal(read_labels, labels)
        assert (read_images.dtype, read_labels.dtype) == (np.uint8, np.int64)


def test_the_pickles_may_also_lie_in_the_folder_itself(tmp_path):
    inner = written(tmp_path, "torchvision's pickles") / "cifar-10-batches-py"
    np.testing.assert_array_equal(read_folder(inner).test[0], tiny("cifar10")["test"][0])


def test_parquet_in_several_files_is_read_in_their_order(tmp_path):
    splits = tiny("cifar10")
    folder = write_parquet(tmp_path / "images", "cifar10", splits)
    whole = folder / "plain_text" / "train-00000-of-00001.parquet"
    frame = pl.read_parquet(whole)
    whole.unlink()
    for part in range(3):
        frame[part * 20 : part * 20 + 20].write_parquet(whole.with_name(f"train-{part:05}-of-00003.parquet"))
    np.testing.assert_array_equal(read_folder(folder).train[0], splits["train"][0])


def test_parquet_with_bare_bytes_and_a_column_called_label(tmp_path):
    splits = tiny("cifar100")
    (tmp_path / "images").mkdir()
    for split, labelled in splits.items():
        frame = parquet_frame("cifar100", *labelled)
        bare = frame.select(image=pl.col("img").struct.field("bytes"), label=pl.col("fine_label"))
        bare.write_parquet(tmp_path / "images" / f"my {split} [1].parquet")
    np.testing.assert_array_equal(read_folder(tmp_path / "images", "cifar100").train[0], splits["train"][0])


@pytest.mark.parametrize(
    ("name", "form", "suffix"),
    [
        ("capitals", "PNG", ".PNG"),
        ("WebP", "WEBP", ".webp"),
        ("bare", "PNG", ""),
        ("BMP", "BMP", ".bmp"),
    ],
)
def test_an_image_is_what_its_bytes_say(name, form, suffix, tmp_path):
    folder = written(tmp_path, "image folder")
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            image.save(path.with_name(path.stem + suffix), form, lossless=True)
        path.unlink()
    np.testing.assert_array_equal(read_folder(folder).train[0], tiny("cifar10")["train"][0])


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1"])
def test_grey_palette_and_transparent_images_are_read_as_rgb(mode, tmp_path):
    folder = written(tmp_path, "image folder")
    path = sorted((folder / "test" / "cat").iterdir())[0]
    with Image.open(path) as image:
        converted = image.convert(mode)
    converted.save(path)
    index = NAMES["cifar10"].index("cat") * 2
    np.testing.assert_array_equal(read_folder(folder).test[0][index], np.asarray(converted.convert("RGB")))


def test_what_systems_leave_behind_is_not_read(tmp_path):
    folder = written(tmp_path, "image folder")
    for place in ("", "train", "train/cat", "test/dog"):
        for litter in (".DS_Store", "Thumbs.db", "desktop.ini", "._00001.png"):
            (folder / place / litter).write_bytes(b"\0\0\0\1Bud1")
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    (folder / ".cache").mkdir()
    (folder / ".cache" / "train.parquet").write_bytes(b"PAR1")
    np.testing.assert_array_equal(read_folder(folder).train[0], tiny("cifar10")["train"][0])


def test_folders_and_files_may_be_links_and_names_may_be_odd(tmp_path):
    real = written(tmp_path, "image folder").rename(tmp_path / "a größe [1] *")
    linked = tmp_path / "linked"
    (linked / "train").mkdir(parents=True)
    (linked / "test").symlink_to(real / "test")
    for label in (real / "train").iterdir():
        (linked / "train" / label.name).symlink_to(label)
    np.testing.assert_array_equal(read_folder(linked).train[0], tiny("cifar10")["train"][0])
    np.testing.assert_array_equal(read_folder(real).train[0], tiny("cifar10")["train"][0])
    odd = written(tmp_path / "b [2] *", "parquet")
    np.testing.assert_array_equal(read_folder(odd).train[0], tiny("cifar10")["train"][0])


# Label names of the file


def write_named(folder, order):
    """CIFAR-100 as `datasets` writes it, the labels under other numbers. order: our number -> the file's."""
    datasets = stored_images.library("datasets")
    datasets.disable_progress_bars()
    names = [label for _, label in sorted(zip(order.tolist(), NAMES["cifar100"], strict=True))]
    features = datasets.Features({"img": datasets.Image(), "fine_label": datasets.ClassLabel(names=names)})
    folder.mkdir()
    for split, (images, labels) in tiny("cifar100").items():
        columns = {"img": [Image.fromarray(image) for image in images], "fine_label": order[labels].tolist()}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(folder / f"{split}.parquet")
    return folder


def test_names_in_the_file_win_over_our_numbers(tmp_path):
    order = np.random.default_rng(0).permutation(100)
    found = read_folder(write_named(tmp_path / "images", order), "cifar100")
    for split, (images, labels) in tiny("cifar100").items():
        np.testing.assert_array_equal(getattr(found, split)[0], images)
        np.testing.assert_array_equal(getattr(found, split)[1], labels)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_names_beside_pickles_win_too(name, tmp_path):
    order = np.random.default_rng(0).permutation(len(NAMES[name]))  # our number -> the file's
    splits = {split: (images, order[labels]) for split, (images, labels) in tiny(name).items()}
    folder = write_pickles(tmp_path / "images", name, splits)
    names = [label for _, label in sorted(zip(order.tolist(), NAMES[name], strict=True))]
    place, key = {"cifar10": ("batches.meta", "label_names"), "cifar100": ("meta", "fine_label_names")}[name]
    (path,) = [inner / place for inner in folder.iterdir()]
    path.write_bytes(python2_pickle({key: names}))
    for split, (_, labels) in tiny(name).items():
        np.testing.assert_array_equal(getattr(read_folder(folder, name), split)[1], labels)
    path.write_bytes(python2_pickle({key: [1, 2]}))
    with pytest.raises(Problem, match=f"{place}: damaged or cut off"):
        read_folder(folder, name)


def test_names_that_are_not_the_data_sets_are_another_data_set(tmp_path, monkeypatch):
    folder = tmp_path / "images"
    monkeypatch.setitem(NAMES, "cifar100", ["kiwi", *NAMES["cifar100"][1:]])
    write_named(folder, np.arange(100))
    monkeypatch.undo()
    with pytest.raises(Problem, match=r"names 100 labels \(kiwi, .*; kiwi is not in both. It is another data set"):
        read_folder(folder, "cifar100")


@pytest.mark.parametrize("form", stored_images.WRITERS)
def test_cifar_in_files_of_many_images(form, tmp_path, monkeypatch):
    monkeypatch.setattr(stored_images, "NAMES", NAMES["cifar10"])
    splits = tiny("cifar10")
    monkeypatch.setattr(stored_images, "table", functools.partial(stored_images.table, names=NAMES["cifar10"]))
    found = read_folder(stored_images.WRITERS[form](tmp_path / "images", splits))
    assert found.form == form
    for split, (images, labels) in splits.items():
        np.testing.assert_array_equal(getattr(found, split)[0], images)
        np.testing.assert_array_equal(getattr(found, split)[1], labels)
    left = next(path for path in sorted((tmp_path / "images").rglob("*test*")) if path.is_file() or path.is_dir())
    shutil.rmtree(left) if left.is_dir() else left.unlink()
    with pytest.raises(Problem, match=r"no test part|no test parquet file|missing"):
        read_folder(tmp_path / "images")
