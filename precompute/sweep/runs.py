"""Which runs a sweep is made of, and where each of them stands.

Imports neither torch nor Ray until a file is looked at.
"""

import re
import shlex
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from precompute.messages.problem import Problem
from precompute.options import DATA_SETS, Options, output_path, parse

if TYPE_CHECKING:
    from precompute.networks.arch import Arch
    from precompute.sweep.options import SweepOptions

LABELS = {"digits": 10, "cifar10": 10, "cifar100": 100, "imagenet": 1000}  # of the whole data set
TABLES = (1, 2, 3, 4, 5, 6)
_PASSED = (
    "recipe",
    "epochs",
    "batch_size",
    "image_size",
    "weights",
    "untrained",
    "device",
    "layers",
    "features",
    "thumbnails",
    "afcc",
    "afcc_between",
)  # options that every run of a sweep takes as they are


@dataclass(frozen=True)
class SweepRun:
    """One run: a command, and the file that it makes."""

    arguments: tuple[str, ...]  # of `python -m precompute`
    options: Options
    out: Path

    @property
    def name(self) -> str:
        return self.out.stem

    @property
    def log(self) -> Path:
        """What the run prints."""
        return self.out.with_suffix(".log")

    @property
    def command(self) -> str:
        return shlex.join(["python", "-m", "precompute", *self.arguments])


@dataclass(frozen=True)
class Standing:
    """How much of a run is there. `in the way`: what stands at its place is damaged, or another recipe's."""

    state: Literal["done", "partly", "to do", "in the way"]
    note: str = ""


def expand(asked: "SweepOptions") -> list[SweepRun]:
    """The runs, the first sample of each setting before any second one. Raises Problem.

    Of a K below the data set's, each sample takes labels of its own (label seed = seed), nested within the sample: the
    paper's slopes "fluctuated slightly among the samples", which its supplement calls "5 different subsets".
    """
    runs: dict[Path, SweepRun] = {}
    settings = _of_tables(asked) if asked.what == "tables" else _of_lists(asked)
    folders = _folders(asked.data_dir, {data for _, data, _ in settings})
    for seed in samples(asked):
        for arch, data, n_labels in settings:
            run = _run(asked, arch, data, n_labels, seed, folders.get(data))
            runs.setdefault(run.out, run)
    return list(runs.values())


def samples(asked: "SweepOptions") -> list[int]:
    """The seeds. Raises Problem."""
    if asked.seeds is not None:
        if asked.samples is not None:
            raise Problem("--samples N is --seeds 0..N-1: give one of them")
        return numbers("seeds", (asked.seeds,))
    if asked.samples is not None and asked.samples < 1:
        raise Problem(f"--samples {asked.samples}: must be at least 1")
    return list(range(asked.samples or 1))


def numbers(option: str, values: tuple[str, ...]) -> list[int]:
    """Numbers and ranges with commas between them, each once, in the order given. Raises Problem.

    >>> numbers("seeds", ("0..2,7",))
    [0, 1, 2, 7]
    """
    found: dict[int, None] = {}
    for part in (part for value in values for part in value.split(",") if part.strip()):
        match = re.fullmatch(r"\s*(\d{1,10})(?:\.\.(\d{1,10}))?\s*", part)
        if match is None:
            raise Problem(f"--{option} {part}: takes whole numbers and ranges, such as 0,3 or 0..4")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + 10_000:
            raise Problem(f"--{option} {part}: from the smaller to the larger number, and not ten thousand of them")
        found |= dict.fromkeys(range(first, last + 1))
    if not found:
        raise Problem(f"--{option}: names no number")
    return list(found)


def _of_tables(asked: "SweepOptions") -> list[tuple[str, str, int]]:
    """What the paper's tables need, of it only the networks, data sets and numbers of labels that are named."""
    from store.paper.published import settings

    tables = numbers("tables", asked.tables) if asked.tables else list(TABLES)
    if not set(tables) <= set(TABLES):
        raise Problem(f"--tables {','.join(map(str, tables))}: the paper has Tables {TABLES[0]} to {TABLES[-1]}")
    archs, data_sets = _names(asked.arch), _names(asked.data)
    labels = numbers("labels", asked.labels) if asked.labels else None
    found = [
        (arch, data, n_labels)
        for table in tables
        for arch, data, n_labels in settings(table)
        if (not archs or arch in archs)
        and (not data_sets or data in data_sets)
        and (labels is None or n_labels in labels)
    ]
    if not found:
        raise Problem("no row of these tables is of that --arch, --data and --labels")
    return found


