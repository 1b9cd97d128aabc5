"""What goes wrong, as a person is told it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY = "is being made by another process"  # the problem that a sweep passes over


class Problem(Exception):
    """Something the person at the command line can mend: the message says what, where and what to do."""


def one_line(error: BaseException) -> str:
    """What an error says, as part of a message."""
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def named_in_errors(path: Path) -> Iterator[None]:
    """An OSError that names no file, as that of a full disk, leaves with this one's name."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
