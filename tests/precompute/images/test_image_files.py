"""Images in files: every kind of image is decoded or refused in words, and batches come in order."""

import errno
import io
import math
import os
import struct
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from precompute.images import image_files
from precompute.images.image_files import ImageFiles, decode
from precompute.messages.problem import Problem


def saved(path: Path, image: Image.Image, **how: Any) -> Path:
    image.save(path, **how)
    return path


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def four_colours() -> Image.Image:
    """Each quarter has its colour, so that every turn is another image."""
    image = Image.new("RGB", (8, 8))
    for colour, place in zip(("red", "green", "blue", "yellow"), ((0, 0), (4, 0), (0, 4), (4, 4)), strict=True):
        image.paste(colour, (*place, place[0] + 4, place[1] + 4))
    return image


def refusal(path: Path, side: int = 8) -> str:
    with pytest.raises(Problem) as problem:
        decode(path, side)
    text = str(problem.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    """23 images of one colour each: image k is k, 2k, 255 - k."""
    images = [Image.new("RGB", (5 + k, 9), (k, 2 * k, 255 - k)) for k in range(23)]
    return ImageFiles([saved(tmp_path / f"{k:02}.png", image) for k, image in enumerate(images)], side=4)


def colours(images: np.ndarray) -> list[int]:
    """Which of the images of `files` these are."""
    assert images.dtype == np.uint8
    assert images.shape[1:] == (4, 4, 3)
    red = images[:, 0, 0, 0].astype(int)
    for channel, expected in enumerate((red, 2 * red, 255 - red)):
        assert (images[..., channel] == expected[:, None, None]).all()
    return red.tolist()


# One image


@pytest.mark.parametrize(("side", "crop"), [(224, 0.875), (224, 1.0), (32, 0.95), (7, 0.5)])
@pytest.mark.parametrize("size", [(500, 375), (375, 500), (333, 333), (300, 100), (30, 41), (224, 224)])
def test_the_shorter_side_is_scaled_and_the_middle_kept(size, side, crop, tmp_path):
    path = saved(tmp_path / "image.png", noise(*size).point(lambda value: 64 + value // 2))  # nothing is cut off
    shorter = math.floor(side / crop)
    with Image.open(path) as image:  # in two steps, as torchvision and timm do it
        whole = int(shorter * size[0] / min(size)), int(shorter * size[1] / min(size))
        left, top = (round((length - side) / 2) for length in whole)
        expected = image.resize(whole, Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))
    difference = np.abs(decode(path, side, crop).astype(int) - np.asarray(expected))
    assert difference.max() <= 1


def test_an_image_of_the_side_stays_as_it_is(tmp_path):
    image = noise(16, 16)
    np.testing.assert_array_equal(decode(saved(tmp_path / "image.png", image), 16), np.asarray(image))


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 1)])
def test_tiny_and_narrow_images(size, tmp_path):
    path = saved(tmp_path / "image.png", Image.new("RGB", size, (10, 20, 30)))
    for crop in (1.0, 0.875):
        np.testing.assert_array_equal(decode(path, 224, crop), np.full((224, 224, 3), (10, 20, 30)))


@pytest.mark.parametrize(
    ("image", "suffix", "colour"),
    [
        (Image.new("L", (9, 6), 77), ".png", (77, 77, 77)),
        (Image.new("1", (9, 6), 1), ".png", (255, 255, 255)),
        (Image.new("RGB", (9, 6), (255, 0, 0)).convert("P", palette=Image.Palette.ADAPTIVE), ".gif", (255, 0, 0)),
        (Image.new("RGB", (9, 6), (0, 0, 255)).quantize(4), ".png", (0, 0, 255)),
        (Image.new("CMYK", (16, 16), (0, 255, 255, 0)), ".jpg", (254, 0, 0)),
        (Image.new("CMYK", (9, 6), (255, 0, 255, 0)), ".tif", (0, 255, 0)),
        (Image.new("YCbCr", (16, 16), (76, 85, 255)), ".jpg", (254, 0, 0)),
        (Image.new("LA", (9, 6), (50, 255)), ".png", (50, 50, 50)),
        (Image.new("RGBA", (9, 6), (255, 0, 0, 255)), ".webp", (255, 0, 0)),
        (Image.fromarray(np.full((6, 9), 40_000, np.uint16)), ".png", (156, 156, 156)),
        (Image.fromarray(np.full((6, 9), 65_535, np.uint16)), ".tif", (255, 255, 255)),
        (Image.fromarray(np.full((6, 9), 257, np.uint16)), ".png", (1, 1, 1)),
    ],
)
def test_every_mode_becomes_rgb(image, suffix, colour, tmp_path):
    path = saved(tmp_path / f"image{suffix}", image, **({"lossless": True} if suffix == ".webp" else {}))
    found = decode(path, 4).astype(int)
    assert found.shape == (4, 4, 3)
    assert np.abs(found - colour).max() <= (2 if suffix == ".jpg" else 0)


