"""polars -> altair, as `charts`: what the page Scaling shows."""

import altair as alt
import polars as pl

from explorer.charts.layer import EXTERNAL, INTERNAL, NEUTRAL, PLAIN, Picture

_KEY = alt.Legend(title=None, orient="top", symbolOpacity=1)
_HEIGHT = 300  # with the key, which Streamlit counts as a part of it
_SOURCES = ["these runs", "paper"]
_CURVES = ["linear", "power", "logarithmic"]
_COLOURS = [PLAIN, EXTERNAL, INTERNAL]
_DASHES = [[1, 0], [6, 4], [2, 3]]


def against_labels(here: pl.DataFrame, paper: pl.DataFrame, curves: pl.DataFrame, quantity: str, title: str) -> Picture:
    """One quantity against K: means with their standard deviation, the paper's hollow, and fitted curves.

    here: K, mean, low, high, samples; paper: K, value; curves: K, error, curve (may be empty).
    """
    last = max([*here["K"].to_list(), *paper["K"].to_list(), 2])
    axis = _at([*here["K"].to_list(), *paper["K"].to_list()])
    x = alt.X("K:Q", title="K, labels", scale=alt.Scale(domain=[0, last * 1.05], nice=False), axis=axis)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=True))
    points = pl.concat(
        [
            here.select("K", pl.col("mean").alias("value"), pl.lit(_SOURCES[0]).alias("source")),
            paper.select("K", pl.col(quantity).alias("value"), pl.lit(_SOURCES[1]).alias("source")),
        ]
    ).drop_nulls()
    key = _KEY if curves.is_empty() else None  # beside the curves' key there is no room; the caption has it in words
    of_both = alt.Chart(points).encode(
        x=x,
        y=y,
        shape=alt.Shape("source:N", scale=alt.Scale(domain=_SOURCES, range=["circle", "square"]), legend=key),
        fill=alt.Fill("source:N", scale=alt.Scale(domain=_SOURCES, range=[PLAIN, "transparent"]), legend=key),
        stroke=alt.Stroke("source:N", scale=alt.Scale(domain=_SOURCES, range=[PLAIN, NEUTRAL]), legend=key),
        tooltip=["source:N", "K:Q", alt.Tooltip("value:Q", title=title, format=".4~g")],
    )
    drawn: list[alt.Chart] = []
    if (spread := here.drop_nulls()).height:
        drawn.append(alt.Chart(spread).mark_rule(color=PLAIN, strokeWidth=2).encode(x=x, y="low:Q", y2="high:Q"))
    if not curves.is_empty():
        drawn.append(
            alt.Chart(curves.filter(pl.col("error") >= 0).rename({"error": "value"}))  # a logarithm falls below
            .mark_line(strokeWidth=1.5)
            .encode(x=x, y=y, color=_colour(), strokeDash=_dash(), tooltip=["curve:N"])
        )
    picture: Picture = alt.layer(
        *drawn,
        of_both.mark_point(size=70, strokeWidth=2, opacity=1),
    ).properties(height=_HEIGHT)
    return picture


def residuals(frame: pl.DataFrame) -> Picture:
    """`frames_claims.residuals`: what each curve leaves of each point."""
    base = alt.Chart(frame).encode(
        x=alt.X("K:Q", title="K, labels", scale=alt.Scale(zero=False), axis=_at(frame["K"].to_list())),
        color=_colour(),
    )
    shape = alt.Shape(
        "curve:N", scale=alt.Scale(domain=_CURVES, range=["circle", "square", "triangle-up"]), legend=_KEY
    )
    zero = alt.Chart(pl.DataFrame({"at": [0.0]})).mark_rule(color=NEUTRAL).encode(y="at:Q")
    picture: Picture = alt.layer(
        zero,
        base.mark_line(strokeWidth=1, opacity=0.6).encode(y=alt.Y("mean(residual):Q", title="error - curve")),
        base.mark_point(size=60, filled=True, opacity=1).encode(
            y=alt.Y("residual:Q", title="error - curve"),
            shape=shape,
            tooltip=["curve:N", "K:Q", alt.Tooltip("residual:Q", format=".2~g")],
        ),
    ).properties(height=_HEIGHT)
    return picture


def _colour() -> alt.Color:
    return alt.Color("curve:N", scale=alt.Scale(domain=_CURVES, range=_COLOURS), legend=_KEY)


def _dash() -> alt.StrokeDash:
    return alt.StrokeDash("curve:N", scale=alt.Scale(domain=_CURVES, range=_DASHES), legend=_KEY)


def _at(labels: list[int]) -> alt.Axis:
    """An axis with its marks at the K that there are."""
    return alt.Axis(values=sorted(set(labels)), labelOverlap=True)
