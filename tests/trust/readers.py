"""A process writes runs over one another into one file, as a run does: it is replaced as a whole after each of its 5
layers; then the next run, of other numbers, begins in the same place, as fast as it goes. Meanwhile 8 threads of
another process open the file and read it, for 10 minutes: half of the times all that is in it, else one layer, a moment
after it was opened, filter by filter and measured. Every value is compared with the one that this state of this run
must have."""

import dataclasses
import functools
import multiprocessing
import os
import random
import threading
import time
from collections import Counter
from multiprocessing.synchronize import Event
from pathlib import Path

from store.file.read import Run
from store.file.write import LayerContent, RunContent, write_run
from store.measure.layer import fields_from_factors, measure_layer
from tests.builders import assert_holds, assert_same, small_run
from tests.trust.finding import Finding

THREADS = 8
LAYERS = {"2": (64, 16), "4": (96, 9), "7": (128, 4), "10": (192, 4), "13": (256, 1)}  # (filters, positions)
N_LABELS = 10


def findings(full: bool, folder: Path) -> list[Finding]:
    """10 minutes (4 s)."""
    path, seconds = folder / "run.h5", 600 if full else 4
    least = 5 if full else 1  # a busy machine gives a thread little of 4 s
    context = multiprocessing.get_context("spawn")
    done = context.Event()
    writer = context.Process(target=write, args=(path, done))
    readers = Readers(path)
    threads = [threading.Thread(target=readers.read, args=(number, seconds)) for number in range(THREADS)]
    write_run(path, state(0, 1))
    with Run(path) as run:  # compiles what the threads measure with
        assert_layer_holds(run, state(0, 1).layers[0], state(0, 1))
    first = os.stat(path).st_ino
    writer.start()
    while writer.exitcode is None and os.stat(path).st_ino == first:
        time.sleep(0.01)  # it is still importing
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    writer.join()
    opened, counts = readers.counts["opened"], readers.counts
    states = len(readers.states)
    return [
        Finding(
            f"{seconds} s of writing while {THREADS} threads read: files opened",
            f"more than {least} states",
            f"{opened}, in {states} states of {len(readers.runs())} runs, with "
            + ", ".join(f"{n} layer{'' if n == 1 else 's'}" for n in readers.sizes()),
            writer.exitcode == 0 and states > least,
        ),
        Finding(
            "opened files that were not whole, or not there",
            "0",
            f"{len(readers.failed)} of {opened}",
            not readers.failed,
            "; ".join(readers.failed[:3]),
        ),
        Finding(
            "layers that were not complete, or held a wrong value",
            "0",
            f"{len(readers.wrong)} of {counts['layers']} ({counts['values'] / 1e6:.0f} million values)",
            not readers.wrong and counts["layers"] > 0,
            "; ".join(readers.wrong[:3]),
        ),
        Finding(
            "files that were replaced while they were being read, and were read on to the end",
            "more than 0" if full else "a report",
            f"{counts['replaced']} of {opened}",
            counts["replaced"] > 0 or not full,
        ),
    ]


class Readers:
    """Threads that read one file, and what they saw."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts: Counter[str] = Counter()
        self.states: Counter[tuple[int, int]] = Counter()  # (run, layers)
        self.failed: list[str] = []
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def runs(self) -> set[int]:
        return {number for number, _ in self.states}

    def sizes(self) -> list[int]:
        return sorted({n_layers for _, n_layers in self.states})

    def read(self, thread: int, seconds: float) -> None:
        """For so long, and until two states were seen: a busy machine may write the second one late."""
        chance, until = random.Random(thread), time.monotonic() + seconds
        while time.monotonic() < until or (len(self.states) < 2 and time.monotonic() < until + 600):
            try:
                self._read_once(chance)
            except (AssertionError, KeyError) as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
            except Exception as error:  # of any kind: a thread that ended unseen would find nothing wrong
                self.failed.append(f"{type(error).__name__}: {error}")

    def _read_once(self, chance: random.Random) -> None:
        before = os.stat(self._path).st_ino
        with Run(self._path) as run:
            number, n_layers = run.manifest["recipe"]["seed"] // len(LAYERS), len(run.layers)
            wanted = state(number, n_layers)
            assert run.unfinished == list(LAYERS)[n_layers:], f"{list(run.layers)}, unfinished {run.unfinished}"
            if chance.random() < 0.5:
                assert_holds(run, wanted)
                read = wanted.layers
            else:
                time.sleep(chance.uniform(0, 0.05))
                read = [chance.choice(wanted.layers)]
                assert_layer_holds(run, read[0], wanted)
        with self._lock:
            self.states[number, n_layers] += 1
            self.counts["opened"] += 1
            self.counts["replaced"] += os.stat(self._path).st_ino != before
            self.counts["layers"] += len(read)
            self.counts["values"] += sum(values_of(layer) for layer in read)


def assert_layer_holds(run: Run, wanted: LayerContent, content: RunContent) -> None:
    """Filter by filter, as a page shows them, and measured."""
    layer = run.layers[wanted.name]
    fields = fields_from_factors(wanted.class_means, wanted.probe_weights)
    for number in range(layer.n_filters):
        assert layer.field(number).tobytes() == fields[number].tobytes(), f"layer {wanted.name}, filter {number}"
    assert_same(layer.measure(0.3), measure_layer(fields, 0.3, counts=content.test_inputs))


def values_of(layer: LayerContent) -> int:
    arrays = (layer.class_means, layer.probe_weights, layer.fields, layer.test_features)
    return sum(array.size for array in arrays if array is not None)


@functools.lru_cache(8)
def run_of(number: int) -> RunContent:
    return small_run(LAYERS, n_labels=N_LABELS, seed=number * len(LAYERS))


def state(number: int, n_layers: int) -> RunContent:
    """A run when so many of its layers are finished."""
    whole = run_of(number)
    return dataclasses.replace(whole, layers=whole.layers[:n_layers])


def write(path: Path, done: Event) -> None:
    """One run after another, until all have read enough."""
    number = 0
    while not done.is_set():
        for n_layers in range(1, len(LAYERS) + 1):
            write_run(path, state(number, n_layers))
        number += 1
