"""The parts of the trust programme, by number. Each takes (at full length?, an empty folder) and gives findings."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.trust import damage
from tests.trust.finding import Finding


class Part(NamedTuple):
    title: str
    run: Callable[[bool, Path], list[Finding]]
    explanation: str


PARTS = {
    5: Part("Damage", damage.findings, damage.__doc__ or ""),
}
