"""What images hold is found out once, and again where a file has changed, whatever its size and times say."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from precompute.images import digests
from precompute.images.digests import Digests

LABELS = np.zeros(3, np.int64)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Three images that are older than the clock's tick."""
    paths = [tmp_path / "images" / f"{number}.bmp" for number in range(3)]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
    return paths


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are read; files of this moment count as old ones."""
    names: list[str] = []
    look = digests._look
    monkeypatch.setattr(digests, "_look", lambda image, decoded: names.append(image.name) or look(image, decoded))
    monkeypatch.setattr(digests, "YOUNG", 0)
    return names


def opened(images: list[Path], place: Path) -> Digests:
    return Digests(images[0].parent, place / "images.json")


def test_images_that_stay_as_they_are_are_read_once(images, looked, tmp_path):
    first = opened(images, tmp_path)
    checksum = first.sha256(images, LABELS)
    assert first.sha256(images, LABELS) == checksum
    assert sorted(looked) == ["0.bmp", "1.bmp", "2.bmp"]
    first.save()
    assert opened(images, tmp_path).sha256(images, LABELS) == checksum
    assert len(looked) == 3
    assert str(images[0].parent) not in (tmp_path / "images.json").read_text()


@pytest.mark.parametrize("times", ["now", "as they were"])
def test_new_pixels_of_the_same_size_are_noticed(times, images, looked, tmp_path):
    first = opened(images, tmp_path)
    checksum = first.sha256(images, LABELS)
    first.save()
    before = images[1].stat()
    Image.new("RGB", (4, 4), (200, 0, 0)).save(images[1])
    if times == "as they were":  # the entry's own time cannot be set
        os.utime(images[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert images[1].stat().st_size == before.st_size
    looked.clear()
    assert opened(images, tmp_path).sha256(images, LABELS) != checksum
    assert looked == ["1.bmp"]


def test_a_file_of_this_moment_is_looked_at_again_next_time(images, looked, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "YOUNG", 10**18)
    first = opened(images, tmp_path)
    first.sha256(images, LABELS)
    first.save()
    opened(images, tmp_path).sha256(images, LABELS)
    assert len(looked) == 6


def test_order_and_labels_count_and_folders_do_not(images, tmp_path):
    found = opened(images, tmp_path)
    checksum = found.sha256(images, LABELS)
    others = {found.sha256(images[::-1], LABELS), found.sha256(images, LABELS + 1), checksum}
    assert len(others) == 3
    moved = [path.rename(tmp_path / path.name) for path in images]
    assert Digests(tmp_path).sha256(moved, LABELS) == checksum


def test_what_cannot_be_decoded_is_remembered_too(images, looked, tmp_path):
    images[2].write_bytes(images[2].read_bytes()[:60])
    first = opened(images, tmp_path)
    first.sha256(images, LABELS)
    assert first.readable(images).tolist() == [True, True, False]
    assert len(looked) == 6  # the checksum had not asked for it
    first.save()
    assert opened(images, tmp_path).readable(images).tolist() == [True, True, False]
    assert len(looked) == 6


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format":1}',
        '{"format":1,"images":{"0.bmp":[[1],"x",true]}}',
        '{"format":1,"images":{"0.bmp":3}}',
    ],
)
def test_damaged_answers_are_found_out_anew(content, images, tmp_path):
    (tmp_path / "images.json").write_text(content)
    assert opened(images, tmp_path).sha256(images, LABELS) == Digests(images[0].parent).sha256(images, LABELS)


def test_names_that_are_not_in_utf8(images, tmp_path, looked):
    odd = [path.rename(path.with_name(os.fsdecode(b"c\xe4t\n") + path.name)) for path in images]
    first = opened(odd, tmp_path)
    first.sha256(odd, LABELS)
    first.save()
    opened(odd, tmp_path).sha256(odd, LABELS)
    assert len(looked) == 3
    json.loads((tmp_path / "images.json").read_text())


def test_each_folder_of_images_has_its_own_file(tmp_path):
    places = {Digests.beside(Path("runs"), tmp_path / name)._place for name in ("a", "b", "c/a", "a/")}
    assert len(places) == 3
    assert all(place.parent == Path("runs") and place.name.startswith(".") for place in places)
