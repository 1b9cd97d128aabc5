"""A pickle can make whoever reads it run anything. Pickles that would create a file are put wherever weights and data
sets come in: --weights and --checkpoint (torch's two formats, a bare pickle, our own checkpoint with a checksum that
fits, the name of safetensors), the checkpoint that a run goes on from, and CIFAR's pickles, old and new. Each of them
calls one of many functions, at several places of what is loaded, in every pickle protocol; none may leave a trace, and
each must be refused in words. The same pickles are also read by Python's own reader, where they must run: else nothing
would be shown. Then a checkpoint of ours is changed byte for byte: every byte of a small one to each of the 255 values
that it does not have, and random bytes of one of a real network; each must be refused because of its sha256."""

import hashlib
import io
import os
import pickle
import random
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from precompute.disk import checkpoint
from precompute.disk.workspace import NETWORK, Workspace
from precompute.images import sources
from precompute.images.subsets import CIFAR10_LABELS, CIFAR100_LABELS
from precompute.messages.problem import Problem
from precompute.networks import weights
from precompute.networks.checkpoints import reading
from precompute.networks.models import find_arch
from precompute.options import Options
from tests.image_folders import tiny, write_pickles
from tests.trust.finding import Finding
from tests.trust.program import ARCH

REFUSED_DAMAGE = "the checkpoint is damaged (its checksum does not fit)"


def findings(full: bool, folder: Path) -> list[Finding]:
    """Every payload in every way; every byte to every value, 20,000 random bytes (four ways each; one value; 200)."""
    return [*run_nothing(full, folder), *every_flip(full, folder)]


# Pickles that run something


class Runs:
    """Unpickled by a plain unpickler, it calls a function; most of these leave a file or a folder behind."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


class Sets:
    """The same by way of a state that is set, of an innocent object."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Innocent, (), {"path": str(self.path)}


class Innocent:
    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["path"]).touch()


def payloads(trace: Path) -> dict[str, Any]:
    """What is called -> the object whose pickle calls it, and thereby makes `trace`."""
    text = f"open({str(trace)!r}, 'w').close()"
    return {
        "os.mkdir": Runs(os.mkdir, str(trace)),
        "os.system": Runs(os.system, f"mkdir '{trace}'"),
        "subprocess.call": Runs(subprocess.call, ["mkdir", str(trace)]),
        "exec": Runs(exec, text),
        "eval": Runs(eval, text),
        "Path.touch": Runs(Path.touch, trace),
        "shutil.copy": Runs(shutil.copy, __file__, str(trace)),
        "torch.save": Runs(torch.save, 1, str(trace)),
        "numpy.savetxt": Runs(np.savetxt, str(trace), [1]),
        "setting a state": Sets(trace),
    }


PLACES: dict[str, Callable[[Any], Any]] = {
    "alone": lambda payload: payload,
    "value": lambda payload: {"model": {"weight": payload}, "data": payload, "labels": [0], "fine_labels": [0]},
    "list": lambda payload: {"data": np.zeros((1, 3072), np.uint8), "labels": [payload], "fine_labels": [payload]},
    "key": lambda payload: {"model": {payload: torch.zeros(1)}, payload: 0},
}


