"""Fifty people use one server at once, on as many cores as the machine has, and the fifty are simulated on the same
cores: each speaks Streamlit's own WebSocket messages, as the page in a browser does, and all arrive together. Each has
thresholds and a filter that nobody else has: a page of a layer is opened, its threshold moved, a filter opened, its
live threshold released and the next filter shown, with the pauses, and the looks for new files, of a page at rest in
between; and all of it again. The file is the example, a layer of 512 filters and 100 labels. Every answer is compared
with what `store.measure` gives at this person's own threshold. The times are a report: no limit is set to them."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from explorer.data.load import MEASURES
from explorer.example import EXAMPLE
from store.file.read import Run
from tests.explorer_runs import ROOT, serving
from tests.trust.finding import Finding
from tests.trust.visitor import Visitor

LAYER = "10"
MATRIX = "filterscope_live_matrix"
_ROUNDS = 2


class Answer(NamedTuple):
    """What one person got for one thing that they did."""

    action: str
    seconds: float
    seen: tuple[object, ...]
    expected: tuple[object, ...]


class Crowd:
    """People on one server, and what they saw."""

    def __init__(self, address: str, run: Run, pause: float) -> None:
        self._address = address
        self._layer = run.layers[LAYER]
        self._pause = pause  # seconds between two things that a person does
        self.answers: dict[int, list[Answer]] = defaultdict(list)  # by round
        self.errors: list[str] = []

    async def rounds(self, people: int, number: int, after: Callable[[], Awaitable[None]]) -> None:
        """So many people, all in step from round to round; `after` each, something is awaited."""
        visitors = await asyncio.gather(*(Visitor.arrive(self._address) for _ in range(people)))
        for round_ in range(number):
            done = await asyncio.gather(
                *(self._act(who, visitor, round_) for who, visitor in enumerate(visitors)), return_exceptions=True
            )
            self.errors += [f"{type(error).__name__}: {error}" for error in done if error is not None]
            await after()
        self.errors += [problem for visitor in visitors for problem in visitor.problems]
        await asyncio.gather(*(visitor.leave() for visitor in visitors))

    async def _act(self, who: int, visitor: Visitor, round_: int) -> None:
        first, second, third = (round(0.1 + 0.015 * who + 0.002 * (3 * round_ + step), 4) for step in range(3))
        filter_index = (7 * who + 3) % (self._layer.n_filters - 1)

        async def did(action: str, seconds: float, seen: tuple[object, ...], expected: tuple[object, ...]) -> None:
            self.answers[round_].append(Answer(action, seconds, seen, expected))
            if self._pause:
                await asyncio.sleep(self._pause)
                await visitor.look()

        def of_layer() -> tuple[object, ...]:
            numbers = visitor.metrics()
            return numbers["n"], numbers["N_c"], numbers["C_s"], visitor.parameter("threshold")

        def of_filter() -> tuple[object, ...]:
            header = visitor.component(MATRIX)
            return header["filter"], header["threshold"], visitor.parameter("threshold"), visitor.parameter("filter")

        taken = await visitor.open("layer", f"layer={LAYER}&threshold={first}")
        await did("first page" if round_ == 0 else "page", taken, of_layer(), self._numbers(first))
        taken = await visitor.slide("Threshold", second)
        await did("threshold", taken, of_layer(), self._numbers(second))
        taken = await visitor.open("filter", f"layer={LAYER}&threshold={second}&filter={filter_index}")
        expected = (filter_index, second, str(second), str(filter_index))
        await did("filter", taken, of_filter(), expected)
        _, place = visitor.find("bidi_component", MATRIX)
        taken = await visitor.tell(place, "threshold", third)
        await did("live threshold", taken, of_filter(), (filter_index, third, str(third), str(filter_index)))
        taken = await visitor.press("Next")
        expected = (filter_index + 1, third, str(third), str(filter_index + 1))
        await did("next filter", taken, of_filter(), expected)

    def _numbers(self, threshold: float) -> tuple[object, ...]:
        measured = self._layer.measure(threshold)
        n, clusters, size = measured.mean_noise, measured.mean_clusters, measured.mean_cluster_size
        shown = f"{n:,.0f}" if n >= 1000 else f"{n:.1f}"
        return shown, f"{clusters:.2f}", f"{size:.2f}", str(threshold)

    def seconds(self, *actions: str) -> list[float]:
        return [each.seconds for answers in self.answers.values() for each in answers if each.action in actions]


class Memory:
    """Bytes that a process holds, now and at the most since it was last asked; Linux alone tells them."""

    def __init__(self, process: int) -> None:
        self._status = Path(f"/proc/{process}/status")
        self.peak = 0

    def now(self) -> int:
        with suppress(OSError):
            line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmRSS"))
            self.peak = max(self.peak, int(line.split()[1]) * 1024)
            return int(line.split()[1]) * 1024
        return 0

    async def watch(self) -> None:
        while True:
            self.now()
            await asyncio.sleep(0.1)

    def most(self) -> int:
        """The peak since the last call."""
        self.now()
        peak, self.peak = self.peak, 0
        return peak


def findings(full: bool, folder: Path) -> list[Finding]:
    """50 people (4 in the short form, without pauses)."""
    people, pause = (50, 2.0) if full else (4, 0.0)
    with Run(EXAMPLE) as run, serving(ROOT / "explorer" / "app.py", "--store", str(EXAMPLE)) as server:
        return asyncio.run(_measured(server.address, server.process, run, people, pause))


async def _measured(address: str, process: int, run: Run, people: int, pause: float) -> list[Finding]:
    memory = Memory(process)
    watching = asyncio.create_task(memory.watch())
    peaks: list[int] = []

    async def nothing() -> None:
        pass

    async def keep_peak() -> None:
        peaks.append(memory.most())

    alone, crowd = Crowd(address, run, pause), Crowd(address, run, pause)
    cold = Crowd(address, run, 0)
    await cold.rounds(1, 1, nothing)  # the first visit of all compiles and reads what all later ones use
    await alone.rounds(1, _ROUNDS, nothing)
    before = memory.now()
    memory.most()
    load = os.getloadavg()[0]
    start = time.monotonic()
    await crowd.rounds(people, _ROUNDS, keep_peak)
    taken = time.monotonic() - start
    gone = memory.now()
    watching.cancel()

    answers = [answer for of_round in crowd.answers.values() for answer in of_round]
    others = [answer for answer in answers if answer.seen != answer.expected]
    errors = cold.errors + alone.errors + crowd.errors
    actions = 5 * people * _ROUNDS
    who = f"{people} people, {_ROUNDS} rounds of 5 actions, {taken:.0f} s"
    found = [
        Finding(f"{who}: errors", "0", f"0 in {actions} actions" if not errors else f"{len(errors)}: {errors[0]}",
                not errors),
        Finding("answers that are not of this person's own choices", "0", f"{len(others)} of {len(answers)}" +
                (f": {others[0]}" if others else ""), not others and len(answers) == actions),
    ]  # fmt: skip
    for name, wanted in {
        "first page": ("first page",),
        "threshold released, page of a layer": ("threshold",),
        "threshold released, live matrix": ("live threshold",),
    }.items():
        one = f"{np.median(alone.seconds('first page', 'page') if 'page' in wanted[0] else alone.seconds(*wanted)):.2f}"
        if times := crowd.seconds(*wanted):
            measured = f"{np.percentile(times, 95):.2f} s; one person alone {one} s"
            found.append(Finding(f"{name}, 95th percentile", "a report", measured, True))
    other = f"{load:.1f} on {os.cpu_count()} cores, this server at rest"
    found.append(Finding("processes that waited for a core in the minute before", "a report", other, True))
    if before:
        limit = MEASURES.most
        grown = peaks[1] - peaks[0]
        mb = [f"{value / 1e6:.0f}" for value in (before, *peaks, gone)]
        measured = f"{mb[0]} MB before, at most {mb[1]} in round 1 and {mb[2]} in round 2, {mb[3]} when all had left"
        wanted_memory = f"round 2 adds at most the {limit / 1e6:.0f} MB that measured layers may take"
        found.append(Finding("memory of the server", wanted_memory, measured, grown <= limit))
    return found
