"""What one part of the trust programme found, as docs/trust.md prints it."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One figure beside its criterion."""

    what: str  # "SIGKILL at 50 random moments: unreadable files"
    wanted: str  # "0"
    measured: str  # "0 of 50"
    holds: bool
    reason: str = ""  # where it does not hold: why
