"""Structures that HDF5 would follow, or hand out memory for: refused, with the place named, before they are read."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from store.file.format import FormatError
from store.file.read import Run
from tests.builders import refused, write_small
from tests.hostile_files import FILES, STRUCTURES, edit, virtual_manifest_on_a_pipe


@pytest.mark.parametrize("change", STRUCTURES, ids=lambda change: change.__name__)
def test_hostile_structures_are_refused_by_name(change: Callable[[h5py.File], None], result_file: Path) -> None:
    write_small(result_file.with_name("secret.h5"))
    refused(result_file, edit(result_file, change))


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


@pytest.mark.parametrize("change", FILES, ids=lambda change: change.__name__)
def test_hostile_files_are_refused_by_name(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = write_small(tmp_path / "run.h5", layers={"10": (6, 4)}, features=False)
    change(path)
    with pytest.raises(FormatError, match=f"{re.escape(str(path))}: {FILES[change]}"), Run(path) as run:
        run.verify()


def test_a_virtual_manifest_opens_no_other_file(result_file: Path) -> None:
    words = edit(result_file, virtual_manifest_on_a_pipe)
    command = [sys.executable, "-m", "store", "check", str(result_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and re.search(words, done.stderr)


def test_a_file_of_another_program_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["of"] = np.arange(3)
    with pytest.raises(FormatError, match=r"other\.h5: an HDF5 file of another program: it has no manifest"):
        Run(path)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_that_another_program_writes_is_called_that(libver: str, tmp_path: Path) -> None:
    path = tmp_path / "written.h5"
    program = (
        "import h5py, sys; file = h5py.File(sys.argv[1], 'w', libver=sys.argv[2]); file['of'] = 1; file.flush(); "
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path), libver]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        with pytest.raises(FormatError, match=r"written\.h5: open for writing by another program"):
            Run(path)
        assert writer.stdin is not None
        writer.stdin.close()