def _torch(zipped: bool) -> Callable[[Any, int], bytes]:
    def saved(loaded: Any, protocol: int) -> bytes:
        buffer = io.BytesIO()
        torch.save(loaded, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        return buffer.getvalue()

    return saved


def _bare(loaded: Any, protocol: int) -> bytes:
    return pickle.dumps(loaded, protocol)


def _ours(inner: Callable[[Any, int], bytes]) -> Callable[[Any, int], bytes]:
    def saved(loaded: Any, protocol: int) -> bytes:
        payload = inner(loaded, protocol)
        return checkpoint.MAGIC + hashlib.sha256(payload).digest() + payload

    return saved


OURS = {"ours": _ours(_torch(True)), "ours, torch's old": _ours(_torch(False)), "ours, a bare pickle": _ours(_bare)}
FORMATS = {"torch's": _torch(True), "torch's old": _torch(False), "a bare pickle": _bare} | OURS


class Way(NamedTuple):
    """How a file comes in."""

    name: str
    made: Callable[[Any, int], bytes]  # (what is loaded, pickle protocol) -> the file
    file: Path
    read: Callable[[], object]


def ways(folder: Path) -> Iterator[Way]:
    options = Options(arch=ARCH, data="cifar10", image_size=32)
    arch = find_arch(replace(options, weights="none"))
    for name, made in FORMATS.items():
        for suffix in ("pt", "safetensors"):
            file = folder / f"weights.{suffix}"
            start_with, as_it_is = replace(options, weights=str(file)), replace(options, checkpoint=file)
            yield Way(f"--weights: {name}", made, file, partial(weights.network, start_with, arch, 10))
            yield Way(f"--checkpoint: {name}", made, file, partial(weights.network, as_it_is, arch, 10))
    work = Workspace(folder / "run.h5", {"options": {}})
    work.save_training(NETWORK, {"step": 3})
    for name, made in OURS.items():
        yield Way(
            f"a run's checkpoint: {name}", made, work.folder / "network.ckpt", partial(work.load_training, NETWORK)
        )
    for name, labels in (("cifar10", CIFAR10_LABELS), ("cifar100", CIFAR100_LABELS)):
        place = write_pickles(folder / name, name, tiny(name, 1, 1))
        for file in sorted(path for path in place.rglob("*") if path.name in ("data_batch_3", "train", "test_batch")):
            yield Way(f"{name}, {file.name}", _bare, file, partial(sources.read, name, place, labels))


def run_nothing(full: bool, folder: Path) -> list[Finding]:
    trace, chance = folder / "it ran", random.Random(7)
    there = list(ways(folder))
    tried, traces, not_refused, would_run, controls = 0, list[str](), list[str](), 0, 0
    for (called, payload), (place, put) in product(payloads(trace).items(), PLACES.items()):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            controls += 1
            would_run += _ran(partial(pickle.loads, _bare(put(payload), protocol)), trace)
            for way in there if full else chance.sample(there, 4):
                before = way.file.read_bytes() if way.file.exists() else b""
                way.file.write_bytes(way.made(put(payload), protocol))
                tried += 1
                what = f"{way.name}: {called} as {place}, protocol {protocol}"
                try:
                    if _ran(way.read, trace):
                        traces.append(what)
                    not_refused.append(what)
                except Problem:
                    if trace.exists():
                        traces.append(what)
                except Exception as error:
                    not_refused.append(f"{what}: {type(error).__name__}: {error}")
                way.file.write_bytes(before)
    n_ways, calls = len({way.name for way in there}), ", ".join(payloads(trace))
    return [
        Finding(
            f"pickles that call {calls}: read by Python's own reader, they run",
            f"{controls} of {controls}",
            f"{would_run} of {controls}",
            would_run == controls,
        ),
        Finding(
            f"the same in {n_ways} ways into the program, as files: a payload ran",
            "0",
            f"{len(traces)} of {tried}",
            not traces,
            "; ".join(traces[:3]),
        ),
        Finding(
            "and was not refused in words",
            "0",
            f"{len(not_refused)} of {tried}",
            not not_refused,
            "; ".join(not_refused[:3]),
        ),
    ]


def _ran(read: Callable[[], object], trace: Path) -> bool:
    """Whether reading left a trace, which is removed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of protocols that it does not write itself
        opened = read()
    if hasattr(opened, "close"):
        opened.close()
    ran = trace.exists()
    if ran:
        shutil.rmtree(trace) if trace.is_dir() else trace.unlink()
    return ran


# Bytes that are not as they were written


def every_flip(full: bool, folder: Path) -> list[Finding]:
    small, real = folder / "small.ckpt", folder / "real.ckpt"
    checkpoint.save(small, {"step": 3, "model": {"weight": torch.arange(3.0)}})
    network = find_arch(Options(arch=ARCH, image_size=32, weights="none")).build(10)
    checkpoint.save(real, {"recipe": {}, "training": {"model": network.state_dict(), "step": 3}})
    chance, size = random.Random(7), small.stat().st_size
    values = range(1, 256) if full else [chance.randrange(1, 256)]
    of_small = [(place, flip) for place in range(size) for flip in values]
    places = [(chance.randrange(real.stat().st_size), chance.randrange(1, 256)) for _ in range(20_000 if full else 200)]
    once = [(place, chance.randrange(1, 256)) for place in range(size)]
    return [
        flipped(
            f"every byte of a checkpoint of {size:,} bytes, {len(values)} other value{'s' * (len(values) > 1)} each",
            small,
            of_small,
            checkpoint.load,
            REFUSED_DAMAGE,
        ),
        flipped(
            f"bytes at random of a checkpoint of {real.stat().st_size:,} bytes",
            real,
            places,
            checkpoint.load,
            REFUSED_DAMAGE,
        ),
        flipped(
            "every byte of the small one, which is named with --weights or --checkpoint", small, once, reading.read, ""
        ),
    ]


def flipped(what: str, path: Path, places: list[tuple[int, int]], read: Callable[[Path], object], says: str) -> Finding:
    """Change one byte after another, each by XOR, and read the file."""
    whole, found = path.read_bytes(), 0
    read(path)  # as it was written, it is read
    with path.open("r+b", buffering=0) as file:
        for place, flip in places:
            os.pwrite(file.fileno(), bytes([whole[place] ^ flip]), place)
            try:
                read(path)
            except Problem as problem:
                found += says in str(problem)
            os.pwrite(file.fileno(), whole[place : place + 1], place)
    read(path)
    wanted, measured = f"{len(places):,} of {len(places):,} found", f"{found:,} of {len(places):,} found"
    return Finding(what, wanted, measured, wanted == measured)
