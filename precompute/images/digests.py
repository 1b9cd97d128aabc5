"""What images hold, as sha256 of their bytes, and whether they can be decoded: found out once for each file.

The answers are kept in a small file beside the results. An answer counts as long as the file has the size and the
times of then: that of its last write, and that of the last change of its entry, which `touch` and `cp -p` cannot set.
"""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from precompute.images.encoded import Encoded, Stored, file_of
from precompute.images.image_files import decode, decoding_threads
from precompute.messages.problem import Problem
from precompute.messages.progress import Progress
from store.file.write import replace_file

_FORMAT = 1
YOUNG = 2_000_000_000  # ns; a file written so shortly before it was read may change again within a tick of its clock
_AT_ONCE = 1024  # images
_SMALL = 8  # pixels a side, of an image that is only decoded to see whether it can be

Stamp = tuple[int, int, int]  # size, time of the last write and of the last change of the entry, both in ns


class Answer(NamedTuple):
    """What was found out of an image."""

    stamp: Stamp
    sha256: str
    readable: bool | None  # None: not tried


class Digests:
    """Of the images of one folder. place: the file that keeps the answers; None: they are not kept."""

    def __init__(self, folder: Path, place: Path | None = None) -> None:
        self._folder, self._place = folder.absolute(), place
        self._kept = _load(place)
        self._known = dict(self._kept)
        self._young: set[str] = set()
        self._stamps: dict[Path, Stamp] = {}

    @classmethod
    def beside(cls, results: Path, folder: Path) -> "Digests":
        """Each folder of images has a file of its own, hidden among the results."""
        return cls(folder, hidden_beside(results, folder, "images.json"))

    def sha256(self, images: Sequence[Encoded], labels: NDArray[np.int64]) -> str:
        """Of what the images hold, and of their labels, in their order. Raises OSError."""
        digest = hashlib.sha256()
        for answer, label in zip(self._answers(images, decoded=False), labels.tolist(), strict=True):
            digest.update(b"%s\t%d\n" % (answer.sha256.encode(), label))
        return digest.hexdigest()

    def readable(self, images: Sequence[Encoded]) -> NDArray[np.bool_]:
        """Which of them can be decoded. Raises OSError where a file cannot be read at all."""
        return np.array([answer.readable for answer in self._answers(images, decoded=True)], bool)

    def save(self) -> None:
        """Keep what was found out since. Raises OSError."""
        lasting = {key: answer for key, answer in self._known.items() if key not in self._young}
        if self._place is not None and lasting != self._kept:
            content = json.dumps({"format": _FORMAT, "images": lasting}, separators=(",", ":"))
            replace_file(self._place, content.encode())
            self._kept = lasting

    def _answers(self, images: Sequence[Encoded], decoded: bool) -> list[Answer]:
        keys = [self._key(image) for image in images]
        asked = []
        for row, key in enumerate(keys):
            known = self._known.get(key)
            if known is None or known.stamp != self._stamp(images[row]) or (decoded and known.readable is None):
                asked.append(row)
        progress = Progress("looking at the images", len(asked))
        with decoding_threads() as pool:
            for first in range(0, len(asked), _AT_ONCE):
                rows, now = asked[first : first + _AT_ONCE], time.time_ns()
                found = pool.map(lambda row: _look(images[row], decoded), rows)
                for row, (sha256, readable) in zip(rows, found, strict=True):
                    stamp = self._stamp(images[row])
                    self._known[keys[row]] = Answer(stamp, sha256, readable)
                    if now - max(stamp[1:]) < YOUNG:
                        self._young.add(keys[row])
                progress.step(first + len(rows))
        progress.clear()
        return [self._known[key] for key in keys]

    def _key(self, image: Encoded) -> str:
        """Relative to the folder, so that the answers tell nobody where it lies."""
        path = os.path.relpath(file_of(image).absolute(), self._folder)
        return f"{path}\t{image.name}" if isinstance(image, Stored) else path

    def _stamp(self, image: Encoded) -> Stamp:
        path = file_of(image)
        if path not in self._stamps:
            self._stamps[path] = stamp_of(path)
        return self._stamps[path]


def hidden_beside(results: Path, folder: Path, ending: str) -> Path:
    """Where what is known of a folder of images is kept: each folder has its own file, hidden among the results."""
    path = folder.absolute()
    return results / f".{path.name}-{zlib.crc32(os.fsencode(path)):08x}.{ending}"


def stamp_of(file: Path) -> Stamp:
    """Raises OSError."""
    at = file.stat()
    return at.st_size, at.st_mtime_ns, at.st_ctime_ns


def _look(image: Encoded, decoded: bool) -> tuple[str, bool | None]:
    readable = None
    if decoded:
        try:
            decode(image, _SMALL)
            readable = True
        except Problem:
            readable = False
    return hashlib.sha256(image.read_bytes()).hexdigest(), readable


def _load(place: Path | None) -> dict[str, Answer]:
    """The answers that were kept; none where the file is missing, damaged or another version's."""
    try:
        content = json.loads(place.read_bytes()) if place is not None else {}
        if content.get("format") != _FORMAT:
            return {}
        found = {key: Answer(tuple(stamp), sha256, ok) for key, (stamp, sha256, ok) in content["images"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    well_formed = all(
        len(answer.stamp) == 3 and isinstance(answer.sha256, str) and len(answer.sha256) == 64
        for answer in found.values()
    )
    return found if well_formed else {}
