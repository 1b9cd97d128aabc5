"""Where a sweep's runs are made: processes of their own, so that what ends one leaves the others alone."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from precompute.messages.problem import BUSY
from precompute.sweep.runs import SweepRun

_GRACE = 60.0  # seconds that a run has to save where it is
_TAIL = 8  # lines of a log that say what went wrong


@dataclass(frozen=True)
class Ended:
    """How a run's process ended."""

    status: int  # as a shell has it, but -N where signal N ended it
    seconds: float
    last_lines: tuple[str, ...]  # of what it printed
    where: str = ""

    @property
    def busy(self) -> bool:
        """Whether it only found that another process makes the same file."""
        return self.status == 1 and any(BUSY in line for line in self.last_lines)


class Pool(Protocol):
    """What makes runs; `sweep` decides which, and when."""

    room: int  # how many runs it takes at a time; those beyond `slots` wait in it

    @property
    def slots(self) -> int:
        """How many runs it makes at a time."""
        ...

    def start(self, run: SweepRun) -> None: ...

    def ended(self) -> list[tuple[SweepRun, Ended]]:
        """Those that ended since, after a moment's wait."""
        ...

    def helper(self, module: str, given: str) -> "subprocess.CompletedProcess[str]":
        """Run a module where runs are made, with what it is given to read."""
        ...

    def stop(self) -> None:
        """End all of them; what is done of them is kept."""
        ...


class Child:
    """The process of one run, and its log."""

    def __init__(self, arguments: tuple[str, ...], log: Path, threads: int) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("ab") as file:
            self._from = file.seek(0, os.SEEK_END)  # earlier attempts stand before it
            self._process = subprocess.Popen(
                [sys.executable, "-m", "precompute.sweep.supervised", str(os.getpid()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment(threads),
                start_new_session=True,  # a terminal's Ctrl-C reaches the sweep alone, which hands it on once
            )
        self._started = time.monotonic()

    def ended(self) -> Ended | None:
        """None while it works."""
        status = self._process.poll()
        if status is None:
            return None
        return Ended(status, time.monotonic() - self._started, self._tail())

    def ask_to_stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait_or_kill(self, until: float) -> None:
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        finally:  # also where a second signal breaks the wait off
            self._process.kill()
            self._process.wait()

    def _tail(self) -> tuple[str, ...]:
        with self._log.open("rb") as file:
            file.seek(max(self._from, file.seek(0, os.SEEK_END) - 4000))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return tuple(line for line in lines if line.strip())[-_TAIL:]


class LocalPool:
    """So many processes on this machine."""

    def __init__(self, jobs: int) -> None:
        self.room = self.slots = jobs
        self._threads = max(1, processors() // jobs)
        self._children: dict[SweepRun, Child] = {}

    def start(self, run: SweepRun) -> None:
        self._children[run] = Child(run.arguments, run.log, self._threads)

    def ended(self) -> list[tuple[SweepRun, Ended]]:
        time.sleep(0.2)
        found = [(run, ended) for run, child in self._children.items() if (ended := child.ended()) is not None]
        for run, _ in found:
            del self._children[run]
        return found

    def helper(self, module: str, given: str) -> "subprocess.CompletedProcess[str]":
        return run_module(module, given, self._threads)

    def stop(self) -> None:
        stop_all(list(self._children.values()))


def stop_all(children: list[Child]) -> None:
    """All are asked at once, and have the same time."""
    until = time.monotonic() + _GRACE
    try:
        for child in children:
            child.ask_to_stop()
    finally:
        for child in children:
            try:
                child.wait_or_kill(until)
            except subprocess.TimeoutExpired:
                continue


def run_module(module: str, given: str, threads: int) -> "subprocess.CompletedProcess[str]":
    """A module in a process of its own: what it takes of memory, and of a GPU's, goes back when it ends."""
    command = [sys.executable, "-m", module]
    return subprocess.run(command, input=given, capture_output=True, text=True, env=environment(threads))


def processors() -> int:
    """Those that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """Each run computes with its share of the processors; who set a number of threads before keeps it."""
    return {"OMP_NUM_THREADS": str(threads), **os.environ}
