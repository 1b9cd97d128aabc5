"""What a layer's record says of its sample (see FORMAT.md): standard errors, sure clusters, halves.

They are JSON of no checked form: whatever is not as it should be is left out, and nothing raises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.file.manifest import defined, mapping
from store.measure.bootstrap import BIASED, QUANTITIES, SURE, Bootstrap
from store.measure.halves import Alike

_MOST_THRESHOLDS = 1000
_MOST_CLUSTERS = 200_000
_DIGITS = 4


@dataclass(frozen=True, eq=False)
class ClusterShares:
    """Of the clusters at one threshold, labels scanned as stored, filter by filter, in the order found."""

    threshold: float
    share: NDArray[np.float64]  # (clusters,): of the resamples in which the very same labels form a cluster
    jaccard: NDArray[np.float64]  # (clusters,): mean best Jaccard index

    def sure(self, least: float = SURE) -> NDArray[np.bool_]:
        return self.share >= least


@dataclass(frozen=True, eq=False)
class SampleResults:
    resamples: int | None
    errors: Mapping[float, Mapping[str, float]]  # by threshold and quantity: those that are defined
    bias: Mapping[float, Mapping[str, float]]
    clusters: ClusterShares | None
    halves: Alike | None
    halves_threshold: float | None

    def error(self, threshold: float, name: str) -> float | None:
        """The standard error of one of QUANTITIES; None where the file has none at this threshold."""
        return self.errors.get(round(threshold, 9), {}).get(name)

    def is_biased(self, threshold: float, name: str) -> bool:
        """Whether an interval of +- 1.96 standard errors would hold the truth less than 90 times in 100."""
        at = round(threshold, 9)
        return is_biased(self.bias.get(at, {}).get(name), self.errors.get(at, {}).get(name))


def is_biased(bias: float | None, error: float | None) -> bool:
    """Resamples that lie on one side of what was observed: by about as much is that off the truth."""
    return bias is not None and error is not None and abs(bias) > BIASED * error


def of_layer(record: Mapping[str, Any]) -> SampleResults | None:
    """The record of a layer -> its results; None where it has none."""
    found = record.get("sample")
    if not isinstance(found, dict):
        return None
    resamples = found.get("resamples")
    halves = mapping(found.get("halves"))
    alike = [_share(halves.get(name)) for name in ("identical", "jaccard")]
    return SampleResults(
        resamples if type(resamples) is int and 0 < resamples < 1 << 31 else None,
        _by_threshold(found, "errors", least=0.0),
        _by_threshold(found, "bias", least=-np.inf),
        _clusters(mapping(found.get("clusters"))),
        Alike(alike[0], alike[1]) if alike[0] is not None and alike[1] is not None else None,
        _share(halves.get("threshold")),
    )


def to_record(found: Bootstrap, seed: int, halves: Alike | None) -> dict[str, Any]:
    """What goes into a layer's record, some KB."""
    record: dict[str, Any] = {
        "resamples": len(found.draws),
        "seed": seed,
        "thresholds": list(found.thresholds),
        "errors": _columns(found.errors),
        "bias": _columns(found.bias),
    }
    if len(found.share) <= _MOST_CLUSTERS:
        record["clusters"] = {
            "threshold": found.measured.threshold,
            "share": _percentages(found.share),
            "jaccard": _percentages(found.jaccard),
        }
    if halves is not None:
        record["halves"] = {
            "threshold": found.measured.threshold,
            "identical": round(halves.identical, _DIGITS),
            "jaccard": round(halves.jaccard, _DIGITS),
        }
    return record


def _columns(values: NDArray[np.float64]) -> dict[str, list[float | None]]:
    """(T, 6) -> the T numbers of each quantity."""

    def rounded(value: float) -> float | None:
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None

    return {name: [rounded(value) for value in values[:, k]] for k, name in enumerate(QUANTITIES)}


def _percentages(shares: NDArray[np.float64]) -> str:
    """Rounded down at the half, so that a cluster below it does not read as sure."""
    return " ".join(str(int(share)) for share in np.floor(100 * shares + 1e-9))


def _by_threshold(found: Mapping[str, Any], name: str, least: float) -> dict[float, dict[str, float]]:
    thresholds, columns = _listed(found.get("thresholds")), mapping(found.get(name))
    result: dict[float, dict[str, float]] = {}
    for place, threshold in enumerate(thresholds):
        at = _share(threshold)
        if at is None:
            continue
        numbers = {}
        for quantity in QUANTITIES:
            column = _listed(columns.get(quantity))
            number = defined(column[place]) if place < len(column) else None
            if number is not None and number >= least:
                numbers[quantity] = number
        result[round(at, 9)] = numbers
    return result


def _clusters(found: Mapping[str, Any]) -> ClusterShares | None:
    threshold = _share(found.get("threshold"))
    shares, jaccards = (_numbers(found.get(name)) for name in ("share", "jaccard"))
    if threshold is None or shares is None or jaccards is None or len(shares) != len(jaccards):
        return None
    return ClusterShares(threshold, shares, jaccards)


def _numbers(text: object) -> NDArray[np.float64] | None:
    """Percentages as shares; None where one is none."""
    if not isinstance(text, str) or len(text) > 4 * _MOST_CLUSTERS or not text.isascii():
        return None
    parts = text.split(" ") if text else []
    if not all(part.isdecimal() and len(part) <= 3 and int(part) <= 100 for part in parts):
        return None
    return np.array([int(part) for part in parts], np.float64) / 100


def _listed(value: object) -> Sequence[Any]:
    return value[:_MOST_THRESHOLDS] if isinstance(value, list) else []


def _share(value: object) -> float | None:
    number = defined(value)
    return number if number is not None and 0 <= number <= 1 else None
