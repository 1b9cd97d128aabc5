"""What a layer's numbers rest on, a row a layer: its network, or the probe's start, the gauge, the sample, or chance.

start    share of the probe's weights that is left of their random start
gauge    share of the filters whose clusters are others in the zero-sum gauge, which changes no prediction
halves   share of the filters whose clusters are the same in both halves of the test inputs, and the mean Jaccard
sample   share of the clusters whose very labels form a cluster in at least half of the bootstrap resamples
shuffled, rotated: draws of the null models (`store.measure.nulls`) whose SNR_E is as high as the layer's
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.file.manifest import defined
from store.file.read import Layer, Run
from store.file.sample_results import SampleResults, of_layer
from store.measure.bootstrap import SURE
from store.measure.fields import Fields
from store.measure.halves import Alike, halves_alike
from store.measure.layer import THRESHOLD, LayerMeasure
from store.measure.nulls import rotated, shuffled
from store.measure.summary import summary
from store.tables.printable import printable

DRAWS = 5  # of each null
HEAD = ["layer", "n", "N_c", "C_s", "start", "gauge", "halves", "sample", "shuffled", "rotated", "verdict"]

_START, _GAUGE, _HALVES, _SAMPLE = 0.05, 0.05, 0.9, 0.5  # beyond these the verdict names the column


class RestsOn(NamedTuple):
    """One layer. None where the file does not say."""

    layer: str
    numbers: tuple[tuple[float, float | None], ...]  # n, N_c, C_s, each with its standard error
    biased: tuple[bool, ...]  # of the same: whether its interval of +- 1.96 errors holds the truth less than 90%
    n_sure: float | None  # N_c over sure clusters
    start: float | None
    gauge: float
    halves: Alike | None
    sample: float | None
    shuffled: int | None  # draws whose SNR_E is as high as the layer's
    rotated: int | None  # None: not possible for this file

    @property
    def doubts(self) -> list[str]:
        """What the numbers rest on besides the network, in words."""
        found = []
        if self.start is not None and self.start > _START:
            found.append(f"the probe's random start ({self.start:.0%} of its weights)")
        if self.gauge > _GAUGE:
            found.append(f"the gauge ({self.gauge:.0%} of the filters)")
        if self.sample is not None and self.sample < _SAMPLE:
            found.append(f"the sample ({1 - self.sample:.0%} of the clusters)")
        elif self.sample is None and self.halves is not None and self.halves.jaccard < _HALVES:
            found.append(f"the sample (the halves share {self.halves.jaccard:.0%})")
        if self.shuffled:
            found.append("chance (shuffled labels do as well)")
        if self.rotated:
            found.append("any basis (rotated filters do as well)")
        return found

    @property
    def unknown(self) -> list[str]:
        pairs = (("start", self.start), ("halves", self.halves), ("sample", self.sample), ("rotated", self.rotated))
        return [name for name, value in pairs if value is None]

    @property
    def verdict(self) -> str:
        in_every = "on the network, in every column" + (" that was tested" if self.unknown else "")
        said = f"also on {', '.join(self.doubts)}" if self.doubts else in_every
        return said + (f"; not tested: {', '.join(self.unknown)}" if self.unknown else "")


def rests_on(run: Run, layer: Layer, threshold: float = THRESHOLD, draws: int = DRAWS) -> RestsOn:
    """Measure a layer's columns. Raises FormatError, OSError."""
    fields = layer.fields()
    measured = fields.measure(threshold)
    recorded = of_layer(layer.record)
    found = summary(measured)
    values = (found.noise, found.n_clusters, found.cluster_size)
    names = ("n", "N_c", "C_s")
    sure = sure_clusters(measured, recorded)
    return RestsOn(
        layer=layer.name,
        numbers=tuple(
            (value, None if recorded is None else recorded.error(threshold, name))
            for value, name in zip(values, names, strict=True)
        ),
        biased=tuple(recorded is not None and recorded.is_biased(threshold, name) for name in names),
        n_sure=None if sure is None else n_sure(measured, sure),
        start=_share(layer.record.get("start_share")),
        gauge=changed_in_gauge(fields, measured),
        halves=_halves(run, layer, recorded, threshold),
        sample=None if sure is None or not sure.size else float(sure.mean()),
        shuffled=_as_clear("labels shuffled", fields, measured, draws),
        rotated=_as_clear("rotated filters", fields, measured, draws),
    )


