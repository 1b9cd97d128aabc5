"""The command line around the method: what catches, reports and exits. A person gets messages, not tracebacks."""

import errno
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from precompute.machine.memory import is_lack_of_memory
from precompute.machine.stopping import Stopped, Stopping, reraise_stop

if TYPE_CHECKING:
    from precompute.job import Job, Todo
    from precompute.machine.distributed import World
    from precompute.options import Options
    from store.file.write import RunContent

    Method = Callable[[Job, RunContent | None, Todo], None]  # measures what is left to do, and writes it

THERE = "it is there already; --fresh makes it anew"


def main(method: "Method") -> int:
    """Run as the command line says, and return the exit status."""
    try:
        with Stopping() as stopping:
            status = _attempt(method, stopping)
            if status == 0:
                stopping.check()  # where the exception was lost on the last steps
            return status
    except Stopped as stopped:
        from precompute.machine.distributed import World, say

        world = World.of_environment()
        command = shlex.join([*world.command, *(a for a in sys.argv[1:] if a not in stopping.done_with)])
        say(stopped.words(command, sys.argv[1:]), world)
        return stopped.exit_status
    except KeyboardInterrupt:  # before `Stopping` stands ready
        return 130


def _attempt(method: "Method", stopping: Stopping) -> int:
    """Run as the command line says; says what went wrong. Returns the exit status, raises Stopped."""
    from precompute.machine.distributed import World, say
    from precompute.messages.problem import Problem
    from precompute.options import output_path, parse

    world, options = World.of_environment(), None
    try:
        with reraise_stop():
            with world.quiet(errors=True):
                options = parse(sys.argv[1:])
            with world.quiet(), world.connected(options.device):
                run(method, options, stopping, world)
        return 0
    except Problem as problem:
        say(f"error: {problem}", world)
    except BrokenPipeError:  # who read the output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = ": no space is left on that disk. Free some; the same command then goes on" if full else ""
        place = error.filename or (output_path(options) if options else "what the options name")
        say(f"error: cannot write or read {place}: {error.strerror or error}{hint}", world)
    except (MemoryError, RuntimeError) as error:
        if is_lack_of_memory(error):
            say(f"error: {_out_of_memory(error)}", world)
        elif isinstance(error, RuntimeError) and world.is_loss(error):
            say("error: another process of this run has ended. What is done is kept; the same command goes on", world)
        else:
            raise
    return 1


def _out_of_memory(error: BaseException) -> str:
    from precompute.messages.problem import one_line

    return (
        f"memory does not suffice ({one_line(error)}). What is done is kept. The same command with fewer --layers (the "
        "others later), or with less beside it on this machine, goes on; a smaller --batch-size or --image-size needs "
        "less for each step, but is another recipe: with another --out, or --fresh"
    )


def run(method: "Method", options: "Options", stopping: Stopping, world: "World") -> None:
    """One run, from images to the file. Raises Problem, Stopped, OSError."""
    # Imported here, so that `--help` and a wrong option answer at once.
    from precompute.job import prepare
    from precompute.messages.problem import Problem
    from precompute.options import output_path
    from precompute.plan import make_plan

    if options.list_taps:
        from precompute.networks.listing import list_taps

        print(list_taps(options))
        return
    if options.activations is not None:
        from precompute.from_files import measure_files

        measure_files(options).close()
        _print_result(output_path(options))
        return
    job = prepare(options, stopping, world)
    print(job.title)
    if not world.is_first:
        if not options.dry_run:
            _help_first(job)
        return
    if options.dry_run:
        _, todo = job.what_is_left()
        print(make_plan(job, todo, job.checkpoint(todo)).text() if todo else THERE)
        return
    with job.work.locked():
        if options.fresh and job.work.is_empty():
            stopping.done_with.add("--fresh")
        earlier, todo = job.what_is_left()
        if options.resume and earlier is None and not job.work.has_network():
            raise Problem(f"--resume: there is nothing at {job.work.out} to go on from; leave it out to start")
        if earlier is not None and not todo and options.thumbnails and earlier.thumbnails is None:
            _add_thumbnails(job, earlier)
        if world.from_first(todo):
            method(job, earlier, todo)
            job.work.close()
        else:
            print(THERE)
    _print_result(job.work.out)


def _help_first(job: "Job") -> None:
    """What a process that is not the first does of a run: its part of the training and of the passes."""
    from precompute import stages

    todo: Todo | None = job.world.from_first(None)
    if todo:
        data = stages.DataOnDevice(job, job.world.from_first({}))
        stages.record_activations(job, None, data, stages.train_network(job, data, None).network, todo)


def _add_thumbnails(job: "Job", earlier: "RunContent") -> None:
    """What was asked for after the run: its test images, which are those of then (`earlier_result` compares them)."""
    from precompute.result import write

    write(job, earlier)


def _print_result(path: Path) -> None:
    """The paper's table for the finished file, and what to do with it."""
    from precompute.messages.wording import megabytes
    from store.file.read import Run
    from store.tables.layers import table

    with Run(path) as run:
        print(f"\n{table(run)}")
    print(f"\n{path} ({megabytes(path.stat().st_size, 1)}). The same table at any time: python -m store info {path}")
