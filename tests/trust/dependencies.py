"""What Filterscope is installed with is pinned, each release to the digit, in constraints.txt, and pip-audit asks the
registry's advisory database for known weaknesses of each (`make audit`). An answer that could not be had is told as
such: it is no pass."""

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from tests import ROOT
from tests.trust.finding import Finding

CONSTRAINTS = ROOT / "constraints.txt"
OURS = {"filterscope", "pip", "setuptools", "wheel"}


def findings(full: bool, folder: Path) -> list[Finding]:
    """The pins; at full length the audit too."""
    pinned = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", CONSTRAINTS.read_text(), re.M))
    pinned = {_normal(name): version for name, version in pinned.items()}
    installed = {_normal(found.metadata["Name"]): found.version for found in distributions()}
    # In the short form what a contributor has added to the environment is nobody's business.
    ours = installed.keys() - OURS if full else installed.keys() & pinned.keys()
    loose = sorted(name for name in ours if pinned.get(name) != installed[name])
    found = [
        Finding(
            "installed releases that constraints.txt pins",
            "all",
            f"{len(ours) - len(loose)} of {len(ours)} {', '.join(loose)}".strip(),
            not loose,
        )
    ]
    return [*found, _audit(folder)] if full else found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _audit(folder: Path) -> Finding:
    """In an environment of its own: the tool is no dependency of ours."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "audit")], check=True)
    programs = folder / "audit" / "bin"
    install = [str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", "pip-audit"]
    subprocess.run(install, check=True, capture_output=True)
    report = folder / "audit.json"
    audit = [str(programs / "pip-audit"), "-r", str(CONSTRAINTS), "--no-deps", "--disable-pip", "-f", "json"]
    done = subprocess.run([*audit, "-o", str(report)], capture_output=True, text=True, timeout=600)
    if not report.exists():
        said = (done.stderr.splitlines() or ["nothing"])[-1]
        return Finding("known weaknesses (pip-audit)", "0", "not audited", False, f"pip-audit said: {said}")
    asked = json.loads(report.read_text())["dependencies"]
    weak = [f"{entry['name']} {entry['version']}" for entry in asked if entry.get("vulns")]
    missed = [entry["name"] for entry in asked if "vulns" not in entry]
    measured = f"{len(weak)} of {len(asked) - len(missed)} {', '.join(weak)}".strip()
    if missed:
        measured += f"; of {len(missed)} no advisories could be had"
    reason = "the advisory database could not be reached where this was run" if missed else ""
    return Finding("known weaknesses (pip-audit)", "0", measured, not weak and not missed, reason)
