"""Two fuzzing targets. The reader is given files made from a corpus (tests/data: each format version as it is written,
and the same in HDF5's oldest layout, whose metadata carry no checksums) by flipping, overwriting, copying, inserting
and cutting bytes: it gives what the file held or a FormatError, within 2 s. The command lines of store, precompute and
its sweep are given what hypothesis makes of their own words: each ends with a status and a message, never with a
traceback. `python -m tests.trust.fuzz SECONDS SEED` goes on with the reader for as long as one likes."""

import contextlib
import faulthandler
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import h5py
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from store.file.format import FormatError
from store.file.read import Run
from tests import DATA
from tests.builders import write_small
from tests.trust.finding import Finding

CORPUS = DATA
HANG = 2.0  # seconds; in the short form more, for a machine that is busy
WORDS = """info check pack unpack run.h5 none.h5 . --threshold 0.3 nan 1e400 --nulls --samples --layer 10 --seed -1
--out --to hf:a/b --help -h --arch vgg16 timm: efficientnet_b0 --data digits cifar10 folder imagenet --data-dir
--labels 0 1 99999999999999999999 --label-seed --recipe quick paper --epochs --batch-size --layers --device cpu cuda
--resume --fresh --features --afcc --depths 3:1 --weights hub --plan tables --tables 1,4,6 0..4 7..1 --jobs --ray
local"""

Content = dict[str, object]


