"""How much memory is free, and where what a run keeps of its data lies within it: decided here, once for all of it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Place = Literal["device", "memory", "disk"]  # with a GPU, in main memory, in files that are mapped into memory
Costs = Mapping[Place, int]  # bytes that a thing takes of each place that it can lie in; none where it is there anyway
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")  # in torch's words


def places(needs: Mapping[str, Costs], free: Mapping[Place, int]) -> dict[str, Place]:
    """The place of each thing: the first of its own in which it fits into what is left of half the free memory.

    needs: by name, what is used most often first. free: bytes. One half serves all of them together, the other is for
    what comes and goes. The last place of a thing takes it in any case.

    >>> needs = {"train": {"memory": 60, "disk": 0}, "test": {"memory": 60, "disk": 0}, "activations": {"memory": 40}}
    >>> places(needs, {"memory": 200})
    {'train': 'memory', 'test': 'disk', 'activations': 'memory'}
    """
    left = {place: n_bytes // 2 for place, n_bytes in free.items()}
    found: dict[str, Place] = {}
    for name, costs in needs.items():
        fitting = (place for place, cost in costs.items() if cost <= left.get(place, 0))
        found[name] = next(fitting, list(costs)[-1])
        if found[name] in left:
            left[found[name]] -= costs[found[name]]
    return found


def free_memory(root: Path = Path("/")) -> int:
    """Bytes of main memory that a program can still take: of the machine's, and of its control group's limit."""
    available = _available(root / "proc/meminfo")
    return max(0, min([available, *_left_in_groups(root)]))


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether Python, or torch for its device or for main memory, could not get memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)
    )


def _available(meminfo: Path) -> int:
    try:
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 4 << 30


def _left_in_groups(root: Path) -> list[int]:
    """What each limit on this process's control group, or on a group around it, leaves: SLURM and containers set them.

    A container may be told its group's path on the machine, which it does not see: its own group is then the
    uppermost that it does see.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    mounts, left = root / "sys/fs/cgroup", []
    for line in lines:
        if line.count(":") < 2:
            continue
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2, alone or beside version 1
            tops, names = [mounts, mounts / "unified"], ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            tops, names = [mounts / "memory"], ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for top in tops:
            for depth in range(len(parts) + 1):
                n_bytes = _left_in(top.joinpath(*parts[:depth]), *names)
                left += [] if n_bytes is None else [n_bytes]
    return left


def _left_in(group: Path, limit: str, usage: str, inactive: str) -> int | None:
    """None where there is no limit."""
    try:
        most = (group / limit).read_text().strip()
        if most == "max":
            return None
        left = int(most) - int((group / usage).read_text())
    except (OSError, ValueError):
        return None
    try:  # copies of files that were read count as used, but make way for whoever needs memory
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return left + int(stat.get(inactive, 0))
    except (OSError, ValueError):
        return left
