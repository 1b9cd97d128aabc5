"""What a person sees of a sweep while it goes on."""

import shutil
import sys
import time

from precompute.messages.progress import seconds
from precompute.sweep.plan import Estimates
from precompute.sweep.pools import Ended
from precompute.sweep.runs import Standing, SweepRun

_PLAIN_EVERY = 300.0  # seconds between lines where there is no terminal
_LIVE_EVERY = 1.0


class SweepProgress:
    """A line for each run that ends, and in between how far the sweep is.

    The time left is the plan's estimates, corrected by how long the runs really took: those that ended, and those that
    are at work for longer than was estimated.
    """

    def __init__(self, n_runs: int, waiting: list[SweepRun], estimates: Estimates) -> None:
        self._n_runs, self._waiting, self._estimates = n_runs, set(waiting), estimates
        self._n_there = n_runs - len(waiting)
        self._queued: list[SweepRun] = []  # in the pool, but not begun
        self._working: dict[SweepRun, float] = {}  # since when
        self._took: dict[SweepRun, float] = {}
        self._failed: list[SweepRun] = []
        self._shown = self._began = time.monotonic()
        self._live = sys.stderr.isatty()

    def started(self, run: SweepRun, slots: int) -> None:
        self._waiting.discard(run)
        self._queued.append(run)
        self._begin(slots)

    def ended(self, run: SweepRun, ended: Ended, standing: Standing, slots: int) -> None:
        """Say what became of a run."""
        self._working.pop(run, None)
        self._begin(slots)
        if standing.state == "done":
            self._took[run] = ended.seconds
            self._n_there += 1
            where = f" on {ended.where}" if ended.where else ""
            self._say(f"{run.name}: made in {seconds(ended.seconds)}{where} ({self._state(slots)})")
        elif ended.busy:
            self._say(f"{run.name}: skipped, since another process is making it")
        else:
            self._failed.append(run)
            self._say(f"{run.name}: FAILED ({_cause(ended.status)}). The last lines of {run.log}:")
            self._say("".join(f"    {line}\n" for line in ended.last_lines).rstrip("\n"))

    def show(self, slots: int) -> None:
        """How far it is; shown only when it is time."""
        now = time.monotonic()
        if now - self._shown < (_LIVE_EVERY if self._live else _PLAIN_EVERY):
            return
        self._shown = now
        making = ", ".join(run.name for run in self._working)
        text = f"sweep: {self._state(slots)}; {making}"
        if self._live:
            text = f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}"
        print(text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def last_words(self, missing: list[SweepRun]) -> str:
        """The sweep's end, with what is not there."""
        took = seconds(time.monotonic() - self._began)
        lines = [f"{self._n_runs - len(missing)} of {self._n_runs} files are there ({took})"]
        for run in missing:
            lines.append(f"    {run.name}: {'failed, see ' + str(run.log) if run in self._failed else 'not there yet'}")
        lines += ["the same command tries these again"] if missing else []
        return "\n".join(lines)

    def time_left(self, slots: int) -> float | None:
        """Seconds; None while nothing is known of it."""
        now = time.monotonic()
        took = {run: taken for run, taken in self._took.items() if run in self._estimates}
        for run, since in self._working.items():
            if run in self._estimates and now - since > self._estimates[run].seconds:
                took[run] = now - since
        expected = sum(self._estimates[run].seconds for run in took)
        factor = sum(took.values()) / expected if expected else 1.0
        mean = sum(self._took.values()) / len(self._took) if self._took else None

        def length(run: SweepRun) -> float | None:
            return self._estimates[run].seconds * factor if run in self._estimates else mean

        lengths = {run: length(run) for run in (*self._waiting, *self._queued, *self._working)}
        if any(of_run is None for of_run in lengths.values()):
            return None
        left = [
            max(0.0, (of_run or 0.0) - (now - self._working[run] if run in self._working else 0.0))
            for run, of_run in lengths.items()
        ]
        return max(sum(left) / max(1, min(slots, len(left))), max(left)) if left else 0.0

    def _begin(self, slots: int) -> None:
        while self._queued and len(self._working) < slots:
            self._working[self._queued.pop(0)] = time.monotonic()

    def _state(self, slots: int) -> str:
        there = f"{self._n_there} of {self._n_runs} there"
        there += f", {len(self._failed)} failed" if self._failed else ""
        left = self.time_left(slots)
        return there + (f", about {seconds(left)} left" if left else "")

    def _say(self, text: str) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        print(text, flush=True)


def _cause(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    memory = ", as the system does when memory runs out" if status == -9 else ""
    return f"ended by signal {-status}{memory}"
