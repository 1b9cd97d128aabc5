"""What a person can ask of a sweep: its command line."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from precompute.messages.problem import Problem
from precompute.options import optional


@dataclass(frozen=True)
class SweepOptions:
    """Make the runs that the paper's tables need (tables), or every combination of what is named (runs), each a file
    in runs/. What is there is not made again, and a run that was stopped goes on: the same command does both.

    Exit status: 0 when all files are there, 4 when some are not.
    """

    what: Annotated[Literal["tables", "runs"], tyro.conf.Positional] = "runs"
    """tables: what the paper's tables need. runs: every combination of --arch, --data, --labels and --seeds."""
    tables: Annotated[tuple[str, ...], optional("TABLE ...")] = ()
    """For tables: which, such as 1,4,6. Default: all six; 3 needs ImageNet's validation images (--data-dir)."""
    samples: Annotated[int | None, optional("N")] = None
    """How many samples of each, with the seeds 0, 1, ... Default: 1."""
    seeds: Annotated[str | None, optional("SEEDS")] = None
    """The samples' seeds instead: 0..4, or 0,3,7."""
    label_seed: Annotated[int | None, optional("N")] = None
    """One choice of labels for all samples. Default: each sample has its own, chosen by its seed."""
    arch: Annotated[tuple[str, ...], optional("NAME ...")] = ()
    """Networks, with commas between them. Default: all of the tables; for runs, vgg16."""
    data: Annotated[tuple[str, ...], optional("NAME ...")] = ()
    """Data sets. Default: all of the tables; for runs, digits."""
    labels: Annotated[tuple[str, ...], optional("K ...")] = ()
    """Numbers of labels K, such as 10,20,40,60,100. Default: all of the tables; for runs, the data set's."""
    data_dir: Annotated[tuple[str, ...], optional("FOLDER ...")] = ()
    """Folder with the data set; of several data sets, NAME=FOLDER for each."""
    out_dir: Annotated[Path | None, optional("FOLDER")] = None
    """Folder for the files, their logs and what they go on from. Default: runs. On several machines, one that all of
    them see at the same place."""
    plan: Annotated[bool, optional()] = False
    """List the runs with estimated time and size on this device, and stop."""
    jobs: int = 1
    """So many runs at a time on this machine; they share its processors."""
    ray: Annotated[str | None, optional("local|auto|ADDRESS")] = None
    """Make the runs on Ray: local (this machine), auto (the cluster that this machine is in) or its ADDRESS. Needs the
    extra [cluster]; see docs/cluster.md."""
    gpus_per_run: Annotated[float | None, optional("N")] = None
    """On Ray: 1, or 0.25 where four runs share a GPU. Default: 1 where the cluster has GPUs, else 0."""
    cpus_per_run: Annotated[int | None, optional("N")] = None
    """On Ray. Default: as many runs on a machine as it has room for on its GPUs share its processors; without GPUs,
    one run takes them all."""
    retries: int = 3
    """On Ray: how often a run goes on elsewhere after its machine, or its process, died."""
    recipe: Annotated[Literal["paper", "quick"] | None, optional("paper|quick")] = None
    """As for one run (python -m precompute --help), like all that follow."""
    epochs: Annotated[int | None, optional("N")] = None
    batch_size: Annotated[int | None, optional("N")] = None
    image_size: Annotated[int | None, optional("N")] = None
    weights: Annotated[str | None, optional("hub|none|PATH")] = None
    untrained: Annotated[bool, optional()] = False
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"] | None, optional("auto|cpu|cuda|mps")] = None
    layers: Annotated[tuple[str, ...], optional("LAYER ...")] = ()
    features: Annotated[tuple[str, ...], optional("LAYER ...")] = ()
    thumbnails: Annotated[bool, optional()] = False
    afcc: Annotated[tuple[str, ...], optional("LAYER ...")] = ()
    afcc_between: Annotated[tuple[str, ...], optional("LAYER ...")] = ()


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
