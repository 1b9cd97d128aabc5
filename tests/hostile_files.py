"""Result files made to harm: structures that HDF5 would follow, hand out memory for, or never come back from."""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import h5py
import numpy as np

from store.file import format as fmt
from store.file.write import write_run
from store.measure.layer import fields_from_factors
from tests.builders import edit_manifest, small_run

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
    file[PLACE] = h5py.ExternalLink("secret.h5", f"/{PLACE}")


def soft_link_to_a_group(file: h5py.File) -> None:
    file.move("layers", "elsewhere")
    file["layers"] = h5py.SoftLink("/elsewhere")


def external_storage(file: h5py.File) -> None:
    del file[PLACE]
    file.create_dataset(PLACE, SHAPE, "<f4", external=[("secret.bin", 0, 384)])


def virtual(file: h5py.File) -> None:
    del file[PLACE]
    layout = h5py.VirtualLayout(SHAPE, "<f4")
    layout[:] = h5py.VirtualSource("secret.h5", PLACE, SHAPE, "<f4")
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


def unknown_filter(file: h5py.File) -> None:
    """Number 32004, which HDF5 looks for among its plugins."""
    del file[PLACE]
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk(CHUNK)
    creation.set_filter(32004, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple(SHAPE)
    dataset = h5py.h5d.create(file.id, PLACE.encode(), h5py.h5t.IEEE_F32LE, space, dcpl=creation)
    for number in range(6):
        dataset.write_direct_chunk((number, 0, 0), b"\1" * 68)


def chunk_that_inflates(file: h5py.File) -> None:
    """64 MB of zeros in 64 kB, and a filter that says so; without it the size of a chunk follows from the format."""
    del file[PLACE]
    zeros = np.zeros(1 << 24, np.float32)
    file.create_dataset(PLACE, data=zeros, chunks=zeros.shape, compression="gzip", fletcher32=True)


def external_storage_on_a_pipe(file: h5py.File) -> None:
    os.mkfifo(Path(file.filename).with_name("pipe"))
    del file[PLACE]
    file.create_dataset(PLACE, SHAPE, "<f4", external=[("pipe", 0, 384)])


def virtual_manifest_on_a_pipe(file: h5py.File) -> None:
    """HDF5 opens the sources of an unlimited virtual dataset to tell its shape: here a pipe, which never answers."""
    os.mkfifo(Path(file.filename).with_name("pipe"))
    del file["manifest"]
    here, there = (h5py.h5s.create_simple((10,), (h5py.h5s.UNLIMITED,)) for _ in range(2))
    for space in (here, there):
        space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (1,), (1,))
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_virtual(here, b"pipe", b"data", there)
    h5py.h5d.create(file.id, b"manifest", h5py.h5t.STD_U8LE, here, dcpl=creation)


def many_groups(file: h5py.File) -> None:
    """200,000 in the place of a dataset."""
    del file[PLACE]
    group = file.create_group(PLACE).id
    for number in range(200_000):
        h5py.h5g.create(group, b"%d" % number)


def nested_groups(file: h5py.File) -> None:
    """3,000, one in the other, and the innermost in the place of a dataset."""
    group = file.create_group("a")
    for _ in range(3000):
        group = group.create_group("a")
    del file[PLACE]
    file[PLACE] = group


def cyclic_links(file: h5py.File) -> None:
    """A group that holds the one that it is in."""
    del file[PLACE]
    file[PLACE] = file["layers"]


def cyclic_references(file: h5py.File) -> None:
    del file[PLACE]
    file.create_dataset(PLACE, SHAPE, h5py.ref_dtype, chunks=CHUNK, fletcher32=True)
    file[PLACE][...] = np.full(SHAPE, file[PLACE].ref, h5py.ref_dtype)


def long_names(file: h5py.File) -> None:
    """Of 10 MB each."""
    del file["labels/name"]
    names = np.full(4, b"a", f"S{10 << 20}")
    file.create_dataset("labels/name", data=names, chunks=(4,), fletcher32=True)


def names_of_variable_length(file: h5py.File) -> None:
    del file["labels/name"]
    file.create_dataset("labels/name", data=["a"] * 4, dtype=h5py.string_dtype(), chunks=(4,))


