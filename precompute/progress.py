"""What a person sees while it works: a live line on a terminal, plain lines now and then elsewhere."""

import sys
import time

_PLAIN_EVERY = 30.0  # seconds between lines where there is no terminal
_LIVE_EVERY = 0.2


class Progress:
    """Progress of one stage of `total` steps; the time left is extrapolated from this stage's own speed."""

    def __init__(self, stage: str, total: int, done: int = 0) -> None:
        self._stage, self._total, self._first = stage, total, done
        self._started = self._shown = time.monotonic()
        self._live = sys.stderr.isatty()

    def step(self, done: int, note: str = "") -> None:
        """Say that `done` steps are done; shown only when it is time."""
        now = time.monotonic()
        if now - self._shown < (_LIVE_EVERY if self._live else _PLAIN_EVERY):
            return
        self._shown = now
        took = now - self._started
        left = took / max(1, done - self._first) * (self._total - done)
        text = f"{self._stage}: {done / self._total:4.0%}, {seconds(left)} left{note and '; ' + note}"
        print(f"\r\x1b[K{text}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def finish(self, note: str) -> None:
        """The stage's closing line."""
        took = time.monotonic() - self._started
        clear = "\r\x1b[K" if self._live else ""
        print(f"{clear}{self._stage}: {note} ({seconds(took)})", file=sys.stderr, flush=True)


def seconds(duration: float) -> str:
    """A duration as a person says it."""
    if duration < 100:
        return f"{duration:.0f} s" if duration >= 10 else f"{duration:.1f} s"
    minutes = duration / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
