"""The check that a file is whole and safe to open, before any of its data is read (see FORMAT.md).

HDF5 itself follows links to other files and hands out process memory for a short chunk. From the manifest follows what
every dataset must be, and so the exact size of every chunk on disk: the check compares each with that and looks at
nothing else.
"""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py

from store.file.format import MAX_MANIFEST_BYTES, FormatError, Spec, check_manifest, expected
from store.file.remote import RemoteFile, raise_failure

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FILTERS = {  # by their numbers
    1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scale-offset", 32004: "lz4", 32015: "zstd",
}  # fmt: skip
_RESTORE = "h5repack -f FLET FILE NEW restores it"
BEING_WRITTEN = "open for writing by another program"
_CHECKSUM_BYTES = 4  # fletcher32, after the data of each chunk


def open_checked(source: Path | RemoteFile) -> tuple[h5py.File, dict[str, Any]]:
    """Open a file and check its structure; the caller closes it. Raises FormatError, or OSError from the system.

    What the datasets hold is compared with the manifest's sha256 when it is first read (`store.file.read`).
    """
    name = str(source) if isinstance(source, Path) else source.address
    if isinstance(source, Path) and source.exists() and not source.is_file() and not source.is_dir():
        raise FormatError(f"{name}: not a file; refused")  # a pipe would never answer
    if _start(source) != _SIGNATURE:
        raise FormatError(f"{name}: not an HDF5 file, or cut off at its start; is it a Filterscope result?")
    try:
        file = h5py.File(source, "r", **({"locking": False} if isinstance(source, Path) else {}))
    except (OSError, RuntimeError, ValueError) as error:
        raise_failure(source)
        if isinstance(source, Path) and _is_being_written(source, error):
            raise FormatError(f"{name}: {BEING_WRITTEN}; wait until it is closed") from error
        raise FormatError(f"{name}: HDF5 cannot open it, so it is damaged or was cut off ({error})") from error
    try:
        return file, _check(file)
    except (FormatError, OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        file.close()
        raise_failure(source)
        if isinstance(source, Path) and _is_being_written(source, error):
            raise FormatError(f"{name}: {BEING_WRITTEN}; wait until it is closed") from error
        if isinstance(error, FormatError):
            raise FormatError(f"{name}: {error}") from None
        raise FormatError(f"{name}: damaged, or not of this format ({type(error).__name__}: {error})") from error


def _is_being_written(path: Path, error: Exception) -> bool:
    """Whether a program holds the file as HDF5 does for writing: by its mark in the file, or its lock on it."""
    if "already open for write" in str(error):
        return True
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
    return False


def _start(source: Path | RemoteFile) -> bytes:
    if isinstance(source, RemoteFile):
        source.seek(0)
        return source.read(len(_SIGNATURE)) or b""
    with source.open("rb") as raw:  # as the system would say it: no such file, a directory, no permission
        return raw.read(len(_SIGNATURE))


def _check(file: h5py.File) -> dict[str, Any]:
    if not file.id.links.exists(b"manifest"):
        raise FormatError("an HDF5 file of another program: it has no manifest, so it is not a Filterscope result")
    length = _dataset(file, "manifest").shape
    if len(length) != 1 or not 0 < length[0] <= MAX_MANIFEST_BYTES:
        raise FormatError(f"manifest: expected 1 to {MAX_MANIFEST_BYTES} bytes, found shape {length}")
    spans = _check_dataset(file, "manifest", Spec("|u1", length))
    text = file["manifest"][:].tobytes()
    try:
        manifest: dict[str, Any] = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise FormatError(f"manifest: not JSON ({error})") from None
    check_manifest(manifest)
    places = expected(manifest)
    _check_chunks(file, places)
    for place, spec in places.items():
        spans += _check_dataset(file, place, spec)
    spans.sort()
    for (_, end, place), (start, *_) in pairwise(spans):
        if start < end:  # else a small file could ask for any amount of memory
            raise FormatError(f"{place}: shares its bytes with another chunk; refused")
    return manifest


def _check_chunks(file: h5py.File, places: dict[str, Spec]) -> None:
    """Whether every dataset is divided as it must be; names all that are not, since one command restores them."""
    stored = {place: _dataset(file, place) for place in places}
    wanted = {
        place: chunk
        for place, dataset in stored.items()
        if dataset.shape == places[place].shape
        and places[place].holds(dataset.dtype)
        and dataset.chunks != (chunk := places[place].chunk(dataset.dtype.itemsize))
    }
    if wanted:
        place, chunk = next(iter(wanted.items()))
        found = f"chunks {stored[place].chunks}, expected {chunk}"
        raise FormatError(f"{place}: repacked: {found}; {_restored_by(wanted)}")


def _dataset(file: h5py.File, place: str) -> h5py.Dataset:
    """The dataset at a path of hard links only, stored as this format stores."""
    group = file.id
    *parents, last = place.split("/")
    for step in (*parents, last):
        name = step.encode()
        if not group.links.exists(name):
            raise FormatError(f"{place}: missing; the file is not whole")
        if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise FormatError(f"{place}: reached through a soft or external link; refused")
        group = h5py.h5o.open(group, name)
        wanted = h5py.h5d.DatasetID if step is last else h5py.h5g.GroupID
        if not isinstance(group, wanted):
            raise FormatError(f"{place}: {step!r} is not what the format has there")
    creation = group.get_create_plist()  # before its shape: to tell that of a virtual dataset, HDF5 opens other files
    layout = creation.get_layout()
    if layout in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) and not creation.get_external_count():
        raise FormatError(f"{place}: repacked: stored in one piece, without chunks and checksums; {_RESTORE}")
    if layout != h5py.h5d.CHUNKED or creation.get_external_count():
        raise FormatError(f"{place}: not stored as chunks in this file; refused")
    filters = [creation.get_filter(k)[0] for k in range(creation.get_nfilters())]
    if filters != [h5py.h5z.FILTER_FLETCHER32]:
        found = ", ".join(_FILTERS.get(number, f"filter {number}") for number in filters) or "no filter"
        raise FormatError(f"{place}: repacked: stored with {found}, expected fletcher32 alone; {_RESTORE}")
    return h5py.Dataset(group)


