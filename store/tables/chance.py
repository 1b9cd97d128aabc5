"""A layer beside its null models, and what its clusters mean, as text."""

import math
from collections.abc import Sequence

import numpy as np

from store.file.read import Layer, Run
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import LayerMeasure
from store.measure.nulls import NULLS, STATISTICS, Chance, NullComparison, against, chance
from store.measure.semantics import Agreement, Sharing, confusion_agreement, superclass_sharing, together
from store.tables.layers import in_words
from store.tables.printable import aligned

_HEAD = ["", "n", "N_c", "C_s", "signal", "noise_I", "noise_E", "SNR_I", "SNR_E"]


def chance_table(
    run: Run,
    layer: Layer,
    threshold: float,
    samples: int,
    seed: int,
    untrained: Sequence[LayerMeasure] = (),
    gauge: Gauge = AS_TRAINED,
) -> str:
    """The layer's numbers, under them each null's mean +- standard deviation and z; '-' where one is undefined.

    untrained: the same layer of untrained networks, measured at the same threshold and in the same gauge, which then is
    a null as well.
    """
    fields = layer.fields(gauge=gauge)
    ranks = fields.ranks()
    rank = "undefined" if np.isnan(ranks).all() else f"{np.nanmean(ranks):.1f}"
    found, notes = list[Chance](), list[str]()
    for null in NULLS:
        try:
            found.append(chance(null, fields, threshold=threshold, samples=samples, seed=seed))
        except ValueError as reason:
            if null != "rotated filters":  # which not every layer's can be
                raise
            notes.append(f"no {null}: {reason}")
    if untrained:
        found.append(against("untrained network", fields.measure(threshold), untrained))
    observed = [found[0].of(name).observed for name in STATISTICS]
    rows = [_HEAD, ["measured", *map(_number, observed)], *(row for one in found for row in _rows(one))]
    draws = "1 draw" if samples == 1 else f"{samples} draws"
    at = f"threshold {threshold:g}{in_words(gauge)}, {draws}, seed {seed}"
    head = f"layer {layer.name}: {at}; rank of a filter's fields {rank}"
    return "\n".join([head, *aligned(rows, left=1), *notes, *meaning(run, layer, threshold, seed, gauge)])


def _rows(drawn: Chance) -> list[list[str]]:
    columns = [drawn.of(name) for name in STATISTICS]
    rows = [[drawn.null, *map(_spread, columns)]]
    if len(drawn.draws) > 1:
        rows.append(["  z", *("-" if column.z is None else f"{column.z:+.1f}" for column in columns)])
    return rows


def meaning(run: Run, layer: Layer, threshold: float, seed: int, gauge: Gauge = AS_TRAINED) -> list[str]:
    """What labels that share clusters have in common, a line each: super-classes, and the probe's confusions."""
    pairs = together(layer.measure(threshold, gauge=gauge).cluster_of)
    lines = []
    if any(run.superclasses):
        lines.append(_sharing(superclass_sharing(pairs, run.superclasses, seed=seed)))
    if layer.confusion is not None:
        lines.append(_agreement(confusion_agreement(pairs, layer.confusion, seed=seed)))
    return lines


def _sharing(found: Sharing) -> str:
    if found.share is None or found.expected is None:
        return "super-classes: no two labels that have one are in one cluster"
    if found.expected == 0:
        return "super-classes: no two of the labels share one"
    return (
        f"super-classes: shared by {found.share:.1%} of the {found.pairs} pairs of labels in one cluster, "
        f"filter by filter, by chance {found.expected:.1%}; {_significance(found.z, found.p)}"
    )


def _agreement(found: Agreement) -> str:
    return (
        f"confusion: rank correlation with clusters shared {_number(found.correlation)}; "
        f"{_significance(found.z, found.p)}; taken for the other of two labels: {_share(found.confused_together)} "
        f"of inputs where they share a cluster, {_share(found.confused_apart)} elsewhere"
    )


def _significance(z: float | None, p: float | None) -> str:
    return "z -, p -" if z is None or p is None else f"z {z:+.1f}, p {p:.3f}"


def _spread(column: NullComparison) -> str:
    if column.std is None:
        return _number(column.mean)
    return (
        f"{_number(column.mean)} +- {column.std:.2g}"
        if column.std < 1
        else f"{_number(column.mean)} +- {column.std:.1f}"
    )


def _number(value: float | None) -> str:
    """Three digits, as the paper's tables have them."""
    if value is None:
        return "-"
    digits = 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
