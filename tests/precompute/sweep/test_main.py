"""`python -m precompute.sweep`: which runs, and that each becomes a file whatever happens to the others."""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from precompute.sweep import __main__ as sweep
from precompute.sweep import cluster
from precompute.sweep.cluster import last_owner
from precompute.sweep.runs import Standing, standing
from store.file.read import Run
from tests import ROOT
from tests.commands import ENVIRONMENT
from tests.image_folders import tiny, write_image_folder
from tests.once import once
from tests.precompute.sweep.test_runs import runs_of

QUICK = "--recipe quick --epochs 2 --batch-size 10 --layers 13 --device cpu --data-dir images"
THREE = f"runs --data cifar10 --labels 3 --seeds 0..2 {QUICK}".split()
NAMES = [f"vgg16-cifar10-3-quick{sample}" for sample in ("", "-labels1-seed1", "-labels2-seed2")]
pytestmark = pytest.mark.processes


def in_folder(folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "precompute.sweep", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(program, stdout=pipe, stderr=pipe, text=True, cwd=folder, env=ENVIRONMENT)


def sweep_in(folder: Path, arguments: list[str]) -> tuple[int, str, str]:
    process = in_folder(folder, arguments)
    out, err = process.communicate(timeout=600)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def content(folder: Path, name: str) -> str:
    with Run(folder / "runs" / f"{name}.h5") as run:
        assert run.unfinished == []
        run.verify()
        return run.content_sha256


# On this machine


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a sweep is made; the networks' checkpoints are 120 MB each and do not stay."""
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)


def write_images(folder: Path) -> None:
    write_image_folder(folder / "images", "cifar10", tiny("cifar10", 4, 2))


def make_three(folder: Path) -> list[tuple[int, str, str]]:
    write_images(folder)
    in_the_way = folder / "runs" / f"{NAMES[1]}.h5"
    in_the_way.parent.mkdir()
    in_the_way.write_text("not a result")
    first = sweep_in(folder, [*THREE, "--jobs", "2"])
    in_the_way.unlink()
    second = sweep_in(folder, THREE)
    for network in (folder / "runs").glob("*.work/network.ckpt"):
        network.unlink()
    return [first, second]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, str, str]]]:
    """A sweep of three, two at a time; something else stands at the second one's place. Then the same again without."""
    return once(tmp_path_factory, "a sweep of three", make_three)


def test_one_run_fails_and_the_rest_go_on(made):
    status, printed, _ = made[1][0]
    assert status == 4
    assert "3 runs, 0 of them are there already" in printed
    log = f"runs/{NAMES[1]}.log"
    assert f"{NAMES[1]}: FAILED (exit status 1). The last lines of {log}:\n    " in printed
    assert f"    error: runs/{NAMES[1]}.h5: " in printed
    assert re.search(rf"{NAMES[0]}: made in \d.* \(\d of 3 there", printed)
    assert re.search(rf"{NAMES[2]}: made in \d", printed)
    assert printed.endswith(f"    {NAMES[1]}: failed, see runs/{NAMES[1]}.log\nthe same command tries these again\n")


def test_the_same_command_makes_only_what_is_missing(made):
    status, printed, errors = made[1][1]
    assert (status, errors) == (0, "")
    assert "3 runs, 2 of them are there already" in printed
    assert re.findall(r"(\S+): made in", printed) == [NAMES[1]]
    assert re.search(r"^3 of 3 files are there \(", printed, re.MULTILINE)
    assert len({content(made[0], name) for name in NAMES}) == 3
    logs = [(made[0] / "runs" / f"{name}.log").read_text() for name in NAMES]
    assert all("probe of layer 13: 40 epochs" in log for log in logs)
    assert not list((made[0] / "runs").glob("*.work/lock"))


