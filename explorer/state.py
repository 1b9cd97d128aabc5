"""What a person looks at, and the address that shows a collaborator the same: one value, checked on the way in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from store.file.read import Layer, Run
from store.measure import nulls
from store.measure.afcc import SilencingOrder
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD, ScanOrder
from store.measure.summary import Average

FilterSort = Literal["filter", "noise", "clusters", "largest cluster", "maximum", "share of fields"]  # frames.filters
LabelSort = Literal[  # columns of frames.labels
    "label", "signal", "noise_I", "noise_I + noise_E", "signal, fields", "name", "super-class"
]
Weights = Literal["clusters", "all"]  # of a probe: those of its filters' clusters, or all
NullChoice = Literal["none", nulls.Null]
Style = Literal["fields", "clipped", "permuted", "images"]  # of the gallery
Scope = Literal["file", "folder"]
Pin = tuple[str, int]  # layer and filter
MOST_PINS = 8
Range = tuple[int, int] | None  # from and to, both included; None: any
_CHOICES = {
    "order": ScanOrder, "gauge": Gauge, "average": Average, "style": Style, "sort": FilterSort, "label_sort": LabelSort,
    "null": NullChoice, "silencing": SilencingOrder, "weights": Weights, "scope": Scope,
}  # fmt: skip
_NAMES = ("store", "layer", "store_b", "layer_b", "kind")


@dataclass(frozen=True)
class View:
    """Everything but the page, which is the address's path. Empty names stand for the default."""

    store: str = ""  # name of the file in the folder that is open
    threshold: float = THRESHOLD
    layer: str = ""
    filter: int = 0
    label: int = 0
    epoch: int = -1  # of the training, where layers are shown as they form; -1: the trained network's
    order: ScanOrder = "stored"
    gauge: Gauge = AS_TRAINED
    average: Average = "clustered"
    store_b: str = ""  # what is compared with it
    layer_b: str = ""
    filter_b: int = 0
    style: Style = "permuted"  # of the gallery
    sort: FilterSort = "filter"
    ascending: bool = False
    holds: int = -1  # filters that hold this label only; -1: all
    clusters: Range = None  # filters with so many clusters only
    largest: Range = None
    noise: Range = None
    sure: Range = None  # filters whose least sure cluster is found in so many % of the resamples
    maximum: tuple[float, float] | None = None  # from and to, both included
    gallery_page: int = 1
    label_sort: LabelSort = "label"
    log: bool = False
    null: NullChoice = "none"  # what the numbers are held against
    silencing: SilencingOrder = "noisiest"  # which filters are silenced first
    silenced: int = 0  # how many
    seed: int = 0  # of that order, where it is random
    weights: Weights = "clusters"  # of the silencing curve
    test_input: int = 0
    pins: tuple[Pin, ...] = ()  # filters that stay in view, in the order in which they were pinned
    scope: Scope = "file"  # what the claims are tested on: the open file, or all runs of its folder
    kind: str = ""  # of runs that stand together, by the name of one of its files


def to_address(view: View) -> dict[str, str]:
    """Query parameters; defaults are left out.

    >>> to_address(View(store="vgg16.h5", threshold=0.25, filter=7))
    {'store': 'vgg16.h5', 'threshold': '0.25', 'filter': '7'}
    """
    default = View()
    values = {field.name: getattr(view, field.name) for field in fields(view)}
    values["pins"] = ",".join(f"{layer}/{number}" for layer, number in view.pins) or default.pins
    return {name: _written(value) for name, value in values.items() if value != getattr(default, name)}


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ("~" if isinstance(value[0], float) else "-").join(map(str, value))  # a float may hold "-" itself
    return str(int(value)) if isinstance(value, bool) else str(value)


def from_address(parameters: Mapping[str, str]) -> View:
    """The view of an address; a value that cannot be is left at its default.

    >>> from_address({"threshold": "0.25", "order": "sideways", "filter": "-1"}) == View(threshold=0.25)
    True
    """
    values: dict[str, Any] = {name: parameters.get(name, "")[:256] for name in _NAMES}
    threshold = _number(parameters.get("threshold", ""))
    if 0 <= threshold <= 1:
        values["threshold"] = threshold
    for name in ("filter", "label", "epoch", "filter_b", "holds", "gallery_page", "silenced", "seed", "test_input"):
        if _is_whole(text := parameters.get(name, "")):
            values[name] = max(int(text), 1 if name == "gallery_page" else 0)
    for name in ("ascending", "log"):
        values[name] = parameters.get(name) == "1"
    for name in ("clusters", "largest", "noise", "sure"):
        low, _, high = parameters.get(name, "").partition("-")
        if _is_whole(low) and _is_whole(high) and int(low) <= int(high):
            values[name] = (int(low), int(high))
    low, _, high = parameters.get("maximum", "").partition("~")
    if _is_finite(low) and _is_finite(high) and float(low) <= float(high):
        values["maximum"] = (float(low), float(high))
    pins = [pin.rpartition("/") for pin in parameters.get("pins", "")[:1024].split(",")]
    known = dict.fromkeys((layer, int(number)) for layer, _, number in pins if layer and _is_whole(number))
    values["pins"] = tuple(known)[:MOST_PINS]
    for name, kind in _CHOICES.items():
        if parameters.get(name) in get_args(kind):
            values[name] = parameters[name]
    return View(**values)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def fitted(view: View, run: Run) -> View:
    """The view with a layer, filter and label that this run has; `run` must have at least one layer."""
    layer = view.layer if view.layer in run.layers else default_layer(run).name
    return replace(
        view,
        layer=layer,
        filter=min(view.filter, run.layers[layer].n_filters - 1),
        label=min(view.label, run.n_labels - 1),
        epoch=view.epoch if view.epoch in run.epochs[:-1] else -1,
        holds=view.holds if view.holds < run.n_labels else -1,
        silenced=min(view.silenced, run.layers[layer].n_filters),
        pins=tuple(
            (name, number) for name, number in view.pins if name in run.layers and number < run.layers[name].n_filters
        ),
        test_input=min(view.test_input, int(run.test_inputs.sum()) - 1),
    )


def default_layer(run: Run) -> Layer:
    """Where the accuracy is highest: the layer that the paper's figures are of. Without accuracies, the deepest."""
    layers = list(run.layers.values())
    return max(reversed(layers), key=lambda layer: _number(layer.record.get("test_accuracy")))


def _number(value: object) -> float:
    """A finite number, or -1 where there is none."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return -1.0
    return number if math.isfinite(number) else -1.0
