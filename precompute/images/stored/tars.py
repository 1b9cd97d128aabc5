"""WebDataset's shards: tars with KEY.png and KEY.cls or KEY.json. They are read where they lie and never unpacked."""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from precompute.images.encoded import Encoded, Stored
from precompute.images.stored.found import Part, StoredSet, by_part, join
from precompute.images.walk import SUFFIXES
from precompute.messages.problem import Problem, one_line

_LABEL_KEYS = ("label", "cls", "class", "label_name", "class_name")
_MAX_LABEL = 1_000_000  # bytes of a label's member
_AGAIN = "Copy or download it again"


@dataclass(frozen=True)
class Member(Stored):
    """An image in a tar: so many bytes from a place on."""

    start: int
    size: int

    @property
    def n_bytes(self) -> int:
        return self.size

    def read_bytes(self) -> bytes:
        with self.file.open("rb") as stream:
            stream.seek(self.start)
            return stream.read(self.size)


def files_in(folder: Path) -> list[Path]:
    """Tars of the folder, or of folders in it."""
    found = [path for pattern in ("*.tar", "*/*.tar") for path in folder.glob(pattern)]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read(folder: Path, files: Sequence[Path], texts: bool) -> StoredSet:
    """Raises Problem, OSError."""
    parts = {name: join([_shard(path) for path in of_part]) for name, of_part in by_part(files, folder).items()}
    kinds = {isinstance(part.labels, list) for part in parts.values()}
    if len(kinds) > 1:
        raise Problem(f"{folder}: labels of its shards are numbers here and names there")
    if True in kinds and not texts:
        raise Problem(f"{folder}: labels of its shards are names; expected numbers")
    return StoredSet("WebDataset", parts, None)


def _shard(path: Path) -> Part:
    images: dict[str, Member] = {}
    labels: dict[str, int | str] = {}
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            for entry in tar:
                if not entry.isreg():
                    continue
                key, suffix = _parted(entry.name)
                if entry.offset_data + entry.size > size:
                    raise Problem(f"{path}: {entry.name!r} is cut off. {_AGAIN}")
                if f".{suffix.rpartition('.')[2]}" in SUFFIXES:
                    if key in images:
                        raise Problem(
                            f"{path}: several images of {key!r} ({entry.name!r}); nobody can say which counts"
                        )
                    images[key] = Member(path, entry.name, entry.offset_data, entry.size)
                elif suffix in ("cls", "json") and (suffix == "cls" or key not in labels) and entry.size <= _MAX_LABEL:
                    content = tar.extractfile(entry)
                    label = _label(suffix, content.read() if content is not None else b"")
                    if label is not None:
                        labels[key] = label
    except (tarfile.TarError, EOFError) as error:
        with path.open("rb") as stream:
            is_packed = stream.read(4).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd"))
        why = "packed; unpack it to a plain .tar" if is_packed else f"cut off or damaged ({one_line(error)}). {_AGAIN}"
        raise Problem(f"{path}: {why}") from error
    lacking = next((key for key in images if key not in labels), None)
    if lacking is not None or not images:
        told = f"no label of {lacking!r}" if lacking is not None else "no images"
        raise Problem(
            f"{path}: holds {told}; expected KEY.png (or .jpg, .webp) with KEY.cls, or KEY.json with 'label', as "
            "WebDataset has them. Unpack a tar of folders"
        )
    found: list[Encoded] = list(images.values())
    values = [labels[key] for key in images]
    if all(isinstance(value, int) for value in values):
        return Part(found, np.array(values, np.int64))
    if any(isinstance(value, int) for value in values):
        raise Problem(f"{path}: labels are numbers here and names there")
    return Part(found, [str(value) for value in values])


def _parted(name: str) -> tuple[str, str]:
    """As webdataset does: what comes before the first dot of the last name is the key."""
    folder, slash, last = name.rpartition("/")
    key, _, suffix = last.partition(".")
    return folder + slash + key, suffix.lower()


def _label(suffix: str, content: bytes) -> int | str | None:
    """None where the member tells no label."""
    try:
        text = content.decode("utf-8").strip()
        found = text if suffix == "cls" else json.loads(text)
    except ValueError:
        return None
    if isinstance(found, dict):
        found = next((found[key] for key in _LABEL_KEYS if isinstance(found.get(key), int | str)), None)
    if isinstance(found, bool) or not isinstance(found, int | str):
        return None
    if isinstance(found, str) and found.lstrip("-").isdecimal() and len(found) < 10:
        return int(found)
    return (
        found if isinstance(found, str) and found else found if isinstance(found, int) and abs(found) < 2**31 else None
    )
