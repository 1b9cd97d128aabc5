"""The live matrix as a widget: its threshold, filter, gauge and crosshair are traits, read and set from Python.

The browser measures, with the JavaScript of the page; what Python says of the same is measured here, by the same
definitions. All that is drawn is in the widget's state, at most CELL bytes of it, so that it can be dragged in a saved
notebook without a kernel. The numbers are kept in memory: the run may be closed.
"""

from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

from explorer.frames.telling import like_the_papers
from explorer.matrix.pack import Average, LayerData, is_live, jsonable, layer_numbers, sample_of
from explorer.matrix.script import joined
from explorer.notebook.still import CELL, as_text, panels
from explorer.state import default_layer
from explorer.words import unit_of
from store.file.read import Layer, Run
from store.file.sample_results import of_layer
from store.measure.fields import Fields
from store.measure.gauge import AS_TRAINED, GAUGES, Gauge
from store.measure.layer import THRESHOLD, LayerMeasure, ScanOrder, measure_layer, scan_order

_FOLDER = Path(__file__).parent
_SCRIPT = joined(_FOLDER / "colours.js", _FOLDER / "live.js")
_BESIDE = len(_SCRIPT) + 150_000  # characters of a saved cell that are no fields: script, picture, names

Cluster = tuple[int, ...]  # labels, by their numbers, in order


def show(
    run: Run,
    layer: str | None = None,
    filter: int | None = None,
    *,
    threshold: float = THRESHOLD,
    gauge: Gauge = AS_TRAINED,
    order: ScanOrder = "stored",
    average: Average = "clustered",
) -> "LiveMatrix":
    """One filter of a layer as the paper's Figure 1, live, with the numbers of the whole layer.

    layer: by default the one where the probe is most accurate; filter: by default the one most like that of the paper's
    Figure 1. order: in which labels are scanned; average: filters that n and N_c are means over. Raises ValueError,
    TraitError, FormatError.
    """
    if not run.layers:
        raise ValueError(f"{run.place} has no layer yet")
    if layer is not None and layer not in run.layers:
        raise ValueError(f"{run.place} has no layer {layer!r}; it has {', '.join(run.layers)}")
    of = run.layers[layer] if layer is not None else default_layer(run)
    return LiveMatrix(run, of, filter, order, threshold=threshold, gauge=gauge, average=average)