def findings(full: bool, folder: Path) -> list[Finding]:
    """A minute (some seconds in the short form), two thirds of it for the reader."""
    seconds = 40 if full else 2
    command = [sys.executable, "-m", "tests.trust.fuzz", str(seconds), "0", *([] if full else ["60"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 600)
    if done.returncode:
        last = " / ".join(done.stderr.splitlines()[-3:])
        reader = Finding("the reader", "no crash, no hang", f"exit status {done.returncode}: {last}", False)
    else:
        told = json.loads(done.stdout)
        measured = ", ".join(f"{told[outcome]} {outcome}" for outcome in ("refused", "right", "wrong"))
        holds = not told["wrong"] and told["refused"] > 0 and told["right"] > 0
        reader = Finding(
            "the reader", "the right data or a FormatError", f"{told['files']} files: {measured}", holds, told["which"]
        )
    lines = _checked(20 if full else 3, folder)
    told_in_one = sum(status == 1 and text.count("\n") == 1 and text.startswith("error: ") for status, text in lines)
    check = Finding(
        "what `python -m store check` says of refused ones",
        "one line, exit status 1",
        f"{told_in_one} of {len(lines)}",
        told_in_one == len(lines),
    )
    tried, failures = _command_lines(seconds / 2, folder)
    measured = f"{tried} command lines, {len(failures)} with a traceback"
    return [
        reader,
        check,
        Finding("the command lines", "none", measured, tried > 0 and not failures, "; ".join(failures[:3])),
    ]


# The reader


def corpus(folder: Path) -> list[Path]:
    """The seeds, written to the folder."""
    seeds = []
    for path in sorted(CORPUS.glob("format-*.h5")):
        for name, libver in (("as-written", None), ("oldest-layout", ("earliest", "v110"))):
            seeds.append(folder / f"{path.stem}-{name}.h5")
            if libver is None:
                seeds[-1].write_bytes(path.read_bytes())
                continue
            with h5py.File(path) as old, h5py.File(seeds[-1], "w", libver=libver) as new:
                for item in old:
                    old.copy(item, new)
    return seeds


def mutated(whole: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One to four changes."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        kind, at, size = chance.randrange(6), chance.randrange(len(data)), chance.choice((1, 2, 4, 8, 64))
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:  # a number: none, the largest, a small one, a place in the file
            value = chance.choice((0, (1 << 8 * size) - 1, chance.randrange(256), at % (1 << 8 * size)))
            data[at : at + size] = value.to_bytes(size, "little")
        elif kind == 2:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            data[at : at + size] = other[start : start + size]
        elif kind == 3:
            data[at:at] = chance.randbytes(size)
        elif kind == 4:
            del data[at : at + size]
        elif chance.random() < 0.2:
            del data[max(at, 1) :]
    return bytes(data)


def read(path: Path) -> Content:
    """The target: everything that a file holds. Raises FormatError, and nothing else."""
    with Run(path) as run:
        run.verify()
        content: Content = {place: run.read(place).tobytes() for place in run._places}
        return content | {"names": run.label_names, "superclasses": run.superclasses, "manifest": run.manifest}


def fuzz_reader(seconds: float, first_seed: int, folder: Path, hang: float = HANG) -> dict[str, object]:
    """For so many seconds of the processor.

    A hang ends the process with a traceback, a wrong number is told by its seed.
    """
    seeds = corpus(folder)
    contents = [read(path) for path in seeds]
    wholes = [path.read_bytes() for path in seeds]
    outcomes = {"files": 0, "refused": 0, "right": 0, "wrong": 0}
    which = []
    path, until = folder / "fuzzed.h5", time.process_time() + seconds
    while time.process_time() < until:
        number = first_seed + outcomes["files"]
        chance = random.Random(number)
        one = chance.randrange(len(seeds))
        path.write_bytes(mutated(wholes[one], wholes, chance))
        outcomes["files"] += 1
        faulthandler.dump_traceback_later(hang, exit=True)  # also where the interpreter's lock is held
        try:
            found = read(path)
        except FormatError:
            outcomes["refused"] += 1
        else:
            outcomes["right" if found == contents[one] else "wrong"] += 1
            which += [f"seed {number}"] if found != contents[one] else []
        faulthandler.cancel_dump_traceback_later()
    return outcomes | {"which": ", ".join(which[:9])}


def _checked(times: int, folder: Path) -> list[tuple[int, str]]:
    """So many files that are refused, given to the command: exit status and all that it prints."""
    seeds = [path.read_bytes() for path in corpus(folder)]
    path, number = folder / "fuzzed.h5", 0
    said: list[tuple[int, str]] = []
    while len(said) < times:
        chance = random.Random(number)
        path.write_bytes(mutated(chance.choice(seeds), seeds, chance))
        number += 1
        with contextlib.suppress(FormatError):
            read(path)
            continue
        command = [sys.executable, "-m", "store", "check", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        said.append((done.returncode, done.stdout + done.stderr))
    return said


# The command lines


def _command_lines(seconds: float, folder: Path) -> tuple[int, list[str]]:
    """-> command lines tried, those that ended with a traceback."""
    from precompute import options
    from precompute.messages.problem import Problem
    from precompute.sweep import options as sweep
    from store.__main__ import main

    write_small(folder / "run.h5")

    def store(arguments: list[str]) -> None:
        with mock.patch.object(sys, "argv", ["store", *arguments]):
            assert main() in (0, 1, 2)

    def parsing(parse: Callable[[list[str]], object]) -> Callable[[list[str]], None]:
        def target(arguments: list[str]) -> None:
            with contextlib.suppress(Problem):
                parse(arguments)

        return target

    targets = {"store": store, "precompute": parsing(options.parse), "precompute.sweep": parsing(sweep.parse)}
    tried, failures = 0, []
    words = st.lists(st.one_of(st.sampled_from(WORDS.split()), st.text(max_size=12)), max_size=8)

    def run(name: str, arguments: list[str]) -> None:
        nonlocal tried
        tried += 1
        try:
            targets[name](arguments)
        except SystemExit as end:
            assert end.code in (0, 2), end.code
        except Exception as error:  # what a person would see a traceback of
            failures.append(f"{name} {arguments}: {type(error).__name__}: {error}")

    until, number, here = time.process_time() + seconds, 0, Path.cwd()
    os.chdir(folder)  # `info .` and the like look here
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            while time.process_time() < until:
                limits = settings(
                    max_examples=50, database=None, deadline=None, phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )  # fmt: skip
                seed(number)(limits(given(st.sampled_from(sorted(targets)), words)(run)))()
                number += 1
    finally:
        os.chdir(here)
    return tried, failures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        hang = float(sys.argv[3]) if len(sys.argv) > 3 else HANG
        print(json.dumps(fuzz_reader(float(sys.argv[1]), int(sys.argv[2]), Path(temporary), hang)))
