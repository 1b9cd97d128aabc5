"""python -m precompute.sweep.estimate: how long runs take on this device, and how large they get.

Commands in, JSON out. A process of its own, which the sweep starts: what measuring takes of the memory is free again
before the first run.
"""

import json
import shlex
import sys
from collections import defaultdict
from dataclasses import asdict, replace

from precompute.images import data, outline
from precompute.job import prepare
from precompute.machine.stopping import Stopping
from precompute.messages.problem import Problem
from precompute.options import Options, parse
from precompute.plan import make_plan
from precompute.recipes import recipe_for
from precompute.sweep.plan import Estimate


def fetch(asked: list[Options]) -> None:
    """Download what is missing, once, before several runs do it at the same time. Raises Problem, OSError."""
    for options in {(options.data, options.data_dir): options for options in asked}.values():
        if not outline.is_here(options):
            data.load(options)


def estimates(asked: list[Options]) -> list[Estimate]:
    """Of each, in the same order. Raises Problem, OSError.

    The numbers of labels of one network and data set share what is measured with the largest: a step takes as long
    for ten labels as for a hundred, only their number differs.
    """
    alike: dict[Options, list[Options]] = defaultdict(list)
    for options in dict.fromkeys(map(_setting, asked)):
        alike[replace(options, labels=None)].append(options)
    found: dict[Options, Estimate] = {}
    for group in alike.values():
        most = max(group, key=lambda options: options.labels or sys.maxsize)
        job = prepare(replace(most, dry_run=True, fresh=True), Stopping())
        plan = make_plan(job, job.todo(None))
        network = job.arch.build(job.sizes.n_labels)
        kept = 2 * sum(weights.nbytes for weights in network.parameters()) if job.recipe.network.epochs else 0
        for options in group:
            n_labels = options.labels or job.sizes.n_labels
            train, test = (n * n_labels // job.sizes.n_labels for n in (job.sizes.train, job.sizes.test))
            sizes = replace(job.sizes, n_labels=n_labels, train=train, test=test)
            recipe = recipe_for(options, job.origin["from"], n_labels)
            of_labels = replace(plan, job=replace(job, options=options, sizes=sizes, recipe=recipe))
            found[options] = Estimate(of_labels.duration, of_labels.file_bytes, kept)
    return [found[_setting(options)] for options in asked]


def _setting(options: Options) -> Options:
    """What samples have in common."""
    return replace(options, seed=0, label_seed=0, out=None)


def main() -> int:
    """Read {"commands": [...], "fetch": bool}; the last line of output is a list of estimates."""
    given = json.load(sys.stdin)
    asked = [parse(shlex.split(command)) for command in given["commands"]]
    try:
        if given["fetch"]:
            fetch(asked)
        print(json.dumps([asdict(estimate) for estimate in estimates(asked)]))
        return 0
    except (Problem, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
