"""polars -> altair, as `charts`: what the AFCC page shows."""

import altair as alt
import polars as pl

from explorer.charts.layer import EXTERNAL, INTERNAL, NEUTRAL, PLAIN, SIGNAL, Picture
from explorer.frames.afcc import PARTS

_KEY = alt.Legend(title=None, orient="top", symbolOpacity=1)
_MASK_KEY = alt.Legend(title=None, orient="top", columns=2, symbolOpacity=1, labelLimit=140)
_PARTS = [SIGNAL, INTERNAL, EXTERNAL, NEUTRAL]
# One more than masks that `--afcc` tries.
_MASKS = [PLAIN, "#b5682b", "#3f8f5b", "#8b62b5", "#a3882a", "#2a9d9d", "#c2528b", NEUTRAL]
_NAME = "slice(datum.label, indexof(datum.label, '\t') + 1)"  # without the place that keeps two of one name apart


def label_accuracies(frame: pl.DataFrame) -> Picture:
    """`frames_afcc.label_accuracies`: a bar a label, in its order, and a mark where it stood with all weights."""
    placed = frame.with_row_index("place", 1).with_columns(
        left=pl.col("place") - 0.4, right=pl.col("place") + 0.4, bottom=pl.lit(0.0)
    )
    tooltip = [
        "name:N", "super-class:N",
        alt.Tooltip("clusters only:Q", format=".3f"), alt.Tooltip("all weights:Q", format=".3f"), "state:N",
    ]  # fmt: skip
    x = alt.X(
        "left:Q",
        title="labels, the most accurate first",
        scale=alt.Scale(domain=[0, frame.height + 1], nice=False),
        axis=alt.Axis(tickMinStep=1, grid=False),
    )
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(placed)
    kinds = ["clusters only", "all weights"]
    colour = alt.Scale(domain=kinds, range=[PLAIN, EXTERNAL])
    bars = base.transform_calculate(of="'clusters only'").mark_rect(opacity=0.85)
    marks = base.transform_calculate(of="'all weights'").mark_rule(strokeWidth=2.5)
    return alt.layer(
        bars.encode(
            x=x, x2="right:Q", y=alt.Y("clusters only:Q", scale=scale, title="accuracy"), y2="bottom:Q",
            color=alt.Color("of:N", scale=colour, legend=_KEY), tooltip=tooltip,
        ),
        marks.encode(
            x=x, x2="right:Q", y=alt.Y("all weights:Q", scale=scale, title="accuracy"),
            color=alt.Color("of:N", scale=colour, legend=_KEY), tooltip=tooltip,
        ),
    ).properties(height=270)  # fmt: skip


def silencing(frame: pl.DataFrame, silenced: int, unit: str) -> Picture:
    """`frames_afcc.silencing`; the number that is silenced now is marked."""
    base = alt.Chart(frame).encode(
        x=alt.X("silenced:Q", title=f"silenced {unit}s", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(nice=False)),
        y=alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 1]), title="test accuracy"),
        tooltip=["silenced:Q", alt.Tooltip("accuracy:Q", format=".4f")],
    )
    now = alt.Chart(pl.DataFrame({"at": [silenced]})).mark_rule(strokeWidth=2, color=NEUTRAL).encode(x="at:Q")
    return alt.layer(
        now, base.mark_line(strokeWidth=2, color=PLAIN), base.mark_point(size=24, filled=True, opacity=1, color=PLAIN)
    ).properties(height=230)


def epochs(frame: pl.DataFrame) -> Picture:
    """`frames_afcc.epochs`: a line a mask, dashed where the network was trained too."""
    names = frame["mask"].unique(maintain_order=True).to_list()
    kinds = frame["training"].unique(maintain_order=True).to_list()
    base = alt.Chart(frame).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1), title="epoch (0: before)"),
        y=alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="test accuracy"),
        color=alt.Color(
            "mask:N", sort=names, scale=alt.Scale(domain=names, range=_colours(len(names))),
            legend=_MASK_KEY,
        ),
        tooltip=["mask:N", "training:N", "epoch:Q", alt.Tooltip("accuracy:Q", format=".4f")],
    )  # fmt: skip
    dash = alt.StrokeDash(
        "training:N",
        sort=kinds,
        scale=alt.Scale(domain=kinds, range=[[1, 0], [5, 4]][: len(kinds)]),
        legend=None,  # the caption has it in words: beside the masks' key there is no room on a phone
    )
    lines = base.mark_line(strokeWidth=2).encode(strokeDash=dash)
    return alt.layer(lines, base.mark_point(size=24, filled=True, opacity=1)).properties(height=340)


def between(frame: pl.DataFrame) -> Picture:
    """`frames_afcc.between`: the trained network's accuracy after each pair of layers, a line a mask."""
    names = frame["mask"].unique(maintain_order=True).to_list()
    pairs = frame["layers"].unique(maintain_order=True).to_list()
    base = alt.Chart(frame.filter(pl.col("trained again").is_not_null())).encode(
        x=alt.X("layers:N", sort=pairs, title="pruned up to", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("trained again:Q", scale=alt.Scale(zero=False), title="test accuracy, trained again"),
        color=alt.Color(
            "mask:N", sort=names, scale=alt.Scale(domain=names, range=_colours(len(names))),
            legend=_MASK_KEY,
        ),
        tooltip=["mask:N", "layers:N", "kept:Q", alt.Tooltip("trained again:Q", format=".4f")],
    )  # fmt: skip
    picture: Picture = base.mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=40)).properties(height=310)
    return picture


def split(frame: pl.DataFrame) -> Picture:
    """`frames_afcc.split`: a bar an output, what each part gives stacked away from 0; the logit itself marked."""
    keyed = frame.with_columns((pl.col("place").cast(pl.String) + "\t" + pl.col("name")).alias("key"))
    order = keyed["key"].unique(maintain_order=True).to_list()
    totals = keyed.group_by("key", "name", maintain_order=True).agg(pl.col("given").sum().alias("logit"))
    parts = list(PARTS.values())
    y = alt.Y("key:N", sort=order, title=None, axis=alt.Axis(labelExpr=_NAME, labelLimit=170, labelOverlap=False))
    bars = (
        alt.Chart(keyed.with_columns(part_order=pl.col("part").replace_strict(parts, range(len(parts)))))
        .mark_bar()
        .encode(
            y=y,
            x=alt.X("given:Q", title="given to the logit", stack="zero"),
            color=alt.Color("part:N", sort=parts, scale=alt.Scale(domain=parts, range=_PARTS), legend=_KEY),
            order=alt.Order("part_order:Q"),
            tooltip=["name:N", "part:N", alt.Tooltip("given:Q", format=".4~g")],
        )
    )
    marks = (
        alt.Chart(totals)
        .mark_tick(thickness=3, size=20, color="#d81b93")
        .encode(y=y, x="logit:Q", tooltip=["name:N", alt.Tooltip("logit:Q", format=".4~g")])
    )
    return alt.layer(bars, marks).properties(height=26 * len(order) + 80)  # with its axis and key


def _colours(number: int) -> list[str]:
    return [_MASKS[k % len(_MASKS)] for k in range(number)]
