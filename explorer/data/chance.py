"""A layer's numbers beside chance (`store.measure.nulls`) and what its clusters mean (`semantics`), kept once drawn."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from explorer.data import load
from explorer.data.cache import LRUCache
from explorer.data.source import FileId
from explorer.frames.chance import SYMBOLS
from explorer.state import View
from store.file.read import Layer
from store.measure.gauge import Gauge
from store.measure.layer import scan_order
from store.measure.nulls import Chance, Null, chance
from store.measure.semantics import Agreement, Sharing, confusion_agreement, superclass_sharing, together
from store.measure.summary import THRESHOLDS

SEED = 0
_CHANCES: LRUCache[tuple[object, ...], Chance] = LRUCache(8 << 20, lambda drawn: drawn.draws.nbytes)
_RANKS: LRUCache[tuple[FileId, str, Gauge], NDArray[np.float64]] = LRUCache(8 << 20, lambda found: found.nbytes)
_MEANINGS: LRUCache[tuple[object, ...], tuple[Sharing | None, Agreement | None]] = LRUCache(256, lambda _: 1)


def samples(null: Null, quick: bool) -> int:
    return 1 if null == "reversed order" else 20 if quick else 5


def of(file: FileId, name: str, view: View, null: Null, draws: int, threshold: float | None = None) -> Chance:
    """A layer against so many draws of a null. Raises ValueError where its filters cannot be rotated."""
    at = view.threshold if threshold is None else threshold

    def draw() -> Chance:
        fields = load.loaded(file, name, view.gauge).fields
        order = scan_order(view.order, fields.n_labels)
        return chance(null, fields, threshold=at, samples=draws, seed=SEED, order=order, average=view.average)

    return _CHANCES.get((file, name, view.order, view.gauge, view.average, null, draws, at), draw)


def band(file: FileId, view: View, null: Null, draws: int) -> pl.DataFrame:
    """One row a threshold and quantity of the sweep: the band of the draws; only where it is defined."""
    rows = []
    for threshold in THRESHOLDS:
        drawn = of(file, view.layer, view, null, draws, threshold)
        for name, symbol in SYMBOLS.items():
            against = drawn.of(name)
            rows.append((threshold, symbol, against.low, against.high))
    schema = {"threshold": pl.Float64, "quantity": pl.String, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls()


def ranks_of(file: FileId, layer: Layer, gauge: Gauge) -> NDArray[np.float64]:
    """(filters,): the rank of each filter's fields, without those that are undefined."""

    found = _RANKS.get((file, layer.name, gauge), lambda: load.loaded(file, layer.name, gauge).fields.ranks())
    return found[np.isfinite(found)]


def meaning_of(file: FileId, view: View, renamings: int) -> tuple[Sharing | None, Agreement | None]:
    """Whether labels of one cluster share a super-class, and are mistaken for each other; None where unknown."""

    def compute() -> tuple[Sharing | None, Agreement | None]:
        run = load.open_run(file)
        pairs = together(load.measured(file, view.layer, view.threshold, view.order, view.gauge).cluster_of)
        sharing = superclass_sharing(pairs, run.superclasses, renamings, SEED) if any(run.superclasses) else None
        confusion = run.layers[view.layer].confusion
        agreement = None if confusion is None else confusion_agreement(pairs, confusion, renamings, SEED)
        return sharing, agreement

    return _MEANINGS.get((file, view.layer, view.threshold, view.order, view.gauge), compute)
