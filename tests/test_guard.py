"""Files are opened first in a process that can be killed: it answers, or it is killed and begun anew."""

import sys
import time
from pathlib import Path

import pytest

from store.format import FormatError
from store.guard import Guard
from tests.builders import edit_manifest, write_small


@pytest.fixture
def guard():
    guard = Guard()
    yield guard
    guard.close()


def test_what_is_whole_passes_and_what_is_not_is_refused_by_name(guard: Guard, tmp_path: Path) -> None:
    path = write_small(tmp_path / "größe \n.h5")
    guard.start()
    guard.check(path)
    process = guard._process
    edit_manifest(path, data__n_labels=5)
    for _ in range(2):
        with pytest.raises(FormatError, match=r"größe \n.h5: labels/name: shape"):
            guard.check(path)
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match="not an HDF5 file"):
        guard.check(path)
    guard.check(write_small(path))
    assert guard._process is process  # one process for them all


def test_what_the_system_refuses_is_left_to_who_asked(guard: Guard, tmp_path: Path) -> None:
    guard.check(tmp_path / "none.h5")
    guard.check(tmp_path)


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_what_hangs_is_killed_and_the_next_is_checked(tmp_path: Path) -> None:
    text = "import sys, time\nfor line in sys.stdin:\n  'hang.h5' in line and time.sleep(60); print('null', flush=True)"
    guard = Guard(program(text), seconds=30.0)
    guard.check(tmp_path / "good.h5")
    guard._seconds = 1.0
    start = time.monotonic()
    with pytest.raises(FormatError, match=r"hang.h5: not checked within 1 s; refused"):
        guard.check(tmp_path / "hang.h5")
    assert time.monotonic() - start < 20
    guard._seconds = 30.0
    guard.check(tmp_path / "good.h5")
    guard.close()


def test_what_ends_the_process_is_refused(tmp_path: Path) -> None:
    guard = Guard(program("import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.SIGSEGV)"))
    for _ in range(2):
        with pytest.raises(FormatError, match=r"bad.h5: checking it ended the process .*exit status -11"):
            guard.check(tmp_path / "bad.h5")
    guard.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited where the system can")
def test_what_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = write_small(tmp_path / "run.h5")
    edit_manifest(path, anything=[{}] * 1_000_000)
    guard = Guard((sys.executable, "-m", "store.guard", "10"))
    with pytest.raises(FormatError, match="more than 10 MB of memory are needed"):
        guard.check(path)
    guard.close()
    guard = Guard()
    guard.check(path)
    guard.close()


def test_it_ends_with_who_began_it(tmp_path: Path) -> None:
    guard = Guard()
    guard.check(write_small(tmp_path / "run.h5"))
    process = guard._process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0
