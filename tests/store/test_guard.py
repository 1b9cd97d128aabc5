"""Files are opened first in a process that can be killed: it answers, or it is killed and begun anew."""

import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from store.file.format import FormatError
from store.guard import PROGRAM, Guard
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
    edit_manifest(path, data__n_labels=5)
    for _ in range(2):
        with pytest.raises(FormatError, match=r"größe \n.h5: labels/name: shape"):
            guard.check(path)
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match="not an HDF5 file"):
        guard.check(path)
    assert guard._process is None  # what was refused leaves nothing behind
    guard.check(write_small(path))
    process = guard._process
    guard.check(path)
    assert guard._process is process is not None


def test_whose_process_was_killed_between_two_files_is_no_fault_of_the_next(guard: Guard, tmp_path: Path) -> None:
    path = write_small(tmp_path / "run.h5")
    guard.check(path)
    assert guard._process is not None
    guard._process.kill()
    guard._process.wait()
    killed = guard._process
    guard.check(path)
    assert guard._process is not killed


def test_what_the_system_refuses_is_left_to_who_asked(guard: Guard, tmp_path: Path) -> None:
    for path in (tmp_path / "none.h5", tmp_path):
        guard.check(path)
        assert guard._process is not None and guard._process.poll() is None  # it answered, and serves the next


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


HANGS = "import store.guard, store.file.structure, time\n"
HANGS += "store.file.structure.open_checked = lambda path: time.sleep(60)\nstore.guard._serve(1, 300)"


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="there is no alarm on this system")
def test_what_hangs_is_killed_and_the_next_is_checked(tmp_path: Path) -> None:
    """By the process itself, so that it ends too where nobody waits for it any more."""
    guard = Guard(program(HANGS))
    with pytest.raises(FormatError, match=r"hang.h5: not checked within 10 s; refused"):
        guard.check(tmp_path / "hang.h5")
    guard._program = PROGRAM
    guard.check(write_small(tmp_path / "good.h5"))
    guard.close()


def test_who_waits_for_a_process_waits_only_so_long(tmp_path: Path) -> None:
    guard = Guard(program("import time; time.sleep(600)"), patience=0.5)
    with pytest.raises(FormatError, match=r"hang.h5: not checked within 0.5 s; refused"):
        guard.check(tmp_path / "hang.h5")
    assert guard._process is None


def test_nobody_else_waits(tmp_path: Path) -> None:
    guard = Guard(program("import time; time.sleep(600)"), patience=600)
    said: list[str] = []

    def check() -> None:
        with pytest.raises(FormatError) as caught:
            guard.check(tmp_path / "hang.h5")
        said.append(str(caught.value))

    waiting = threading.Thread(target=check)
    waiting.start()
    while guard._process is None:
        time.sleep(0.01)
    guard.start()
    assert waiting.is_alive() and not said
    guard._process.kill()
    waiting.join(60)
    assert "ended the process" in said[0]


def test_an_answer_that_nobody_waited_for_is_not_the_next_files(tmp_path: Path) -> None:
    guard = Guard()
    path = write_small(tmp_path / "run.h5")
    guard.check(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "_answers", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            guard.check(path)
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match="not an HDF5 file"):
        guard.check(path)
    guard.close()


class Interrupted:
    def get(self, timeout: float) -> str:
        raise KeyboardInterrupt


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
    guard = Guard((sys.executable, "-m", "store.guard", "10", "10"))
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
