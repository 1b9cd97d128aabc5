"""polars -> altair, for the report alone: one filter's matrix four times (Figure 1), error against K (Figures 3-5)."""

import base64
import io
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from explorer.charts import gallery as pictures
from explorer.charts.layer import NEUTRAL, PLAIN, Picture
from explorer.frames.telling import cluster_sizes
from store.measure.layer import LayerMeasure, permutation
from store.measure.scaling import Fit

_PANEL = 215  # pixels a side
_FEW = 14  # labels of the magnified corner, at most
_BOX = "#{:02x}{:02x}{:02x}".format(*pictures.BOX)
_KINDS = ["linear", "power", "logarithmic"]
_DASHES = [[1, 0], [7, 4], [2, 3]]
_PAPER = "#b5682b"


def single_filter(matrix: NDArray[np.float32], measured: LayerMeasure, f: int, names: list[str]) -> Picture:
    """Fields, clipped, permuted with the clusters framed, and the permuted matrix's upper left corner by its labels."""
    order = permutation(measured.cluster_of[f])
    sizes = cluster_sizes(measured, f)
    n_labels, few = len(matrix), min(len(matrix), _FEW, max(6, sum(sizes) + 3))
    fields, permuted = (pictures.tile(matrix, measured, f, style) for style in ("fields", "permuted"))
    clipped = pictures.tile(matrix, measured, f, "clipped")
    clipped[(clipped == pictures.NOISE).all(axis=2)] = pictures.WHITE  # the Boolean matrix, as in the paper
    corner = permuted[: len(permuted) * few // n_labels, : len(permuted) * few // n_labels]
    shown = [names[label] for label in order[:few]]
    panels: list[Any] = [
        _panel(fields, "fields / maximum", []),
        _panel(clipped, f"above {measured.threshold:g} of the maximum", []),
        _panel(permuted, "labels permuted", _frames(sizes, n_labels)),
    ]
    if len(permuted) >= n_labels:  # else labels share pixels, and there is nothing to magnify
        panels.append(_panel(corner, f"its first {few} labels", _frames(sizes, few), shown))
    return alt.hconcat(*panels, spacing=16)  # type: ignore[return-value]


def _frames(sizes: list[int], n_labels: int) -> list[tuple[float, float]]:
    """From and to of each cluster, as fractions of the panel; one that is not all in it is left out."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [(a / n_labels, b / n_labels) for a, b in pairwise(ends) if b <= n_labels]


def _panel(
    pixels: NDArray[np.uint8], title: str, frames: list[tuple[float, float]], names: list[str] | None = None
) -> Picture:
    times = max(1, -(-400 // len(pixels)))  # large pixels, so that nothing is blurred where the panel is enlarged
    buffer = io.BytesIO()
    Image.fromarray(pixels.repeat(times, axis=0).repeat(times, axis=1)).save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    x, y = (alt.Scale(domain=[0, 1], nice=False), alt.Scale(domain=[1, 0], nice=False))
    where: dict[str, Any] = {
        "x": alt.X("x:Q", scale=x, axis=_labels(names, "output label", -45)),
        "x2": "x2:Q",
        "y": alt.Y("y:Q", scale=y, axis=_labels(names, "input label", 0)),
        "y2": "y2:Q",
    }
    ground = alt.Chart(pl.DataFrame({"url": [url], "x": [0.0], "y": [0.0], "x2": [1.0], "y2": [1.0]}))
    layers: list[Any] = [ground.mark_image(aspect=False).encode(url="url:N", **where)]
    if frames:
        boxes = pl.DataFrame({"x": [a for a, _ in frames], "x2": [b for _, b in frames]})
        boxes = boxes.with_columns(y=pl.col("x"), y2=pl.col("x2"))
        mark = alt.Chart(boxes).mark_rect(fillOpacity=0, stroke=_BOX, strokeWidth=1.5 if names is None else 2.5)
        layers.append(mark.encode(**where))
    heading = alt.Title(title, fontSize=12, fontWeight="normal", anchor="start")
    return alt.layer(*layers).properties(width=_PANEL, height=_PANEL, title=heading)


def _labels(names: list[str] | None, title: str, angle: int) -> alt.Axis:
    if names is None:
        return alt.Axis(title=title, labels=False, ticks=False, grid=False, values=[])
    step = 1 / len(names)
    middles = [(k + 0.5) * step for k in range(len(names))]
    shown = [name if len(name) <= 16 else name[:15] + "…" for name in names]
    listed = "[" + ",".join(_quoted(name) for name in shown) + "]"
    return alt.Axis(
        title=None,
        values=middles,
        grid=False,
        labelAngle=angle,
        labelOverlap=False,
        labelFontSize=10,
        labelExpr=f"{listed}[floor(datum.value * {len(names)})]",
    )


def _quoted(text: str) -> str:
    """A string of a Vega expression, every character but letters and digits by its code: nothing in it is code."""
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[k : k + 2], "big") for k in range(0, len(units), 2))
    return "'" + "".join(chr(c) if chr(c).isascii() and chr(c).isalnum() else f"\\u{c:04x}" for c in codes) + "'"


def error_by_labels(points: pl.DataFrame, curves: list[tuple[str, Fit]], residuals_of: str, n_most: int) -> Picture:
    """Figures 3-5. points: columns source, K, error, sample; curves: each fit with its source; below, the residuals of
    the fits of one source."""
    sources = points["source"].unique(maintain_order=True).to_list()
    colours = [_PAPER if source == "paper" else PLAIN for source in sources]
    colour = alt.Color("source:N", title=None, sort=sources, scale=alt.Scale(domain=sources, range=colours))
    shape = alt.Shape(
        "source:N",
        title=None,
        sort=sources,
        scale=alt.Scale(domain=sources, range=["diamond" if source == "paper" else "circle" for source in sources]),
    )
    x = alt.X("K:Q", title="number of labels K", scale=alt.Scale(domain=[0, n_most * 1.04], nice=False))
    top = 1.08 * max(0.01, *points["error"])  # a logarithm goes below zero; errors do not
    y = alt.Y("error:Q", title="test error", scale=alt.Scale(domain=[0, top], nice=False))
    at = np.linspace(1, n_most, 120)
    lines = pl.concat(
        [pl.DataFrame({"K": at, "error": fit(at)}).with_columns(source=pl.lit(source), fit=pl.lit(fit.kind))
         for source, fit in curves]
        or [pl.DataFrame(schema={"K": pl.Float64, "error": pl.Float64, "source": pl.String, "fit": pl.String})]
    )  # fmt: skip
    kinds = [kind for kind in _KINDS if kind in lines["fit"].to_list()]
    dashes = alt.Scale(domain=kinds, range=[_DASHES[_KINDS.index(kind)] for kind in kinds])
    dash = alt.StrokeDash(
        "fit:N",
        title=None,
        sort=kinds,
        scale=dashes,
        legend=alt.Legend(symbolType="stroke", symbolSize=300, symbolStrokeColor=NEUTRAL, symbolStrokeWidth=2)
        if kinds
        else None,
    )
    dots = alt.Chart(points).encode(x=x, y=y, color=colour, shape=shape, tooltip=["source:N", "K:Q", "error:Q"])
    main = alt.layer(
        alt.Chart(lines).mark_line(strokeWidth=1.6, clip=True).encode(x=x, y=y, color=colour, strokeDash=dash),
        dots.transform_filter("datum.source !== 'paper'").mark_point(filled=True, size=40, opacity=0.75),
        dots.transform_filter("datum.source === 'paper'").mark_point(filled=False, size=80, strokeWidth=2, opacity=1),
    ).properties(width=470, height=250)
    left_over = [fit for source, fit in curves if source == residuals_of and fit.n_labels > 2]
    left = _residuals(points, left_over, residuals_of)
    if left.is_empty():
        return main
    of_source = _PAPER if residuals_of == "paper" else PLAIN
    below = (
        alt.Chart(left)
        .mark_line(point=alt.OverlayMarkDef(size=26, color=of_source), strokeWidth=1.2, color=of_source)
        .encode(
            x=x,
            y=alt.Y("residual:Q", title="error - fit", axis=alt.Axis(tickCount=4, format="+.2~g")),
            strokeDash=alt.StrokeDash("fit:N", sort=kinds, scale=dashes, legend=None),
        )
        .properties(width=470, height=90)
    )
    zero = alt.Chart(pl.DataFrame({"y": [0.0]})).mark_rule(color=NEUTRAL, strokeWidth=1).encode(y="y:Q")
    return alt.vconcat(main, alt.layer(zero, below), spacing=8)  # type: ignore[return-value]


def _residuals(points: pl.DataFrame, fits: list[Fit], source: str) -> pl.DataFrame:
    """Means over the samples of each K, so that a line can join them."""
    own = points.filter(source=source).select("K", "error")
    found = [
        own.with_columns(residual=pl.Series(own["error"].to_numpy() - fit(own["K"].to_numpy())), fit=pl.lit(fit.kind))
        for fit in fits
    ]
    if not found:
        return pl.DataFrame()
    return pl.concat(found).group_by("fit", "K", maintain_order=True).agg(pl.col("residual").mean()).sort("fit", "K")
