"""polars -> altair. No Streamlit: a notebook can draw the same charts.

Figure 2's colours: signal blue, noise_I red, noise_I + noise_E orange, means dashed. They differ in lightness as well,
and the series in shape, so that they can be told apart without seeing colours, on white and on black.
"""

import base64
import io
from collections.abc import Sequence

import altair as alt
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

SIGNAL, INTERNAL, EXTERNAL = "#2f7fd0", "#d13b40", "#f29a1f"
NEUTRAL = "#8a929c"
PLAIN = "#558cc4"  # one series that is none of the three
_SERIES = ["signal", "noise_I", "noise_I + noise_E"]
_COLOURS = [SIGNAL, INTERNAL, EXTERNAL]
HEIGHT = 270  # the key over a chart counts as part of it, so that neighbours with one and without have one baseline
OF_A_LAYER = [  # what stands against the threshold, or the layer: quantities of one chart, its title, is it logarithmic
    (["n"], "n, noise", True),
    (["N_c"], "N_c, clusters", False),
    (["C_s"], "C_s, labels in a cluster", False),
    (["SNR_I", "SNR_E"], "signal-to-noise ratio", True),
]
_DECADES = [10.0**k for k in range(-6, 10)]
_KEY = alt.Legend(title=None, orient="top", symbolOpacity=1)
_NARROW_KEY = alt.Legend(title=None, orient="top", columns=2, symbolOpacity=1)  # in half of a small page
_SIDES = ("left", "right", "top", "bottom")

Picture = alt.Chart | alt.LayerChart | alt.FacetChart


def depth(frame: pl.DataFrame, quantities: Sequence[str], title: str, log: bool = False) -> Picture:
    """Quantities of `frames.depth` against the layers, from input to output; the paper's values dashed and hollow."""
    shown = frame.filter(pl.col("quantity").is_in(list(quantities)))
    if log:
        shown = shown.filter(pl.col("value") > 0)
    layers = frame["layer"].unique(maintain_order=True).to_list()
    palette = {"signal": SIGNAL, "noise_I": INTERNAL, "noise_E": EXTERNAL}
    colours = [palette.get(name, [PLAIN, "#b5682b"][k % 2]) for k, name in enumerate(quantities)]
    several = len(quantities) > 1
    base = alt.Chart(shown).encode(
        x=alt.X("layer:N", sort=layers, title="layer, from input to output", axis=alt.Axis(labelAngle=0)),
        y=y_axis("value", title, log),
        color=alt.Color(
            "quantity:N",
            sort=list(quantities),
            scale=alt.Scale(domain=list(quantities), range=colours),
            legend=_KEY if several else None,
        ),
        tooltip=["layer:N", "quantity:N", "source:N", alt.Tooltip("value:Q", format=".4~g")],
    )
    here = base.transform_filter("datum.source === 'this run'")
    drawn = [here.mark_line(strokeWidth=2), here.mark_point(size=50, filled=True, opacity=1)]
    if "paper" in shown["source"]:  # Vega warns of a layer without a point
        paper = base.transform_filter("datum.source === 'paper'")
        drawn += [
            paper.mark_line(strokeWidth=1.5, strokeDash=[4, 4], opacity=0.7),
            paper.mark_point(size=50, filled=False, opacity=0.9),
        ]
    return alt.layer(*drawn).properties(height=HEIGHT)


def histogram(frame: pl.DataFrame, title: str, counted: str, step: float = 1) -> Picture:
    """Bars of `frames.histogram`; step: the least between two marks of the axis, 1 where whole numbers are counted."""
    shift = 0.5 if step == 1 else 0.0  # the mark of a whole number is under the middle of its bar
    picture: Picture = (
        alt.Chart(frame.with_columns(left=pl.col("from") - shift, right=pl.col("to") - shift))
        .mark_bar(color=PLAIN)
        .encode(
            x=alt.X(
                "left:Q",
                bin="binned",
                title=title,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(tickMinStep=step, grid=False),
            ),
            x2="right:Q",
            y=alt.Y("count:Q", title=counted, axis=alt.Axis(tickMinStep=1)),
            tooltip=[alt.Tooltip("from:Q"), alt.Tooltip("to:Q", title="below"), "count:Q"],
        )
        .properties(height=180)
    )
    return picture


