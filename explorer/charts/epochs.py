"""Frames of epochs -> altair: a line a layer, against the epoch."""

import altair as alt
import polars as pl

from explorer.charts.layer import HEIGHT, NEUTRAL, Picture

# From the input to the output along the hues, all to be seen on white and on black; shapes tell them apart as well.
_SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]
_COLOURS = ["#4aa3df", "#2fb59a", "#a3a51c", "#e39a1f", "#dc5f4b", "#b45fc4", "#7a74d8"]


def course(
    frame: pl.DataFrame, title: str, present: int, log: bool = False, own: pl.DataFrame | None = None
) -> Picture:
    """`frames.epochs.long` of one quantity; present: the epoch that is shown, marked. own: the network's, dashed."""
    shown = frame.filter(pl.col("value") > 0) if log else frame
    layers = frame["layer"].unique(maintain_order=True).to_list()
    color = alt.Color(
        "layer:N", sort=layers, scale=alt.Scale(domain=layers, range=_cycled(_COLOURS, len(layers))),
        legend=alt.Legend(title="layer", orient="top", symbolOpacity=1, columns=6),
    )  # fmt: skip
    shape = alt.Shape("layer:N", sort=layers, scale=alt.Scale(domain=layers, range=_cycled(_SHAPES, len(layers))))
    base = alt.Chart(shown).encode(
        x=_epoch_axis(frame),
        y=_y_axis(shown, title, log),
        color=color,
        tooltip=["layer:N", "epoch:Q", alt.Tooltip("value:Q", title=title, format=".4~g")],
    )
    drawn: list[alt.Chart] = [_rule(present), base.mark_line(strokeWidth=2)]
    bars = shown.filter(pl.col("low").is_not_null() & (pl.col("low") > 0 if log else pl.lit(True)))
    if not bars.is_empty():
        drawn.append(
            alt.Chart(bars)
            .mark_rule(strokeWidth=1.5)
            .encode(x=_epoch_axis(frame), y="low:Q", y2="high:Q", color=color)
        )  # fmt: skip
    drawn.append(base.mark_point(size=42, filled=True, opacity=1).encode(shape=shape))
    if own is not None and not own.is_empty():
        named = alt.Chart(own.with_columns(what=pl.lit("the network's own")))
        dashed: alt.Chart = named.mark_line(strokeDash=[5, 4], strokeWidth=1.5, color=NEUTRAL)
        drawn.append(dashed.encode(x=_epoch_axis(frame), y="value:Q", tooltip=["what:N", "epoch:Q", "value:Q"]))
    return alt.layer(*drawn).properties(height=HEIGHT)


def _y_axis(frame: pl.DataFrame, title: str, log: bool) -> alt.Y:
    """A logarithmic one ends at the data, with lines at 1, 2 and 5 times a power of ten."""
    if not log or frame.is_empty():
        return alt.Y("value:Q", title=title)
    ends = [float(end) for name in ("value", "low", "high") for end in frame[name].drop_nulls() if end > 0]
    least, most = 0.9 * min(ends), 1.1 * max(ends)
    lines = [step * 10.0**power for power in range(-6, 10) for step in (1, 2, 5)]
    scale = alt.Scale(type="log", nice=False, domain=[least, most])
    return alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(values=lines, format="~g"))


def _epoch_axis(frame: pl.DataFrame) -> alt.X:
    """Epochs at even steps of log(1 + epoch), so that the first ones are seen and 0 is there."""
    epochs = sorted(frame["epoch"].unique().to_list())
    return alt.X(
        "epoch:Q",
        title="epoch of the training",
        scale=alt.Scale(type="symlog", constant=1, nice=False),
        axis=alt.Axis(values=epochs, grid=False, format="d"),
    )


def _rule(epoch: int) -> alt.Chart:
    at = pl.DataFrame({"epoch": [epoch], "what": [f"epoch {epoch} is shown"]})
    rule: alt.Chart = alt.Chart(at).mark_rule(strokeWidth=5, opacity=0.35, color=NEUTRAL)
    return rule.encode(x="epoch:Q", tooltip="what:N")


def _cycled(values: list[str], number: int) -> list[str]:
    return [values[k % len(values)] for k in range(number)]
