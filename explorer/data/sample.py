"""What is known of a layer's sample: what the file says, or resamples drawn here of its test features, kept."""

from explorer.data import load
from explorer.data.cache import LRUCache
from explorer.data.source import FileId
from explorer.state import View
from store.file.read import Layer
from store.file.sample_results import ClusterShares, SampleResults, of_layer, to_record
from store.measure.bootstrap import affordable
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.layer import ScanOrder, scan_order

SEED = 0
_Key = tuple[FileId, str, float, ScanOrder, Gauge]
_RESAMPLED: LRUCache[_Key, SampleResults | None] = LRUCache(64, lambda _: 1)


def can_resample(layer: Layer) -> bool:
    """Whether the file has the layer's activations of each test input."""
    return layer.has_test_features


def resamples(layer: Layer) -> int:
    """How many are drawn: fewer where there are many labels."""
    return affordable(layer.n_filters, layer.n_labels, layer.positions)


def resampled(file: FileId, view: View) -> SampleResults | None:
    """Drawn at the threshold, in the scan order and in the gauge of the view; None where the file has no activations.

    Takes up to seconds; every page knows it from then on. Raises FormatError, OSError.
    """

    def draw() -> SampleResults | None:
        layer = load.open_run(file).layers[view.layer]
        order = scan_order(view.order, layer.n_labels)
        found = layer.bootstrap(view.threshold, order, resamples(layer), SEED, view.gauge)
        return None if found is None else of_layer({"sample": to_record(found, SEED, None)})

    return _RESAMPLED.get(_key(file, view), draw)


def is_resampled(file: FileId, view: View) -> bool:
    return _RESAMPLED.has(_key(file, view))


def clusters(file: FileId, view: View) -> ClusterShares | None:
    """How sure the layer's clusters are: of the view where that was resampled, else as recorded, which is at 0.3.

    The record is of labels scanned as stored, and of fields as trained.
    """
    if is_resampled(file, view):
        found = resampled(file, view)
    else:
        as_recorded = view.order == "stored" and view.gauge == AS_TRAINED
        found = of_layer(load.open_run(file).layers[view.layer].record) if as_recorded else None
    return None if found is None else found.clusters


def _key(file: FileId, view: View) -> _Key:
    return file, view.layer, view.threshold, view.order, view.gauge
