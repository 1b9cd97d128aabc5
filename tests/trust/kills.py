"""One run is killed with SIGKILL at a random moment, started again by the same command, killed again, until it is
finished; then the next run begins, until 50 kills have landed. A moment is drawn from a stage of the run into which the
fewest fell so far: start (data and plan), an epoch of training, the writing of a checkpoint, the activations, the
training of a probe, the field matrices, the writing of the result. Where a stage takes less than a millisecond, the
kill may come when the next one has begun, most often the writing; it is counted where it fell. The processes are
forked from one that has done Python's imports. After each kill the result file is opened and verified, every layer in
it is compared with that of a run that nobody disturbed, and the checkpoint is read; the training lost is the difference
between the last step before the kill and the step from which the next start says that it goes on."""

import random
from collections import Counter
from pathlib import Path

from precompute.disk import checkpoint
from precompute.messages.problem import Problem
from store.file.format import FormatError
from tests.trust.finding import Finding
from tests.trust.program import (
    BETWEEN,
    ENDED,
    STAGES,
    STEPS_AN_EPOCH,
    Place,
    Process,
    command,
    content_of,
    contents_of_layers,
    draw,
    files_in,
    progress_of,
)


def findings(full: bool, folder: Path) -> list[Finding]:
    """50 kills (5 in the short form)."""
    return Kills(folder, 50 if full else 5).findings()


class Kills:
    """One run after another, and what the kills did to them."""

    def __init__(self, folder: Path, wanted: int) -> None:
        self.folder, self.wanted = folder, wanted
        self.chance = random.Random(1)
        self.arguments = command(folder / "images")
        self.unharmed = Place(folder / "unharmed", self.arguments)
        self.pieces = self.unharmed.finish().pieces
        self.layers = contents_of_layers(self.unharmed.out)
        self.fell_into: Counter[str] = Counter()
        self.half_written = 0  # kills that left a temporary file behind
        self.unreadable: list[str] = []
        self.compared, self.different = 0, 0  # finished layers
        self.lost: list[float] = []  # epochs, a kill
        self.finished, self.same = 0, 0  # runs

    def findings(self) -> list[Finding]:
        number = 0
        while len(self.lost) < self.wanted:
            number += 1
            self.one_run(Place(self.folder / f"run {number}", self.arguments))
        kills, stages = len(self.lost), ", ".join(f"{stage} {self.fell_into[stage]}" for stage in (*STAGES, BETWEEN))
        resumed = sum(lost <= 1 for lost in self.lost)
        missed = [stage for stage in STAGES if not self.fell_into[stage]] if kills >= 50 else []
        return [
            Finding(
                "SIGKILL at random moments, by the stage they fell into",
                f"{self.wanted}, in every stage" if self.wanted >= 50 else f"{self.wanted}",
                f"{kills}: {stages}; {self.half_written} left a half-written temporary file",
                kills == self.wanted and not missed,
                f"none in {', '.join(missed)}" if missed else "",
            ),
            Finding(
                "files and checkpoints that could not be read after a kill",
                "0",
                f"{len(self.unreadable)} of {kills}",
                not self.unreadable,
                "; ".join(self.unreadable[:3]),
            ),
            Finding(
                "finished layers that differ in a bit from an unharmed run's, after a kill",
                "0",
                f"{self.different} of {self.compared}",
                not self.different and (self.compared > 0 or self.wanted < 50),  # few may all come before a layer
            ),
            Finding(
                "training resumes with at most one epoch lost",
                f"{kills} of {kills}",
                f"{resumed} of {kills}; at most {max(self.lost):.1f} epochs lost, {sum(self.lost) / kills:.2f} in the "
                "mean",
                resumed == kills,
            ),
            Finding(
                "runs that came to their end after their kills: result (sha256 of its content) and checkpoint (sha256 "
                "of the file) as of the unharmed run, and nothing left beside them",
                f"{self.finished} of {self.finished}",
                f"{self.same} of {self.finished}",
                self.same == self.finished > 0,
            ),
        ]

    def one_run(self, place: Place) -> None:
        """Kill it until it is finished, or until enough kills have landed."""
        trained = 0  # the step that the training had come to, over all starts
        unsettled = 0  # kills whose loss is not known before a start has come to the training
        while True:
            process = self.killed(place) if len(self.lost) + unsettled < self.wanted else place.finish()
            began_at = process.began_at
            if began_at is not None:
                self.lost += [(trained - began_at) / STEPS_AN_EPOCH] * unsettled
                trained, unsettled = process.steps or began_at, 0
            if process.stage == ENDED:
                break
            unsettled += 1
            self.inspect(place, process)
        self.finished += 1
        self.same += place.files() == self.expected(place)
        place.remove()

    def killed(self, place: Place) -> Process:
        """A start that was killed, or has ended before the moment came."""
        drawn = draw(self.chance, self.pieces, progress_of(place), self.fell_into)
        if drawn is None:
            return place.finish()
        moment, delay = drawn
        process = place.start()
        if process.wait_for(moment.stage, moment.time):
            process.process.join(delay)
            process.process.kill()
        status = process.wait()
        assert status == -9 or process.stage == ENDED, f"exit status {status}: {process.printed}"
        return process

    def inspect(self, place: Place, process: Process) -> None:
        self.fell_into[process.stage] += 1
        self.half_written += any(path.suffix == ".tmp" for path in files_in(place.folder))
        try:
            checkpoint.load(place.network)
            found = contents_of_layers(place.out) if place.out.exists() else {}
        except (FormatError, Problem, OSError) as error:
            self.unreadable.append(f"{process.stage}: {error}")
            return
        self.compared += len(found)
        self.different += sum(self.layers[name] != content for name, content in found.items())

    def expected(self, place: Place) -> dict[str, bytes]:
        """The unharmed run's files; the result as it is where its content is the same: durations differ."""
        same = content_of(place.out) == content_of(self.unharmed.out)
        return self.unharmed.files() | ({"run.h5": place.out.read_bytes()} if same else {})
