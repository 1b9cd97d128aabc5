"""What a sweep will take: measured once for each network and data set, added up over the runs."""

import json
import shlex
from collections import Counter
from dataclasses import dataclass

from precompute.messages.progress import seconds
from precompute.sweep.pools import Pool
from precompute.sweep.runs import Standing, SweepRun


@dataclass(frozen=True)
class Estimate:
    """Of one run."""

    seconds: float
    file_bytes: int
    kept_bytes: int  # the trained network, with what its training goes on from, which stays beside the file


Estimates = dict[SweepRun, Estimate]


def measured(pool: Pool, runs: list[SweepRun], fetch: bool) -> Estimates:
    """Of each run; of none where it cannot be measured, which is said and stops nothing.

    fetch: download data sets that are missing, before runs need them.
    """
    commands = [shlex.join(run.arguments) for run in runs]
    done = pool.helper("precompute.sweep.estimate", json.dumps({"commands": commands, "fetch": fetch}))
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        print(f"the time cannot be estimated: {lines[-1]}", flush=True)
        return {}
    found = json.loads(done.stdout.splitlines()[-1])
    return {run: Estimate(**of_run) for run, of_run in zip(runs, found, strict=True)}


def plan_text(where: dict[SweepRun, Standing], found: Estimates, jobs: int) -> str:
    """A line a run, then what is left of all of them."""
    width = max(len(run.out.name) for run in where)
    lines = []
    for run, standing in where.items():
        line = f"{run.out.name:{width}}  {standing.state:10}"
        if run in found:
            line += f"  {seconds(found[run].seconds):>8}  {found[run].file_bytes / 1e6:8.1f} MB"
        lines.append(line + (f"  {standing.note}" if standing.note else ""))
    left = [run for run, standing in where.items() if standing.state != "done"]
    counts = Counter(standing.state for standing in where.values())
    states = ", ".join(f"{number} {state}" for state, number in counts.items())
    lines.append(f"{len(where)} runs in {next(iter(where)).out.parent}: {states}")
    if left and found:
        time = sum(found[run].seconds for run in left) / min(jobs, len(left))
        files, kept = (sum(getattr(found[run], of) for run in left) for of in ("file_bytes", "kept_bytes"))
        order = "one after another" if jobs == 1 else f"{jobs} at a time"
        lines.append(
            f"what is left takes about {seconds(time)}, {order}; files of {files / 1e6:.0f} MB, and beside them "
            f"{kept / 1e9:.1f} GB of trained networks"
        )
        if any(run.options.afcc or run.options.afcc_between for run in left):
            lines.append("the time of AFCC is not in it")
    return "\n".join(lines)
