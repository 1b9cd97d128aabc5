"""What AFCC left of a run's weights and accuracies, as text, from the file alone."""

import math
from collections.abc import Iterable
from typing import Any

from store.read import Run
from store.text import printable

_HEAD = ["mask", "kept", "before", "probe trained", "network trained"]


def afcc_tables(run: Run) -> str:
    """A table a layer whose probe was cut down, and one of the convolutions; "" where the run has neither."""
    parts = [_probe(name, _mapping(layer.record.get("afcc"))) for name, layer in run.layers.items()]
    parts.append(_between(_mapping(run.manifest.get("afcc_between"))))
    return "\n\n".join(part for part in parts if part)


def _probe(layer: str, found: dict[str, Any]) -> str:
    if not found:
        return ""
    rows = [_HEAD]
    for name, mask in _clusters_first(found.get("masks")):
        values = _mapping(mask)
        rows.append(
            [
                printable(name),
                _count(values.get("kept")),
                _accuracy(values.get("before")),
                _accuracy(_last(values.get("probe_trained"))),
                _accuracy(_last(values.get("network_trained"))),
            ]
        )
    head = (
        f"AFCC at layer {layer}: of {_count(found.get('weights'))} weights those in clusters at threshold "
        f"{_plain(found.get('threshold'))}; accuracy with all of them {_accuracy(found.get('accuracy'))}"
    )
    costs, train = _mapping(found.get("costs")), _mapping(found.get("train_clusters"))
    likeness = _mapping(train.get("alike"))
    lines = [
        f"multiply-adds {_count(costs.get('dense_multiply_adds'))} dense, "
        f"{_count(costs.get('sparse_multiply_adds'))} sparse (CSR); bytes {_count(costs.get('dense_bytes'))} dense, "
        f"{_count(costs.get('sparse_bytes'))} sparse; time of a "
        f"batch of 1: {_time(costs.get('dense_seconds_1'))} dense, {_time(costs.get('sparse_seconds_1'))} sparse; of "
        f"100: {_time(costs.get('dense_seconds_100'))}, {_time(costs.get('sparse_seconds_100'))}",
        f"clusters from training inputs: n {_plain(train.get('n'))}, N_c {_plain(train.get('N_c'))}, C_s "
        f"{_plain(train.get('C_s'))}; identical in {_percent(likeness.get('identical'))} of filters, elements in "
        f"common {_percent(likeness.get('mean'))}",
    ]
    return "\n".join([head, *_aligned(rows), *lines])


def _between(found: dict[str, Any]) -> str:
    if not found:
        return ""
    rows = [["mask", "layers", "weights", "kept", "before", "trained"]]
    for name, steps in _clusters_first(found.get("masks")):
        for step in map(_mapping, steps if isinstance(steps, list) else []):
            layers = step.get("layers")
            rows.append(
                [
                    printable(name),
                    " to ".join(map(printable, layers)) if isinstance(layers, list) else "-",
                    *map(_count, (step.get("weights"), step.get("kept"))),
                    *map(_accuracy, (step.get("before"), step.get("trained"))),
                ]
            )
    head = f"AFCC between layers, one after another; the network's own accuracy {_accuracy(found.get('accuracy'))}"
    return "\n".join([head, *_aligned(rows)])


def _clusters_first(masks: object) -> list[tuple[str, Any]]:
    return sorted(_mapping(masks).items(), key=lambda entry: entry[0] != "clusters")


def _aligned(rows: list[list[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *cells in rows:
        yield "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))])


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _last(value: object) -> object:
    return value[-1] if isinstance(value, list) and value else None


def _number(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _accuracy(value: object) -> str:
    number = _number(value)
    return "-" if number is None else f"{number:.3f}"


def _plain(value: object) -> str:
    number = _number(value)
    return "-" if number is None else f"{number:.3g}"


def _percent(value: object) -> str:
    number = _number(value)
    return "-" if number is None else f"{number:.1%}"


def _count(value: object) -> str:
    number = _number(value)
    return "-" if number is None else f"{number:,.0f}"


def _time(value: object) -> str:
    number = _number(value)
    return "-" if number is None else f"{number * 1e6:.1f} us"
