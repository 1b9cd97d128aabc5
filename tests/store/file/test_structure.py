"""Structures that HDF5 would follow, or hand out memory for: refused, with the place named, before they are read."""

import re
import shutil
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
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1 and re.search(words, done.stderr)


# ---- Files that h5repack has changed, and the command by which it changes them back


def repack(source: Path, target: Path, options: list[str]) -> None:
    subprocess.run(["h5repack", *options, str(source), str(target)], check=True)


@pytest.mark.skipif(shutil.which("h5repack") is None, reason="h5repack is not installed")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-f", "GZIP=6"], "stored with gzip"),
        (["-f", "SHUF", "-f", "GZIP=1"], "stored with shuffle, gzip"),
        (["-f", "NONE"], "stored with no filter"),
        (["-l", "CONTI"], "stored in one piece"),
    ],
)
def test_a_repacked_file_names_what_was_done_and_what_restores_it(
    result_file: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    changed = tmp_path / "changed.h5"
    repack(result_file, changed, options)
    for step in range(2):  # a file in one piece has lost its chunks too: a second message says which
        with pytest.raises(FormatError) as refused:
            Run(changed)
        assert "repacked" in str(refused.value) and (said in str(refused.value) or step)
        command = re.search(r"h5repack (.*) FILE NEW restores it", str(refused.value))
        assert command is not None
        restored = tmp_path / f"restored-{step}.h5"
        repack(changed, restored, command[1].split())
        changed = restored
        try:
            with Run(restored) as run, Run(result_file) as original:
                run.verify()
                assert run.content_sha256 == original.content_sha256
            return
        except FormatError:
            assert step == 0 and "-l" in options


def test_names_are_ascii_where_they_are_and_never_of_one_byte(tmp_path: Path) -> None:
    """Octave leaves out groups that hold UTF-8; xarray joins strings of one byte into one."""
    for names, charset in ((["0", "1"], "ascii"), (["é", "f"], "utf-8")):
        path = write_small(tmp_path / f"{charset}.h5", n_labels=2, label_names=names)
        with h5py.File(path) as file:
            kind = h5py.check_string_dtype(file["labels/name"].dtype)
            assert kind.encoding == charset and kind.length >= 2
        with Run(path) as run:
            assert list(run.label_names) == names


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
