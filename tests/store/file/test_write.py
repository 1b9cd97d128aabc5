"""A file is replaced as a whole, or not at all."""

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from store.file.read import Run
from tests.builders import assert_holds, small_run, write_small


def test_a_reader_keeps_the_file_it_opened(result_file: Path) -> None:
    with Run(result_file) as old:
        write_small(result_file, seed=1)
        assert_holds(old, small_run())
    with Run(result_file) as new:
        assert_holds(new, small_run(seed=1))


def test_a_file_replaced_while_it_is_opened_is_still_whole(result_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is that of the file that was opened, not of what has the name by now."""
    real = h5py.File

    def replaced_meanwhile(*arguments: object, **options: object) -> h5py.File:
        file = real(*arguments, **options)
        result_file.unlink()
        result_file.write_bytes(b"much shorter")
        return file

    monkeypatch.setattr(h5py, "File", replaced_meanwhile)
    with Run(result_file) as run:
        assert_holds(run, small_run())


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failing_step_leaves_the_old_file(step: str, result_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = result_file.read_bytes()

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(f"os.{step}", fail)
        with pytest.raises(OSError, match="No space left"):
            write_small(result_file, seed=1)
    assert result_file.read_bytes() == before
    assert [path.name for path in result_file.parent.iterdir()] == [result_file.name]


def test_an_interrupt_leaves_the_old_file(result_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_small(result_file, seed=1)
    assert [path.name for path in result_file.parent.iterdir()] == [result_file.name]


def test_content_reaches_the_disk_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    for step in ("fsync", "replace"):
        real = getattr(os, step)

        def noted(*arguments: object, step: str = step, real=real) -> None:
            folder = step == "fsync" and os.path.isdir(f"/proc/self/fd/{arguments[0]}")
            steps.append(f"{step} folder" if folder else step)
            real(*arguments)

        monkeypatch.setattr(f"os.{step}", noted)
    write_small(tmp_path / "run.h5")
    assert steps == ["fsync", "replace", "fsync folder" if os.path.isdir("/proc/self/fd") else "fsync"]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    folder = tmp_path / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "filterscope-test", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs the command 'mount'")
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_file(full_disk: Path) -> None:
    path = write_small(full_disk / "run.h5")
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        write_small(path, layers={"10": (64, 64)}, n_labels=10)
    assert path.read_bytes() == before
    assert [entry.name for entry in full_disk.iterdir()] == ["run.h5"]


def test_a_write_that_the_system_cuts_off_leaves_the_old_file(result_file: Path) -> None:
    """The same without the right to mount: a limit on the size of files, in a process of its own."""
    pytest.importorskip("resource", reason="limits on the size of files are POSIX")
    before = result_file.read_bytes()
    program = f"""
        import resource, signal
        from pathlib import Path
        from tests.builders import write_small
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            write_small(Path({str(result_file)!r}), layers={{"10": (64, 64)}}, n_labels=10)
        except OSError as error:
            print(error.strerror)
    """
    command = [sys.executable, "-B", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == os.strerror(errno.EFBIG)
    assert result_file.read_bytes() == before
    assert [path.name for path in result_file.parent.iterdir()] == [result_file.name]
