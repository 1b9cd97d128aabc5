"""Ctrl-C and SIGTERM: stop where nothing is half done."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from precompute.machine.distributed import World

EXIT_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
_PLANS = {"--dry-run", "--plan", "--list-taps"}  # these make nothing
_SOON = 0.05  # seconds: Python is out of whatever lost the exception by then, or loses it once more


class Stopped(BaseException):
    """The person, or the system, asked for the end. Not an Exception: nothing that handles errors may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = EXIT_STATUS[signal.Signals(number)]

    def words(self, command: str, arguments: Sequence[str]) -> str:
        """What a person is told: how the command, which was started with these arguments, goes on."""
        is_plan = not _PLANS.isdisjoint(arguments)
        left = (
            "Nothing was made; the same command starts again"
            if is_plan
            else ("What is done is kept; the same command goes on")
        )
        return f"stopped ({self}). {left}:\n  {command}"


class Stopping:
    """Turns the two signals into `Stopped`: at once, or, inside `held`, when the loop asks with `check`.

    A second signal is never held back. An exception that is raised while Python is in a callback of its own, as it
    often is while it imports, goes no further than a line on stderr: then it is raised anew, a moment later. And where
    it comes out as another exception that it was the cause of, `Stopped` is what leaves the `with` block.
    """

    def __init__(self) -> None:
        self.done_with: set[str] = set()  # options that the command that goes on is not to have again
        self._holding = False
        self._asked: int | None = None
        self._again: threading.Timer | None = None

    def __enter__(self) -> "Stopping":
        for number in EXIT_STATUS:
            signal.signal(number, self._on_signal)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._forget()
        sys.unraisablehook = self._hook
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if isinstance(error, Exception) and (stopped := _stopped_behind(error)):
            raise stopped from None

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        is_second = self._asked is not None and self._again is None
        self._forget()
        self._asked = number
        if self._holding and not is_second:
            return
        raise Stopped(number)

    def _on_unraisable(self, lost: Any) -> None:
        if self._asked is None or not isinstance(lost.exc_value, Stopped):
            self._hook(lost)
            return
        # To the main thread, which runs the handler: a system call that it waits for is then interrupted.
        self._again = threading.Timer(_SOON, _signal_main_thread, [self._asked])
        self._again.start()

    def _forget(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

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


def _signal_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


@contextmanager
def reraise_stop() -> Iterator[None]:
    """An error that a stop was the cause of, such as Python's own when a class is being made, leaves as the stop."""
    try:
        yield
    except Exception as error:
        if stopped := _stopped_behind(error):
            raise stopped from None
        raise


def _stopped_behind(error: BaseException | None) -> Stopped | None:
    while error is not None and not isinstance(error, Stopped):
        error = error.__cause__ or error.__context__
    return error
