"""What a run answers, in words made from its numbers: a sentence each, and the page that shows it."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import polars as pl

from explorer import words
from store.file.manifest import defined, mapping
from store.file.read import Layer, Run
from store.measure.summary import Average, Summary


class Statement(NamedTuple):
    """`number` stands in the sentence where it says {}. Plain text, which may hold names from the file."""

    sentence: str
    number: str
    page: Literal["layer", "filter", "labels"]
    link: str


def statements(layer: Layer, here: Summary, before: tuple[str, Summary] | None, average: Average) -> list[Statement]:
    """Of one layer; before: the name and the numbers of the layer before it, None for the first."""
    unit = words.unit_of(layer)
    noise, clusters, size = here.means(average)
    if not size > 0:
        return [
            Statement(f"No {unit} of layer {layer.name} has a cluster at this threshold.", "", "layer", "The layer")
        ]
    found = [
        Statement(
            f"A {unit} of layer {layer.name} speaks for {{}}.",
            f"{clusters:.1f} clusters of {size:.1f} labels", "filter", f"See one {unit}",
        ),
        Statement(f"Its noise is {{}}{_against(noise, before, average)}.", f"{_short(noise)} elements", "layer",
                  f"See all {layer.n_filters:,} {unit}s"),
    ]  # fmt: skip
    ratios = [(here.snr_external, "external"), (here.snr_internal, "internal")]
    said = [f"{_short(ratio)} times the {kind} noise" for ratio, kind in ratios if math.isfinite(ratio)]
    sentence, number = ("A label's signal is {}.", " and ".join(said)) if said else ("No label has noise.", "")
    return [*found, Statement(sentence, number, "labels", "See each label")]


def _against(noise: float, before: tuple[str, Summary] | None, average: Average) -> str:
    if before is None:
        return ""
    name, numbers = before
    there = numbers.means(average)[0]
    if not (math.isfinite(there) and there > 0 and noise > 0):
        return ""
    times, way = (there / noise, "less") if there >= noise else (noise / there, "more")
    return f", {_short(times)} times {way} than in layer {name}" if round(times, 1) != 1 else f", as in layer {name}"


def _short(value: float) -> str:
    """Two or three digits, never a power of ten.

    >>> [_short(value) for value in (1.94, 34.66, 1042.2)]
    ['1.9', '35', '1,042']
    """
    return f"{value:.1f}" if value < 20 else f"{value:,.0f}"


def rests_on(run: Run, layer: Layer, threshold: float, average: Average) -> str:
    """What the statements stand on, in a sentence."""
    recipe = mapping(run.manifest.get("recipe"))
    seed = recipe.get("seed")
    one = f"one network, seed {seed}" if isinstance(seed, int) else "one network"
    accuracy = defined(layer.record.get("test_accuracy"))
    probe = f", where the probe is right for {accuracy:.1%} of the test images" if accuracy is not None else ""
    unit = words.unit_of(layer)
    return (
        f"This rests on {one}, on its {int(run.test_inputs.sum()):,} test images of {run.n_labels} labels, and on "
        f"layer {layer.name}{probe}. Threshold {threshold:g}; means over {words.averaged(average, unit)}."
    )


def with_depth(frame: pl.DataFrame) -> str:
    """How n goes from layer to layer, from `frames.depth`; "" where there are fewer than two layers."""
    rows = frame.filter(quantity="n", source="this run")
    names, values = rows["layer"].to_list(), rows["value"].to_list()
    if len(values) < 2:
        return ""
    lowest = min(range(len(values)), key=values.__getitem__)
    if lowest == 0:
        return f"n is lowest, {_short(values[0])}, in the first layer, and {_short(values[-1])} in layer {names[-1]}."
    way = "falls" if _falls(values[: lowest + 1]) else "comes down, not at every step,"
    said = f"n {way} from {_short(values[0])} in layer {names[0]} to {_short(values[lowest])} in layer {names[lowest]}"
    if lowest < len(values) - 1:
        said += f", and is {_short(values[-1])} again in layer {names[-1]}"
    return f"{said}."


def _falls(values: Sequence[float]) -> bool:
    return all(later < earlier for earlier, later in pairwise(values))
