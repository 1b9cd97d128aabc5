"""What a run says of AFCC: `precompute`'s entries in the manifest, taken from a file that may be a stranger's.

They are JSON of no checked form: whatever is not as it should be is left out, and nothing raises.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from store.file.manifest import defined, mapping

_LONGEST_TEXT = 200
_MOST_MASKS = 50
_MOST_VALUES = 100_000  # epochs, and filters
BATCHES = (1, 100)


@dataclass(frozen=True)
class Mask:
    """A layer's probe with some of its weights, before and after training again."""

    name: str
    kept: int | None  # weights
    before: float | None  # test accuracy
    probe_trained: tuple[float | None, ...]  # test accuracy after each epoch of the probe alone
    network_trained: tuple[float | None, ...]  # and of the supplement's retraining


@dataclass(frozen=True)
class Cost:
    """Of the probe with the clusters' weights, in one form."""

    bytes: float | None
    multiply_adds: float | None  # of one input
    seconds: dict[int, float | None]  # by the inputs of a batch


@dataclass(frozen=True)
class Costs:
    """As a dense matrix, and as compressed sparse rows."""

    dense: Cost
    sparse: Cost

    @property
    def slower(self) -> dict[int, float]:
        """How many times as long the sparse one takes, by the inputs of a batch, where it takes longer."""
        pairs = ((batch, self.dense.seconds[batch], self.sparse.seconds[batch]) for batch in BATCHES)
        return {batch: sparse / dense for batch, dense, sparse in pairs if dense and sparse and sparse > dense}


@dataclass(frozen=True)
class LayerResults:
    """Of a layer's probe."""

    threshold: float | None
    weights: int | None  # of the probe
    accuracy: float | None  # with all of them
    masks: tuple[Mask, ...]
    costs: Costs | None
    train_means: dict[str, float | None]  # n, N_c and C_s of clusters from training inputs
    identical: float | None  # the part of the filters whose clusters of test and training inputs are the same
    alike: float | None  # the mean likeness of the two (Jaccard, over elements in clusters)
    alike_of_filter: tuple[float | None, ...]
    recipes: dict[str, str]  # of the probe's retraining, and of the supplement's


@dataclass(frozen=True)
class Step:
    """Between two layers: what was left of the weights, and the network's test accuracy."""

    mask: str
    layers: str
    weights: int | None
    kept: int | None
    before: float | None
    trained: float | None


@dataclass(frozen=True)
class BetweenResults:
    layers: str
    threshold: float | None
    accuracy: float | None  # of the whole network
    recipe: str
    steps: tuple[Step, ...]


def of_layer(record: Mapping[str, Any]) -> LayerResults | None:
    """The record of a layer -> its results; None where it has none."""
    found = record.get("afcc")
    if not isinstance(found, dict):
        return None
    masks = tuple(
        Mask(
            name,
            _count(mask.get("kept")),
            _share(mask.get("before")),
            _shares(mask.get("probe_trained")),
            _shares(mask.get("network_trained")),
        )
        for name, mask in _entries(found.get("masks"))
        if isinstance(mask, dict)
    )
    clusters = mapping(found.get("train_clusters"))
    alike = mapping(clusters.get("alike"))
    return LayerResults(
        threshold=_share(found.get("threshold")),
        weights=_count(found.get("weights")),
        accuracy=_share(found.get("accuracy")),
        masks=masks,
        costs=_costs(found.get("costs")),
        train_means={name: _amount(clusters.get(name)) for name in ("n", "N_c", "C_s")},
        identical=_share(alike.get("identical")),
        alike=_share(alike.get("mean")),
        alike_of_filter=_shares(alike.get("of_filter")),
        recipes={name: _text(found.get(f"{name}_recipe")) for name in ("probe", "network")},
    )


def between(manifest: Mapping[str, Any]) -> BetweenResults | None:
    """The manifest of a run -> what it says of weights between layers; None where it says nothing."""
    found = manifest.get("afcc_between")
    if not isinstance(found, dict):
        return None
    steps = tuple(
        Step(
            name,
            " to ".join(_texts(step.get("layers"))),
            _count(step.get("weights")),
            _count(step.get("kept")),
            _share(step.get("before")),
            _share(step.get("trained")),
        )
        for name, entries in _entries(found.get("masks"))
        for step in _listed(entries)
        if isinstance(step, dict)
    )
    return BetweenResults(
        layers=", ".join(_texts(found.get("layers"))),
        threshold=_share(found.get("threshold")),
        accuracy=_share(found.get("accuracy")),
        recipe=_text(found.get("recipe")),
        steps=steps,
    )


def _costs(found: object) -> Costs | None:
    if not isinstance(found, dict):
        return None
    dense, sparse = (
        Cost(
            _amount(found.get(f"{kind}_bytes")),
            _amount(found.get(f"{kind}_multiply_adds")),
            {batch: _amount(found.get(f"{kind}_seconds_{batch}")) for batch in BATCHES},
        )
        for kind in ("dense", "sparse")
    )
    return Costs(dense, sparse)


def _listed(value: object) -> list[Any]:
    return value[:_MOST_VALUES] if isinstance(value, list) else []


def _entries(value: object) -> Iterator[tuple[str, Any]]:
    """By name, the clusters' before the others that they are held against."""
    for name, entry in sorted(mapping(value).items(), key=lambda item: item[0] != "clusters")[:_MOST_MASKS]:
        yield _text(name), entry


def _text(value: object) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [text for entry in _listed(value)[:_MOST_MASKS] if (text := _text(entry))]


def _amount(value: object) -> float | None:
    number = defined(value)
    return number if number is not None and number >= 0 else None


def _count(value: object) -> int | None:
    """A whole number that a table of 64 bits holds."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None


def _share(value: object) -> float | None:
    number = _amount(value)
    return number if number is not None and number <= 1 else None


def _shares(value: object) -> tuple[float | None, ...]:
    return tuple(map(_share, _listed(value)))
