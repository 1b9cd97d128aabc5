"""The parts of the trust programme, by number. Each takes (at full length?, an empty folder) and gives findings."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.trust import (
    crowd,
    damage,
    dependencies,
    disk,
    edges,
    fuzz,
    hostile,
    kills,
    payloads,
    readers,
    resume,
    server,
    shown_text,
    signals,
    versions,
)
from tests.trust.finding import Finding


class Part(NamedTuple):
    title: str
    run: Callable[[bool, Path], list[Finding]]
    explanation: str


PARTS = {
    1: Part("Kills", kills.findings, kills.__doc__ or ""),
    2: Part("Ctrl-C and SIGTERM", signals.findings, signals.__doc__ or ""),
    3: Part("Stops", resume.findings, resume.__doc__ or ""),
    4: Part("Disks", disk.findings, disk.__doc__ or ""),
    5: Part("Damage", damage.findings, damage.__doc__ or ""),
    6: Part("Files made to harm", hostile.findings, hostile.__doc__ or ""),
    7: Part("Weights and data from elsewhere", payloads.findings, payloads.__doc__ or ""),
    8: Part("Text from a file", shown_text.findings, shown_text.__doc__ or ""),
    9: Part("The server", server.findings, server.__doc__ or ""),
    10: Part("Fifty people at once", crowd.findings, crowd.__doc__ or ""),
    11: Part("Writing and reading at once", readers.findings, readers.__doc__ or ""),
    12: Part("The edges of the method", edges.findings, edges.__doc__ or ""),
    13: Part("Fuzzing", fuzz.findings, fuzz.__doc__ or ""),
    14: Part("Old files", versions.findings, versions.__doc__ or ""),
    15: Part("Dependencies", dependencies.findings, dependencies.__doc__ or ""),
}
