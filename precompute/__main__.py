"""python -m precompute --arch vgg16 --data cifar100: the paper's method, in its order.

1. The entire network is trained.
2. The weights of the first m layers are held; a fully connected layer, the probe, is trained on their output.
3. The probe's weights quantify each filter: a field matrix for every filter of every layer, in one HDF5 file.
"""

import errno
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from precompute.options import Options, Problem, output_path, parse

if TYPE_CHECKING:
    from precompute.stopping import Stopping


def main() -> int:
    """Run and return the exit status; a person gets messages, not tracebacks."""
    from precompute.stopping import Stopped, Stopping

    try:
        options = parse(sys.argv[1:])
        with Stopping() as stopping:
            run(options, stopping)
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        command = shlex.join(["python", "-m", "precompute", *(a for a in sys.argv[1:] if a != "--fresh")])
        print(f"\nstopped ({stopped}). What is done is kept; the same command goes on:\n  {command}", file=sys.stderr)
        return stopped.exit_status
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = ": no space is left on that disk. Free some; the same command then goes on" if full else ""
        place = f" {error.filename}" if error.filename else f" {output_path(options)}"
        print(f"error: cannot write or read{place}: {error.strerror or error}{hint}", file=sys.stderr)
        return 1
    return 0


def run(options: Options, stopping: "Stopping") -> None:
    """One run, from images to the file. Raises Problem, Stopped, OSError."""
    # Imported here, so that `--help` and a wrong option answer at once.
    from precompute import data, device, models, plan, recipes, result, stages, workspace
    from store.write import write_run

    compute = device.choose_device(options.device)
    arch, taps = models.ARCHS[options.arch], models.choose_taps(options.arch, options.layers)
    features = models.choose_features(options.features, taps)
    images = None if options.dry_run and not data.is_here(options) else data.load(options)
    sizes = data.sizes_before_download(options) if images is None else images.sizes
    recipe = recipes.recipe_for(options, sizes.n_labels)
    work = workspace.Workspace(output_path(options), recipe.record(options))
    print(f"{options.arch} on {options.data}, {sizes.n_labels} labels -> {work.out} ({compute.description})")

    def print_plan() -> plan.Plan:
        made = plan.make_plan(arch, taps, sizes, recipe, compute, features)
        print(made.text(), flush=True)
        return made

    if options.dry_run or images is None:
        print_plan()
        return
    with work.locked():
        if options.fresh:
            work.clear()
        content = work.earlier_result()
        if content is None and options.resume and not work.has_network():
            raise Problem(f"--resume: there is nothing at {work.out} to go on from; leave it out to start")
        done = [] if content is None else [layer.name for layer in content.layers]
        waiting = [tap for tap in taps if tap.layer not in done]
        if waiting:
            planned = print_plan()
            on_device = stages.DataOnDevice(images, arch, compute)
            trained = stages.train_network(arch, on_device, recipe, options.seed, compute, work, stopping)
            recorded = stages.record_activations(trained.network, waiting, on_device, planned, compute, work)
            if content is None:
                content = result.new_content(options, recipe, images, compute, taps, trained, recorded)
            for tap in waiting:
                layer = stages.probe_layer(tap, recorded, on_device, planned, recipe, options.seed, stopping)
                content.layers.append(layer)
                write_run(work.out, content)
            work.close()
        else:
            print("it is there already; --fresh makes it anew")
    print_result(work.out)


def print_result(path: Path) -> None:
    """The paper's table for the finished file, and what to do with it."""
    from store.read import Run
    from store.table import table

    with Run(path) as run:
        print(f"\n{table(run)}")
    print(f"\n{path} ({path.stat().st_size / 1e6:.1f} MB). The same table at any time: python -m store info {path}")


if __name__ == "__main__":
    sys.exit(main())
