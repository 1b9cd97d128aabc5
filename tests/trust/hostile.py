"""Files made to harm (tests/hostile_files.py). Each is handed to `python -m store check`, with secrets planted in
another HDF5 file and a plain one beside it and in the memory of the process, and with a plugin that leaves a mark when
HDF5 loads it. It must be refused by the name of the place, in one line, which is measured for its time and memory.
Traced by strace, the command opens no other file than it does for a whole one. A manifest that takes the most memory,
and is allowed, must be taken within the same limits. Then a server is given all of them, and its health check is asked
every 50 ms while a visitor opens one after another."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tests import ROOT
from tests.builders import write_small
from tests.explorer_runs import served
from tests.hostile_files import FILES, STRUCTURES, edit, manifest_of_many_objects
from tests.trust.finding import Finding
from tests.trust.visitor import Visitor

SECRET = "SECRET-of-another-file-"
SECONDS, MEGABYTES, HEALTHY = 2.0, 300, 1.0

# The command, in a process whose memory is full of what was secret and is free again. At their ends it writes down the
# most memory that it and the process that opens files first have had, and waits for that one: its time then counts.
CHECK = """
import runpy, sys
from pathlib import Path
from store import guard
secret, report = sys.argv.pop(1), sys.argv.pop(1)

def note(process):
    status = Path(f"/proc/{process}/status").read_text()
    with open(report, "a") as file:
        file.write(status.partition("VmHWM:")[2].split()[0] + "\\n")

def ended(end=guard._GUARD._end):
    if guard._GUARD._process is not None:
        note(guard._GUARD._process.pid)
    end()

guard._GUARD._end = ended
planted = [(secret * (1 + size % 40)).encode() + bytes([size % 256]) for size in range(100_000)]
del planted
try:
    runpy.run_module("store", run_name="__main__", alter_sys=True)
finally:
    guard._GUARD.close()
    note("self")
