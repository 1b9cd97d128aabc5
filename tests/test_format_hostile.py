"""Structures that HDF5 would follow, or hand out memory for: refused, with the place named, before they are read."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from store.read import Run
from tests.builders import refused, write_small

PLACE = "layers/10/fields"
CHUNK = (1, 4, 4)  # of PLACE in the file of `small_run`
SHAPE = (6, 4, 4)


def replaced(file: h5py.File, **options: object) -> h5py.Dataset:
    """PLACE made anew with the same values, but for what `options` say."""
    values = file[PLACE][:]
    del file[PLACE]
    usual = {"data": values, "chunks": CHUNK, "fletcher32": True}
    options = {key: value for key, value in (usual | options).items() if value is not ...}
    return file.create_dataset(PLACE, **options)


def soft_link(file: h5py.File) -> None:
    file.move(PLACE, "elsewhere")
    file[PLACE] = h5py.SoftLink("/elsewhere")


def external_link(file: h5py.File) -> None:
    del file[PLACE]
    file[PLACE] = h5py.ExternalLink("other.h5", f"/{PLACE}")


def soft_link_to_a_group(file: h5py.File) -> None:
    file.move("layers", "elsewhere")
    file["layers"] = h5py.SoftLink("/elsewhere")


def external_storage(file: h5py.File) -> None:
    del file[PLACE]
    file.create_dataset(PLACE, SHAPE, "<f4", external=[("/etc/hostname", 0, 384)])


def virtual(file: h5py.File) -> None:
    del file[PLACE]
    layout = h5py.VirtualLayout(SHAPE, "<f4")
    layout[:] = h5py.VirtualSource("other.h5", PLACE, SHAPE, "<f4")
    file.create_virtual_dataset(PLACE, layout)


def contiguous(file: h5py.File) -> None:
    replaced(file, chunks=..., fletcher32=...)


def compressed(file: h5py.File) -> None:
    replaced(file, compression="gzip")


def shuffled(file: h5py.File) -> None:
    replaced(file, shuffle=True)


def no_checksum(file: h5py.File) -> None:
    replaced(file, fletcher32=False)


def short_chunk(file: h5py.File) -> None:
    file[PLACE].id.write_direct_chunk((2, 0, 0), b"\x00" * 20)


def long_chunk(file: h5py.File) -> None:
    file[PLACE].id.write_direct_chunk((2, 0, 0), b"\x00" * 200)


def unfiltered_chunk(file: h5py.File) -> None:
    dataset = replaced(file, data=..., shape=SHAPE, dtype="<f4")
    for number in range(6):
        dataset.id.write_direct_chunk((number, 0, 0), b"\x01" * 68, filter_mask=1)


def missing_chunk(file: h5py.File) -> None:
    replaced(file, data=..., shape=SHAPE, dtype="<f4")[:5] = 1


def other_chunks(file: h5py.File) -> None:
    replaced(file, chunks=(2, 4, 4))


def double_type(file: h5py.File) -> None:
    replaced(file, dtype="<f8")


def integer_type(file: h5py.File) -> None:
    replaced(file, dtype="<i4")


def big_endian(file: h5py.File) -> None:
    replaced(file, dtype=">f4")


def other_shape(file: h5py.File) -> None:
    replaced(file, data=np.zeros((7, 4, 4), np.float32))


def flat(file: h5py.File) -> None:
    replaced(file, data=np.zeros(96, np.float32), chunks=(16,))


def can_grow(file: h5py.File) -> None:
    replaced(file, maxshape=(None, 4, 4))


def shorter(file: h5py.File) -> None:
    replaced(file, data=np.zeros((5, 4, 4), np.float32), maxshape=SHAPE)


def scalar(file: h5py.File) -> None:
    replaced(file, data=1.0, chunks=..., fletcher32=...)


def vast(file: h5py.File) -> None:
    replaced(file, data=..., shape=(1 << 40, 4, 4), dtype="<f4")


def missing(file: h5py.File) -> None:
    del file[PLACE]


def group_in_its_place(file: h5py.File) -> None:
    del file[PLACE]
    file.create_group(PLACE)


def type_in_its_place(file: h5py.File) -> None:
    del file[PLACE]
    file[PLACE] = np.dtype("<f4")


STRUCTURES: dict[Callable[[h5py.File], None], str] = {
    soft_link: "soft or external link",
    soft_link_to_a_group: "soft or external link",
    external_link: "soft or external link",
    external_storage: "not stored as chunks in this file",
    virtual: "not stored as chunks in this file",
    contiguous: "not stored as chunks in this file",
    scalar: "not stored as chunks in this file",
    compressed: r"filters .*expected fletcher32 alone",
    shuffled: r"filters .*expected fletcher32 alone",
    no_checksum: r"filters \[\], expected fletcher32 alone",
    short_chunk: "a chunk of 20 bytes where 68 belong",
    long_chunk: "a chunk of 200 bytes where 68 belong",
    unfiltered_chunk: "a chunk of ",
    missing_chunk: "5 of 6 chunks",
    other_chunks: r"chunks \(2, 4, 4\), expected \(1, 4, 4\)",
    double_type: "type float64, expected <f4",
    integer_type: "type int32, expected <f4",
    big_endian: "type >f4, expected <f4",
    other_shape: r"shape \(7, 4, 4\), expected \(6, 4, 4\)",
    flat: r"shape \(96,\), expected \(6, 4, 4\)",
    can_grow: r"shape \(6, 4, 4\), expected \(6, 4, 4\)",
    vast: "shape .*, expected ",
    shorter: r"shape \(5, 4, 4\), expected \(6, 4, 4\)",
    missing: "missing",
    group_in_its_place: "'fields' is not what the format has there",
    type_in_its_place: "'fields' is not what the format has there",
}


@pytest.mark.parametrize("change", STRUCTURES, ids=lambda change: change.__name__)
def test_hostile_structures_are_refused_by_name(change: Callable[[h5py.File], None], result_file: Path) -> None:
    write_small(result_file.with_name("other.h5"))
    with h5py.File(result_file, "r+") as file:
        change(file)
    where = "layers/10/" if change is soft_link_to_a_group else PLACE
    refused(result_file, f"{where}.*: .*{STRUCTURES[change]}")


def test_nothing_else_in_the_file_is_looked_at(result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        file["link"] = h5py.ExternalLink("/etc/hostname", "/")
        file["layers/10/remark"] = "of any length"
        file["layers/10"].attrs["more"] = "of any length"
    with Run(result_file) as run:
        run.verify()


@pytest.mark.parametrize("place", ["labels/name", "labels/superclass", "manifest"])
def test_strings_of_variable_length_are_refused(place: str, result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        del file[place]
        file.create_dataset(place, data=["a"] * 4, dtype=h5py.string_dtype(), chunks=(4,))  # never with a checksum
    refused(result_file, f"{place}: .*expected fletcher32 alone")


def test_long_strings_are_refused(result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        del file["labels/name"]
        names = np.full(4, b"a", "S257")
        file.create_dataset("labels/name", data=names, chunks=(4,), fletcher32=True)
    refused(result_file, "labels/name: type .S257, expected S")


def test_chunks_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Else a file of a megabyte would ask for gigabytes of memory: every chunk of a large dataset the same bytes."""
    path = write_small(tmp_path / "run.h5", layers={"10": (6, 4)}, features=False)
    values = np.ones(SHAPE, np.float32)
    with h5py.File(path, "r+", libver=("earliest", "v110")) as file:  # the old index of chunks has no checksum
        del file[PLACE]
        dataset = file.create_dataset(PLACE, data=values, chunks=CHUNK, maxshape=SHAPE, fletcher32=True)
        places = [dataset.id.get_chunk_info(k).byte_offset for k in range(6)]
    content = path.read_bytes()
    start = content.index(b"TREE\x01")  # the index: for each chunk its size, mask, offsets and place
    index = content[start : start + 1024]
    for place in places[1:]:
        assert index.count(struct.pack("<Q", place)) == 1
        index = index.replace(struct.pack("<Q", place), struct.pack("<Q", places[0]))
    path.write_bytes(content[:start] + index + content[start + 1024 :])
    with h5py.File(path) as file:
        assert (file[PLACE][:] == values).all()  # HDF5 follows the index
    refused(path, PLACE)


def test_a_virtual_manifest_opens_no_other_file(result_file: Path) -> None:
    """HDF5 opens the sources of an unlimited virtual dataset to tell its shape: here a pipe, which never answers."""
    pipe = result_file.with_name("pipe.h5")
    os.mkfifo(pipe)
    with h5py.File(result_file, "r+") as file:
        del file["manifest"]
        here, there = (h5py.h5s.create_simple((10,), (h5py.h5s.UNLIMITED,)) for _ in range(2))
        for space in (here, there):
            space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (1,), (1,))
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_virtual(here, bytes(pipe), b"data", there)
        h5py.h5d.create(file.id, b"manifest", h5py.h5t.STD_U8LE, here, dcpl=creation)
    command = [sys.executable, "-m", "store", "check", str(result_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and "manifest: not stored as chunks" in done.stderr