@pytest.mark.parametrize(
    ("alpha", "colour"), [(0, (255, 255, 255)), (255, (200, 0, 100)), (51, (244, 204, 224))], ids=str
)
def test_what_is_transparent_is_white(alpha, colour, tmp_path):
    image = Image.new("RGBA", (6, 6), (200, 0, 100, alpha))
    assert tuple(decode(saved(tmp_path / "image.png", image), 2)[0, 0]) == colour


def test_a_transparent_colour_of_a_palette_or_of_rgb_is_white(tmp_path):
    palette = Image.new("P", (6, 6), 1)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    for name, image, transparent in (("p", palette, 1), ("rgb", Image.new("RGB", (6, 6), (9, 9, 9)), (9, 9, 9))):
        assert (decode(saved(tmp_path / f"{name}.png", image), 2) == 9).all()
        assert (decode(saved(tmp_path / f"{name}t.png", image, transparency=transparent), 2) == 255).all()


def test_an_image_is_turned_as_its_camera_says(tmp_path):
    seen = set()
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        path = saved(tmp_path / f"{orientation}.png", four_colours(), exif=exif)
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(decode(path, 8), expected)
        seen.add(expected.tobytes())
    assert len(seen) == 8


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(range(99)), b"!"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])  # they differ in when Pillow looks at it
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_note_of_the_camera_does_not_damage_the_image(exif, suffix, tmp_path):
    path = saved(tmp_path / f"image{suffix}", Image.new("RGB", (16, 16), "white"), exif=exif)
    assert (decode(path, 4) == 255).all()


def test_the_first_image_of_several_is_taken(tmp_path):
    first, second = Image.new("RGB", (6, 6), (1, 2, 3)), Image.new("RGB", (6, 6), "white")
    path = saved(tmp_path / "image.tif", first, save_all=True, append_images=[second])
    assert (decode(path, 2) == (1, 2, 3)).all()


def text_chunks(n_bytes: int) -> PngInfo:
    found = PngInfo()
    found.add_text("a text", "x" * n_bytes)
    found.add_itxt("another", "y" * n_bytes, zip=True)
    return found


@pytest.mark.parametrize(
    "how", [{"icc_profile": bytes(2_000_000)}, {"pnginfo": text_chunks(2_000_000)}], ids=["profile", "texts"]
)
def test_a_png_with_a_large_profile_or_text_is_read(how, tmp_path):
    """Pillow refuses what grows beyond 1 MB, lest a small file fill the memory; nothing here looks at it."""
    path = saved(tmp_path / "image.png", noise(16, 16), **how)
    with pytest.raises(ValueError, match=r"MAX_TEXT_CHUNK"), Image.open(path) as image:
        image.load()
    np.testing.assert_array_equal(decode(path, 16), np.asarray(noise(16, 16)))
    path.write_bytes(path.read_bytes()[:-700])
    assert refusal(path).startswith("not a readable image (")


# What is no image


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.6, 0.95])
def test_a_file_that_was_cut_off_is_named(form, kept, tmp_path):
    path = saved(tmp_path / "image", noise(64, 48), format=form)
    assert decode(path, 8).shape == (8, 8, 3)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert refusal(path).startswith("not a readable image (")
    assert refusal(path).endswith("). Unpack or download it again, remove it, or leave it out with --skip-unreadable")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
