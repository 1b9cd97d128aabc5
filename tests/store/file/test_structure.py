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
from tests.builders import refusal, write_small
from tests.hostile_files import FILES, STRUCTURES, edit, virtual_manifest_on_a_pipe


@pytest.mark.parametrize("change", STRUCTURES, ids=lambda change: change.__name__)
def test_hostile_structures_are_refused_by_name(change: Callable[[h5py.File], None], result_file: Path) -> None:
    write_small(result_file.with_name("secret.h5"))
    assert re.search(edit(result_file, change), refusal(result_file))


def test_nothing_else_in_the_file_is_looked_at(result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        file["link"] = h5py.ExternalLink("/etc/hostname", "/")
        file["layers/10/remark"] = "of any length"
        file["layers/10"].attrs["more"] = "of any length"
    with Run(result_file) as run:
        run.verify()
        assert list(run.layers) == ["10", "13"]


@pytest.mark.parametrize("place", ["labels/name", "labels/superclass", "manifest"])
def test_strings_of_variable_length_are_refused(place: str, result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        del file[place]
        file.create_dataset(place, data=["a"] * 4, dtype=h5py.string_dtype(), chunks=(4,))  # never with a checksum
    assert re.search(f"{place}: .*expected fletcher32 alone", refusal(result_file))


def test_long_strings_are_refused(result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        del file["labels/name"]
        names = np.full(4, b"a", "S257")
        file.create_dataset("labels/name", data=names, chunks=(4,), fletcher32=True)
    assert re.search("labels/name: type .S257, expected S", refusal(result_file))


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
