"""`python -m precompute` in processes that can be disturbed at any moment of their work, and what they were at then.

A process is forked from one that has done Python's imports, so that a moment drawn at random falls into a run's work.
It writes down what it begins, line by line and at once: a kill cannot take that back.
"""

import contextlib
import functools
import itertools
import math
import multiprocessing
import os
import random
import shutil
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from precompute import result, stages
from precompute.__main__ import main
from precompute.disk import checkpoint
from precompute.disk.workspace import Workspace
from precompute.machine.stopping import EXIT_STATUS
from precompute.networks.models import find_arch
from precompute.options import Options
from precompute.training.loop import Training
from store.file.read import Run
from store.measure.layer import fields_from_factors
from tests.image_folders import tiny, write_pickles

# What a run is at, by the function that does it. A checkpoint is written inside the training, after each epoch.
STAGES = ("start", "training", "checkpoint", "activations", "probe", "fields", "writing")
BETWEEN = "between"  # two stages, or after the last
ENDED = "ended"

EPOCHS, LAYERS = 6, ("blocks.0", "blocks.2", "blocks.4")
STEPS_AN_EPOCH = 5
PATIENCE = 240.0  # seconds for what takes a few, on a machine that is busy with other things
_GOING_ON = "going on with the network's training after "

ARCH = "timm:test_efficientnet"  # 50,000 weights
# What is imported, or compiled, only when it is used: once here, so that a fork finds it done.
find_arch(Options(arch=ARCH, weights="none", image_size=32))
fields_from_factors(*np.ones((2, 2, 2, 2), np.float32))

Context = multiprocessing.get_context("forkserver")
Context.set_forkserver_preload(["__main__", "tests.trust.program"])


class Moment(NamedTuple):
    """When a run is disturbed: as it begins, or has just ended, a stage for the nth time (from 1).

    Between two checkpoints it begins the training again.
    """

    stage: str
    time: int
    ended: bool = False


class Piece(NamedTuple):
    """What a run was at for a while."""

    stage: str
    seconds: float


class Process:
    """One start of the program."""

    def __init__(
        self, arguments: list[str], folder: Path, name: str, moment: Moment | None, act: Callable[[], None] | None
    ) -> None:
        self._journal, self._printed = folder / f"{name}.journal", folder / f"{name}.txt"
        self.process = Context.Process(target=_child, args=(arguments, self._journal, self._printed, moment, act))
        self.process.start()

    def wait(self, patience: float = PATIENCE) -> int:
        """-> exit status, -N where signal N killed it. Raises TimeoutError."""
        self.process.join(patience)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"it was not done after {patience:.0f} s, at {self.stage}")
        return self.process.exitcode

    def wait_for(self, stage: str, time_of_it: int) -> bool:
        """Until it begins a stage for the nth time; whether it did before it ended."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if sum(noted == stage for _, noted in self._noted()) >= time_of_it:
                return True
            if self.process.exitcode is not None:
                return False
            time.sleep(0.001)
        raise TimeoutError(f"no {stage} after {PATIENCE:.0f} s")

    @property
    def stage(self) -> str:
        """What it is at, or was at when it was killed."""
        return next((noted for _, noted in reversed(self._noted()) if not noted.startswith("step ")), STAGES[0])

    @property
    def ended_at(self) -> float:
        """When it had done all that it was to do, by the monotonic clock; infinite where it has not."""
        at, noted = self._noted()[-1]
        return at if noted == ENDED else math.inf

    @property
    def printed(self) -> str:
        return self._printed.read_text() if self._printed.exists() else ""

    @property
    def steps(self) -> int | None:
        """How far it got with the network's training, from wherever it went on; None where it took no step."""
        noted = [int(noted.removeprefix("step ")) for _, noted in self._noted() if noted.startswith("step ")]
        return noted[-1] if noted else None

    @property
    def began_at(self) -> int | None:
        """The step that it says it goes on from, 0 where it trains from the start, None where it did not get there."""
        line = next((line for line in self.printed.splitlines() if line.startswith(_GOING_ON)), None)
        if line is not None:
            words = line.removeprefix(_GOING_ON).split()  # "3 epochs and 0 steps"
            return int(words[0]) * STEPS_AN_EPOCH + int(words[3])
        return None if self.steps is None else 0

    @property
    def pieces(self) -> list[Piece]:
        noted = [(at, stage) for at, stage in self._noted() if not stage.startswith("step ")]
        return [Piece(stage, after - at) for (at, stage), (after, _) in itertools.pairwise(noted)]

    def _noted(self) -> list[tuple[float, str]]:
        text = self._journal.read_text() if self._journal.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [(float(at), noted) for at, _, noted in (line.partition(" ") for line in lines)]


class Place:
    """A run's command, and the folder that its result stands in.

    notes: where its processes write down what they do, if not beside the folder.
    """

    def __init__(self, folder: Path, arguments: list[str], notes: Path | None = None) -> None:
        self.arguments, self._starts = [*arguments, "--out", str(folder / "run.h5")], 0
        self.folder, self.out, self.network = folder, folder / "run.h5", folder / "run.work" / "network.ckpt"
        self._notes = notes or folder.with_name(f"{folder.name} printed")
        for made in (folder, self._notes):
            made.mkdir(parents=True, exist_ok=True)

    def start(
        self, moment: Moment | None = None, act: Callable[[], None] | None = None, command: list[str] | None = None
    ) -> Process:
        self._starts += 1
        return Process(command or self.arguments, self._notes, str(self._starts), moment, act)

    def finish(self) -> Process:
        """Raises AssertionError with what it printed where it does not end well."""
        process = self.start()
        status = process.wait()
        assert status == 0, f"exit status {status}: {process.printed}"
        return process

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files_in(self.folder)}

    def remove(self) -> None:
        shutil.rmtree(self.folder)
        shutil.rmtree(self._notes)


