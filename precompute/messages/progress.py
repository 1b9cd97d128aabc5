"""What a person sees while it works: a live line on a terminal, plain lines now and then elsewhere."""

import sys
import time
from collections import deque

_PLAIN_EVERY = 30.0  # seconds between lines where there is no terminal
_LIVE_EVERY = 0.2
_WINDOW = 180.0


class Progress:
    """Progress of one stage of `total` steps; the time left is extrapolated from the speed of the last minutes."""

    def __init__(self, stage: str, total: int, done: int = 0, shown: bool = True) -> None:
        self._stage, self._total = stage, total
        self._started = self._shown = time.monotonic()
        self._marks = deque([(self._started, done)])  # (when, how much was done), the oldest about _WINDOW ago
        self._live = sys.stderr.isatty()
        self._is_shown = shown

    def step(self, done: int, note: str = "") -> None:
        """Say that `done` steps are done; shown only when it is time."""
        now = time.monotonic()
        if not self._is_shown or now - self._shown < (_LIVE_EVERY if self._live else _PLAIN_EVERY):
            return
        self._shown = now
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW:
            self._marks.popleft()
        since, done_then = self._marks[0]
        left = (now - since) / max(1, done - done_then) * (self._total - done)
        text = f"{self._stage}: {done / self._total:4.0%}, {seconds(left)} left{note and '; ' + note}"
        print(f"\r\x1b[K{text}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave no line behind: what took long enough has been shown."""
        if self._is_shown and self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """A line of its own, before the first step."""
        if self._is_shown:
            print(f"{self._stage}: {text}", file=sys.stderr, flush=True)

    def finish(self, note: str) -> None:
        """The stage's closing line."""
        if not self._is_shown:
            return
        took = time.monotonic() - self._started
        clear = "\r\x1b[K" if self._live else ""
        print(f"{clear}{self._stage}: {note} ({seconds(took)})", file=sys.stderr, flush=True)


def seconds(duration: float) -> str:
    """A duration as a person says it."""
    if duration < 100:
        return f"{duration:.0f} s" if duration >= 10 else f"{duration:.1f} s"
    minutes = duration / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
