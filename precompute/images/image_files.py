"""Encoded images, decoded when they are asked for: data sets that are larger than memory, of images of any size.

Every image is seen as a viewer shows it (turned as its camera says, without alpha) and cut to one square, as
pretrained networks see it: its shorter side scaled to side / crop, its middle kept.
"""

import contextlib
import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from precompute.images.encoded import Encoded, size_of
from precompute.messages.problem import Problem, named_in_errors, one_line

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 89_478_485  # of one image; Pillow warns from here on: 256 MB decoded, from a file of any size
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # Pillow has others, one of which runs Ghostscript
DECODED_AT_ONCE = 256  # images
_AGAIN = "Unpack or download it again, remove it, or leave it out with --skip-unreadable"
_PNG = b"\x89PNG\r\n\x1a\n"
_NOT_PIXELS = (b"iCCP", b"tEXt", b"zTXt", b"iTXt")  # chunks of a PNG: its colour profile, and texts

Index = NDArray[np.int64] | NDArray[np.bool_] | Sequence[int] | slice


@dataclass(frozen=True)
class ImageFiles:
    """Stands where an array of images (inputs, side, side, 3) uint8 would, and decodes the inputs that are asked for.

    Whatever decodes raises Problem, which names the file, where one is no image, and OSError where it cannot be read.
    """

    paths: Sequence[Encoded]  # files, or parts of files of many
    side: int
    crop: float = 1.0  # the share of the shorter side that is kept; 0.875 is usual for ImageNet

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1 or self.side < 1:
            raise ValueError(f"side {self.side}, crop {self.crop}; expected side >= 1 and 0 < crop <= 1")

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), self.side, self.side, 3

    @property
    def nbytes(self) -> int:
        """Of all images, decoded."""
        return math.prod(self.shape)

    def select(self, index: Index) -> "ImageFiles":
        """Some of the images, or all in another order: nothing is decoded."""
        return replace(self, paths=[self.paths[row] for row in np.arange(len(self))[index].tolist()])

    def batch(self, index: Index) -> NDArray[np.uint8]:
        """The images of the index, (batch, side, side, 3), decoded in parallel."""
        chosen = self.select(index)
        with decoding_threads() as pool:
            return _Batch(pool, chosen, slice(0, len(chosen))).wait()

    def batches(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """All images in their order, so many at once: the next batch is decoded while this one is used.

        At most two batches are in memory. The threads end with the iterator, also where it is left half-way.
        """
        with decoding_threads() as pool:
            waiting: _Batch | None = None
            for first in range(0, len(self), size):
                begun = _Batch(pool, self, slice(first, min(first + size, len(self))))
                if waiting is not None:
                    yield waiting.wait()
                waiting = begun
            if waiting is not None:
                yield waiting.wait()

    def decoded(self, place: Path | None = None, tell: Callable[[int], object] | None = None) -> NDArray[np.uint8]:
        """All images at once, in memory, or, where a place is named, in a file there that is mapped into memory.

        tell is called with the number of images that are done.
        """
        images = np.empty(self.shape, np.uint8) if place is None else _mapped(place, self.shape)
        try:
            first = 0
            for batch in self.batches(DECODED_AT_ONCE):
                images[first : first + len(batch)] = batch
                first += len(batch)
                if tell is not None:
                    tell(first)
        except BaseException:
            if place is not None:
                place.unlink(missing_ok=True)  # else it would look as if it were whole
            raise
        return images

    def sha256(self, labels: NDArray[np.int64]) -> str:
        """Of each image's name, size in bytes and label, in their order; `Digests` says what they hold.

        The folders do not count: the same files give the same in every layout.
        """
        digest = hashlib.sha256()
        for path, label in zip(self.paths, labels.tolist(), strict=True):
            digest.update(b"%s\t%d\t%d\n" % (os.fsencode(path.name), size_of(path), label))
        return digest.hexdigest()


def decode(image: Encoded, side: int, crop: float = 1.0) -> NDArray[np.uint8]:
    """One image, (side, side, 3)."""
    return opened(image, lambda found: np.asarray(_middle(_as_seen(found), side, crop)))


def opened(image: Encoded, use: "Callable[[Image], NDArray[np.uint8]]", again: str = _AGAIN) -> NDArray[np.uint8]:
    """What `use` makes of an image as Pillow opens it. Raises Problem, which names it, where it is no image."""
    from PIL import Image, UnidentifiedImageError

    encoded = image.read_bytes()

    def attempt(content: bytes) -> NDArray[np.uint8]:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as found:
            if math.prod(found.size) > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{found.size[0]}x{found.size[1]} pixels")
            return use(found)

    try:
        try:
            return attempt(encoded)
        except (ValueError, OSError, SyntaxError):  # Pillow refuses a PNG for a colour profile or a text above 1 MB
            pixels_alone = _without_notes(encoded)
            if pixels_alone is None:
                raise
            return attempt(pixels_alone)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Problem(f"{image}: more than {MAX_PIXELS // 1_000_000} million pixels; scale it, or remove it") from error
    except (MemoryError, Problem):
        raise
    except Exception as error:  # there is nothing that a damaged image may not raise
        what = "of no known kind" if isinstance(error, UnidentifiedImageError) else one_line(error)
        raise Problem(f"{image}: not a readable image ({what}). {again}") from error


def _without_notes(content: bytes) -> bytes | None:
    """A PNG without its colour profile and texts, which nothing here looks at; None where it has none."""
    if not content.startswith(_PNG):
        return None
    kept, place = [_PNG], len(_PNG)
    while place + 8 <= len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4], "big")  # length, name, the chunk, its checksum
        if content[place + 4 : place + 8] not in _NOT_PIXELS:
            kept.append(content[place:end])
        place = end
    pixels_alone = b"".join(kept)
    return pixels_alone if len(pixels_alone) < len(content) else None


