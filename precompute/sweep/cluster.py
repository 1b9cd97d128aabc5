"""A sweep's runs on Ray (extra [cluster]): on the GPUs of many machines, or on parts of one.

A run is a task; the task starts the same process as on one machine. Files, logs and checkpoints lie in a folder that
all machines see, so that a run whose machine died goes on from its checkpoint on another one.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from precompute.machine.stopping import EXIT_STATUS, Stopped, Stopping
from precompute.messages.problem import BUSY, Problem, one_line
from precompute.sweep.pools import Child, Ended, run_module, stop_all
from precompute.sweep.runs import SweepRun

_BEAT = 5.0  # seconds between a task's signs of life
_DEAD_AFTER = 120.0  # seconds without one; more than a network file system keeps an old state for
_LOCK_LEFT = 60.0  # seconds that the run of a task that died has to save and end


class Killed(Exception):
    """A signal ended a run's process: its machine may have run out of memory. Ray then tries again."""


class RayPool:
    """Tasks on a Ray cluster, which queues them; so it takes all runs at once."""

    room = 1 << 30

    def __init__(self, address: str, gpus: float | None, cpus: int | None, retries: int, stopping: Stopping) -> None:
        """Raises Problem where there is no Ray, no cluster, or no machine in it with so much."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # today's default is to change, and says so
        try:
            import ray
        except ImportError as error:
            raise Problem("--ray: Ray is not installed; in the clone: pip install -e '.[cluster]'") from error
        self._ray: Any = ray
        # Only names travel between the processes, so a local cluster needs hardly any shared memory.
        local = {"include_dashboard": False, "object_store_memory": 80 << 20} if address == "local" else {}
        handlers = {number: signal.getsignal(number) for number in EXIT_STATUS}
        try:
            self._ray.init(address=address, log_to_driver=False, logging_level="error", **local)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise Problem(f"--ray {address}: no cluster answers there ({one_line(error)})") from error
        for number, handler in handlers.items():  # Ray puts its own in their place
            signal.signal(number, handler)
        machines = self._machines()
        self._gpus = (1.0 if any(machine.get("GPU") for machine in machines) else 0.0) if gpus is None else gpus
        self._cpus = cpus or max(1, min((self._share(m) for m in machines if self._has_gpus(m)), default=1))
        if not self.slots:
            lack = f"no machine has {self._cpus} processors and {self._gpus:g} GPUs for a run; there are {machines}"
            if address == "local":
                self._ray.shutdown()
                raise Problem(f"--ray local: {lack}")
            print(f"{lack}. Waiting for the cluster to grow", flush=True)
        resources = {"num_cpus": self._cpus, "num_gpus": self._gpus}
        self._make = self._ray.remote(make_run).options(**resources, max_retries=retries, retry_exceptions=[Killed])
        self._help = self._ray.remote(run_there).options(**resources, max_retries=retries)
        self._stopping = stopping
        self._tasks: dict[Any, SweepRun] = {}
        # As many threads as processors, unless who started the sweep said how many
        self._threads = int(os.environ.get("OMP_NUM_THREADS") or self._cpus)

    @property
    def slots(self) -> int:
        """How many runs the machines that are there now make at a time."""
        return sum(self._fitting(machine) for machine in self._machines())

    def start(self, run: SweepRun) -> None:
        task = self._make.remote(run.arguments, str(run.out), self._threads, os.getcwd())
        self._tasks[task] = run

    def ended(self) -> list[tuple[SweepRun, Ended]]:
        done = self._wait(list(self._tasks), 1, timeout=1.0)
        found = [(self._tasks.pop(task), self._outcome(task)) for task in done]
        for run, _ in found:
            os.listdir(run.out.parent)  # else a network file system may not show yet what another machine wrote
        return found

    def helper(self, module: str, given: str) -> "subprocess.CompletedProcess[str]":
        task = self._help.remote(module, given, self._threads, os.getcwd())
        while not self._wait([task], 1, timeout=1.0):
            continue
        try:
            done: subprocess.CompletedProcess[str] = self._ray.get(task)
            return done
        except self._ray.exceptions.RayError as error:
            return subprocess.CompletedProcess([], 1, "", one_line(error))

    def stop(self) -> None:
        for task in self._tasks:
            self._ray.cancel(task)
        try:
            if self._tasks:  # each hands the signal on to its process, which saves where it is
                self._wait(list(self._tasks), len(self._tasks), timeout=_LOCK_LEFT)
        finally:
            self._ray.shutdown()

    def _wait(self, tasks: list[Any], number: int, timeout: float) -> list[Any]:
        """Those that have ended, of which a number is waited for.

        A signal is held back meanwhile: what its handler raises inside Ray's own code comes out as a SystemError.
        """
        try:
            with self._stopping.held():
                done: list[Any] = self._ray.wait(tasks, num_returns=number, timeout=timeout)[0]
        except SystemError as error:  # a second signal, which nothing holds back
            if isinstance(error.__cause__, Stopped):
                raise error.__cause__ from None
            raise
        return done

    def _outcome(self, task: Any) -> Ended:
        try:
            outcome: Ended = self._ray.get(task)
            return outcome
        except self._ray.exceptions.RayError as error:
            return Ended(1, 0.0, tuple(line for line in str(error).splitlines() if line.strip())[-8:])

    def _machines(self) -> list[dict[str, float]]:
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return [{name: resources.get(name, 0) for name in ("CPU", "GPU")} for resources in alive]

    def _has_gpus(self, machine: dict[str, float]) -> bool:
        return machine["GPU"] >= self._gpus and machine["CPU"] >= 1

    def _share(self, machine: dict[str, float]) -> int:
        """Processors of a run, where as many runs as a machine's GPUs take share them."""
        runs = max(1, int(machine["GPU"] / self._gpus)) if self._gpus else 1
        return int(machine["CPU"] / runs)

    def _fitting(self, machine: dict[str, float]) -> int:
        by_cpus = int(machine["CPU"] / self._cpus)
        return min(by_cpus, int(machine["GPU"] / self._gpus)) if self._gpus else by_cpus


