"""python -m precompute.sweep tables --tables 1,4,6 --samples 5: many runs at one command, each a file.

Exit status: 0 all files are there, 4 some are not, 1 the sweep could not begin, 130 and 143 as for one run.
"""

import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from precompute.distributed import say
from precompute.options import Problem
from precompute.stopping import Stopped, Stopping

if TYPE_CHECKING:
    from precompute.sweep_pools import Pool
    from precompute.sweep_runs import SweepRun

SOME_FAILED = 4


@dataclass(frozen=True)
class SweepOptions:
    """Make the runs that the paper's tables need (tables), or every combination of what is named (runs), each a file
    in runs/. What is there is not made again, and a run that was stopped goes on: the same command does both.

    Exit status: 0 when all files are there, 4 when some are not.
    """

    what: Annotated[Literal["tables", "runs"], tyro.conf.Positional] = "runs"
    """tables: what the paper's tables need. runs: every combination of --arch, --data, --labels and --seeds."""
    tables: tuple[str, ...] = ()
    """For tables: which, such as 1,4,6. Default: all six; 3 needs ImageNet's validation images (--data-dir)."""
    samples: int | None = None
    """How many samples of each, with the seeds 0, 1, ... Default: 1."""
    seeds: str | None = None
    """The samples' seeds instead: 0..4, or 0,3,7."""
    label_seed: int | None = None
    """One choice of labels for all samples. Default: each sample has its own, chosen by its seed."""
    arch: tuple[str, ...] = ()
    """Networks, with commas between them. Default: all of the tables; for runs, vgg16."""
    data: tuple[str, ...] = ()
    """Data sets. Default: all of the tables; for runs, digits."""
    labels: tuple[str, ...] = ()
    """Numbers of labels K, such as 10,20,40,60,100. Default: all of the tables; for runs, the data set's."""
    data_dir: tuple[str, ...] = ()
    """Folder with the data set; of several data sets, NAME=FOLDER for each."""
    out_dir: Path | None = None
    """Folder for the files, their logs and what they go on from. Default: runs. On several machines, one that all of
    them see at the same place."""
    plan: bool = False
    """List the runs with estimated time and size on this device, and stop."""
    jobs: int = 1
    """So many runs at a time on this machine; they share its processors."""
    ray: str | None = None
    """Make the runs on Ray: local (this machine), auto (the cluster that this machine is in) or its ADDRESS. Needs the
    extra [cluster]; see docs/cluster.md."""
    gpus_per_run: float | None = None
    """On Ray: 1, or 0.25 where four runs share a GPU. Default: 1 where the cluster has GPUs, else 0."""
    cpus_per_run: int | None = None
    """On Ray. Default: as many runs on a machine as it has room for on its GPUs share its processors; without GPUs,
    one run takes them all."""
    retries: int = 3
    """On Ray: how often a run goes on elsewhere after its machine, or its process, died."""
    recipe: Literal["paper", "quick"] | None = None
    """As for one run (python -m precompute --help), like all that follow."""
    epochs: int | None = None
    batch_size: int | None = None
    image_size: int | None = None
    weights: str | None = None
    untrained: bool = False
    device: Literal["auto", "cpu", "cuda", "mps"] | None = None
    layers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    thumbnails: bool = False
    afcc: tuple[str, ...] = ()
    afcc_between: tuple[str, ...] = ()


