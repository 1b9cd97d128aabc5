"""Times that can be compared: taken in one process, the contestants in turn, so that a busy machine slows all alike.

And the memory of a call, taken in a process of its own.
"""

import gc
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table of benchmarks."""

    name: str
    measured: float
    unit: str
    criterion: str
    holds: bool


def interleaved(*contestants: Callable[[], object], rounds: int = 15) -> list[list[float]]:
    """Seconds of each contestant in each round: a list for each. A first round is not timed (compilation, caches)."""
    for contestant in contestants:
        contestant()
    times: list[list[float]] = [[] for _ in contestants]
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for contestant, taken in zip(contestants, times, strict=True):
                start = time.perf_counter()
                contestant()
                taken.append(time.perf_counter() - start)
    finally:
        if collects:
            gc.enable()
    return times


def median_ratio(times: list[float], to: list[float]) -> float:
    """The median over the rounds of one contestant's time divided by another's in the same round."""
    return median(one / other for one, other in zip(times, to, strict=True))


def median_time(contestant: Callable[[], object], rounds: int = 15) -> float:
    """Seconds, the median over the rounds."""
    return median(interleaved(contestant, rounds=rounds)[0])


def peak_above(setup: str, call: str) -> int:
    """Bytes by which `call` raises the resident memory of a fresh process at its peak, once `setup` has run there.

    tracemalloc would not see what compiled loops allocate. Linux alone tells the peak of a part of a process's life.
    """
    program = f"from benchmarks.timing import peak_growth\n{textwrap.dedent(setup)}\nprint(peak_growth(lambda: {call}))"
    command = [sys.executable, "-c", program]
    root = Path(__file__).parents[1]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout)


def peak_growth(call: Callable[[], object]) -> int:
    """Bytes by which the resident memory of this process rises at its peak while `call` runs."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is resident now
    before = _resident("VmHWM")
    call()
    return _resident("VmHWM") - before


def _resident(entry: str) -> int:
    """An entry of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")) * 1024
