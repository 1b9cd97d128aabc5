"""Decoded images that are kept are those of the files, or are decoded anew."""

import os
from pathlib import Path

import numpy as np
import pytest

from precompute.images import data, decoded
from precompute.images.decoded import DecodedImages
from precompute.options import parse
from tests.image_folders import png, tiny, write_image_folder

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 2, 2, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def few_and_young_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "WORTH_KEEPING", 1)
    monkeypatch.setattr(decoded, "YOUNG", 0)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "images").mkdir()
    paths = [tmp_path / "images" / f"{number}.png" for number in range(3)]
    for path in paths:
        path.write_bytes(b"an image")
    return paths


def images_of(files: list[Path], pixels: np.ndarray, keeps: bool = True) -> np.ndarray:
    results = files[0].parent.parent / "runs"
    return DecodedImages(results, files[0].parent, keeps).of("train", files, pixels.shape, lambda: pixels)


def test_what_was_decoded_is_kept(files):
    assert images_of(files, PIXELS) is PIXELS
    again = images_of(files, np.zeros_like(PIXELS))
    np.testing.assert_array_equal(again, PIXELS)
    assert again.dtype == np.uint8


@pytest.mark.parametrize("change", ["content", "name", "fewer", "order", "touched"])
def test_a_change_is_noticed(change, files):
    images_of(files, PIXELS)
    if change == "content":  # as long as before, and as old by the time of its last write
        at = files[1].stat()
        files[1].write_bytes(b"AN IMAGE")
        os.utime(files[1], ns=(at.st_atime_ns, at.st_mtime_ns))
    elif change == "name":
        files[1] = files[1].rename(files[1].with_name("other.png"))
    elif change == "fewer":
        files.pop()
    elif change == "order":
        files.reverse()
    else:
        os.utime(files[1], ns=(0, 0))
    other = np.zeros_like(PIXELS)
    assert images_of(files, other) is other


def test_one_that_is_damaged_or_cut_off_is_made_anew(files):
    images_of(files, PIXELS)
    (place,) = (files[0].parent.parent / "runs").iterdir()
    whole = place.read_bytes()
    other = np.zeros_like(PIXELS)
    for damaged in (b"", whole[:20], whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b"x" + whole[1:]):
        place.write_bytes(damaged)
        assert images_of(files, other, keeps=False) is other
    images_of(files, PIXELS)
    assert place.read_bytes() == whole


def test_a_few_and_those_of_this_moment_are_not_kept(files, monkeypatch):
    images_of(files, PIXELS, keeps=False)
    monkeypatch.setattr(decoded, "YOUNG", 3600 * 10**9)
    images_of(files, PIXELS)
    monkeypatch.setattr(decoded, "YOUNG", 0)
    monkeypatch.setattr(decoded, "WORTH_KEEPING", 4)
    images_of(files, PIXELS)
    assert not (files[0].parent.parent / "runs").exists()


def test_a_data_set_of_small_files_is_decoded_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_image_folder(tmp_path / "images", "cifar10", tiny("cifar10"))
    options = parse(["--data", "cifar10", "--data-dir", "images"])
    first = data.load(options)
    assert len(list(Path("runs").iterdir())) == 2
    monkeypatch.setattr("precompute.images.sources._decode", lambda _: pytest.fail("decoded again"))
    assert data.load(options).checksums == first.checksums
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (folder / "train" / "cat" / "00015.png").write_bytes(png(np.zeros((32, 32, 3), np.uint8)))
    assert data.load(options).checksums != first.checksums
