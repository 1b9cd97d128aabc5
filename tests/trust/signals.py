"""Runs are stopped with SIGTERM and SIGINT in turn, 20 times, at random moments that are drawn as in part 1. Four of
the 20 are programs that Python starts from nothing, and the signal comes at a random moment of their imports, from when
the program first listens to signals. The command that is printed last is read as a shell reads it, and is what goes on:
the training at the very step at which it was stopped, the layers with those that are in the file. Every run so treated
must end with the bits of one that nobody disturbed."""

import os
import random
import shlex
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from tests.commands import start
from tests.trust.finding import Finding
from tests.trust.program import (
    BETWEEN,
    ENDED,
    PATIENCE,
    STAGES,
    Place,
    Process,
    command,
    content_of,
    contents_of_layers,
    draw,
    files_in,
    progress_of,
)

STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}
IMPORTS = "imports"
_IMPORTING = 3.0  # seconds, about, that imports take on a machine that is not busy


def findings(full: bool, folder: Path) -> list[Finding]:
    """20 signals, 4 of them in imports (4 in the short form, 1 of them in imports)."""
    return Signals(folder, *((20, 4) if full else (4, 1))).findings()


class Signals:
    """One run after another, and what became of those that were asked to stop."""

    def __init__(self, folder: Path, wanted: int, in_imports: int) -> None:
        self.folder, self.wanted, self.in_imports = folder, wanted, in_imports
        self.chance = random.Random(2)
        self.arguments = command(folder / "images")
        self.unharmed = Place(folder / "unharmed", self.arguments)
        self.pieces = self.unharmed.finish().pieces
        self.whole = sum(piece.seconds for piece in self.pieces)  # above 30 s where the machine does much else
        self.fell_into: Counter[str] = Counter()
        self.signals: Counter[str] = Counter()
        self.seconds: list[float] = []  # from the signal to the end, each
        self.wrong: list[str] = []  # exits that were not as they should be
        self.not_on: list[str] = []  # commands that did not go on
        self.runs, self.same = 0, 0

    def findings(self) -> list[Finding]:
        for number in range(self.in_imports):
            self.while_importing(Place(self.folder / f"importing {number}", self.arguments))
        number = 0
        while len(self.seconds) < self.wanted:
            number += 1
            self.one_run(Place(self.folder / f"run {number}", self.arguments))
        sent, slowest = len(self.seconds), max(self.seconds)
        where = ", ".join(f"{stage} {self.fell_into[stage]}" for stage in (IMPORTS, *STAGES, BETWEEN))
        exits, commands = sent - len(self.wrong), sent - len(self.not_on)
        return [
            Finding(
                "signals at random moments, by the stage they fell into",
                f"{self.wanted}",
                f"{', '.join(f'{name} {times}' for name, times in sorted(self.signals.items()))}: {where}",
                sent == self.wanted,
            ),
            Finding(
                "exit with 143 (SIGTERM) or 130 (SIGINT), one message and no traceback, nothing half-written left",
                f"{sent} of {sent}",
                f"{exits} of {sent}",
                not self.wrong,
                "; ".join(self.wrong[:3]),
            ),
            Finding("time to the exit", "within 30 s", f"at most {slowest:.1f} s", slowest < max(30, self.whole)),
            Finding(
                "the printed command goes on, at the step and with the layers that were there",
                f"{sent} of {sent}",
                f"{commands} of {sent}",
                not self.not_on,
                "; ".join(self.not_on[:3]),
            ),
            Finding(
                "runs that came to their end: result (sha256 of its content) and checkpoint (sha256 of the file) as "
                "of the unharmed run",
                f"{self.runs} of {self.runs}",
                f"{self.same} of {self.runs}",
                self.same == self.runs > 0,
            ),
        ]

    def one_run(self, place: Place) -> None:
        """Stop it, and go on with what is printed, until it is finished, or until enough signals were sent."""
        going_on, before = place.arguments, (0, 0)
        while True:
            process = place.start(command=going_on)
            number = self.stop(process, place) if len(self.seconds) < self.wanted else None
            status = process.wait()
            if process.began_at not in (None, before[0]):
                self.not_on.append(f"at step {process.began_at}, not {before[0]}")
            layers = len(contents_of_layers(place.out)) if place.out.exists() else 0
            if layers < before[1]:
                self.not_on.append(f"with {layers} layers, not {before[1]}")
            if process.stage == ENDED and number is None:
                break
            assert number is not None
            going_on = self.check(number, status, process.printed, place, process.stage)
            before = process.steps if process.steps is not None else before[0], layers
        self.finish(status, process.printed, place)

    def stop(self, process: Process, place: Place) -> signal.Signals | None:
        """Send the next signal at a random moment; None where it has ended by then."""
        drawn = draw(self.chance, self.pieces, progress_of(place), self.fell_into)
        if drawn is None:
            return None
        moment, delay = drawn
        if not process.wait_for(moment.stage, moment.time):
            return None
        process.process.join(delay)
        stage, number = process.stage, self.next_signal()
        if stage == ENDED or process.process.exitcode is not None or process.process.pid is None:
            return None
        os.kill(process.process.pid, number)
        asked = time.monotonic()
        process.wait()
        if process.ended_at < asked:  # the signal came too late; the process ignores it by then
            return None
        self.fell_into[stage] += 1
        self.sent(number, asked)
        return number

    def while_importing(self, place: Place) -> None:
        """As a person starts it; nothing is there yet, and nothing may stay."""
        process = start(place.arguments)
        while process.poll() is None and not _listens(process):
            time.sleep(0.001)
        time.sleep(self.chance.uniform(0, _IMPORTING))
        number = self.next_signal()
        self.fell_into[STAGES[0] if place.network.parent.exists() else IMPORTS] += 1
        process.send_signal(number)
        asked = time.monotonic()
        printed = "".join(process.communicate(timeout=PATIENCE))
        self.sent(number, asked)
        going_on = self.check(number, process.returncode, printed, place, IMPORTS)
        done = place.start(command=going_on)
        self.finish(done.wait(), done.printed, place)

    def next_signal(self) -> signal.Signals:
        return list(STATUS)[len(self.seconds) % 2]

    def sent(self, number: signal.Signals, asked: float) -> None:
        self.signals[number.name] += 1
        self.seconds.append(time.monotonic() - asked)

    def check(self, number: signal.Signals, status: int, printed: str, place: Place, stage: str) -> list[str]:
        """How it ended; -> the arguments of the command that it printed."""
        lines = printed.splitlines()
        said = f"stopped ({number.name}). What is done is kept; the same command goes on:"
        half = [path.name for path in files_in(place.folder) if path.suffix == ".tmp"]
        if status != STATUS[number] or lines[-2:-1] != [said] or "Traceback" in printed or half:
            self.wrong.append(f"{number.name} at {stage}: exit status {status}, {lines[-1:]} {half}")
            return place.arguments
        program, *arguments = shlex.split(lines[-1])
        if (program, arguments[:2]) != ("python", ["-m", "precompute"]):
            self.not_on.append(lines[-1])
            return place.arguments
        return arguments[2:]

    def finish(self, status: int, printed: str, place: Place) -> None:
        self.runs += 1
        if status:
            self.not_on.append(printed.splitlines()[-1])
        else:
            same = content_of(place.out) == content_of(self.unharmed.out)
            self.same += same and place.network.read_bytes() == self.unharmed.network.read_bytes()
        place.remove()


def _listens(process: "subprocess.Popen[str]") -> bool:
    """Whether the program catches SIGTERM by now: before, it is Python's own start that ends."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:  # a system without /proc
        return True
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")), 0)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
