"""The same images in every form of files of many: the same data set, under the file's own names of labels."""

from typing import Any

import numpy as np
import pytest

from precompute.images import data
from precompute.images.image_files import ImageFiles
from precompute.images.stored import reading
from precompute.messages.problem import Problem
from precompute.options import Options
from store.file.read import Run
from tests.commands import run_here
from tests.image_folders import WRITERS as CIFAR_WRITERS
from tests.image_trees import message, save, write_folder
from tests.stored_images import KEEP_NAMES, NAMES, SIDE, TWO, WRITERS, colours, write_shards
from tests.tables_in_docs import rows


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


@pytest.mark.parametrize("form", ["parquet", "WebDataset", "NumPy arrays (.npz)"])
def test_one_file_may_be_named(form, tmp_path):
    """Of several data sets in a folder, as MedMNIST keeps them."""
    folder = WRITERS[form](tmp_path / "images", colours({"train": 10}))
    (path,) = folder.iterdir()
    path.with_stem("train-more").write_bytes(b"of another data set")
    found = loaded(path)
    assert found.source == f"{form}; a fifth of each label's images tests, drawn from seed 0"
    assert len(found.train) + len(found.test) == 30


def test_a_file_of_no_form_is_told_so(tmp_path):
    (tmp_path / "image.png").touch()
    with pytest.raises(Problem, match=r"image.png: is a file; name its folder"):
        loaded(tmp_path / "image.png")


def test_an_image_that_cannot_be_decoded_is_named_and_left_out_on_request(tmp_path, capsys):
    parts = colours({"train": 10})
    folder = write_shards(tmp_path / "images", parts)
    path = folder / "train-000000.tar"
    whole = loaded(folder, skip_unreadable=True)
    assert whole.unreadable == 0
    assert isinstance(whole.train.images, ImageFiles)
    bad = whole.train.images.paths[3]
    content = path.read_bytes()
    path.write_bytes(content.replace(bad.read_bytes(), bytes(len(bad.read_bytes()))))
    capsys.readouterr()
    found = loaded(folder, skip_unreadable=True)
    assert (found.unreadable, len(found.train)) == (1, len(whole.train) - 1)
    assert capsys.readouterr().out == f"left out, since it cannot be decoded: {path}, {bad.name}\n"
    with pytest.raises(Problem, match=rf"train-000000.tar, {bad.name}: not a readable image"):
        pixels(loaded(folder).train)


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


def of_medmnist(folder):
    parts = colours({"train": 3, "val": 2, "test": 2})
    content: dict[str, Any] = {f"{part}_images": images for part, (images, _) in parts.items()}
    content |= {f"{part}_labels": labels[:, None] for part, (_, labels) in parts.items()}
    folder.mkdir()
    np.savez_compressed(folder / "pathmnist.npz", **content)
    return folder


def of_keras(folder):
    folder.mkdir()
    content: dict[str, Any] = {}
    for part, (images, labels) in colours(TWO).items():
        content |= {f"x_{part}": images[..., 0], f"y_{part}": labels}
    np.savez(folder / "mnist.npz", **content)
    return folder


def of_tiny_imagenet(folder):
    lines = []
    for number, label in enumerate(("n01", "n02", "n01", "n02")):
        save(folder / "train" / label / "images" / f"{label}_{number}.JPEG", number)
        save(folder / "val" / "images" / f"val_{number}.JPEG", number + 9)
        lines.append(f"val_{number}.JPEG\t{label}\t0\t0\t9\t9\n")
    save(folder / "test" / "images" / "test_0.JPEG", 99)
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    return folder


def of_folders(folder):
    return write_folder(write_folder(folder, {"cats": 3, "dogs": 3}, "train"), {"cats": 2, "dogs": 2}, "test", first=9)


FOLDERS = {  # program and files, as the documents' table has them
    ("anybody", "train/LABEL/*, test/LABEL/*"): of_folders,
    ("anybody", "LABEL/*, also in folders below a label's"): lambda folder: write_folder(folder, {"a": 5, "b/c": 5}),
    ("Tiny ImageNet", "train/LABEL/images/*, val/val_annotations.txt"): of_tiny_imagenet,
    ("datasets, the Hugging Face hub", "train-*.parquet, test-*.parquet"): WRITERS["parquet"],
    ("datasets", "the folder of save_to_disk"): WRITERS["datasets' save_to_disk"],
    ("WebDataset", "train-*.tar, test-*.tar, with cls or json"): WRITERS["WebDataset"],
    ("NumPy", "train.npz, test.npz, with images and labels"): WRITERS["NumPy arrays (.npz)"],
    ("MedMNIST", "pathmnist.npz"): of_medmnist,
    ("Keras", "mnist.npz, with x_train, y_train, ..."): of_keras,
}
IN_DOCS = rows("inputs.md", "program")


@pytest.mark.parametrize("row", [row for row in IN_DOCS if row["--data"] == "folder"], ids=lambda row: row["files"])
def test_each_row_of_the_documents_is_read_as_it_says(row, tmp_path):
    write = FOLDERS[row["program"], row["files"]]
    folder = tmp_path / "images"
    write(folder, colours(TWO)) if write in WRITERS.values() else write(folder)  # type: ignore[operator, call-arg]
    found = loaded(folder)
    assert found.source.startswith(row["named in a result as"])
    assert found.n_labels >= 2


def test_every_form_that_is_read_is_in_the_documents():
    told = {(row["program"], row["files"]) for row in IN_DOCS if row["--data"] == "folder"}
    assert told == FOLDERS.keys()
    of_cifar = {row["named in a result as"] for row in IN_DOCS if "cifar" in row["--data"]}
    assert of_cifar == {*WRITERS, *CIFAR_WRITERS, "CIFAR's binary version"}
