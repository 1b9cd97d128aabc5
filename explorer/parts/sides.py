"""The two layers that Compare sets side by side, and what each is."""

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl
import streamlit as st

from explorer.data import load
from explorer.data.load import Loaded
from explorer.data.source import FileId
from explorer.frames import layer as frames
from explorer.parts import controls, page, text
from explorer.state import View, default_layer
from store.file.read import Layer, Run
from store.measure.layer import LayerMeasure


@dataclass(frozen=True)
class Side:
    letter: str
    file: FileId
    run: Run
    layer: Layer

    @property
    def title(self) -> str:
        return f"{self.letter}: {text.run_title(self.run)}, layer {self.layer.name}"

    def measured(self, view: View) -> LayerMeasure:
        return load.measured(self.file, self.layer.name, view.threshold, view.order, view.gauge)

    def loaded(self, view: View) -> Loaded:
        return load.loaded(self.file, self.layer.name, view.gauge)

    @property
    def filter_name(self) -> Literal["filter", "filter_b"]:
        """Where the view has the number of the filter that is shown."""
        return "filter" if self.letter == "A" else "filter_b"

    def labels(self, view: View) -> pl.DataFrame:
        return frames.labels(self.run, self.measured(view))


def choose() -> tuple[Side, Side]:
    """A from the sidebar; B from its own two boxes, and where they are untouched the other of the best two layers."""
    file, run = page.opened()
    files: dict[str, FileId] = {entry.name: entry for entry in st.session_state["files"]}
    view = page.view()
    store_b = view.store_b if view.store_b in files else file.name
    left, right = st.columns(2)
    with left:  # before it is opened: where that fails, another can be chosen
        controls.choose_other("Run B", "store_b", list(files), store_b, lambda name: name.removesuffix(".h5"))
    run_b = load.open_run(files[store_b])
    if not run_b.layers:
        st.info("Run B has no layer yet, so B is of the run of A.")
        store_b, run_b = file.name, run
    layer_b = view.layer_b
    if layer_b not in run_b.layers:
        others = [name for name in run_b.layers if store_b != file.name or name != view.layer]
        same = view.layer if store_b != file.name and view.layer in run_b.layers else None
        layer_b = same or (others[-1] if others else default_layer(run_b).name)
    filter_b = min(view.filter_b, run_b.layers[layer_b].n_filters - 1)
    page.show_at(replace(view, store_b=store_b if store_b != file.name else "", layer_b=layer_b, filter_b=filter_b))
    with right:
        controls.choose_other("Layer B", "layer_b", list(run_b.layers), layer_b)
    return Side("A", file, run, run.layers[view.layer]), Side("B", files[store_b], run_b, run_b.layers[layer_b])


def now() -> tuple[Side, Side]:
    """The sides that `choose` has settled."""
    file, run = page.opened()
    view = page.view()
    files: dict[str, FileId] = {entry.name: entry for entry in st.session_state["files"]}
    file_b = files.get(view.store_b, file)
    run_b = load.open_run(file_b)
    return Side("A", file, run, run.layers[view.layer]), Side("B", file_b, run_b, run_b.layers[view.layer_b])
