"""`python -m precompute`, called as a person calls it, or in this process, which is quicker."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch

from precompute.__main__ import main

# One thread: so small a network gains nothing from more, and threads that wait for each other on a busy machine make it
# many times slower. The bits depend on the number of threads, so it is one in every process.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def start(arguments: list[str], folder: Path = Path()) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "precompute", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(program, stdout=pipe, stderr=pipe, text=True, cwd=folder, env=ENVIRONMENT)


def processor_seconds(process: int) -> float:
    """What it has had by now of the processor, in all its threads; 0 where the system does not tell."""
    try:
        user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def finish(process: subprocess.Popen[str]) -> str:
    """What a process that ends well prints."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out + err


def run_here(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """In this process: -> exit status, output, errors."""
    capfd.readouterr()
    return _main_of(arguments), *capfd.readouterr()


def made_in(folder: Path, arguments: list[str]) -> Path:
    """A run in this process that ends well, in that folder, whatever it prints."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert _main_of(arguments) == 0
    return folder


def _main_of(arguments: list[str]) -> int:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with mock.patch.object(sys, "argv", ["precompute", *arguments]):
            return main()
    finally:
        torch.set_num_threads(threads)
