"""The live matrix on a Streamlit page. Streamlit is imported here only; the JavaScript and `pack` do without."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from explorer.matrix.pack import Average, LayerData, frame, layer_numbers
from explorer.matrix.script import joined
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import LayerMeasure

_LAYERS_KEPT = 4  # in the browser: a layer may take 24 MB

# Streamlit calls the default export with whatever a run brings, and again when the theme changes; what it returned
# earlier it calls when the element goes. All mounts of a page share the module, and so its memory of layers.
_GLUE = """
const layers = new Map(); // the layers used last, by key
const views = new WeakMap();
export default function ({ parentElement, data, setTriggerValue }) {
  const [update, message] = unframe(data);
  const layer = message.length ? unpackLayer(message) : layers.get(update.layer);
  if (!layer) {
    setTriggerValue("missing", update.layer);
    return undefined;
  }
  layers.delete(update.layer);
  layers.set(update.layer, layer);
  if (layers.size > LAYERS_KEPT) layers.delete(layers.keys().next().value);
  const state = { ...update, layer };
  let view = views.get(parentElement);
  if (view) view.update(state);
  else views.set(parentElement, (view = createMatrixView(parentElement, state)));
  view.callbacks.onRelease = (threshold) => setTriggerValue("threshold", threshold);
  const call = (view.call = (view.call ?? 0) + 1);
  return () => {
    if (view.call !== call) return; // a later call has the view
    views.delete(parentElement);
    view.destroy();
  };
}
"""

JAVASCRIPT = joined() + _GLUE.replace("LAYERS_KEPT", str(_LAYERS_KEPT))
Sample = dict[str, Any]
Strip = dict[str, Any]

_mount = st.components.v2.component("filterscope_live_matrix", js=JAVASCRIPT)


def live_matrix(
    layer: LayerData,
    *,
    filter_index: int,
    threshold: float,
    order: ArrayLike | None = None,
    average: Average = "clustered",
    gauge: Gauge = AS_TRAINED,
    measure: LayerMeasure | None = None,
    sample: Sample | None = None,
    strip: Strip | None = None,
    on_release: Callable[[float], None] | None = None,
    is_brief: bool = False,
    peak: float | None = None,
    key: str = "live_matrix",
) -> float:
    """Show a filter with the threshold control; returns the threshold that was released in this run, or `threshold`.

    order (K,): the labels as the greedy scan visits them (`store.scan_order`), None as stored. gauge: the browser takes
    it from the same bytes. measure: the layer at `threshold` in this gauge, for a layer too large to be measured while
    dragging (`is_live`); its numbers are shown at rest. sample: what `sample_of` gives for the filter; its unsure
    clusters are then dashed. strip: the test images that drive the filter (`explorer.data.images`). is_brief: the
    panels and the clusters alone, without the numbers of the layer. peak: where the axis of the labels ends at least,
    for two layers on one scale.

    The page owns the threshold and passes it in; a release is an event. `on_release(threshold)` runs before the run
    that the release causes, as Streamlit's own `on_change` does, so it is the place to put the value into
    `st.session_state` and the address: everything drawn in that run then has it. In a fragment a release reruns the
    fragment only.
    """
    if layer.filter_index not in (None, filter_index):
        raise ValueError(f"filter_index: {filter_index}, but `layer` holds filter {layer.filter_index} alone")

    def tell() -> None:
        released = st.session_state[key].get("threshold")
        if released is not None and on_release is not None:
            on_release(float(released))

    events = st.session_state.get(key) or {}  # of this run, before the component is mounted in it
    if events.get("threshold") is not None:
        threshold = float(events["threshold"])
    update = {
        "layer": layer.key,
        "filter": filter_index,
        "threshold": threshold,
        "released": events.get("threshold"),
        "order": None if order is None else np.asarray(order).tolist(),
        "average": average,
        "gauge": gauge,
        "sample": sample,
        "strip": strip,
        "brief": is_brief,
        "peak": peak,
        "measure": None if measure is None or layer.is_whole else layer_numbers(measure),
    }
    # A layer's bytes go out when a session first shows it, and again when the browser says that it has them no more:
    # Streamlit would serialise and hash 20 MB in every run otherwise.
    sent: list[str] = st.session_state.setdefault(f"{key}: layers sent", [])
    is_known = layer.key in sent and events.get("missing") != layer.key
    sent[:] = [*(other for other in sent if other != layer.key), layer.key][-_LAYERS_KEPT:]
    _mount(
        key=key,
        data=frame(update, b"" if is_known else layer.message),
        on_threshold_change=tell,
        on_missing_change=lambda: None,
    )
    return threshold
