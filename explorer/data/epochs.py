"""A run's layers at every epoch of its file, measured once for a threshold, scan order and gauge; and their films."""

import streamlit as st

from explorer.data.load import open_run
from explorer.data.source import FileId
from explorer.frames.epochs import Measures
from explorer.matrix.film import FilmData
from store.measure.gauge import Gauge
from store.measure.layer import ScanOrder, scan_order


@st.cache_resource(max_entries=4, show_spinner=False)
def measures(file: FileId, threshold: float, order: ScanOrder, gauge: Gauge) -> Measures:
    """By epoch and layer."""
    run = open_run(file)
    return {
        (epoch, name): layer.measure(threshold, scan_order(order, run.n_labels), gauge)
        for epoch in run.epochs
        for name, layer in run.at_epoch(epoch).layers.items()
    }


@st.cache_resource(max_entries=3, show_spinner=False)
def film_data(file: FileId, layer: str) -> FilmData:
    return FilmData.of(open_run(file), layer)