def parse(arguments: list[str]) -> SweepOptions:
    """Parse and check the command line; exits with status 2 and a message where it is wrong. Raises Problem."""
    asked = tyro.cli(
        SweepOptions, prog="python -m precompute.sweep", args=arguments, config=(tyro.conf.FlagCreatePairsOff,)
    )
    if asked.ray is None:
        for name in ("gpus_per_run", "cpus_per_run"):
            if getattr(asked, name) is not None:
                raise Problem(f"--{name.replace('_', '-')}: is for --ray; on one machine without it there is --jobs N")
    elif asked.jobs != 1:
        raise Problem("--jobs: on Ray, --cpus-per-run and --gpus-per-run say how many runs share a machine")
    if asked.jobs < 1:
        raise Problem(f"--jobs {asked.jobs}: must be at least 1")
    if asked.retries < 0:
        raise Problem(f"--retries {asked.retries}: must be at least 0")
    if asked.cpus_per_run is not None and asked.cpus_per_run < 1:
        raise Problem(f"--cpus-per-run {asked.cpus_per_run}: must be at least 1")
    gpus = asked.gpus_per_run
    if gpus is not None and (not 0 <= gpus <= 1024 or (gpus > 1 and gpus != int(gpus))):
        raise Problem(f"--gpus-per-run {gpus}: a part of one, such as 0.25, or a whole number")
    # Where a run is made on another machine, a path must not depend on where a process stands.
    return replace(asked, out_dir=(asked.out_dir or Path("runs")).absolute()) if asked.ray is not None else asked


def main() -> int:
    """Make the sweep and return the exit status; a person gets messages, not tracebacks."""
    arguments = sys.argv[1:]
    try:
        with Stopping() as stopping:
            from precompute.sweep_runs import expand

            try:
                asked = parse(arguments)
                runs = expand(asked)
                if asked.plan:
                    return show_plan(asked, runs)
                return make(asked, runs, stopping)
            except Problem as problem:
                say(f"error: {problem}")
            except BrokenPipeError:  # who read the output has left, as `head` does
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more
            except OSError as error:
                place = error.filename or asked.out_dir or "runs"
                say(f"error: cannot write or read {place}: {error.strerror or error}")
            return 1
    except Stopped as stopped:
        command = shlex.join(["python", "-m", "precompute.sweep", *arguments])
        say(f"stopped ({stopped}). What is done is kept; the same command goes on:\n  {command}")
        return stopped.exit_status
    except KeyboardInterrupt:  # before `Stopping` stands ready
        return 130


def show_plan(asked: SweepOptions, runs: "list[SweepRun]") -> int:
    from precompute.sweep_plan import measured, plan_text
    from precompute.sweep_pools import LocalPool
    from precompute.sweep_runs import standing

    where = {run: standing(run) for run in runs}
    found = measured(LocalPool(asked.jobs), runs, fetch=False)
    print(plan_text(where, found, asked.jobs))
    return 0


def make(asked: SweepOptions, runs: "list[SweepRun]", stopping: Stopping) -> int:
    """All runs that are not there yet; what becomes of them is said as it happens."""
    from precompute.sweep_plan import measured
    from precompute.sweep_progress import SweepProgress
    from precompute.sweep_runs import standing

    waiting = [run for run in runs if standing(run).state != "done"]
    print(f"{len(runs)} runs, {len(runs) - len(waiting)} of them are there already", flush=True)
    if not waiting:
        return 0
    pool = open_pool(asked, stopping)
    print("measuring how long they take", flush=True)
    try:
        progress = SweepProgress(len(runs), waiting, measured(pool, waiting, fetch=True))
        working: set[SweepRun] = set()
        while waiting or working:
            while waiting and len(working) < pool.room:
                run = waiting.pop(0)
                pool.start(run)
                working.add(run)
                progress.started(run, pool.slots)
            for run, ended in pool.ended():
                working.discard(run)
                progress.ended(run, ended, standing(run), pool.slots)
            progress.show(pool.slots)
    finally:
        pool.stop()
    missing = [run for run in runs if standing(run).state != "done"]
    print(progress.last_words(missing))
    return SOME_FAILED if missing else 0


def open_pool(asked: SweepOptions, stopping: Stopping) -> "Pool":
    if asked.ray is None:
        from precompute.sweep_pools import LocalPool

        return LocalPool(asked.jobs)
    from precompute.cluster import RayPool

    return RayPool(asked.ray, asked.gpus_per_run, asked.cpus_per_run, asked.retries, stopping)


if __name__ == "__main__":
    sys.exit(main())