def sure_clusters(
    measured: LayerMeasure, recorded: SampleResults | None, least: float = SURE
) -> NDArray[np.bool_] | None:
    """(clusters,), in the order of `cluster_sizes`; None where the file has no shares of these very clusters."""
    clusters = recorded and recorded.clusters
    if not clusters or clusters.threshold != measured.threshold or len(clusters.share) != measured.cluster_sizes.size:
        return None
    return clusters.sure(least)


def n_sure(measured: LayerMeasure, sure: NDArray[np.bool_]) -> float:
    """N_c over sure clusters, for each filter with a cluster, sure or not: of N_c's own filters."""
    filters = np.count_nonzero(measured.n_clusters)
    return float(np.count_nonzero(sure) / filters) if filters else float("nan")


def changed_in_gauge(fields: Fields, measured: LayerMeasure) -> float:
    """Share of the filters whose clusters are others in the zero-sum gauge."""
    centred = fields.in_gauge("zero-sum").measure(measured.threshold)
    return float((centred.cluster_of != measured.cluster_of).any(axis=1).mean())


def rests_on_table(run: Run, threshold: float = THRESHOLD, draws: int = DRAWS) -> str:
    """A row a layer, deepest first, then what the columns mean."""
    found = [rests_on(run, layer, threshold, draws) for layer in reversed(run.layers.values())]
    rows = [HEAD, *(cells(one, draws) for one in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for *numbers, verdict in rows:
        aligned = [cell.rjust(width) for cell, width in zip(numbers, widths, strict=False)]
        lines.append("  ".join([*aligned, verdict]))
    notes = [
        "",
        "start: share of the probe's weights left of its random start; gauge: filters with other clusters in the "
        "zero-sum gauge;",
        "halves: filters with the same clusters in both halves of the test inputs, and mean Jaccard;",
        f"sample: clusters found again in at least {SURE:.0%} of the resamples;",
        f"shuffled, rotated: draws of {draws} whose SNR_E is as high as the layer's.",
    ]
    if any(one.rotated is None for one in found):
        notes.append("rotated -: not possible for this file, which has no class means and weights there.")
    if any(flag for one in found for flag in one.biased):
        notes.append("~: off by its bias under resampling; +- 1.96 errors hold the truth less than 90 times in 100.")
    return "\n".join([f"threshold {threshold:g}; what the numbers rest on", "", *lines, *notes])


def cells(found: RestsOn, draws: int) -> list[str]:
    """A row of the table."""
    numbers = [
        plus_minus(value, error) + ("~" if biased else "")
        for (value, error), biased in zip(found.numbers, found.biased, strict=True)
    ]
    halves = "-" if found.halves is None else f"{found.halves.identical:.0%}, {found.halves.jaccard:.2f}"
    nulls = ["-" if of is None else f"{of} of {draws}" for of in (found.shuffled, found.rotated)]
    shares = [_percent(found.start), _percent(found.gauge), halves, _percent(found.sample)]
    return [printable(found.layer), *numbers, *shares, *nulls, found.verdict]


def plus_minus(value: float, error: float | None) -> str:
    """The number to the digits that its error leaves.

    >>> plus_minus(14.38, 0.82), plus_minus(294.1, 12.3), plus_minus(2.591, None), plus_minus(float("nan"), None)
    ('14.4 +- 0.8', '294 +- 12', '2.59', '-')
    """
    if not np.isfinite(value):
        return "-"
    if error is None:
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    digits = 2 if error <= 0 else int(np.clip(-np.floor(np.log10(error)), 0, 3))
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def _halves(run: Run, layer: Layer, recorded: SampleResults | None, threshold: float) -> Alike | None:
    half = layer.class_means_half
    if half is not None and run.test_inputs.min() >= 2:
        return halves_alike(layer.class_means, half, layer.probe_weights, run.test_inputs, threshold)
    return recorded.halves if recorded is not None and recorded.halves_threshold == threshold else None


def _as_clear(null: str, fields: Fields, measured: LayerMeasure, draws: int) -> int | None:
    """Draws of a null whose SNR_E is as high as the layer's; None where it cannot be drawn, or has no SNR_E."""
    own = summary(measured).snr_external
    found = []
    for seed in range(draws):
        try:
            drawn = rotated(fields, seed) if null == "rotated filters" else shuffled(fields, seed)
        except ValueError:
            return None
        found.append(summary(drawn.measure(measured.threshold)).snr_external)
    return None if np.isnan(own) else sum(bool(value >= own) for value in found)


def _share(value: object) -> float | None:
    number = defined(value)
    return number if number is not None and 0 <= number <= 1 else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
