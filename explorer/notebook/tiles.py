"""A layer's filters as tiles, to look at and to choose from: `filter` is the one that was clicked."""

import html
from pathlib import Path
from typing import Any

import anywidget
import polars as pl
import traitlets

from explorer.charts.gallery import tile
from explorer.frames import layer as frames
from explorer.notebook.still import CELL, as_text
from explorer.state import FilterSort, Style, default_layer
from explorer.words import unit_of
from store.file.read import Run
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD, ScanOrder, scan_order

_ROOM = CELL - 100_000  # for all but the tiles: script, words
_COPIES = 2  # of a tile in a saved cell: in the widget's state, and for who shows no widget
_BESIDE = 300  # bytes of a tile that are no picture


def gallery(
    run: Run,
    layer: str | None = None,
    *,
    style: Style = "permuted",
    sort: FilterSort = "filter",
    holds: int | None = None,
    most: int = 100,
    threshold: float = THRESHOLD,
    gauge: Gauge = AS_TRAINED,
    order: ScanOrder = "stored",
) -> "Gallery":
    """Filters of a layer, side by side.

    layer: by default the one where the probe is most accurate. style: "fields", "clipped" or "permuted". sort: by
    "filter", or by "noise", "clusters", "largest cluster", "maximum", "share of fields", largest first. holds: filters
    with this label in a cluster only. most: so many of them, fewer where a cell has no room. Raises ValueError,
    FormatError.
    """
    if not run.layers:
        raise ValueError(f"{run.place} has no layer yet")
    if layer is not None and layer not in run.layers:
        raise ValueError(f"{run.place} has no layer {layer!r}; it has {', '.join(run.layers)}")
    if style not in ("fields", "clipped", "permuted"):
        raise ValueError(f"style: expected 'fields', 'clipped' or 'permuted', got {style!r}")
    if holds is not None and not 0 <= holds < run.n_labels:
        raise ValueError(f"holds: labels are 0 to {run.n_labels - 1}, not {holds}")
    of = run.layers[layer] if layer is not None else default_layer(run)
    fields = of.fields(gauge=gauge)
    measured = fields.measure(threshold, scan_order(order, run.n_labels))
    table = frames.filters(measured, fields.squares())
    if sort not in table.columns:
        raise ValueError(f"sort: expected 'filter' or one of {', '.join(table.columns[1:])}, got {sort!r}")
    table = table.sort(sort, descending=sort != "filter", maintain_order=True, nulls_last=True)
    if holds is not None:
        table = table.filter(pl.Series(measured.cluster_of[:, holds] >= 0).gather(table["filter"]))
    unit, tiles, size = unit_of(of), list[dict[str, Any]](), 0
    for row in table.head(most).iter_rows(named=True):
        f = row["filter"]
        picture = as_text(tile(fields.matrix(f), measured, f, style, is_cut=True))
        size += _COPIES * (len(picture) + _BESIDE)
        if size > _ROOM:
            break
        about = f"{unit} {f}: {_clusters(row)}, n {row['noise']:,}"
        tiles.append({"filter": f, "picture": picture, "about": about})
    which = f"{table.height:,}" if len(tiles) == table.height else f"{len(tiles):,} of {table.height:,}"
    with_label = "" if holds is None else f" that hold {run.label_names[holds]}"
    by = "" if sort == "filter" else f", sorted by {sort}"
    why = "; a cell has no room for more" if len(tiles) < min(most, table.height) else ""
    said = f"Layer {of.name}: {which} {unit}s{with_label}, {style}, threshold {threshold:g}{by}{why}"
    return Gallery(_tiles=tiles, _said=said, filter=tiles[0]["filter"] if tiles else 0)


def _clusters(row: dict[str, Any]) -> str:
    if row["silent"]:
        return "silent"
    return f"{row['clusters']} cluster{'' if row['clusters'] == 1 else 's'}"


class Gallery(anywidget.AnyWidget):
    """Make it with `gallery`. `filter`: the tile that was clicked, at first the first; set, it is marked. A live matrix
    goes with it where the two are linked: `traitlets.link((view, "filter"), (tiles, "filter"))`."""

    _esm = Path(__file__).with_name("tiles.js").read_text("utf-8")

    filter = traitlets.CInt(0).tag(sync=True)
    _tiles: Any = traitlets.List(traitlets.Dict()).tag(sync=True)
    _said = traitlets.Unicode().tag(sync=True)

    def __repr__(self) -> str:
        return self._said

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget; and, for who shows none, the same as HTML without a script."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        return data | {"text/html": self._as_html()}, metadata

    def _as_html(self) -> str:
        tiles = "".join(
            '<span style="display:inline-block;margin:3px;text-align:center;font-size:11px">'
            f'<img width="100" alt="{html.escape(one["about"])}" title="{html.escape(one["about"])}" '
            f'src="data:image/png;base64,{one["picture"]}"><br>{one["filter"]}</span>'
            for one in self._tiles
        )
        return f"<p>{html.escape(self._said)}</p><div>{tiles}</div>"
