"""Ctrl-C and SIGTERM: stop where nothing is half done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from precompute.distributed import World

EXIT_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Stopped(BaseException):
    """The person, or the system, asked for the end. Not an Exception: nothing that handles errors may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = EXIT_STATUS[signal.Signals(number)]


class Stopping:
    """Turns the two signals into `Stopped`: at once, or, inside `held`, when the loop asks with `check`.

    A second signal is never held back.
    """

    def __init__(self) -> None:
        self._holding = False
        self._asked: int | None = None

    def __enter__(self) -> "Stopping":
        for number in EXIT_STATUS:
            signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._holding and self._asked is None:
            self._asked = number
            return
        raise Stopped(number)

    @property
    def asked(self) -> bool:
        return self._asked is not None

    def agreed(self, world: "World") -> bool:
        """Whether any process of the run was asked: together, since the signal reaches each at another step."""
        self._asked = int(world.largest(self._asked or 0)) or None
        return self.asked

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a signal back until `check`, or until the end of the outermost such block."""
        is_held, self._holding = self._holding, True
        try:
            yield
        finally:
            self._holding = is_held
        if not is_held:
            self.check()

    def check(self) -> None:
        if self._asked is not None:
            raise Stopped(self._asked)