def run_there(module: str, given: str, threads: int, folder: str) -> "subprocess.CompletedProcess[str]":
    """On a worker: `pools.run_module`."""
    os.chdir(folder)
    return run_module(module, given, threads)


def make_run(arguments: tuple[str, ...], out: str, threads: int, folder: str) -> Ended:
    """On a worker: make one run, also where the task before this one died in the middle of it. Raises Killed."""
    os.chdir(folder)
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    life = path.with_suffix(".alive")
    before = last_owner(life, path.with_suffix(".work") / "lock")
    if before == "alive":
        return Ended(1, 0.0, (f"{path} {BUSY}, of another sweep",))
    with _signs_of_life(life):
        until = time.monotonic() + _LOCK_LEFT
        while True:
            ended = _attempt(arguments, path, threads)
            if not ended.busy or before == "none":
                break
            # The dead task's process may still be saving where it was. A machine that died keeps its lock on some
            # network file systems; a new lock file has none.
            if time.monotonic() > until:
                (path.with_suffix(".work") / "lock").unlink(missing_ok=True)
                before = "none"
            time.sleep(1.0)
    if ended.status < 0:
        raise Killed(f"signal {-ended.status} ended it on {ended.where}")
    return ended


def last_owner(life: Path, lock: Path, dead_after: float = _DEAD_AFTER) -> str:
    """`none`, `dead` or `alive`: what became of the task that makes, or made, this run's file."""
    first = _read(life)
    if first is None:
        return "none"
    if not _is_gone(first):
        until = time.monotonic() + dead_after
        while (now := _read(life)) == first:
            if time.monotonic() > until:
                break
            time.sleep(min(1.0, dead_after / 10))
        if now != first:
            return "none" if now is None else "alive"
    try:  # somebody else took the lock since: that one is not the dead task's
        return "none" if lock.stat().st_mtime > life.stat().st_mtime else "dead"
    except FileNotFoundError:
        return "none"


def _is_gone(sign: dict[str, Any]) -> bool:
    """Whether the process that gave a sign of life is known to have ended: it was one of this machine's."""
    if sign.get("machine") != socket.gethostname():
        return False
    if sign.get("process") == os.getpid():  # an earlier task of this process
        return True
    try:
        os.kill(int(sign.get("process", 0)), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        pass
    return False


def _read(life: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(life.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _signs_of_life(life: Path) -> Iterator[None]:
    """Write one now and then while the block goes on, so that others can tell a long task from a dead one."""
    over = threading.Event()

    def write(beat: int) -> None:
        partial = life.with_suffix(".alive.tmp")
        partial.write_text(json.dumps({"machine": socket.gethostname(), "process": os.getpid(), "beat": beat}))
        partial.replace(life)

    def go_on() -> None:
        beat = 0
        while not over.wait(_BEAT):
            beat += 1
            with suppress(OSError):  # a full disk is the run's to report
                write(beat)

    write(0)
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        life.unlink(missing_ok=True)


def _attempt(arguments: tuple[str, ...], path: Path, threads: int) -> Ended:
    child = Child(arguments, path.with_suffix(".log"), threads)
    try:
        while (ended := child.ended()) is None:
            time.sleep(0.2)
        return Ended(ended.status, ended.seconds, ended.last_lines, socket.gethostname())
    finally:  # also where the sweep is stopped: Ray raises KeyboardInterrupt here
        with _not_interrupted():
            stop_all([child])


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Ray interrupts a task that it cancels again every two seconds, until it ends: a run needs longer to save."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