def command(folder: Path, epochs: int = EPOCHS, layers: tuple[str, ...] = LAYERS) -> list[str]:
    """A small network on 100 training and 40 test images, written to the folder: all but where the result goes."""
    write_pickles(folder, "cifar10", tiny("cifar10", 10, 4))
    recipe = f"--arch {ARCH} --weights none --image-size 32 --data cifar10 --recipe quick --device cpu "
    recipe += f"--epochs {epochs} --batch-size {100 // STEPS_AN_EPOCH} --data-dir"
    return [*recipe.split(), str(folder), "--layers", *layers]


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def contents_of_layers(path: Path) -> dict[str, dict[str, bytes]]:
    """Layer -> dataset -> its bytes, of a file that was verified. Raises FormatError, OSError."""
    with Run(path) as run:
        run.verify()
        places = [place.split("/", 2) for place in run.manifest["sha256"] if place.startswith("layers/")]
        layers: dict[str, dict[str, bytes]] = {name: {} for name in run.layers}
        for _, name, dataset in places:
            layers[name][dataset] = run.read(f"layers/{name}/{dataset}").tobytes()
        return layers


def content_of(path: Path) -> str:
    """The sha256 of all data of a finished, verified file. Raises FormatError, OSError."""
    with Run(path) as run:
        run.verify()
        assert run.unfinished == []
        return run.content_sha256


def draw(
    chance: random.Random, pieces: list[Piece], progress: tuple[int, int], fell_into: Counter[str]
) -> tuple[Moment, float] | None:
    """A random moment that is still to come: a stage, which time of it, and how long after its begin (s).

    The stage is one of those into which the fewest fell so far: most of a run's time is start and training. One that
    takes less than a millisecond may be over when the caller acts, since that sees its begin later. None where the run
    is past all of these: then it is left to end. An epoch, or a layer, is one of the next two, so that a run is
    disturbed many times.
    progress: (epochs of training in the checkpoint, layers in the file).
    """
    epochs, layers = min(2, EPOCHS - progress[0]), min(2, len(LAYERS) - progress[1])
    to_come = {"start": 1, "training": epochs, "checkpoint": epochs, "activations": 1}
    to_come |= {"probe": layers, "fields": layers, "writing": layers}
    fewest = min(fell_into[stage] for stage in STAGES)
    stages = [stage for stage in STAGES if to_come[stage] and fell_into[stage] == fewest]
    if not stages:
        return None
    stage = chance.choice(stages)
    lasting = statistics.median(piece.seconds for piece in pieces if piece.stage == stage)
    return Moment(stage, chance.randint(1, to_come[stage])), chance.uniform(0, lasting)


def progress_of(place: Place) -> tuple[int, int]:
    """(epochs of training in the checkpoint, layers in the file). Raises Problem, FormatError."""
    saved = checkpoint.load(place.network)
    steps = saved["training"]["step"] if saved else 0
    return steps // STEPS_AN_EPOCH, len(contents_of_layers(place.out)) if place.out.exists() else 0


# In the process itself


class _Journal:
    def __init__(self, path: Path, moment: Moment | None, act: Callable[[], None] | None) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._moment, self._act = moment, act
        self._times = dict.fromkeys(STAGES, 0)
        self._stage = STAGES[0]
        self.note(STAGES[0])

    def note(self, what: str) -> None:
        os.write(self._handle, f"{time.monotonic():.6f} {what}\n".encode())

    @contextlib.contextmanager
    def at(self, stage: str) -> Iterator[None]:
        outer, self._stage = self._stage, stage
        self._times[stage] += 1
        now = self._times[stage]
        self.note(stage)
        self._disturb(Moment(stage, now))
        yield
        self._disturb(Moment(stage, now, ended=True))
        self._stage = BETWEEN if outer == STAGES[0] else outer
        if outer in self._times:
            self._times[outer] += 1
        self.note(self._stage)

    def _disturb(self, moment: Moment) -> None:
        if moment == self._moment and self._act is not None:
            self._act()


def _watched(function: Callable[..., Any], journal: _Journal, stage: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def watched(*arguments: Any, **options: Any) -> Any:
        with journal.at(stage):
            return function(*arguments, **options)

    return watched


def _child(
    arguments: list[str], journal_file: Path, printed: Path, moment: Moment | None, act: Callable[[], None] | None
) -> None:
    import torch

    out = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    torch.set_num_threads(1)  # see tests.commands
    journal = _Journal(journal_file, moment, act)
    for owner, name, stage in (
        (stages, "train_network", "training"),
        (Workspace, "save_training", "checkpoint"),
        (stages, "record_activations", "activations"),
        (stages, "train_probe", "probe"),
        (stages, "quantify_filters", "fields"),
        (result, "write", "writing"),
    ):
        setattr(owner, name, _watched(getattr(owner, name), journal, stage))
    take_step = Training.take_step

    def noted_step(training: Training, *given: Any) -> None:
        take_step(training, *given)
        if training.name == "network":
            journal.note(f"step {training.step}")

    Training.take_step = noted_step  # type: ignore[assignment, method-assign]
    sys.argv = ["precompute", *arguments]
    status = main()
    sys.stdout.flush()
    for number in EXIT_STATUS:  # one that comes from here on comes too late: it must not change how the run ended
        signal.signal(number, signal.SIG_IGN)
    journal.note(ENDED)
    sys.exit(status)
