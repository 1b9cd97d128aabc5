"""How a file was made: by which program, when, on what, and what to cite."""

import datetime
import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

from precompute.machine.device import Device
from store.paper.citation import citation


def provenance(device: Device, packages: Sequence[str]) -> dict[str, Any]:
    """Entries of the manifest; packages: whose versions are named beside Python's and this program's."""
    versions = {name: _version(name) for name in ("filterscope", *packages)}
    return {
        "generator": f"filterscope {versions['filterscope']}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "software": versions | {"python": platform.python_version()},
        "device": device.description,
        "citation": citation(versions["filterscope"]),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