@pytest.mark.filterwarnings("ignore")  # Pillow's own words about damaged files
def test_damaged_bytes_are_refused_in_words_or_change_nothing_but_pixels(form, tmp_path):
    path = saved(tmp_path / "image", noise(40, 30), format=form)
    content, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for place in random.integers(0, min(len(content), 400), random.integers(1, 5)):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            assert decode(path, 8).shape == (8, 8, 3)
        except Problem:
            refused += 1
    assert refused > 5


def test_other_kinds_of_files_are_refused(tmp_path):
    path = tmp_path / "image.jpg"
    for content in (b"", b"cats", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", b"%PDF-1.4\n"):
        path.write_bytes(content)  # Pillow would give PostScript to another program
        assert refusal(path).startswith("not a readable image (of no known kind)")


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bits_a_pixel_are_refused(mode, tmp_path):
    path = saved(tmp_path / "image.tif", Image.new(mode, (6, 6), 300))
    assert "32 bits a pixel, and nothing says how much is white" in refusal(path)


def png_of_size(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("size", [(9500, 9500), (20_000, 20_000), (2**31 - 1, 2**31 - 1), (1, 90_000_000)])
@pytest.mark.parametrize("warnings_are", ["error", "ignore"])
def test_an_image_that_would_fill_the_memory_is_refused_before_it_is_decoded(size, warnings_are, tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(png_of_size(*size))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(Image.Image, "load", None)
        warnings.simplefilter(warnings_are)
        assert refusal(path) == "more than 89 million pixels; scale it, or remove it"


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        decode(tmp_path / "none.png", 8)
    assert error.value.filename == str(tmp_path / "none.png")


# Many images


def test_it_has_the_shape_of_an_array(files):
    assert len(files) == 23
    assert files.shape == (23, 4, 4, 3) == files.decoded().shape
    assert files.nbytes == files.decoded().nbytes
    assert files.select([]).shape == files.batch([]).shape == (0, 4, 4, 3)


def test_a_batch_is_in_the_order_of_its_index(files):
    mask = np.arange(23) % 5 == 1
    for index in ([3, 0, 22, 3], np.array([5, 1]), slice(20, None), slice(4, 0, -2), mask, [-1]):
        expected = np.arange(23)[index].tolist()
        assert colours(files.batch(index)) == expected
        assert colours(files.select(index).decoded()) == expected
    with pytest.raises(IndexError):
        files.batch([23])


@pytest.mark.parametrize("size", [1, 4, 22, 23, 24, 1000])
def test_batches_are_all_images_in_order(size, files):
    batches = [colours(batch) for batch in files.batches(size)]
    assert [number for batch in batches for number in batch] == list(range(23))
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert 0 < len(batches[-1]) <= size


def decoding_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_the_next_batch_is_decoded_while_this_one_is_used_and_no_other(files, monkeypatch):
    begun = []
    monkeypatch.setattr(image_files, "decode", lambda path, *how: begun.append(path) or decode(path, *how))
    batches = files.batches(4)
    for number in range(5):
        next(batches)
        expected = min(23, 4 * number + 8)
        wait_for(begun, expected)
        time.sleep(0.02)
        assert len(begun) == expected
    batches.close()


def wait_for(begun: list[Path], number: int) -> None:
    deadline = time.monotonic() + 120
    while len(begun) < number:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_batch_does_not_wait_for_the_next_one(files, monkeypatch):
    may_go_on = threading.Event()

    def decode_when_allowed(path: Path, *how: Any) -> np.ndarray:
        assert path in files.paths[:4] or may_go_on.wait(120)
        return decode(path, *how)

    monkeypatch.setattr(image_files, "decode", decode_when_allowed)
    batches = files.batches(4)
    assert colours(next(batches)) == [0, 1, 2, 3]
    may_go_on.set()
    assert colours(next(batches)) == [4, 5, 6, 7]
    batches.close()


def test_threads_end_with_the_iterator(files):
    for leave in ("at once", "after one batch", "at the end"):
        batches = files.batches(2)
        if leave == "after one batch":
            next(batches)
            assert decoding_threads()
        elif leave == "at the end":
            list(batches)
        del batches
        assert not decoding_threads()
    files.batch([0, 1])
    assert not decoding_threads()


def test_what_waits_is_not_decoded_after_the_iterator_was_left(files, monkeypatch):
    begun, left = [], threading.Event()

    def decode_ten(path: Path, *how: Any) -> np.ndarray:
        begun.append(path)
        assert len(begun) <= 10 or left.wait(120)  # one of the next batch is on its way when the iterator is left
        return decode(path, *how)

    def shutdown(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
        ended(pool, wait=False, cancel_futures=cancel_futures)
        left.set()
        ended(pool, wait=wait)

    ended = ThreadPoolExecutor.shutdown
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shutdown)
    monkeypatch.setattr(image_files, "decode", decode_ten)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")  # one thread
    batches = files.batches(10)
    next(batches)
    batches.close()
    assert 10 <= len(begun) <= 11
    assert not decoding_threads()


def test_processes_of_one_run_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    for processes, threads in (("1", 8), ("2", 4), ("3", 2), ("16", 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        with image_files.decoding_threads() as pool:
            assert pool._max_workers == threads


def test_a_damaged_image_in_the_middle_is_named_and_threads_end(files, tmp_path):
    files.paths[11].write_bytes(b"cats")
    batches = files.batches(5)
    assert colours(next(batches)) == [0, 1, 2, 3, 4]
    assert colours(next(batches)) == [5, 6, 7, 8, 9]
    with pytest.raises(Problem, match=r"11\.png: not a readable image"):
        next(batches)
    assert not decoding_threads()
    with pytest.raises(Problem, match=r"11\.png"):
        files.batch(slice(8, 15))
    with pytest.raises(Problem, match=r"11\.png"):
        files.decoded(tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_all_of_them_in_memory_or_on_disk(files, tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "DECODED_AT_ONCE", 7)
    told: list[int] = []
    in_memory = files.decoded(tell=told.append)
    assert told == [7, 14, 21, 23]
    on_disk = files.decoded(tmp_path / "deeper" / "images")
    assert colours(in_memory) == colours(on_disk) == list(range(23))
    assert (tmp_path / "deeper" / "images").read_bytes() == in_memory.tobytes()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot reserve room on a disk")
def test_a_full_disk_says_so(files, tmp_path, monkeypatch):
    asked = []

    def full(_file: int, _offset: int, size: int) -> None:
        asked.append(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as full_disk:
        files.decoded(tmp_path / "images")
    assert asked == [files.nbytes]
    assert full_disk.value.filename == str(tmp_path / "images")


def test_a_checksum_is_of_names_sizes_and_labels_in_their_order(files, tmp_path):
    labels = np.arange(23) % 3
    checksum = files.sha256(labels)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    there = [path.rename(moved / path.name) for path in files.paths]
    assert ImageFiles(there, side=8, crop=0.5).sha256(labels) == checksum
    files = ImageFiles(there, side=4)
    order = [1, 0, *range(2, 23)]
    others = {checksum, files.select(order).sha256(labels[order]), files.sha256((labels + 1) % 3)}
    others.add(ImageFiles([there[0].rename(moved / "a.png"), *there[1:]], side=4).sha256(labels))
    (moved / "a.png").rename(there[0])
    assert files.sha256(labels) == checksum
    there[5].write_bytes(there[5].read_bytes() + b"\0")
    others.add(files.sha256(labels))
    assert len(others) == 5


@pytest.mark.parametrize(("side", "crop"), [(0, 1.0), (8, 0.0), (8, 1.01), (8, math.nan)])
def test_a_side_and_a_crop_that_cannot_be(side, crop):
    with pytest.raises(ValueError, match="expected side >= 1 and 0 < crop <= 1"):
        ImageFiles([], side, crop)


def test_a_jpeg_in_memory_is_the_same_as_pillow_reads_it(tmp_path):
    """No draft mode: it would be quicker for large photographs, with other pixels."""
    buffer = io.BytesIO()
    noise(2000, 1600).save(buffer, "jpeg")
    path = tmp_path / "image.jpg"
    path.write_bytes(buffer.getvalue())
    with Image.open(path) as image:
        expected = np.asarray(image.resize((50, 40), Image.Resampling.BICUBIC).crop((5, 0, 45, 40))).astype(int)
    assert np.abs(decode(path, 40).astype(int) - expected).max() <= 1
