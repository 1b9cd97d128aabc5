"""A layer of a run as one HTML file, which needs no server and no network: the live matrix and what it is of.

All that comes from the result file, which may be a stranger's, is data: JSON in which no tag can start, put on the page
by `capsule.js` through textContent alone. The page's policy lets no other script run and nothing be fetched. Streamlit
is not needed.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from explorer.matrix.pack import Average, LayerData, layer_numbers
from explorer.matrix.script import joined
from explorer.words import not_the_papers, unit_of
from store.file.read import Layer, Run
from store.measure.gauge import AS_TRAINED, GAUGES, Gauge
from store.measure.layer import THRESHOLD, ScanOrder, scan_order
from store.measure.nulls import SAMPLES, STATISTICS, chance, statistics
from store.measure.summary import summary
from store.paper.citation import PAPER, bibtex, software
from store.paper.published import published
from store.paper.records import CLAIM_NULLS
from store.tables.printable import printable

_FOLDER = Path(__file__).parent
_MOST_BYTES = 64 << 20  # of a layer; a page of more than that is no page to hand on
_NOTE = "of the threshold at which this page was made: too large a layer to be measured in a page"


class CapsuleError(ValueError):
    """What is asked for is not in the file; the message says what is."""


@dataclass(frozen=True)
class Shown:
    """The view that the page opens with; all but a large layer's filter, order and gauge can be changed on it.

    draws: of each null model, at the threshold, order and gauge that the page opens with; 0 for none.
    """

    layer: str
    filter: int = 0
    threshold: float = THRESHOLD
    order: ScanOrder = "stored"
    average: Average = "clustered"
    gauge: Gauge = AS_TRAINED
    draws: int = SAMPLES


def capsule(run: Run, shown: Shown) -> bytes:
    """The page. Raises CapsuleError, FormatError, OSError."""
    layer = _layer(run, shown)
    data = LayerData.of(run, layer.name, shown.filter)
    orders = [shown.order, *(order for order in get_args(ScanOrder) if order != shown.order and data.is_whole)]
    content: dict[str, Any] = {
        "title": f"{printable(run.manifest['network']['arch'])} on {printable(run.manifest['data']['name'])}, "
        f"{run.n_labels} labels",
        "unit": unit_of(layer),
        "view": {name: getattr(shown, name) for name in ("filter", "threshold", "order", "average", "gauge")},
        "gauges": [gauge for gauge in GAUGES if gauge == shown.gauge or data.is_whole],
        "orders": {order: scan_order(order, run.n_labels).tolist() for order in orders},
        "measure": None,
        "chance": _chance(layer, shown),
        "row": _row(layer),
        "paper": _paper(run, layer),
        "departures": printable(not_the_papers(run)),
        "provenance": _provenance(run, layer),
        "cite": [PAPER, software(_version())],
        "bibtex": bibtex(_version()),
    }
    if not data.is_whole:
        measured = layer.measure(shown.threshold, scan_order(shown.order, run.n_labels), shown.gauge)
        content["measure"], content["note"] = layer_numbers(measured), _NOTE
    # Base64 as it is: deflate would take a tenth off it, and a sixth with the bytes of the floats in order.
    return html_page(content, base64.b64encode(data.message).decode(), joined(_FOLDER / "capsule.js"))


def _layer(run: Run, shown: Shown) -> Layer:
    if shown.layer not in run.layers:
        has = ", ".join(run.layers) or "none yet"
        raise CapsuleError(f"there is no layer {printable(shown.layer)!r} in this file; it has {has}")
    layer = run.layers[shown.layer]
    if not 0 <= shown.filter < layer.n_filters:
        raise CapsuleError(f"layer {layer.name} has {unit_of(layer)}s 0 to {layer.n_filters - 1}, not {shown.filter}")
    if not 0 <= shown.threshold <= 1:
        raise CapsuleError(f"the threshold is a fraction of the maximum, from 0 to 1, not {shown.threshold}")
    if run.n_labels * run.n_labels * 4 > _MOST_BYTES:
        raise CapsuleError(f"a matrix of {run.n_labels} labels makes a page of more than {_MOST_BYTES >> 20} MiB")
    return layer


def _row(layer: Layer) -> dict[str, Any]:
    """What the layer's row of the paper's table has that no threshold changes."""
    size = layer.record.get("filter_size")
    accuracy = layer.record.get("test_accuracy")
    return {
        "layer": layer.name,
        "filters": layer.n_filters,
        "size": "x".join(map(str, size)) if size else str(layer.positions),
        "fc_size": layer.n_filters * layer.positions,
        "accuracy": accuracy if isinstance(accuracy, float) and abs(accuracy) < 1e9 else None,
    }


def _chance(layer: Layer, shown: Shown) -> dict[str, Any] | None:
    """The layer's numbers beside null models: a row a null, [mean, standard deviation, z] of each of STATISTICS.

    A null that this file's layer cannot be drawn from is there with the reason in place of numbers.
    """
    if not shown.draws:
        return None
    fields, rows = layer.fields(gauge=shown.gauge), list[dict[str, Any]]()
    order = scan_order(shown.order, layer.n_labels)
    measured = statistics(summary(fields.measure(shown.threshold, order)), shown.average)
    for null in CLAIM_NULLS:
        try:
            drawn = chance(
                null, fields, threshold=shown.threshold, samples=shown.draws, seed=0, order=order, average=shown.average
            )
        except ValueError as reason:
            rows.append({"null": null, "reason": f"not possible for this file: {reason}"})
            continue
        beside = [drawn.of(name) for name in STATISTICS]
        rows.append({"null": null, "numbers": [[one.mean, one.std, one.z] for one in beside]})
    return {"draws": shown.draws, "measured": measured, "rows": rows}


def _paper(run: Run, layer: Layer) -> dict[str, Any] | None:
    manifest = run.manifest
    row = published(manifest["network"]["arch"], manifest["data"]["name"], run.n_labels, layer.name)
    return None if row is None else row._asdict()


def _provenance(run: Run, layer: Layer) -> list[tuple[str, str]]:
    manifest = run.manifest
    recipe, data, network = manifest.get("recipe") or {}, manifest["data"], manifest["network"]
    versions = manifest.get("software")
    listed = ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else "-"
    facts = [
        ("Recipe", recipe.get("name", "-")),
        ("Seed", recipe.get("seed", "-")),
        (
            "Network",
            f"{network['arch']}, {network['epochs']} epochs, test accuracy {network.get('test_accuracy', '-')}",
        ),
        ("Module", layer.record.get("module", "-")),
        ("Data", f"{data['name']}, {run.n_labels} labels, {data['test_inputs']} test inputs"),
        ("Source", data.get("source", "-")),
        ("Licence of the data", data.get("licence", "-")),
        ("Device", manifest.get("device", "-")),
        ("Made", manifest.get("created", "-")),
        ("Made by", manifest.get("generator", "-")),
        ("Software", listed),
        ("File", run.name),
        ("Content of the file", f"sha256 {run.content_sha256}"),
    ]
    return [(name, printable(value)) for name, value in facts]


def _version() -> str:
    try:
        return version("filterscope")
    except PackageNotFoundError:
        return "(not installed)"


def html_page(content: dict[str, Any], layer: str, script: str) -> bytes:
    """A page of one script, with the content and the layer, in base64, for it to read."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Styles may stand inline, since the matrix sets its own; without images, fonts and imports they can fetch nothing.
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; base-uri 'none'"
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="referrer" content="no-referrer">\n<title>Filterscope</title>\n',
            f"<style>\n{(_FOLDER / 'capsule.css').read_text('utf-8')}</style>\n</head>\n<body>\n",
            "<noscript><p>This page measures in the browser, with JavaScript of its own.</p></noscript>\n",
            f'<main id="capsule"></main>\n<script type="application/json" id="content">{_json(content)}</script>\n',
            f'<script type="application/json" id="layer">{_json(layer)}</script>\n',
            f'<script type="module">{script}</script>\n</body>\n</html>\n',
        ]
    ).encode()


def _json(value: Any) -> str:
    """In ASCII, without a character that could end the element that it stands in."""
    text = json.dumps(_finite(value), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    """NaN and infinity, which JSON does not have, as null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
