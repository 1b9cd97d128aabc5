"""Blocks of README.md and docs/ on what the numbers rest on: tables from result files (`benchmarks.results`)."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

import numpy as np

from explorer.frames.claims import WORDS, chance, in_other_gauge
from precompute.fields import by_filter
from precompute.probe import initial_probe, start_share
from store.file.read import Layer, Run
from store.measure.fields import Fields
from store.measure.gauge import GAUGES, common_part, shifted
from store.measure.layer import THRESHOLD
from store.measure.summary import Summary
from store.paper.claims import judge, null_samples
from store.paper.criteria import Verdict
from store.paper.records import ClaimNull, null_sample, run_record, scan
from store.tables import layers
from store.tables.layers import title
from store.tables.rests_on import DRAWS, HEAD, cells, rests_on, rests_on_table

NAMES = ("n", "N_c", "C_s")


def starts(runs: list[Run]) -> str:
    """Two runs of one network, whose probes started from zeros and at random, layer by layer."""
    zeros, random = runs
    columns = ["accuracy", *NAMES]
    head = ["layer", "share of the start", *columns, *(f"{name}, from zeros" for name in columns)]
    lines = [f"| {' | '.join(head)} |", "|---:" * len(head) + "|"]
    for layer in reversed(random.layers.values()):
        numbers = [layers.cells(one.layers[layer.name]) for one in (random, zeros)]
        share = layer.record.get("start_share")  # not in files of before there was a choice
        row = [layer.name, "-" if share is None else f"{share:.0%}"]
        row += [of_start[name] for of_start in numbers for name in columns]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def without_start(runs: list[Run]) -> str:
    """Layers whose probes started at random, and without what is left of that start, which follows from the seed."""
    head = ["layer", "left of the start", "share of the weights", "n", "N_c", "C_s", *(f"{n}, without" for n in NAMES)]
    lines = [f"| {' | '.join(head)} |", "|---:" * len(head) + "|"]
    for run in runs:
        for layer in reversed([layer for layer in run.layers.values() if layer.has_factors]):
            means, weights = layer.fields().factors
            n_features = layer.n_filters * layer.positions
            start = initial_probe(layer.name, n_features, run.n_labels, run.manifest["recipe"]["seed"], "random")
            initial = by_filter(start.weight.detach().numpy(), layer.n_filters)
            left = float(np.vdot(initial.astype(np.float64), weights) / np.vdot(initial, initial))
            row = [layer.name, f"{left:.2f}", f"{start_share(initial, weights):.0%}"]
            for of in (weights, (weights - left * initial).astype(np.float32)):
                found = Fields(factors=(means, of)).measure()
                row += [f"{found.mean_noise:.1f}", f"{found.mean_clusters:.2f}", f"{found.mean_cluster_size:.2f}"]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def gauge(runs: list[Run]) -> str:
    """What adding one standard deviation of its weights to all of a probe does, as trained and zero-sum."""
    numbers = ["n", "N_c", "C_s"]
    head = [
        "layer",
        "added",
        "common part",
        *numbers,
        *(f"{name}, zero-sum" for name in numbers),
        "filters that differ",
    ]
    lines, verdicts = [f"| {' | '.join(head)} |", "|---:|---:" + "|---:" * (len(head) - 2) + "|"], []
    for run in runs:
        for layer in reversed(run.layers.values()):
            for name, fields, common in _with_more_added(layer):
                as_trained, zero_sum = (fields.in_gauge(one).measure() for one in GAUGES)
                row = [layer.name, name, "-" if common is None else f"{common:.2%}"]
                for found in (as_trained, zero_sum):
                    noise = found.mean_noise
                    row += [f"{noise:.1f}", f"{found.mean_clusters:.2f}", f"{found.mean_cluster_size:.2f}"]
                differ = scan("stored", as_trained, zero_sum).filters
                lines.append(f"| {' | '.join([*row, f'{differ:.1%}'])} |")
        here, there = (judge([run_record(run, gauge=one)], THRESHOLD) for one in GAUGES)
        counts = Counter(one.verdict for one in here)
        judged = ", ".join(f"{verdict} {counts[verdict]}" for verdict in get_args(Verdict))
        verdicts.append(
            f"The paper's claims on this file, as trained: {judged}. {in_other_gauge(here, there, GAUGES[1])}"
        )
    return "\n".join([*lines, "", *verdicts]) + "\n"


def _with_more_added(layer: Layer) -> Iterator[tuple[str, Fields, float | None]]:
    """The layer, and where it has its weights, the same with so much added to all: what, fields, common part."""
    yield "nothing", layer.fields(), layer.common_part
    if layer.has_factors:
        weights = layer.probe_weights
        for name, amount in (("+1 sd", 1.0), ("-1 sd", -1.0)):
            moved = shifted(weights, amount * float(weights.std(dtype=np.float64)))
            yield name, Fields(factors=(layer.class_means, moved)), common_part(moved)


def whole(runs: list[Run]) -> str:
    """The table "Rests on" of every layer, as `store info --rests-on` prints it."""
    tables = [f"{title(run)}\n{rests_on_table(run)}" for run in runs]
    return "```\n" + "\n\n".join("\n".join(map(str.rstrip, text.splitlines())) for text in tables) + "\n```\n"


def short(runs: list[Run]) -> str:
    """The same without its notes, as a table of Markdown."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---:|' * (len(HEAD) - 1)}---|"]
    for run in runs:
        for layer in reversed(run.layers.values()):
            lines.append(f"| {' | '.join(cells(rests_on(run, layer), DRAWS))} |")
    return "\n".join(lines).replace("+-", "±") + "\n"


def claims(runs: list[Run]) -> str:
    """The paper's claims on each file alone: as trained, in the other gauge, and how often they hold by chance."""
    lines = [f"| file | claim | {' | '.join(GAUGES)} | holds by chance |", "|---|---|---|---|---|"]
    for run in runs:
        record = run_record(run)
        fields = {layer.name: run.layers[layer.name].fields() for layer in record.layers}

        def draw(_: int, layer: str, null: ClaimNull, seed: int, of: dict[str, Fields] = fields) -> Summary | None:
            return null_sample(null, of[layer], THRESHOLD, seed)

        here = judge([record], THRESHOLD, (), null_samples([record], draw, THRESHOLD))
        there = judge([run_record(run, gauge="zero-sum")], THRESHOLD)
        for one, other in zip(here, there, strict=True):
            if one.verdict != "not enough runs":
                row = [run.name, one.claim.sentence, WORDS[one.verdict], WORDS[other.verdict], chance(one) or "-"]
                lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"