def test_a_plan_says_where_each_run_stands_and_makes_nothing(made, place):
    (place / "runs").mkdir()
    shutil.copy(made[0] / "runs" / f"{NAMES[0]}.h5", place / "runs")
    (place / "runs" / f"{NAMES[1]}.h5").write_text("not a result")
    before = sorted(place.rglob("*"))
    status, printed, errors = sweep_in(place, ["runs", "--data", "cifar10", "--labels", "3,6", *THREE[5:], "--plan"])
    assert (status, errors) == (0, "")
    lines = printed.splitlines()
    assert re.fullmatch(rf"{NAMES[0]}\.h5 +done +[\d.]+ \w+ +0\.2 MB", lines[0])
    assert re.match(rf"{NAMES[1]}\.h5 +in the way .*", lines[2])
    assert re.fullmatch(r"vgg16-cifar10-6-quick\.h5 +to do +[\d.]+ \w+ +0\.4 MB", lines[1])
    assert lines[-2] == "6 runs in runs: 1 done, 4 to do, 1 in the way"
    left = (
        r"what is left takes about [\d.]+ \w+, one after another; files of 2 MB, and beside them 0\.6 GB of .*networks"
    )
    assert re.fullmatch(left, lines[-1])
    assert sorted(place.rglob("*")) == before


def test_what_another_recipe_or_a_stopped_run_left_is_told_apart(made, place):
    shutil.copytree(made[0] / "runs", place / "runs", ignore=shutil.ignore_patterns("*.work"))
    states = [standing(run).state for run in runs_of(shlex.join(THREE))]
    assert states == ["done"] * 3
    more = standing(runs_of(shlex.join([*THREE, "--layers", "10", "13"]))[0])
    assert more == Standing("partly", "1 of 2 layers")
    other = standing(runs_of(shlex.join([*THREE, "--epochs", "5"]))[0])
    assert other.state == "in the way" and "another recipe (epochs 2, now 5)" in other.note
    begun = place / "runs" / "vgg16-cifar10-6-quick.work"
    begun.mkdir()
    (begun / "network.ckpt").touch()
    assert standing(runs_of(f"runs --data cifar10 --labels 6 {QUICK}")[0]).state == "partly"


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "status", "where"),
    [
        pytest.param(signal.SIGINT, 130, [], id="here"),
        pytest.param(
            signal.SIGTERM, 143, ["--ray", "local", "--cpus-per-run", "1"], id="on Ray", marks=pytest.mark.cluster
        ),
    ],
)
def test_a_stopped_sweep_stops_its_runs_and_says_how_to_go_on(number, status, where, place):
    if where:
        pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    process = in_folder(place, [*THREE, *where])
    lock = place / "runs" / f"{NAMES[0]}.work" / "lock"
    wait_for(lock, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == status
    assert errors == (
        f"stopped ({number.name}). What is done is kept; the same command goes on:\n"
        f"  python -m precompute.sweep {shlex.join([*THREE, *where])}\n"
    )
    assert not lock.exists()  # the run has ended, and had the time to
    assert "stopped (SIGTERM)" in (place / "runs" / f"{NAMES[0]}.log").read_text()


def test_a_file_that_another_process_makes_is_skipped(made, place, capfd, monkeypatch):
    monkeypatch.setattr("precompute.sweep.plan.measured", lambda *_, **__: {})
    shutil.copytree(made[0] / "runs", place / "runs", ignore=shutil.ignore_patterns("*.work"))
    (place / "runs" / f"{NAMES[2]}.h5").unlink()
    lock = place / "runs" / f"{NAMES[2]}.work" / "lock"
    lock.parent.mkdir()
    monkeypatch.setattr(sys, "argv", ["sweep", *THREE])
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sweep.main() == 4
    printed = capfd.readouterr().out
    assert f"{NAMES[2]}: skipped, since another process is making it" in printed
    assert f"{NAMES[2]}: not there yet" in printed


def test_a_run_ends_with_the_sweep_that_was_killed(tmp_path):
    """Without being told: nobody can be told by a process that is killed."""
    child_does = (
        "import sys; from precompute.sweep.supervised import stop_with; open('ready', 'w'); stop_with(int(sys.argv[1]))"
    )
    parent_does = f"""
import os, subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {child_does!r}, str(os.getpid())]).pid, flush=True)
time.sleep(100)
"""
    environment = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-c", parent_does]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    wait_for(tmp_path / "ready", parent)
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 600
    while is_running(child):
        assert time.monotonic() < until
        time.sleep(0.05)


# On Ray


@pytest.mark.cluster
def test_a_cluster_whose_workers_and_machines_die_makes_the_same_files(made, place):
    """Two machines, each with a run; a worker of one is killed, and all of the other, both in the middle of a run."""
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    from ray.cluster_utils import Cluster

    small: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20}
    machines = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        other = machines.add_node(**small)
        process = in_folder(place, [*THREE, "--ray", machines.address, "--cpus-per-run", "1"])
        worker, run = held_in_the_middle(place, machines.head_node, process)
        os.kill(worker, signal.SIGKILL)
        os.kill(run, signal.SIGCONT)  # to find itself alone, and end
        _, run = held_in_the_middle(place, other, process)
        machines.remove_node(other, allow_graceful=False)
        os.kill(run, signal.SIGKILL)  # as all processes of a machine that dies
        printed, errors = process.communicate(timeout=600)
    finally:
        machines.shutdown()
    assert process.returncode == 0, printed + errors
    assert "Traceback" not in printed + errors
    assert [content(place, name) for name in NAMES] == [content(made[0], name) for name in NAMES]
    logs = [(place / "runs" / f"{name}.log").read_text() for name in NAMES]
    assert sum("going on with the network's training after" in log for log in logs) == 2
    assert not [path for pattern in ("*.alive*", "*.work/lock") for path in (place / "runs").glob(pattern)]


