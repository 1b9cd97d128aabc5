"""A folder's images as one array, kept beside the results: 60,000 small PNGs take half a minute to open one by one.

What was kept counts as long as every file has the name, the size and the times of then (see `digests`), and its own
bytes are whole.
"""

import contextlib
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from precompute.images.digests import YOUNG, hidden_beside, stamp_of
from store.file.write import replace_file

WORTH_KEEPING = 5000  # images; fewer are decoded in the time that a person does not notice
_HEADER = struct.Struct("<16s32sI")  # what it is, the sha256 of the files' stamps, the CRC of the pixels
_MAGIC = b"decoded images 1"

Decode = Callable[[], NDArray[np.uint8]]


class DecodedImages:
    """Of one folder. results: the folder beside whose files they are kept. keeps: whether new ones are."""

    def __init__(self, results: Path, folder: Path, keeps: bool) -> None:
        self._results, self._folder, self._keeps = results, folder, keeps

    def of(self, split: str, files: Sequence[Path], shape: tuple[int, ...], decode: Decode) -> NDArray[np.uint8]:
        """The images (shape) that these files hold: as kept, or as `decode` gives them. Raises OSError."""
        if shape[0] < WORTH_KEEPING:
            return decode()
        place = hidden_beside(self._results, self._folder, f"{split}.pixels")
        now = time.time_ns()
        stamps, youngest = _stamps(files)
        kept = _load(place, stamps, shape)
        if kept is not None:
            return kept
        images = decode()
        if self._keeps and now - youngest > YOUNG:
            pixels = np.ascontiguousarray(images).data.cast("B")
            with contextlib.suppress(OSError):  # a full disk is for who writes the result to report
                replace_file(place, _HEADER.pack(_MAGIC, stamps, zlib.crc32(pixels)) + pixels)
        return images


def _stamps(files: Sequence[Path]) -> tuple[bytes, int]:
    """What changes with any of the files, and when the youngest was last changed, in ns. Raises OSError."""
    digest, youngest = hashlib.sha256(), 0
    for file in files:
        size, written, changed = stamp_of(file)
        digest.update(b"%s\0%d %d %d\n" % (os.fsencode(file.absolute()), size, written, changed))
        youngest = max(youngest, written, changed)
    return digest.digest(), youngest


def _load(place: Path, stamps: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """None where nothing is kept, of other files, or damaged."""
    n_bytes = int(np.prod(shape))
    try:
        with place.open("rb") as stream:
            magic, kept_stamps, checksum = _HEADER.unpack(stream.read(_HEADER.size))
            if (magic, kept_stamps, os.fstat(stream.fileno()).st_size) != (_MAGIC, stamps, _HEADER.size + n_bytes):
                return None
            images = np.fromfile(stream, np.uint8, n_bytes)
    except (OSError, struct.error):
        return None
    return images.reshape(shape) if zlib.crc32(images.data) == checksum else None
