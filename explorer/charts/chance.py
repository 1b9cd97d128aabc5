"""Bands of chance under the lines of other charts. polars -> altair, as `charts`."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from explorer.charts.layer import NEUTRAL, Picture

# With an edge: a thin band is a line, at least.
_STYLE: dict[str, Any] = {"fill": NEUTRAL, "fillOpacity": 0.4, "stroke": NEUTRAL, "strokeWidth": 1.5}


def under_sweep(picture: Picture, bands: pl.DataFrame, quantities: Sequence[str], log: bool) -> Picture:
    """A chart of `charts.sweep` over the bands of `chance.band`, within which draws of a null lie."""
    area = alt.Chart(_shown(bands, quantities, log)).mark_area(**_STYLE)
    return alt.layer(area.encode(x="threshold:Q", detail="quantity:N", **_limits("threshold")), picture)


def under_depth(picture: Picture, bands: pl.DataFrame, quantities: Sequence[str], log: bool) -> Picture:
    """A chart of `charts.depth` over the bands of `chance.by_layer`: a bar a layer."""
    bars = alt.Chart(_shown(bands, quantities, log)).mark_bar(width=22, **_STYLE)
    x = alt.X("layer:N", sort=bands["layer"].unique(maintain_order=True).to_list())  # else the alphabet's
    return alt.layer(bars.encode(x=x, detail="quantity:N", **_limits("layer")), picture)


def _shown(bands: pl.DataFrame, quantities: Sequence[str], log: bool) -> pl.DataFrame:
    shown = bands.filter(pl.col("quantity").is_in(list(quantities)))
    return shown.filter(pl.col("low") > 0) if log else shown


def _limits(across: str) -> dict[str, Any]:
    numbers = (alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("low", "high"))
    return {"y": "low:Q", "y2": "high:Q", "tooltip": [across, "quantity:N", *numbers]}
