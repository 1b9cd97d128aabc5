"""Files -> what the pages Scaling and Claims know of them, measured once: rows of `collection`, records of the claims.

What a file is a sample of, and the command that makes more of its kind.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from explorer.data import epochs, load
from explorer.data.cache import LRUCache
from explorer.data.source import FileId
from explorer.example import EXAMPLES, RUNS
from explorer.frames import runs as collection
from explorer.frames.runs import Damaged
from store.file.format import FormatError
from store.file.manifest import mapping
from store.file.read import Layer, Run
from store.measure.gauge import Gauge
from store.measure.layer import ScanOrder
from store.measure.summary import Summary
from store.paper import claims
from store.paper import records as claim_records
from store.paper.claims import Finding
from store.paper.published import compared_with, settings
from store.paper.records import At, ClaimNull, RunRecord, measured_at, null_sample

_QUICK = 40_000_000  # elements of field matrices: half a second to a second at one threshold
_ORDERS: tuple[ScanOrder, ...] = ("reversed", "random")
_OTHERS = {"cifar10": (3, 6, 8, 10), "digits": (3, 6, 8, 10)}  # K of a data set that no table has with this network

_ROWS: LRUCache[tuple[FileId, float, Gauge], pl.DataFrame] = LRUCache(
    16 << 20, lambda frame: int(frame.estimated_size())
)
_AT: LRUCache[tuple[FileId, str, float, Gauge], At] = LRUCache(20_000, lambda _: 1)
_NULL_SAMPLES: LRUCache[tuple[FileId, str, float, Gauge, ClaimNull, int], Summary | None] = LRUCache(
    20_000, lambda _: 1
)


# ---- Rows -----------------------------------------------------------------------------------------------------------


def rows(file: FileId, threshold: float, gauge: Gauge) -> pl.DataFrame:
    """`collection.of_run`. Raises FormatError, OSError."""
    return _ROWS.get((file, threshold, gauge), lambda: collection.of_run(load.open_run(file), threshold, gauge))


def all_rows(
    files: Iterable[FileId], threshold: float, gauge: Gauge
) -> tuple[pl.DataFrame, list[FileId], list[Damaged]]:
    """`collection.gather` of their `rows`."""
    return collection.gather(files, lambda file: rows(file, threshold, gauge))


def is_quick(files: Iterable[FileId], times: int = 1) -> bool:
    """Whether measuring all layers of these so many times takes about a second."""
    return times * sum(map(_elements, files)) <= _QUICK


def are_known(files: Iterable[FileId], threshold: float, gauge: Gauge) -> bool:
    """Whether their `rows` take about a second: most files say them, and what is left to measure is small."""
    return sum(_unknown(file, threshold, gauge) for file in files) <= _QUICK


def _unknown(file: FileId, threshold: float, gauge: Gauge) -> int:
    """Elements of the layers of which the file says nothing at this threshold."""
    n_elements = _elements(file, lambda layer: collection.recorded(layer, threshold, gauge) is None)
    if not n_elements:
        with suppress(FormatError, OSError):
            rows(file, threshold, gauge)  # now that it is open
    return n_elements


def _elements(file: FileId, counts: Callable[[Layer], bool] = lambda _: True) -> int:
    try:
        layers = filter(counts, load.open_run(file).layers.values())
        return sum(layer.n_filters * layer.n_labels**2 for layer in layers)
    except (FormatError, OSError):
        return 0


# ---- Records --------------------------------------------------------------------------------------------------------


def record(file: FileId, thresholds: Sequence[float], gauge: Gauge) -> RunRecord:
    """Raises FormatError, OSError."""
    return claim_records.run_record(load.open_run(file), thresholds, partial(_at, file), gauge)


def over_time(file: FileId, threshold: float, gauge: Gauge) -> dict[int, list[Finding]]:
    """By epoch, the claims that layers of an earlier epoch can be tested on. Raises FormatError, OSError."""
    run, measures = load.open_run(file), epochs.measures(file, threshold, "stored", gauge)
    found = {}
    for epoch in run.epochs:

        def at(layer: Layer, threshold: float, gauge: Gauge, epoch: int = epoch) -> At:
            return measured_at(measures[epoch, layer.name], {})

        judged = claims.judge([claim_records.run_record(run, (threshold,), at, gauge, epoch)], threshold)
        found[epoch] = [finding for finding in judged if finding.claim.key in claims.OVER_TIME]
    return found


def _at(file: FileId, layer: Layer, threshold: float, gauge: Gauge) -> At:
    def measure() -> At:
        of = load.loaded(file, layer.name, gauge)
        others: dict[str, Any] = {order: of.measure(threshold, order) for order in _ORDERS}
        return measured_at(of.measure(threshold, "stored"), others)

    return _AT.get((file, layer.name, threshold, gauge), measure)


def null_samples(files: Sequence[FileId], threshold: float, gauge: Gauge) -> dict[str, list[list[RunRecord]]]:
    """`claims.null_samples` of their records."""

    def draw(number: int, layer: str, null: ClaimNull, seed: int) -> Summary | None:
        file = files[number]

        def make() -> Summary | None:
            return null_sample(null, load.loaded(file, layer, gauge).fields, threshold, seed)

        return _NULL_SAMPLES.get((file, layer, threshold, gauge, null, seed), make)

    return claims.null_samples([record(file, (threshold,), gauge) for file in files], draw, threshold)


def untrained(files: Sequence[FileId], of: Sequence[FileId], threshold: float, gauge: Gauge) -> list[list[RunRecord]]:
    """Untrained runs of the same network and data, each in place of those in `of`."""

    def row(file: FileId) -> Mapping[str, Any]:
        return rows(file, threshold, gauge).row(0, named=True)

    places = collection.untrained_beside(map(row, of), map(row, files))
    return [[record(files[place], (threshold,), gauge)] for place in places]


# ---- Commands -------------------------------------------------------------------------------------------------------


def more_labels(run: Run) -> str:
    """The command that makes this run's kind with the paper's K."""
    arch, data = (str(run.manifest[of][name]) for of, name in (("network", "arch"), ("data", "name")))
    tables = {setting for table in range(1, 7) for setting in settings(table)}
    known = {k for network, of, k in tables if (network, of) == (compared_with(arch), data)} or {
        k for _, of, k in tables if of == data
    }
    labels = sorted(known or _OTHERS.get(data) or {max(2, run.n_labels * part // 4) for part in range(1, 5)})
    return _sweep(run, labels)


def more_seeds(run: Run) -> str:
    return f"{_sweep(run, [run.n_labels])} --seeds 0..4"


def with_train_clusters(run: Run, layer: str) -> str:
    return f"{_sweep(run, [run.n_labels])} --afcc {shlex.quote(layer)}"


def _sweep(run: Run, labels: Iterable[int]) -> str:
    options = mapping(mapping(run.manifest.get("recipe")).get("options"))
    words = ["--arch", str(run.manifest["network"]["arch"]), "--data", str(run.manifest["data"]["name"])]
    words += ["--labels", ",".join(map(str, labels))]
    for name in ("recipe", "batch_size", "image_size", "weights"):
        value = options.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            words += [f"--{name.replace('_', '-')}", str(value)]
    if options.get("untrained") is True:
        words.append("--untrained")
    elif isinstance(epochs := options.get("epochs"), int):
        words += ["--epochs", str(epochs)]
    # A sweep that is not told puts them into runs/, where those of a newcomer belong, who has only the example.
    here = Path(run.path).resolve()  # however it was given: what a file is called on the command line may be relative
    if run.remote is None and here.parent != RUNS.resolve() and here not in EXAMPLES:
        words += ["--out-dir", str(run.path.parent)]
    return " ".join(["python -m precompute.sweep runs", *map(shlex.quote, words)])