def sweep(frame: pl.DataFrame, quantities: Sequence[str], title: str, threshold: float, log: bool = False) -> Picture:
    """Quantities of `frames.sweep` against the threshold; the present one and the paper's 0.3 marked."""
    long = frame.unpivot(list(quantities), index="threshold", variable_name="quantity").drop_nulls()
    if log:
        long = long.filter(pl.col("value") > 0)
    colours = [INTERNAL, EXTERNAL] if len(quantities) > 1 else [PLAIN]
    base = alt.Chart(long).encode(
        x=alt.X("threshold:Q", scale=alt.Scale(domain=[0, 1]), title="threshold"),
        y=y_axis("value", title, log),
        color=alt.Color(
            "quantity:N",
            scale=alt.Scale(domain=list(quantities), range=colours),
            legend=_KEY if len(quantities) > 1 else None,
        ),
        tooltip=["threshold:Q", "quantity:N", alt.Tooltip("value:Q", format=".4~g")],
    )
    return alt.layer(
        *thresholds(threshold),
        base.mark_line(strokeWidth=2),
        base.mark_point(size=24, filled=True, opacity=1),
    ).properties(height=HEIGHT)


def thresholds(present: float) -> list[alt.Chart]:
    """The present one and the paper's 0.3, as vertical lines."""
    paper = alt.Chart(pl.DataFrame({"at": [0.3], "what": ["the paper's 0.3"]}))
    now = alt.Chart(pl.DataFrame({"at": [present], "what": [f"present threshold {present:g}"]}))
    return [
        now.mark_rule(strokeWidth=5, opacity=0.4, color=NEUTRAL).encode(x="at:Q", tooltip="what:N"),  # under the dashes
        paper.mark_rule(strokeDash=[4, 4], strokeWidth=1.5, color=NEUTRAL).encode(x="at:Q", tooltip="what:N"),
    ]


def figure_2(
    frame: pl.DataFrame, suffix: str = "", log: bool = False, selected: int | None = None, top: float | None = None
) -> Picture:
    """Signal, noise_I and noise_I + noise_E of each row of `frames.labels`, in that order, with dashed means.

    suffix ", fields" gives Figure 2B. Labels stand at their place in the order, so names need not be unique.
    top: where the y axis ends, for two pictures on one scale; by default with its own values.
    """
    columns = [f"{name}{suffix}" for name in _SERIES]
    wide = frame.select("name", "super-class", "label", *columns).rename(dict(zip(columns, _SERIES, strict=True)))
    long = wide.with_row_index("place", 1).unpivot(
        _SERIES, index=["place", "name", "super-class", "label"], variable_name="series"
    )
    if log:
        long = long.filter(pl.col("value") > 0)
    averages = pl.DataFrame({"series": _SERIES, "mean": [wide[name].mean() for name in _SERIES]})
    if log:
        averages = averages.filter(pl.col("mean") > 0)
    colour = alt.Color(
        "series:N",
        sort=_SERIES,
        scale=alt.Scale(domain=_SERIES, range=_COLOURS),
        legend=_NARROW_KEY,
    )
    base = alt.Chart(long).encode(
        x=alt.X(
            "place:Q",
            title="labels, in the order of the table",
            scale=alt.Scale(domain=[0, frame.height + 1], nice=False),
        ),
        y=y_axis("value", "accumulated fields" if suffix else "elements above threshold", log),
        color=colour,
        tooltip=["name:N", "super-class:N", "series:N", alt.Tooltip("value:Q", format=".4~g")],
    )
    if top is not None:
        base.encoding.y.scale = alt.Scale(domain=[0, top])
    layers: list[alt.Chart] = [
        base.mark_line(strokeWidth=1, opacity=0.35),
        base.mark_point(size=26, filled=True, opacity=1).encode(
            shape=alt.Shape(
                "series:N",
                sort=_SERIES,
                scale=alt.Scale(domain=_SERIES, range=["circle", "square", "triangle-up"]),
                legend=_NARROW_KEY,
            )
        ),
        alt.Chart(averages)
        .mark_rule(strokeDash=[6, 4], strokeWidth=1.5)
        .encode(y="mean:Q", color=colour, tooltip=["series:N", alt.Tooltip("mean:Q", format=".4~g")]),
    ]
    if selected is not None:
        place = long.filter(pl.col("label") == selected).head(1)
        layers.insert(0, alt.Chart(place).mark_rule(strokeWidth=6, opacity=0.2, color=NEUTRAL).encode(x="place:Q"))
    return alt.layer(*layers).properties(height=300)


