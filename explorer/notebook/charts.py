"""How the layers of a run differ, as one drawing: vector graphics that any notebook shows, without a script."""

import base64
from typing import Any

import altair as alt

from explorer.charts.sample import of_depth
from explorer.frames import layer as frames
from explorer.frames.sample import depth_bars
from explorer.report.pictures import on_anything, png, svg
from explorer.state import View
from explorer.words import unit_of_all
from store.file.read import Run
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import THRESHOLD
from store.measure.summary import Average

_WIDTH, _HEIGHT = 340, 200  # of each of the four


class Drawing:
    """An SVG. `drawing.svg` is its text; a notebook shows it, or, where it trusts no SVG, the same as PNG."""

    def __init__(self, drawn: str, about: str) -> None:
        self.svg, self._about = drawn, about

    def __repr__(self) -> str:
        return self._about

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        picture = base64.b64encode(png(self.svg, scale=1)).decode()
        return {"image/svg+xml": self.svg, "image/png": picture, "text/plain": self._about}


def depth(
    run: Run, *, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED, average: Average = "clustered"
) -> Drawing:
    """Accuracy, noise n, clusters N_c of C_s labels, signal and noises of each layer, from input to output.

    Dashed and hollow: the paper's, where it has this network and data. Bars: one standard error each way, where the
    file has them. Raises ValueError, FormatError.
    """
    if not run.layers:
        raise ValueError(f"{run.place} has no layer yet")
    view = View(threshold=threshold, gauge=gauge, average=average)
    measures = {name: layer.measure(threshold, gauge=gauge) for name, layer in run.layers.items()}
    frame = frames.depth(run, measures, average)
    unit = unit_of_all(run.layers.values())
    pictures: list[Any] = [
        picture.properties(width=_WIDTH, height=_HEIGHT)
        for picture, _, _ in of_depth(frame, depth_bars(run, measures, view), unit)
    ]
    rows: list[Any] = [alt.hconcat(*pictures[k : k + 2]).resolve_scale(color="independent") for k in (0, 2)]
    drawn: Any = alt.vconcat(*rows).resolve_scale(color="independent")
    about = f"Layers {', '.join(run.layers)} at threshold {threshold:g}, from input to output"
    return Drawing(on_anything(svg(drawn)), about)
