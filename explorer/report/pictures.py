"""altair -> SVG for a file, SVG for the page, and PNG. Only this module needs vl-convert (the extra [report])."""

import importlib.util
import io
import re
from typing import Any

import altair as alt

from explorer.charts.layer import Picture

_INK, _GRID, _GROUND = "#16181d", "#dfe1e4", "#fffffe"  # as no mark has them, so that the page can put its own in place
_GREY = "#7b7f87"  # 4 to 1 against white, and against a dark notebook
_SCALE = 3  # pixels of a PNG a unit of the SVG


def can_draw() -> bool:
    return importlib.util.find_spec("vl_convert") is not None


def svg(picture: Picture) -> str:
    """On white, for a file. Raises ImportError without vl-convert."""
    text = {"labelColor": _INK, "titleColor": _INK}
    axis = text | {"domainColor": _INK, "tickColor": _INK, "gridColor": _GRID, "titleFontWeight": "normal"}
    looks: dict[str, Any] = {"background": _GROUND, "font": "sans-serif", "view": {"stroke": None}}
    config = alt.Config(aria=False, axis=axis, legend=text, title={"color": _INK}, **looks)
    themed = picture.properties(config=config)
    drawn = io.StringIO()
    with alt.data_transformers.enable("default", max_rows=None):
        themed.save(drawn, format="svg")
    return drawn.getvalue()


def png(drawn: str, scale: float = _SCALE) -> bytes:
    import vl_convert

    data: bytes = vl_convert.svg_to_png(drawn, scale=scale)
    return data


def on_anything(drawn: str) -> str:
    """The same without a ground, in a grey that is read on white and on black: for who cannot know what is behind."""
    return (
        drawn.replace(f'"{_GROUND}"', '"none"').replace(f'"{_INK}"', f'"{_GREY}"').replace(f'"{_GRID}"', f'"{_GREY}40"')
    )


def on_page(drawn: str, key: str) -> str:
    """The same in the page's own colours, light or dark, with names that no other picture on the page has; for who does
    not see it one picture, named by the heading above it, and not hundreds of points."""
    drawn = drawn.replace("<svg ", f'<svg role="img" aria-labelledby="figure-{key}" ', 1)
    drawn = re.sub(r'\bid="([^"]+)"', rf'id="figure-{key}-\1"', drawn)
    drawn = re.sub(r"url\(#", f"url(#figure-{key}-", drawn)
    drawn = drawn.replace(f'"{_GROUND}"', '"none"').replace(f'"{_INK}"', '"currentColor"')
    return drawn.replace(f'stroke="{_GRID}"', 'stroke="currentColor" stroke-opacity="0.14"')