def held_in_the_middle(place: Path, node: Any, process: subprocess.Popen[str]) -> tuple[int, int]:
    """A Ray node's task, and the process of its run, which has trained for an epoch, has no layer yet, and is stopped.

    A run that went on could have ended before what is done to it is felt.
    """
    raylet = node.all_processes["raylet"][0].process.pid
    until = time.monotonic() + 600
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        for life in (place / "runs").glob("*.alive"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                worker = json.loads(life.read_text())["process"]
                begun = life.with_suffix(".work") / "network.ckpt"
                if worker not in children(raylet) or not begun.exists():
                    continue
                for run in children(worker):
                    os.kill(run, signal.SIGSTOP)
                    if begun.exists() and not life.with_suffix(".h5").exists():
                        return worker, run
                    os.kill(run, signal.SIGCONT)
        time.sleep(0.02)
    raise AssertionError("no run was in its middle")


def children(process: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == process:
                found.append(int(stat.parent.name))
    return found


def sign(life: Path, process: int, machine: str | None = None) -> None:
    life.write_text(json.dumps({"machine": machine or socket.gethostname(), "process": process, "beat": 0}))


def ended_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_task_that_died_is_told_from_one_that_works(tmp_path):
    life, lock = tmp_path / "run.alive", tmp_path / "lock"
    assert last_owner(life, lock, 0.2) == "none"
    sign(life, ended_process())
    assert last_owner(life, lock, 0.2) == "none"  # it died before its run had begun
    lock.touch()
    os.utime(lock, (1, 1))
    assert last_owner(life, lock, 100) == "dead"  # at once: it was of this machine
    sign(life, 1, "another machine")
    assert last_owner(life, lock, 0.2) == "dead"  # it gives no sign of life
    writer = threading.Timer(0.1, sign, (life, 2, "another machine"))
    writer.start()
    assert last_owner(life, lock, 100) == "alive"
    writer.join()
    sign(life, ended_process())
    os.utime(life, (1, 1))
    lock.touch()
    assert last_owner(life, lock, 100) == "none"  # somebody else has the lock since


def test_a_dead_machines_lock_does_not_keep_the_next_one_out(made, place, monkeypatch):
    """As a network file system may keep it; here a process holds it that will never end."""
    monkeypatch.setattr(cluster, "_LOCK_LEFT", 0.0)
    shutil.copytree(made[0] / "runs", place / "runs", ignore=shutil.ignore_patterns("*.work"))
    run = runs_of(shlex.join(THREE))[0]
    lock = run.out.with_suffix(".work") / "lock"
    lock.parent.mkdir()
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.utime(lock, (1, 1))
        sign(run.out.with_suffix(".alive"), ended_process())
        ended = cluster.make_run(run.arguments, str(run.out), 1, str(place))
    assert ended.status == 0, ended.last_lines
    assert "is being made by another process" in run.log.read_text()
    assert not lock.exists() and not run.out.with_suffix(".alive").exists()


def is_running(process: int) -> bool:
    """A process that ended may stay in the list until somebody asks for its status."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
