"""The paper's table for a run, from the file alone: a row a layer, the published row under it where there is one."""

import math

from store.file.read import Epoch, Layer, Run
from store.file.sample_results import of_layer
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD
from store.paper.published import Published, compared_with, published
from store.tables.printable import aligned, printable

HEAD = ["layer", "N_f", "F_s", "FC_s", "accuracy", "n", "N_c", "C_s", "silent", "signal", "noise_I", "noise_E"]


def table(run: Run, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED, epoch: int | None = None) -> str:
    """The run's table as text: deepest layer first, as in the paper; '-' where a number is undefined.

    epoch: of the training, where it is not the table of the trained network. Raises KeyError where the file has it not.
    """
    rows = [HEAD]
    at_epoch = run.at_epoch(run.epochs[-1] if epoch is None else epoch)
    for layer in reversed(at_epoch.layers.values()):
        rows += rows_of(run, layer, threshold, gauge)
    when = [] if epoch in (None, run.epochs[-1]) else [_when(run, at_epoch)]
    return "\n".join([title(run), *when, at(threshold, gauge), "", *aligned(rows)])


def _when(run: Run, at: Epoch) -> str:
    accuracy = number(at.test_accuracy, 3)
    return f"after epoch {at.epoch} of {run.epochs[-1]}; the network's own test accuracy {accuracy}"


def rows_of(run: Run, layer: Layer, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED) -> list[list[str]]:
    """A layer's row; under it its standard errors and the published row, where there are such. Each as long as HEAD."""
    rows = [list(cells(layer, threshold, gauge).values())]
    if gauge == AS_TRAINED and (errors := _errors(layer, threshold)):  # which the resamples were measured in
        rows.append(errors)
    row = published(run.manifest["network"]["arch"], run.manifest["data"]["name"], run.n_labels, layer.name)
    return [*rows, _published(row)] if row is not None and layer.is_final else rows


def at(threshold: float, gauge: Gauge = AS_TRAINED) -> str:
    """What the numbers of a table are of."""
    return f"threshold {threshold:g}{in_words(gauge)}; signal and noises are means over the labels"


def in_words(gauge: Gauge) -> str:
    """What to add to a sentence about numbers; nothing where they are as trained, as the paper's are."""
    return "" if gauge == AS_TRAINED else f", in the {gauge} gauge"


def common_parts(run: Run) -> str:
    """How much of each layer's probe weights is common to all outputs, deepest first, in a line."""
    parts = {layer.name: layer.common_part for layer in reversed(run.layers.values())}
    return ", ".join(f"{name} {_percent(part)}" for name, part in parts.items()) or "-"


def title(run: Run) -> str:
    """What the run is, in a line; it says so where the recipe is not the paper's."""
    manifest = run.manifest
    accuracy = number(manifest["network"].get("test_accuracy"), 3)
    arch, data = printable(manifest["network"]["arch"]), printable(manifest["data"]["name"])
    seed = printable((manifest.get("recipe") or {}).get("seed", "?"))
    own = f"; the network's own test accuracy {accuracy}" if accuracy != "-" else ""
    kin = compared_with(manifest["network"]["arch"])
    beside = (
        f"\nnot the paper's network: the rows of the paper are {kin}'s" if kin != manifest["network"]["arch"] else ""
    )
    return f"{arch} on {data}, {run.n_labels} labels; recipe {recipe(run)}, seed {seed}{own}{beside}"


def recipe(run: Run) -> str:
    """The recipe's name, whether it is the paper's, and its epochs."""
    record = run.manifest.get("recipe") or {}
    note = "" if record.get("is_paper") else " (not the paper's)"
    epochs = run.manifest["network"]["epochs"]
    return f"{printable(record.get('name', '?'))}{note}, {epochs} {'epoch' if epochs == 1 else 'epochs'}"


def cells(layer: Layer, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED) -> dict[str, str]:
    """A layer's row: what stands under each head of the table."""
    measured = layer.measure(threshold, gauge=gauge)
    row = [
        layer.name,
        str(layer.n_filters),
        _size(layer),
        str(layer.n_filters * layer.positions),
        number(layer.record.get("test_accuracy"), 3),
        number(measured.mean_noise, 1 if measured.mean_noise >= 10 else 2),
        number(measured.mean_clusters, 2),
        number(measured.mean_cluster_size, 2),
        str(int(measured.silent.sum())),
        number(float(measured.signal.mean()), 1),
        number(float(measured.noise_internal.mean()), 2),
        number(float(measured.noise_external.mean()), 2),
    ]
    return dict(zip(HEAD, row, strict=True))


def _errors(layer: Layer, threshold: float) -> list[str]:
    """The standard errors of a layer's row, from the file; none where it has none at this threshold."""
    found = of_layer(layer.record)
    columns = ("n", "N_c", "C_s", "signal", "noise_I", "noise_E")
    errors = {name: found and found.error(threshold, name) for name in columns}
    if all(error is None for error in errors.values()):
        return []
    return ["+-", *("" if errors.get(name) is None else f"{errors[name]:.2g}" for name in HEAD[1:])]


def _published(row: Published) -> list[str]:
    side = f"{row.filter_side}x{row.filter_side}"
    numbers = [f"{row.accuracy:g}", f"{row.noise:g}", f"{row.n_clusters:g}", f"{row.cluster_size:g}"]
    return ["paper", str(row.n_filters), side, str(row.fc_size), *numbers, "", "", "", ""]


def _size(layer: Layer) -> str:
    shape = layer.record.get("filter_size")
    return "x".join(map(str, shape)) if shape else str(layer.positions)


def number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) and math.isfinite(value) else "-"


def _percent(share: float | None) -> str:
    return "-" if share is None or not math.isfinite(share) else f"{share:.2%}"