def _of_lists(asked: "SweepOptions") -> list[tuple[str, str, int | None]]:
    """Every combination."""
    if asked.tables:
        raise Problem("--tables is for `python -m precompute.sweep tables`")
    labels: list[int] | list[None] = numbers("labels", asked.labels) if asked.labels else [None]
    data_sets = _names(asked.data) or ["digits"]
    return [
        (arch, data, n_labels) for arch in _names(asked.arch) or ["vgg16"] for data in data_sets for n_labels in labels
    ]


def _run(asked: "SweepOptions", arch: str, data: str, n_labels: int | None, seed: int, folder: str | None) -> SweepRun:
    whole = LABELS.get(data)
    if n_labels is not None and whole is not None and n_labels > whole:
        raise Problem(f"--labels {n_labels}: {data} has {whole} labels")
    arguments = ["--arch", arch, "--data", data]
    if n_labels not in (None, whole):  # all labels are what a run takes anyway; so its name is the single run's
        label_seed = seed if asked.label_seed is None else asked.label_seed
        arguments += ["--labels", str(n_labels)]
        arguments += ["--label-seed", str(label_seed)] if label_seed else []
    arguments += ["--seed", str(seed)] if seed else []
    for name in _PASSED:
        value = getattr(asked, name)
        if value not in (None, (), False):
            values = value if isinstance(value, tuple) else () if value is True else (str(value),)
            arguments += [f"--{name.replace('_', '-')}", *values]
    arguments += ["--data-dir", folder] if folder is not None else []
    options = parse(arguments)
    out = output_path(options)
    if asked.out_dir is not None:
        out = asked.out_dir / out.name
        arguments += ["--out", str(out)]
        options = replace(options, out=out)
    return SweepRun(tuple(arguments), options, out)


def _names(values: tuple[str, ...]) -> list[str]:
    return [name for value in values for name in value.split(",") if name]


def _folders(values: tuple[str, ...], data_sets: set[str]) -> dict[str, str]:
    """Data set -> folder, from `--data-dir FOLDER` or `--data-dir cifar10=FOLDER imagenet=FOLDER`. Raises Problem."""
    folders: dict[str, str] = {}
    for value in values:
        name, equals, folder = value.partition("=")
        if equals and name in DATA_SETS:
            folders[name] = folder
        elif len(data_sets) == 1:
            folders[next(iter(data_sets))] = value
        else:
            raise Problem(
                f"--data-dir {value}: of which data set? There are {', '.join(sorted(data_sets))}; say NAME={value}"
            )
    return folders


def standing(run: SweepRun) -> Standing:
    """Where a run stands, from its file's manifest: neither images nor matrices are read. Raises Problem, OSError."""
    from precompute.disk.workspace import Workspace
    from precompute.images.outline import Sizes, missing_images
    from precompute.job import Todo
    from precompute.networks import weights
    from precompute.networks.models import choose_layers, choose_taps
    from precompute.recipes import recipe_for
    from store.file.format import FormatError
    from store.file.read import Run

    options = run.options
    arch = _arch(replace(options, labels=None, label_seed=0, seed=0, data_dir=None, out=None))
    taps = choose_taps(arch, options.layers)
    features = choose_layers("features", options.features, taps)
    pruned = choose_layers("afcc", options.afcc, taps)
    if not run.out.exists():
        begun = (run.out.with_suffix(".work") / "network.ckpt").exists()
        return Standing("partly", "its network's training has begun") if begun else Standing("to do")
    try:
        with Run(run.out) as there:
            of_data = there.manifest["data"]
            sizes = Sizes(there.n_labels, of_data.get("train_inputs"), of_data.get("test_inputs"))
            lacking = missing_images(options, sizes)
            recipe = recipe_for(options, weights.wanted(options, arch), there.n_labels, lacking)
            Workspace(run.out, recipe.record(options)).refuse_other(there)
            todo = Todo.of(taps, options, features, pruned, there.manifest)
    except (FormatError, Problem) as error:
        return Standing("in the way", str(error))
    if not todo:
        return Standing("done")
    return Standing("partly", f"{len(taps) - len(todo.probed)} of {len(taps)} layers")


@cache
def _arch(options: Options) -> "Arch":
    from precompute.networks.models import find_arch

    return find_arch(options)
