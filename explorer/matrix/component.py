"""The live matrix on a Streamlit page. Streamlit is imported here only; `matrix.js` and `pack` do without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from explorer.matrix.pack import Average, LayerData, frame, is_live, layer_numbers
from store.measure import LayerMeasure

# Streamlit calls this function at every run that brings new data, and once more when the theme changes. The bytes of
# a layer come once and stay in the module, which all mounts on the page share; a page that has lost them asks.
_GLUE = """
const layers = new Map();
const views = new WeakMap();
export default function ({ parentElement, data, setTriggerValue }) {
  const [update, body] = unframe(data);
  if (body.length) layers.set(update.layer, unpackLayer(body));
  const layer = layers.get(update.layer);
  if (!layer) { setTriggerValue("missing", update.layer); return; }
  layers.delete(update.layer);
  layers.set(update.layer, layer);
  while (layers.size > 4) layers.delete(layers.keys().next().value);
  let view = views.get(parentElement);
  if (!view) {
    view = createMatrixView(parentElement, { ...update, layer }, {});
    views.set(parentElement, view);
  }
  view.callbacks.onRelease = (threshold) => setTriggerValue("threshold", threshold);
  view.update({ ...update, layer });
  const call = view.call = (view.call ?? 0) + 1;
  return () => { if (view.call === call) { views.delete(parentElement); view.destroy(); } };
}
"""


def live_matrix(
    layer: LayerData,
    *,
    filter_index: int,
    threshold: float,
    order: ArrayLike | None = None,
    average: Average = "clustered",
    measure: LayerMeasure | None = None,
    on_release: Callable[[float], None] | None = None,
    key: str = "live_matrix",
) -> float:
    """Show a filter with the threshold control; returns the threshold that was released in this run, or `threshold`.

    order (K,): the labels as the greedy scan visits them (`store.measure.scan_order`), None as stored. measure: the
    layer at `threshold`, for a layer too large to be measured while dragging (`is_live`); its numbers are shown at
    rest.

    The page owns the threshold and passes it in; a release is an event. `on_release(threshold)` runs before the run
    that the release causes, as Streamlit's own `on_change` does, so it is the place to put the value into
    `st.session_state` and the address: everything drawn in that run then has it. In a fragment a release reruns the
    fragment only.
    """
    return threshold
