"""polars -> altair, as `charts`: what the Compare page shows of two layers, A solid and B dashed."""

import altair as alt
import polars as pl

from explorer.charts.layer import EXTERNAL, HEIGHT, INTERNAL, NEUTRAL, PLAIN, SIGNAL, Picture, thresholds, y_axis

_NAMES, _COLOURS, _DASHES = ["A", "B"], [PLAIN, "#b5682b"], [[1, 0], [5, 4]]
_OF = {"signal": SIGNAL, "noise_I": INTERNAL, "noise_E": EXTERNAL}
_KEY = alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=500, symbolStrokeWidth=2.5)


def distributions(a: pl.DataFrame, b: pl.DataFrame, title: str, counted: str) -> Picture:
    """Two frames of `differences.shares`: the part of what is counted at each value."""
    return _overlay(a, b, "value", "part", title, f"part of the {counted}").properties(height=HEIGHT)


def sweeps(a: pl.DataFrame, b: pl.DataFrame, quantity: str, title: str, threshold: float, log: bool = False) -> Picture:
    """A quantity of two frames of `frames.sweep`; the present threshold and the paper's marked."""
    lines = _overlay(a, b, "threshold", quantity, "threshold", title, log)
    return alt.layer(*thresholds(threshold), lines).properties(height=HEIGHT)


def depth(a: pl.DataFrame, b: pl.DataFrame, quantity: str, title: str, log: bool = False) -> Picture:
    """A quantity of two frames of `frames.depth` against the layers, from input to output."""
    left, right = (
        frame.filter((pl.col("quantity") == quantity) & (pl.col("source") == "this run")) for frame in (a, b)
    )
    layers = list(dict.fromkeys([*a["layer"], *b["layer"]]))
    across = alt.X("layer:N", sort=layers, title="layer", axis=alt.Axis(labelAngle=0))
    return _overlay(left, right, "layer", "value", "layer", title, log, across).properties(height=HEIGHT)


def _overlay(
    a: pl.DataFrame,
    b: pl.DataFrame,
    x: str,
    y: str,
    x_title: str,
    y_title: str,
    log: bool = False,
    across: alt.X | None = None,
) -> Picture:
    both = pl.concat(
        [frame.select(x, y).with_columns(of=pl.lit(name)) for name, frame in zip(_NAMES, (a, b), strict=True)]
    ).drop_nulls()
    if log:
        both = both.filter(pl.col(y) > 0)
    scale = alt.Scale(domain=[0, 1]) if x == "threshold" else alt.Undefined
    base = alt.Chart(both).encode(
        x=alt.X(f"{x}:Q", title=x_title, scale=scale) if across is None else across,
        y=y_axis(y, y_title, log),
        color=alt.Color("of:N", scale=alt.Scale(domain=_NAMES, range=_COLOURS), legend=_KEY),
        tooltip=[alt.Tooltip(x, title=x_title), "of:N", alt.Tooltip(f"{y}:Q", title=y_title, format=".4~g")],
    )
    dash = alt.StrokeDash("of:N", scale=alt.Scale(domain=_NAMES, range=_DASHES), legend=_KEY)
    # The points have no dash, and no key of their own: a dashed point in it is a blob.
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(strokeDash=dash), base.mark_point(size=24, filled=True, opacity=1)
    )


def scatter(frame: pl.DataFrame, quantity: str) -> Picture:
    """A quantity of each label in A against B (`differences.of_labels`); on the line nothing differs."""
    left, right = f"{quantity} A", f"{quantity} B"
    top = max((float(frame[name].max() or 0) for name in (left, right)), default=1.0) or 1.0  # type: ignore[arg-type]
    scale = alt.Scale(domain=[0, 1.05 * top], nice=False)  # one for both axes: on a square the line is at 45 degrees
    axis = alt.Axis(tickCount=5)
    line = alt.Chart(pl.DataFrame({"a": [0.0, 1.05 * top], "b": [0.0, 1.05 * top]}))
    shown = frame.select("name", "super-class", pl.col(left).alias("in A"), pl.col(right).alias("in B"))
    points = (
        alt.Chart(shown)
        .mark_point(size=36, filled=True, color=_OF[quantity], opacity=0.8)
        .encode(
            x=alt.X("in A:Q", title=f"{quantity} in A", scale=scale, axis=axis),
            y=alt.Y("in B:Q", title=f"{quantity} in B", scale=scale, axis=axis),
            tooltip=[
                "name:N",
                "super-class:N",
                alt.Tooltip("in A:Q", format=".4~g"),
                alt.Tooltip("in B:Q", format=".4~g"),
            ],
        )
    )
    return alt.layer(
        line.mark_line(strokeDash=[4, 4], color=NEUTRAL, strokeWidth=1).encode(
            x=alt.X("a:Q", scale=scale), y=alt.Y("b:Q", scale=scale)
        ),
        points,
    ).properties(height=310, width=310)