STRUCTURES: dict[Callable[[h5py.File], None], str] = {
    soft_link: "soft or external link",
    soft_link_to_a_group: "soft or external link",
    external_link: "soft or external link",
    external_storage: "not stored as chunks in this file",
    virtual: "not stored as chunks in this file",
    contiguous: "stored in one piece, without chunks",
    scalar: "stored in one piece, without chunks",
    compressed: r"stored with gzip.*expected fletcher32 alone",
    shuffled: r"stored with shuffle.*expected fletcher32 alone",
    no_checksum: r"stored with no filter, expected fletcher32 alone",
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
    unknown_filter: r"stored with lz4, expected fletcher32 alone",
    chunk_that_inflates: r"stored with gzip.*expected fletcher32 alone",
    external_storage_on_a_pipe: "not stored as chunks in this file",
    virtual_manifest_on_a_pipe: "not stored as chunks in this file",
    many_groups: "'fields' is not what the format has there",
    nested_groups: "'fields' is not what the format has there",
    cyclic_links: "'fields' is not what the format has there",
    cyclic_references: "type object, expected <f4",
    long_names: r"type \|S10485760, expected S",
    names_of_variable_length: "expected fletcher32 alone",
}
WHERE: dict[Callable[[h5py.File], None], str] = {  # else at PLACE
    soft_link_to_a_group: "layers/10/",
    virtual_manifest_on_a_pipe: "manifest",
    long_names: "labels/name",
    names_of_variable_length: "labels/name",
}


def edit(path: Path, change: Callable[[h5py.File], None]) -> str:
    """Make the file of `write_small` a hostile one; how it is refused, as a regular expression."""
    with h5py.File(path, "r+") as file:
        change(file)
    return f"{WHERE.get(change, PLACE)}.*: .*{STRUCTURES[change]}"


# Whole files: written by a program that checks nothing, or byte by byte.


def shared_chunks(path: Path) -> None:
    """Every chunk of a dataset the same bytes: a small file that would ask for any amount of memory."""
    values = np.ones(SHAPE, np.float32)
    with h5py.File(path, "r+", libver=("earliest", "v110")) as file:  # whose index of chunks has no checksum
        del file[PLACE]
        dataset = file.create_dataset(PLACE, data=values, chunks=CHUNK, maxshape=SHAPE, fletcher32=True)
        places = [dataset.id.get_chunk_info(k).byte_offset for k in range(6)]
    content = path.read_bytes()
    # the index: for each chunk its size, mask, offsets and place
    starts = (found.start() for found in re.finditer(b"TREE\x01", content))
    start = next(at for at in starts if struct.pack("<Q", places[0]) in content[at : at + 1024])
    index = content[start : start + 1024]
    for place in places[1:]:
        assert index.count(struct.pack("<Q", place)) == 1
        index = index.replace(struct.pack("<Q", place), struct.pack("<Q", places[0]))
    path.write_bytes(content[:start] + index + content[start + 1024 :])


def manifest_of_1e12(path: Path) -> None:
    edit_manifest(path, layers__0__n_filters=10**12)


def manifest_of_many_objects(path: Path) -> None:
    """As much text as a manifest may have, as JSON that takes the most memory."""
    edit_manifest(path, anything=[{}] * (fmt.MAX_MANIFEST_BYTES // 4 - 2000))


def huge_manifest(path: Path) -> None:
    edit_manifest(path, anything="a" * fmt.MAX_MANIFEST_BYTES)


def not_a_number(path: Path) -> None:
    _write_unchecked(path, float("nan"))


def infinite(path: Path) -> None:
    _write_unchecked(path, float("inf"))


def _write_unchecked(path: Path, value: float) -> None:
    """Class means that are not finite, with every checksum right."""
    run = small_run(layers={"10": (6, 4)}, features=False)
    layer = run.layers[0]
    assert layer.class_means is not None and layer.probe_weights is not None
    layer.class_means[1, 1, 0] = value
    layer.fields = fields_from_factors(layer.class_means, layer.probe_weights)
    with mock.patch.object(fmt, "is_finite", lambda place, values: True):
        write_run(path, run)


FILES: dict[Callable[[Path], None], str] = {
    shared_chunks: f"{PLACE}.*(shares its bytes|chunk)",
    manifest_of_1e12: "manifest: 'n_filters' must be an integer from 1 to 65536",
    huge_manifest: "manifest: expected 1 to [0-9]+ bytes",
    not_a_number: "layers/10/class_means: holds values that are infinite or not a number",
    infinite: "layers/10/class_means: holds values that are infinite or not a number",
}
