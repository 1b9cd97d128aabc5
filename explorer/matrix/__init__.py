"""The live matrix: a threshold that re-clusters a filter, and its layer, while it is dragged.

`measure.js` measures; `paint.js`, `page.js` and `matrix.js` draw, free of Streamlit; `script` makes them one text, and
`pack` the bytes that they read; `component` puts both on a Streamlit page. Streamlit is imported when `live_matrix` is
asked for: a page that is exported does without.
"""

from typing import TYPE_CHECKING, Any

from explorer.matrix.pack import LIVE_ELEMENTS, Average, LayerData, is_live

if TYPE_CHECKING:
    from explorer.matrix.component import live_matrix

__all__ = ["LIVE_ELEMENTS", "Average", "LayerData", "is_live", "live_matrix"]


def __getattr__(name: str) -> Any:
    if name == "live_matrix":
        from explorer.matrix.component import live_matrix

        return live_matrix
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
