"""A layer's numbers with their standard errors: bars of one each way."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from explorer.charts.layer import Picture, depth


def with_bars(picture: Picture, bars: pl.DataFrame, quantities: Sequence[str], x: str, log: bool = False) -> Picture:
    """Bars of `frames.sample` over a chart of these quantities; x: "layer" or "threshold". Without bars the chart.

    On a logarithmic axis a bar that reaches zero has no lower end, and is left out.
    """
    shown = bars.filter(pl.col("quantity").is_in(list(quantities)))
    if log:
        shown = shown.filter(pl.col("low") > 0)
    if shown.is_empty():
        return picture
    axis = (
        alt.X("layer:N", sort=bars["layer"].unique(maintain_order=True).to_list()) if x == "layer" else alt.X(f"{x}:Q")
    )
    drawn = (
        alt.Chart(shown)
        .mark_rule(strokeWidth=1.5, opacity=0.8)
        .encode(x=axis, y="low:Q", y2="high:Q", color=alt.Color("quantity:N"), tooltip=[x, "quantity", "low", "high"])
    )
    both: Picture = alt.layer(picture, drawn)
    return both


def of_depth(frame: pl.DataFrame, bars: pl.DataFrame, unit: str) -> list[tuple[Picture, list[str], str]]:
    """How the layers differ: pictures with their quantities and titles. frame, bars: `frames.depth`, `depth_bars`."""
    panels = [
        (["accuracy"], "test accuracy of the probe", False),
        (["n"], f"n, noise per {unit}", True),
        (["N_c", "C_s"], "clusters, and labels a cluster", False),
        (["signal", "noise_I", "noise_E"], "elements per label", True),
    ]
    return [
        (with_bars(depth(frame, quantities, title, log), bars, quantities, "layer", log), quantities, title)
        for quantities, title, log in panels
    ]