def partners(frame: pl.DataFrame, unit: str, most: int = 20) -> Picture:
    """The first rows of `frames.partner_labels` as bars: shared clusters, and noise both ways."""
    series = ["shared clusters", "noise to", "noise from"]
    head = frame.head(most).with_row_index("place")
    # The place in front keeps two labels of one name apart; it is cut off again where it is shown.
    keyed = head.with_columns((pl.col("place").cast(pl.String) + "\t" + pl.col("name")).alias("key"))
    long = keyed.unpivot(series, index=["key", "place", "name", "super-class"], variable_name="what")
    picture: Picture = (
        alt.Chart(long)
        .mark_bar()
        .encode(
            y=alt.Y(
                "key:N",
                sort=keyed["key"].to_list(),
                title=None,
                axis=alt.Axis(
                    labelExpr="slice(datum.label, indexof(datum.label, '\t') + 1)", labelLimit=160, labelOverlap=False
                ),
            ),
            x=alt.X("value:Q", title=f"{unit}s", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "what:N",
                sort=series,
                scale=alt.Scale(domain=series, range=[SIGNAL, EXTERNAL, "#b9770e"]),
                legend=_KEY,
            ),
            order=alt.Order("what:N", sort="descending"),
            tooltip=["name:N", "super-class:N", "what:N", "value:Q"],
        )
        .properties(height=18 * head.height + 70)  # with its axis and key
    )
    return picture


def history(frame: pl.DataFrame) -> Picture:
    """Accuracies of `frames.history` against the epoch."""
    names = {"train_accuracy": "training inputs", "test_accuracy": "test inputs"}
    long = frame.rename(names).unpivot(list(names.values()), index="epoch", variable_name="of").drop_nulls()
    picture: Picture = (
        alt.Chart(long)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title="accuracy"),
            color=alt.Color(
                "of:N",
                scale=alt.Scale(domain=list(names.values()), range=[NEUTRAL, PLAIN]),
                legend=_KEY,
            ),
            tooltip=["epoch:Q", "of:N", alt.Tooltip("value:Q", format=".4~g")],
        )
        .properties(height=HEIGHT)
    )
    return picture


def gallery(tiles: pl.DataFrame, picture: NDArray[np.uint8], columns: int, unit: str) -> Picture:
    """One picture of many small matrices, (height, width, 3) with its tiles row by row, under cells to point at.

    tiles: rows of `frames.filters` in that order, at most as many as fit. The selection "tile" holds the filter.
    """
    rows = -(-tiles.height // columns)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    height, width = picture.shape[:2]
    ground = alt.Chart(pl.DataFrame({"url": [url], "x": [0], "y": [0], "x2": [columns], "y2": [rows]}))
    scale_x, scale_y = alt.Scale(domain=[0, columns], nice=False), alt.Scale(domain=[rows, 0], nice=False)
    image = ground.mark_image(aspect=False).encode(
        x=alt.X("x:Q", scale=scale_x, axis=None),
        x2="x2:Q",
        y=alt.Y("y:Q", scale=scale_y, axis=None),
        y2="y2:Q",
        url="url:N",
    )
    placed = (
        tiles.with_row_index("k")
        .with_columns(
            x=pl.col("k") % columns,
            y=pl.col("k") // columns,
            text=pl.lit(f"{unit} ") + pl.col("filter").cast(pl.String),
        )
        .with_columns(x2=pl.col("x") + 1, y2=pl.col("y") + 1)
    )
    pick = alt.selection_point(name="tile", fields=["filter"], on="click", empty=False)
    cells = (
        alt.Chart(placed)
        .mark_rect(fillOpacity=0, strokeWidth=2, cursor="pointer")
        .encode(
            x=alt.X("x:Q", scale=scale_x, axis=None),
            x2="x2:Q",
            y=alt.Y("y:Q", scale=scale_y, axis=None),
            y2="y2:Q",
            stroke=alt.condition(pick, alt.value(SIGNAL), alt.value(NEUTRAL + "66")),
            tooltip=[
                alt.Tooltip("filter:Q", title=unit),
                "clusters:Q",
                "largest cluster:Q",
                "noise:Q",
                alt.Tooltip("maximum:Q", format=".4~g"),
            ],
        )
        .add_params(pick)
    )
    # Streamlit fits the picture into what its own padding leaves, so without this a label would be less than a pixel.
    return alt.layer(image, cells).properties(height=height, width=width, padding=dict.fromkeys(_SIDES, 0))


def y_axis(column: str, title: str, log: bool) -> alt.Y:
    """The y axis; a logarithmic one has lines at powers of ten only."""
    if not log:
        return alt.Y(f"{column}:Q", title=title)
    return alt.Y(f"{column}:Q", title=title, scale=alt.Scale(type="log"), axis=alt.Axis(values=_DECADES, format="~g"))