def _restored_by(wanted: dict[str, tuple[int, ...]]) -> str:
    """How h5repack gives datasets their chunks back."""
    options = " ".join(f"-l {place}:CHUNK={'x'.join(map(str, chunk))}" for place, chunk in wanted.items())
    return f"h5repack -f FLET {options} FILE NEW restores it"


def _check_dataset(file: h5py.File, place: str, spec: Spec) -> list[tuple[int, int, str]]:
    """Compare a dataset with what it must be; returns where its chunks lie: (start, end, place)."""
    dataset = _dataset(file, place)
    if not spec.holds(dataset.dtype):
        raise FormatError(f"{place}: type {dataset.dtype}, expected {spec.dtype}")
    if dataset.shape != spec.shape or dataset.maxshape != spec.shape:
        raise FormatError(f"{place}: shape {dataset.shape}, expected {spec.shape}")
    chunk = spec.chunk(dataset.dtype.itemsize)
    file_size = file.id.get_filesize()  # of the file that is open; another may have its name by now
    chunk_bytes = math.prod(chunk) * dataset.dtype.itemsize + _CHECKSUM_BYTES
    spans: dict[tuple[int, ...], tuple[int, int, str]] = {}

    def check_chunk(stored: h5py.h5d.StoreInfo) -> None:
        end = stored.byte_offset + stored.size
        if stored.size != chunk_bytes or stored.filter_mask or end > file_size:
            raise FormatError(f"{place}: a chunk of {stored.size} bytes where {chunk_bytes} belong; damaged or cut off")
        spans[stored.chunk_offset] = (stored.byte_offset, end, place)

    dataset.id.chunk_iter(check_chunk)
    wanted = -(-spec.shape[0] // chunk[0])
    if len(spans) != wanted:
        raise FormatError(f"{place}: {len(spans)} of {wanted} chunks; the file is not whole")
    return list(spans.values())
