"""What a layer's record says of it at the 19 thresholds (see FORMAT.md): what a page on many runs would measure.

It is JSON of no checked form: where it is not as it should be, there is none, and the layer is measured.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from store.measure.summary import Summary

_COUNTS = ("silent", "labels_near")
_INFINITE = "infinite"
_MOST = 1000  # thresholds


def to_record(summaries: Sequence[Summary]) -> dict[str, list[Any]]:
    """A column for each number of a summary, an entry a threshold; the layer as trained, labels scanned as stored."""
    return {name: [_written(getattr(one, name)) for one in summaries] for name in Summary._fields}


def of_layer(record: Mapping[str, Any], threshold: float) -> Summary | None:
    """The layer at a threshold, to the bit as `summary` gives it; None where its record does not say."""
    found = record.get("summary")
    if not isinstance(found, Mapping) or not isinstance(thresholds := found.get("threshold"), list):
        return None
    if len(thresholds) > _MOST or threshold not in thresholds:
        return None
    place, values = thresholds.index(threshold), {}
    for name in Summary._fields:
        column = found.get(name)
        if not isinstance(column, list) or len(column) != len(thresholds):
            return None
        value = _read(column[place], name in _COUNTS)
        if value is None:
            return None
        values[name] = value
    return Summary(**values)


def _written(value: float) -> float | str | None:
    """JSON has neither."""
    if math.isnan(value):
        return None
    return _INFINITE if math.isinf(value) else value


def _read(value: object, is_count: bool) -> Any:
    """The number; None where there is none."""
    if is_count:
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
    if value is None:
        return math.nan
    if value == _INFINITE:
        return math.inf
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    return None
