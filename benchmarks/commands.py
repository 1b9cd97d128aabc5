"""Benchmark 10: how long `--help` takes, Python's own start included."""

import statistics
import subprocess
import sys
import time

from benchmarks.timing import Row

ROUNDS = 9


def rows() -> list[Row]:
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "precompute", "--help"], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    middle = statistics.median(taken) * 1e3
    return [Row("python -m precompute --help", middle, "ms", "<= 500", middle <= 500)]
