"""The live matrix: a threshold that re-clusters a filter, and its layer, while it is dragged.

`matrix.js` measures and draws, free of Streamlit; `pack` makes the bytes that it reads; `component` puts both on a
Streamlit page.
"""

from explorer.matrix.component import live_matrix
from explorer.matrix.pack import LIVE_ELEMENTS, Average, LayerData, is_live

__all__ = ["LIVE_ELEMENTS", "Average", "LayerData", "is_live", "live_matrix"]