"""
PLUGIN = """
#include <stdio.h>
__attribute__((constructor)) static void loaded(void) { FILE *mark = fopen("MARK", "w"); if (mark) fclose(mark); }
"""
_OPENED = re.compile(r'(?:open|openat|openat2|execve)\((?:AT_FDCWD, )?"([^"]*)"')


class Checked(NamedTuple):
    """What `python -m store check` made of a file."""

    status: int
    text: str  # all that it printed
    seconds: float
    processor_seconds: float
    megabytes: float  # of the largest of its processes
    opened: set[str]  # paths, but for the file's own; none without strace


def findings(full: bool, folder: Path) -> list[Finding]:
    """Every file. Three in the short form: that each is refused by name, `tests/store/file/test_structure.py` holds."""
    plugins = _planted_plugin(folder)
    whole = _check(_whole(folder / "whole"), plugins)
    assert whole.status == 0, whole.text
    rows, paths = [], []
    names = [change.__name__ for change in (*STRUCTURES, *FILES)]
    for name in names[:: 1 if full else -(-len(names) // 3)]:
        path, words = _hostile(name, folder / name)
        paths.append(path)
        rows.append((name, words, path, _check(path, plugins)))
    refused = [bool(re.search(f"error: {re.escape(str(path))}: {words}", found.text)) for _, words, path, found in rows]
    in_a_line = [found.status == 1 and found.text.count("\n") == 1 for *_, found in rows]
    shown = [name for name, _, _, found in rows if SECRET in found.text]
    others = {name: sorted(found.opened - whole.opened) for name, _, _, found in rows}
    others = {name: paths for name, paths in others.items() if paths}
    # The short form runs on machines that do much else: there the processor's time counts.
    slowest = max(rows, key=lambda row: row[3].seconds)
    seconds = slowest[3].seconds if full else max(row[3].processor_seconds for row in rows)
    largest = max(rows, key=lambda row: row[3].megabytes)
    most = _hostile("manifest_of_many_objects", folder / "most")[0]
    taken = _check(most, plugins)
    mark = "not loaded" if not (folder / "MARK").exists() else "LOADED"
    found = [
        Finding("refused by the name of the place", "all", f"{sum(refused)} of {len(rows)}", all(refused)),
        Finding("one line, exit status 1", "all", f"{sum(in_a_line)} of {len(rows)}", all(in_a_line)),
        Finding("planted secrets shown", "0", f"{len(shown)} {', '.join(shown)}".strip(), not shown),
        Finding("other files opened (strace)", "0", _opened(others, whole), not others and bool(whole.opened)),
        Finding("the planted plugin", "not loaded", mark, mark == "not loaded"),
        Finding(
            "the slowest",
            f"{SECONDS:g} s",
            f"{slowest[3].seconds:.2f} s ({slowest[0]}; of a whole file {whole.seconds:.2f} s)",
            seconds <= SECONDS,
        ),
        Finding(
            "the most memory",
            f"{MEGABYTES} MB",
            f"{largest[3].megabytes:.0f} MB ({largest[0]}; of a whole file {whole.megabytes:.0f} MB)",
            largest[3].megabytes <= MEGABYTES,
        ),
        Finding(
            "a manifest of the most memory that is allowed",
            f"{SECONDS:g} s, {MEGABYTES} MB",
            f"{taken.seconds:.2f} s, {taken.megabytes:.0f} MB",
            taken.status == 0
            and (taken.seconds if full else taken.processor_seconds) <= SECONDS
            and taken.megabytes <= MEGABYTES,
        ),
        _server(paths, folder / "served", full),
    ]
    if shutil.which("strace") is None:
        found[3] = Finding("other files opened (strace)", "0", "there is no strace on this machine", not full)
    return found


def _opened(others: dict[str, list[str]], whole: Checked) -> str:
    listed = "; ".join(f"{name}: {', '.join(paths[:3])}" for name, paths in others.items())
    return listed or f"0 (beside the {len(whole.opened)} that a whole file needs, and modules of Python)"


def _whole(folder: Path) -> Path:
    """A file to be changed, and the secrets beside it."""
    folder.mkdir()
    write_small(folder / "secret.h5", label_names=[f"{SECRET}{k}" for k in range(4)])
    (folder / "secret.bin").write_text(SECRET * 100)
    return write_small(folder / "run.h5", layers={"10": (6, 4)}, features=False)


def _hostile(name: str, folder: Path) -> tuple[Path, str]:
    """The file, and the words with which it is to be refused."""
    path = _whole(folder)
    for structure in STRUCTURES:
        if structure.__name__ == name:
            return path, edit(path, structure)
    change = next(change for change in [*FILES, manifest_of_many_objects] if change.__name__ == name)
    change(path)
    return path, FILES.get(change, "")


def _planted_plugin(folder: Path) -> Path:
    """A folder of plugins for HDF5; the one in it leaves a mark beside it when it is loaded."""
    plugins = folder / "plugins"
    plugins.mkdir()
    if compiler := shutil.which("cc"):
        source = folder / "plugin.c"
        source.write_text(PLUGIN.replace("MARK", str(folder / "MARK")))
        library = plugins / "libharm.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    else:
        (plugins / "libharm.so").write_bytes(b"\x7fELF")  # strace sees whether it is opened
    return plugins


def _check(path: Path, plugins: Path) -> Checked:
    """Run the command twice: as it is, and traced."""
    report = path.with_name("memory")
    command = [sys.executable, "-c", CHECK, SECRET, str(report), "check", str(path)]
    environment = os.environ | {"HDF5_PLUGIN_PATH": str(plugins), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    start, before = time.perf_counter(), os.times()
    # Where it does not come back, the time-out tells of the file by its traceback.
    done = subprocess.run(
        command, cwd=path.parent, env=environment, capture_output=True, text=True, errors="replace", timeout=60
    )
    seconds, after = time.perf_counter() - start, os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    megabytes = max(int(line) / 1024 for line in report.read_text().splitlines())
    opened = _traced(command, path, environment) if shutil.which("strace") else set()
    return Checked(done.returncode, done.stdout + done.stderr, seconds, processor, megabytes, opened)


def _traced(command: list[str], path: Path, environment: dict[str, str]) -> set[str]:
    """The paths that the command and its processes open."""
    log = path.with_name("trace")
    trace = ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2,execve", "-o", str(log)]
    subprocess.run([*trace, *command], cwd=path.parent, env=environment, capture_output=True, timeout=600)
    found = set(_OPENED.findall(log.read_text(errors="replace")))
    own = {str(path), str(path.parent), str(path.with_name("memory"))}
    python = (sys.prefix, sys.base_prefix, "/proc/")  # a message imports what a whole file does not need
    return {name for name in found - own if not name.startswith(python)}


def _server(paths: list[Path], folder: Path, full: bool) -> Finding:
    """All files in one folder, opened one after another, while the server is asked for its health."""
    limit = HEALTHY if full else 30.0
    folder.mkdir()
    names = []
    for path in paths:
        names.append(f"{path.parent.name}.h5")
        shutil.copy(path, folder / names[-1])
    for name in ("secret.h5", "secret.bin"):
        shutil.copy(paths[0].with_name(name), folder / name)
    answers: list[float] = []
    failed: list[OSError] = []
    done = threading.Event()
    begun = time.perf_counter()
    with served("--store", str(folder)) as address:
        if not full:  # on a machine that does much else all is slower, as the start was
            limit = max(limit, time.perf_counter() - begun)

        def ask() -> None:
            while not done.is_set():
                start = time.perf_counter()
                try:
                    with urllib.request.urlopen(f"{address}/_stcore/health", timeout=600) as answer:
                        answer.read()
                except OSError as error:
                    failed.append(error)
                answers.append(time.perf_counter() - start)
                done.wait(0.05)

        asker = threading.Thread(target=ask)
        asker.start()
        try:
            said = asyncio.run(_visit(address, names))
        finally:
            done.set()
            asker.join()
    refused = sum("damaged, or it is not a Filterscope result" in text and SECRET not in text for text in said)
    return Finding(
        "a server that is given them: its health answered at any time, all refused on the page",
        f"{limit:g} s, all",
        f"slowest of {len(answers)} answers {max(answers):.2f} s, {len(failed)} failed, {refused} of {len(names)}",
        len(answers) > 3 and max(answers) <= limit and not failed and refused == len(names),
    )


async def _visit(address: str, names: list[str]) -> list[str]:
    """All that the page says of each file."""
    said = []
    for name in names:
        visitor = await Visitor.arrive(address)
        await visitor.open("", f"store={name}")
        said.append(" ".join([*visitor.problems, *visitor.texts()]))
        await visitor.leave()
    return said