def _as_seen(image: "Image") -> "Image":
    """RGB of 8 bits, as a viewer shows it.

    What is transparent becomes white: drawings and cut-out objects are made for white pages, and dark lines would
    vanish on black. Without compositing, colours would appear that nobody has ever seen.
    """
    from PIL import Image

    turned = _turned(image)
    if turned.mode.startswith("I;16") or (turned.mode == "I" and image.format == "PNG"):  # an older Pillow's 16 bits
        return Image.fromarray((np.asarray(turned) / 257).round().astype(np.uint8)).convert("RGB")
    if turned.mode in ("I", "F"):
        raise ValueError("32 bits a pixel, and nothing says how much is white; convert it to 8 or 16 bits")
    if turned.has_transparency_data:
        layered = turned.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return turned.convert("RGB")


def _turned(image: "Image") -> "Image":
    from PIL import ExifTags, Image

    orientation = 1
    with contextlib.suppress(Exception):  # a damaged note beside the image does not damage the image
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _middle(image: "Image", side: int, crop: float) -> "Image":
    """The shorter side scaled to floor(side / crop), then the central square: the numbers are timm's.

    Both in one step, from the part of the image that is kept: values differ by at most 1 from those of two steps
    (more only where bicubic scaling overshoots and is cut off), and an image of 1 x 10,000 pixels is not scaled to
    millions first.
    """
    from PIL import Image

    width, height = image.size
    shorter = math.floor(side / crop)
    scaled = [int(shorter * length / min(width, height)) for length in (width, height)]
    left, top = (round((length - side) / 2) for length in scaled)
    across, down = width / scaled[0], height / scaled[1]
    box = (left * across, top * down, min((left + side) * across, width), min((top + side) * down, height))
    return image.resize((side, side), Image.Resampling.BICUBIC, box=box)


class _Batch:
    """Images that are being decoded."""

    def __init__(self, pool: ThreadPoolExecutor, files: ImageFiles, rows: slice) -> None:
        paths = files.paths[rows]
        self._images = np.empty((len(paths), files.side, files.side, 3), np.uint8)
        self._begun: list[Future[None]] = [
            pool.submit(self._decode, row, path, files.side, files.crop) for row, path in enumerate(paths)
        ]

    def _decode(self, row: int, path: Encoded, side: int, crop: float) -> None:
        self._images[row] = decode(path, side, crop)

    def wait(self) -> NDArray[np.uint8]:
        for future in self._begun:
            future.result()
        return self._images


@contextlib.contextmanager
def decoding_threads() -> Iterator[ThreadPoolExecutor]:
    """One for each core that this process may use; Pillow decodes and scales without Python's lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes of the same run, as torchrun counts them
    pool = ThreadPoolExecutor(max(1, cores // beside), thread_name_prefix="decode")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _mapped(place: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    allocate(place, math.prod(shape))
    return np.memmap(place, np.uint8, "r+", shape=shape)


def allocate(place: Path, n_bytes: int) -> None:
    """A file of so many bytes, to be mapped into memory. Raises OSError where the disk has no room for it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with named_in_errors(place), place.open("wb") as stream:
        if hasattr(os, "posix_fallocate"):  # a full disk says so now; found out later, it kills the process
            os.posix_fallocate(stream.fileno(), 0, n_bytes)
        else:
            stream.truncate(n_bytes)
