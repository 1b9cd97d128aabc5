"""python -m precompute.sweep tables --tables 1,4,6 --samples 5: many runs at one command, each a file.

Exit status: 0 all files are there, 4 some are not, 1 the sweep could not begin, 130 and 143 as for one run.
"""

import os
import shlex
import sys
from typing import TYPE_CHECKING

from precompute.machine.distributed import say
from precompute.machine.stopping import Stopped, Stopping
from precompute.messages.problem import Problem
from precompute.sweep.options import SweepOptions, parse

if TYPE_CHECKING:
    from precompute.sweep.pools import Pool
    from precompute.sweep.runs import SweepRun

SOME_FAILED = 4


def main() -> int:
    """Make the sweep and return the exit status; a person gets messages, not tracebacks."""
    arguments = sys.argv[1:]
    try:
        with Stopping() as stopping:
            from precompute.sweep.runs import expand

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
        say(stopped.words(command, arguments))
        return stopped.exit_status
    except KeyboardInterrupt:  # before `Stopping` stands ready
        return 130


def show_plan(asked: SweepOptions, runs: "list[SweepRun]") -> int:
    from precompute.sweep.plan import measured, plan_text
    from precompute.sweep.pools import LocalPool
    from precompute.sweep.runs import standing

    where = {run: standing(run) for run in runs}
    found = measured(LocalPool(asked.jobs), runs, fetch=False)
    print(plan_text(where, found, asked.jobs))
    return 0


def make(asked: SweepOptions, runs: "list[SweepRun]", stopping: Stopping) -> int:
    """All runs that are not there yet; what becomes of them is said as it happens."""
    from precompute.sweep.plan import measured
    from precompute.sweep.progress import SweepProgress
    from precompute.sweep.runs import standing

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
        from precompute.sweep.pools import LocalPool

        return LocalPool(asked.jobs)
    from precompute.sweep.cluster import RayPool

    return RayPool(asked.ray, asked.gpus_per_run, asked.cpus_per_run, asked.retries, stopping)


if __name__ == "__main__":
    sys.exit(main())
