"""What AFCC left of a run's weights and accuracies, as text, from the file alone."""

from store.file.afcc_results import BATCHES, BetweenResults, Cost, LayerResults, between, of_layer
from store.file.read import Run
from store.paper.published import PublishedAFCC, published_afcc
from store.tables.printable import aligned, printable

_HEAD = ["mask", "kept", "before", "probe trained", "network trained"]


def afcc_tables(run: Run) -> str:
    """A table a layer whose probe was cut down, and one of the convolutions; "" where the run has neither."""
    found = {name: of_layer(layer.record) for name, layer in run.layers.items()}
    place = (run.manifest["network"]["arch"], run.manifest["data"]["name"], run.n_labels)
    parts = [
        _probe(name, results, published_afcc(*place, name)) for name, results in found.items() if results is not None
    ]
    if (steps := between(run.manifest)) is not None:
        parts.append(_between(steps))
    return "\n\n".join(parts)


def _probe(layer: str, results: LayerResults, paper: PublishedAFCC | None) -> str:
    rows = [_HEAD]
    for mask in results.masks:
        after = [_accuracy(epochs[-1] if epochs else None) for epochs in (mask.probe_trained, mask.network_trained)]
        rows.append([printable(mask.name), _count(mask.kept), _accuracy(mask.before), *after])
    lines = [
        f"AFCC at layer {layer}: of {_count(results.weights)} weights those in clusters at threshold "
        f"{_plain(results.threshold)}; accuracy with all of them {_accuracy(results.accuracy)}",
        *aligned(rows, left=1),
    ]
    if paper is not None:
        lines.append(
            f"the paper: about {_count(paper.kept)} of {_count(paper.weights)} weights kept, accuracy about "
            f"{_accuracy(paper.accuracy)} when trained again"
        )
    if results.costs is not None:
        lines += [_cost("dense", results.costs.dense), _cost("sparse (CSR)", results.costs.sparse)]
    n, clusters, size = (_plain(results.train_means[name]) for name in ("n", "N_c", "C_s"))
    lines.append(
        f"clusters from training inputs: n {n}, N_c {clusters}, C_s {size}; identical in "
        f"{_percent(results.identical)} of filters, elements in common {_percent(results.alike)}"
    )
    return "\n".join(lines)


def _cost(form: str, cost: Cost) -> str:
    times = ", ".join(f"{_time(cost.seconds[batch])} for a batch of {batch}" for batch in BATCHES)
    return f"{form}: {_count(cost.bytes)} bytes, {_count(cost.multiply_adds)} multiply-adds an input, {times}"


def _between(results: BetweenResults) -> str:
    rows = [["mask", "layers", "weights", "kept", "before", "trained"]]
    for step in results.steps:
        numbers = [_count(step.weights), _count(step.kept), _accuracy(step.before), _accuracy(step.trained)]
        rows.append([printable(step.mask), printable(step.layers) or "-", *numbers])
    head = f"AFCC between layers, one after another; the network's own accuracy {_accuracy(results.accuracy)}"
    return "\n".join([head, *aligned(rows, left=1)])


def _accuracy(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _time(value: float | None) -> str:
    return "-" if value is None else f"{value * 1e6:.1f} us"
