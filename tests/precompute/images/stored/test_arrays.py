"""Arrays in .npz: MedMNIST's, Keras' and anybody's names; sizes that a header only claims take no room."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from precompute.images.stored import arrays
from precompute.messages.problem import Problem
from tests.stored_images import TWO, colours, write_npz

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 7, 3), dtype=np.uint8)
GREY = RGB[..., 0]
LABELS = np.array([0, 1, 2, 0, 1, 2])


def read(folder: Path):
    return arrays.read(folder, arrays.files_in(folder))


def saved(folder: Path, name: str = "data.npz", **content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / name, **content)
    return folder


def pixels(part) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(image.read_bytes()))) for image in part.images])


@pytest.mark.parametrize("images", [RGB, GREY])
def test_medmnists_form(images, tmp_path):
    """Three parts in a file, labels of shape (inputs, 1)."""
    content = {f"{part}_images": images for part in ("train", "val", "test")}
    content |= {f"{part}_labels": LABELS[:, None].astype(np.uint8) for part in ("train", "val", "test")}
    found = read(saved(tmp_path / "medmnist", "pathmnist.npz", **content))
    assert found.parts.keys() == {"train", "val", "test"}
    for part in found.parts.values():
        np.testing.assert_array_equal(pixels(part), images)
        assert part.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("images", "labels"), [("images", "labels"), ("x", "y"), ("data", "targets"), ("X", "Y"), ("arr_0", "arr_1")]
)
def test_names_of_one_parts_arrays(images, labels, tmp_path):
    found = read(saved(tmp_path / "a", "train.npz", **{images: RGB, labels: LABELS}))
    assert found.parts.keys() == {"train"}
    np.testing.assert_array_equal(pixels(found.parts["train"]), RGB)


def test_kerass_form_with_other_arrays_beside(tmp_path):
    content = {"x_train": GREY, "y_train": LABELS, "x_test": GREY[:3], "y_test": LABELS[:3], "image_size": np.array(28)}
    found = read(saved(tmp_path / "a", "mnist.npz", **content))
    assert {name: len(part.images) for name, part in found.parts.items()} == {"train": 6, "test": 3}


@pytest.mark.parametrize(
    "images",
    [RGB.transpose(0, 3, 1, 2), np.asfortranarray(RGB), GREY[..., None], GREY[:, None]],
)
def test_channels_first_or_last_and_memory_in_any_order(images, tmp_path):
    found = read(saved(tmp_path / "a", images=images, labels=LABELS))
    expected = RGB if 3 in (images.shape[1], images.shape[-1]) else GREY
    np.testing.assert_array_equal(pixels(found.parts[""]), expected)


def test_labels_by_name(tmp_path):
    found = read(saved(tmp_path / "a", images=RGB, labels=np.array(["b", "a", "c", "b", "a", "c"])))
    assert found.parts[""].labels == ["b", "a", "c", "b", "a", "c"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": RGB / 255, "labels": LABELS}, "images: pixels of type float64; expected uint8, from 0 to 255"),
        ({"images": RGB[..., :2], "labels": LABELS}, r"of shape \(6, 9, 7, 2\); expected images"),
        ({"images": RGB[None], "labels": LABELS}, "expected images"),
        ({"images": RGB[:, :0], "labels": LABELS}, "expected images"),
        ({"images": RGB, "labels": np.eye(6, dtype=int)}, "expected one label an image"),
        ({"images": RGB, "labels": LABELS + 0.5}, "expected one label an image"),
        ({"images": RGB, "labels": LABELS[:5]}, "6 images in images and 5 labels in labels"),
        ({"images": RGB, "weights": LABELS, "more": LABELS}, "holds images, weights, more; expected images and labels"),
        (
            {"images": RGB, "labels": np.array(["a", None] * 3, object)},
            "Python objects, which reading could run code of",
        ),
        ({}, "holds no arrays"),
    ],
)
def test_what_is_no_data_set_is_refused(content, words, tmp_path):
    folder = saved(tmp_path / "a", **content)
    with pytest.raises(Problem, match=words) as problem:
        read(folder)
    assert str(problem.value).startswith(str(folder / "data.npz"))


def test_two_data_sets_in_a_folder(tmp_path):
    content = {"train_images": RGB, "train_labels": LABELS}
    saved(tmp_path / "a", "pathmnist.npz", **content)
    with pytest.raises(Problem, match=r"bloodmnist.npz and pathmnist.npz both hold train; which of the data sets"):
        read(saved(tmp_path / "a", "bloodmnist.npz", **content))


def header(shape: str, descr: str = "|u1") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", ["(1000000000000, 9, 7, 3)", "(3, 9, 7, 3)", "(-6, 9, 7, 3)", "(0, 9, 7, 3)"])
def test_a_shape_that_is_not_that_of_the_bytes_makes_no_room(shape, tmp_path):
    with zipfile.ZipFile(tmp_path / "train.npz", "w") as archive:
        archive.writestr("images.npy", header(shape) + RGB.tobytes())
        archive.writestr("labels.npy", header("(6,)") + bytes(6))
    with pytest.raises(Problem, match=r"train.npz, images: uint8 of shape .* bytes, there are 1134"):
        read(tmp_path)


def test_a_size_that_the_file_cannot_hold(tmp_path):
    """A zip's own list of members, changed to say that a member is far larger."""
    path = write_npz(tmp_path / "a", colours(TWO)) / "train.npz"
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("images.npy")
    old, new = member.file_size.to_bytes(4, "little"), (2**31).to_bytes(4, "little")
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(Problem, match="says that it holds 2147483648 bytes, which so small a file cannot"):
        read(tmp_path / "a")


@pytest.mark.parametrize("kept", [0, 0.1, 0.6, 0.97])
def test_a_file_that_was_cut_off_is_named(kept, tmp_path):
    path = write_npz(tmp_path / "a", colours(TWO)) / "test.npz"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(Problem, match="cut off or damaged") as problem:
        read(tmp_path / "a")
    assert str(problem.value).startswith(str(path))


def test_damaged_bytes_are_refused_in_words_or_change_numbers_alone(tmp_path):
    path = write_npz(tmp_path / "a", colours(TWO)) / "test.npz"
    content, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            read(tmp_path / "a")
        except Problem:
            refused += 1
    assert refused > 50
