"""Everything of a file that is kept between runs of a page.

A file is known by its path and by what the system says of it (time, size, inode), so a file that a running job has
replaced is another file, and what was kept of the old one goes unused. Every cache is bounded.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.cache import LRUCache
from explorer.data.source import ADDRESSES, FileId, SourceError
from explorer.matrix import LayerData, is_live
from store import guard
from store.file import format as fmt
from store.file.read import Layer, Run
from store.file.write import stores_fields
from store.measure.fields import Fields
from store.measure.gauge import Gauge
from store.measure.layer import LayerMeasure, ScanOrder, scan_order
from store.measure.summary import THRESHOLDS, Summary, summary

_MAX_LAYER_BYTES = 2 << 30  # of class means, weights and fields: what a page may take of a server's memory


@dataclass(frozen=True, eq=False)
class Loaded:
    """One layer in memory, in a gauge: its matrices where they are small, else class means and probe weights."""

    layer: Layer
    counts: NDArray[np.int64]  # (K,): test inputs a label
    fields: Fields

    def measure(self, threshold: float, order: ScanOrder) -> LayerMeasure:
        return self.fields.measure(threshold, scan_order(order, self.layer.n_labels), self.counts)

    def in_gauge(self, gauge: Gauge) -> "Loaded":
        """The layer in another gauge, kept with this one, whose arrays it shares."""
        return self if gauge == self.fields.gauge else self._zero_sum

    @cached_property
    def _zero_sum(self) -> "Loaded":
        return replace(self, fields=self.fields.in_gauge("zero-sum"))

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        """(N_f,): each filter's sum of squared fields."""
        return self.fields.squares()

    @property
    def is_quick(self) -> bool:
        """Whether measuring it takes a few milliseconds, so that a sweep needs no asking."""
        return self.fields.is_dense


@st.cache_resource(max_entries=4, show_spinner=False)
def open_run(file: FileId) -> Run:
    """A file of this machine is opened in another process first. Raises FormatError, OSError."""
    if file.path in ADDRESSES:
        return Run(ADDRESSES[file.path])
    if refusal := _refusal(file):
        raise fmt.FormatError(refusal)
    return Run(file.path)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _refusal(file: FileId) -> str:
    """Why another process, which opens it first, refuses a file; "" where it does not. Kept: a file that takes all the
    time that it may is not to take it for each visitor."""
    try:
        guard.check(Path(file.path))
    except fmt.FormatError as error:
        return str(error)
    return ""


def loaded(file: FileId, layer_name: str, gauge: Gauge) -> Loaded:
    """Raises FormatError, OSError, and SourceError for a layer that is too large for this explorer."""
    return _as_trained(file, layer_name).in_gauge(gauge)


@st.cache_resource(max_entries=6, show_spinner=False)
def _as_trained(file: FileId, layer_name: str) -> Loaded:
    run = open_run(file)
    layer = run.layers[layer_name]
    if layer.n_elements * 4 > _MAX_LAYER_BYTES:
        raise SourceError(
            f"layer {layer_name} is larger than {_MAX_LAYER_BYTES >> 30} GiB; measure it in Python instead"
        )
    fields = layer.fields()
    small = stores_fields(layer.n_filters, layer.n_labels)
    return Loaded(layer, run.test_inputs, fields.as_matrices() if small else fields)


def measured(file: FileId, layer_name: str, threshold: float, order: ScanOrder, gauge: Gauge) -> LayerMeasure:
    """A page needs one a layer and run at a time, of 20 kB or of 5 MB."""
    key = (file, layer_name, threshold, order, gauge)
    return MEASURES.get(key, lambda: loaded(file, layer_name, gauge).measure(threshold, order))


MEASURES: LRUCache[tuple[FileId, str, float, ScanOrder, Gauge], LayerMeasure] = LRUCache(
    100 << 20, lambda measured: measured.cluster_of.nbytes
)


@st.cache_data(max_entries=64, show_spinner=False)
def sweep(file: FileId, layer_name: str, order: ScanOrder, gauge: Gauge) -> list[Summary]:
    """The layer at each of THRESHOLDS."""
    layer = loaded(file, layer_name, gauge)
    return [summary(layer.measure(threshold, order)) for threshold in THRESHOLDS]


@st.cache_data(max_entries=4096, show_spinner=False)
def rank(file: FileId, layer_name: str, filter_index: int, gauge: Gauge) -> float:
    """Of one filter's fields; NaN where they are not finite."""
    return float(open_run(file).layers[layer_name].fields(filter_index, fewest_bytes=True, gauge=gauge).ranks()[0])


@st.cache_data(max_entries=4096, show_spinner=False)
def common_part(file: FileId, layer_name: str) -> float | None:
    """The share of the probe's weights that is common to all outputs; None where the file has none."""
    return open_run(file).layers[layer_name].common_part


@st.cache_resource(max_entries=4, show_spinner=False)
def live_layer(file: FileId, layer_name: str, filter_index: int | None) -> LayerData:
    """What the live matrix shows; `filter_index` only where a layer goes to the browser filter by filter."""
    return LayerData.of(open_run(file), layer_name, filter_index or 0)


def live_data(file: FileId, layer_name: str, filter_index: int) -> LayerData:
    layer = open_run(file).layers[layer_name]
    whole = is_live(layer.n_filters, layer.n_labels)
    return live_layer(file, layer_name, None if whole else filter_index)