class LiveMatrix(anywidget.AnyWidget):
    """Make it with `show`. Each trait can be read, set, observed and linked; `clusters` follows the others."""

    _esm = _SCRIPT

    threshold = traitlets.CFloat(THRESHOLD, min=0, max=1, help="fraction of the filter's maximum; set on release").tag(
        sync=True
    )
    filter = traitlets.CInt(0).tag(sync=True)
    gauge = traitlets.Enum(GAUGES, AS_TRAINED).tag(sync=True)
    average = traitlets.Enum(("clustered", "all"), "clustered").tag(sync=True)
    pointer: Any = traitlets.Tuple(
        traitlets.CInt(), traitlets.CInt(), default_value=None, allow_none=True,
        help="input and output label of the element under the crosshair, by their numbers; None: under none",
    ).tag(sync=True)  # fmt: skip
    clusters: Any = traitlets.Tuple(
        help="the clusters under the pointer, at most two: that of the input label and that of the output label; set, "
        "the crosshair goes to them",
    )  # fmt: skip

    _layer = traitlets.Bytes().tag(sync=True)  # LayerData.message
    _numbers = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)  # of a layer that is not in _layer
    _order = traitlets.List(traitlets.Int(), allow_none=True, default_value=None).tag(sync=True)
    _sure = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    def __init__(self, run: Run, layer: Layer, filter: int | None, order: ScanOrder, **traits: Any) -> None:
        self.layer = layer.name
        self.label_names = run.label_names
        self._fields = _fewest_bytes(layer)
        self._scan = scan_order(order, run.n_labels)
        self._counts = run.test_inputs
        self._about = (layer.name, run.label_names, run.superclasses, run.test_inputs)
        self._unit = unit_of(layer)
        if filter is None:
            filter = like_the_papers(self._fields.measure(THRESHOLD, self._scan)) or 0
        message, self.is_whole = self._fitting(filter)
        super().__init__(
            filter=filter,
            _layer=message,
            _order=None if order == "stored" else self._scan.tolist(),
            _sure=self._how_sure(layer) if order == "stored" else None,
            **traits,
        )
        self._follow_numbers()

    def __repr__(self) -> str:
        gauge = "" if self.gauge == AS_TRAINED else f", {self.gauge} gauge"
        return f"LiveMatrix(layer {self.layer}, {self._unit} {self.filter}, threshold {self.threshold:g}{gauge})"

    @property
    def measured(self) -> LayerMeasure:
        """The layer at the present threshold, in the present gauge."""
        return self._fields.in_gauge(self.gauge).measure(self.threshold, self._scan, self._counts)

    @property
    def field(self) -> NDArray[np.float32]:
        """The filter's matrix in the present gauge, (K, K): rows are input labels, columns output labels."""
        return self._fields.in_gauge(self.gauge).matrix(self.filter)

    @property
    def named_clusters(self) -> tuple[tuple[str, ...], ...]:
        """`clusters` by the names of their labels."""
        return tuple(tuple(self.label_names[label] for label in cluster) for cluster in self.clusters)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget; and, for who shows none (GitHub, a viewer without a kernel), a picture of it as it is now."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        return data | {"image/png": as_text(panels(self.field, self._of_filter(), 0))}, metadata

    # ---- What is in the state ---------------------------------------------------------------------------------------

    def _fitting(self, filter_index: int) -> tuple[bytes, bool]:
        """The layer where a saved cell has room for it, else this filter of it; and which it is."""
        n_filters, n_labels = len(self._fields), self._fields.n_labels
        room = (CELL - _BESIDE) * 3 // 4  # what is saved is base64
        if is_live(n_filters, n_labels) and sum(array.nbytes for array in self._fields.arrays) <= room:
            return self._packed(None), True
        message = self._packed(filter_index)
        if len(message) > room:
            raise ValueError(
                f"layer {self.layer}: the matrix of one {self._unit}, {n_labels} x {n_labels}, takes "
                f"{len(message) / 1e6:.1f} MB, too much for a cell of a notebook (at most {CELL / 1e6:g} MB as text). "
                "Look at it in the explorer: filterscope explore FILE"
            )
        return message, False

    def _packed(self, only: int | None) -> bytes:
        arrays = self._fields.arrays if only is None else [array[only : only + 1] for array in self._fields.arrays]
        return LayerData.pack(arrays, *self._about, n_filters=len(self._fields), only=only, unit=self._unit).message

    def _how_sure(self, layer: Layer) -> dict[str, Any] | None:
        """In how many resamples each cluster is found, as the file says; None where it does not."""
        found = of_layer(layer.record)
        if found is None or found.clusters is None:
            return None
        measured = self._fields.measure(found.clusters.threshold)
        samples = [sample_of(found.clusters, measured, f) for f in range(len(self._fields))]
        of = {str(f): sample["clusters"] for f, sample in enumerate(samples) if sample and sample["clusters"]}
        return {"threshold": found.clusters.threshold, "of": of} if of else None

    def _follow_numbers(self) -> None:
        if not self.is_whole:
            at = {"threshold": self.threshold, "gauge": self.gauge}
            self._numbers = jsonable(layer_numbers(self.measured) | at)

    # ---- Traits -----------------------------------------------------------------------------------------------------

    def _of_filter(self) -> LayerMeasure:
        return measure_layer(self.field[None], self.threshold, self._scan)

    @traitlets.validate("filter")
    def _has_filter(self, proposal: dict[str, Any]) -> int:
        last, wanted = len(self._fields) - 1, int(proposal["value"])
        if not 0 <= wanted <= last:
            raise traitlets.TraitError(f"layer {self.layer} has {self._unit}s 0 to {last}, not {wanted}")
        return wanted

    @traitlets.validate("pointer")
    def _has_labels(self, proposal: dict[str, Any]) -> tuple[int, int] | None:
        cell: tuple[int, int] | None = proposal["value"]
        last = len(self.label_names) - 1
        if cell is not None and not all(0 <= label <= last for label in cell):
            raise traitlets.TraitError(f"labels are 0 to {last}; there is no element {cell}")
        return cell

    @traitlets.validate("clusters")
    def _has_clusters(self, proposal: dict[str, Any]) -> tuple[Cluster, ...]:
        wanted = tuple(tuple(sorted(map(int, cluster))) for cluster in proposal["value"])
        found = _clusters(self._of_filter().cluster_of[0])
        if len(wanted) > 2 or not set(wanted) <= set(found):
            raise traitlets.TraitError(
                f"{self._unit} {self.filter} has at threshold {self.threshold:g} the clusters {found}; expected one or "
                f"two of them, or none, got {wanted}"
            )
        return wanted

    @traitlets.observe("threshold", "filter", "gauge")
    def _follow(self, change: dict[str, Any]) -> None:
        if change["name"] == "filter" and not self.is_whole:
            self._layer = self._packed(self.filter)
        if change["name"] != "filter":
            self._follow_numbers()
        self.clusters = self._under_pointer()

    @traitlets.observe("pointer")
    def _follow_pointer(self, _: dict[str, Any]) -> None:
        self.clusters = self._under_pointer()

    @traitlets.observe("clusters")
    def _follow_clusters(self, change: dict[str, Any]) -> None:
        wanted: tuple[Cluster, ...] = change["new"]
        if wanted != self._under_pointer():
            self.pointer = (wanted[0][0], wanted[-1][0]) if wanted else None

    def _under_pointer(self) -> tuple[Cluster, ...]:
        if self.pointer is None:
            return ()
        of = self._of_filter().cluster_of[0]
        numbers = dict.fromkeys(int(of[label]) for label in self.pointer if of[label] >= 0)
        return tuple(tuple(np.flatnonzero(of == number).tolist()) for number in numbers)


def _fewest_bytes(layer: Layer) -> Fields:
    """The layer's matrices, or class means and probe weights where they are fewer numbers."""
    fields = layer.fields(fewest_bytes=True)
    return fields.as_matrices() if not fields.is_dense and 2 * layer.positions > layer.n_labels else fields


def _clusters(cluster_of: NDArray[np.int32]) -> list[Cluster]:
    """(K,) -> the labels of each cluster, in the order found."""
    return [tuple(np.flatnonzero(cluster_of == number).tolist()) for number in range(int(cluster_of.max()) + 1)]
