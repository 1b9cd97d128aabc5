"""One layer as the bytes that `measure.js` reads, in a page of ours or in an exported one."""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.words import unit_of
from store.file.read import Run
from store.file.sample_results import ClusterShares
from store.measure.layer import LayerMeasure

LIVE_ELEMENTS = 6_000_000  # a browser measures a layer of at most this many field elements while the threshold moves

Average = Literal["clustered", "all"]  # layer means of N_c and n: over filters with a cluster (the paper's), or all


def is_live(n_filters: int, n_labels: int) -> bool:
    """Whether the browser gets the whole layer; of a larger one it gets the filter that is shown."""
    return n_filters * n_labels * n_labels <= LIVE_ELEMENTS


@dataclass(frozen=True, eq=False)
class LayerData:
    """What the browser needs of a layer, or of one filter of a large layer; make it with `of` or `pack`."""

    key: str  # of the content: two with the same key hold the same bytes
    n_filters: int  # of the layer
    n_labels: int
    filter_index: int | None  # the only filter in `message`; None: it holds all of them
    message: bytes

    @property
    def is_whole(self) -> bool:
        """Whether the browser measures the layer while the threshold moves."""
        return is_live(self.n_filters, self.n_labels) and self.filter_index is None

    @classmethod
    def of(cls, run: Run, layer: str, filter_index: int) -> Self:
        """Read what is needed from a run's file, as trained; class means and weights where they are fewer bytes.

        Worth caching: by (file, layer), and where `is_live` says no, by the filter too.
        """
        source = run.layers[layer]
        only = None if is_live(source.n_filters, source.n_labels) else filter_index
        return cls.pack(
            source.fields(only, fewest_bytes=True).arrays,
            layer,
            run.label_names,
            run.superclasses,
            run.test_inputs,
            n_filters=source.n_filters,
            only=only,
            unit=unit_of(source),
        )

    @classmethod
    def pack(
        cls,
        arrays: Sequence[NDArray[np.float32]],
        layer: str,
        label_names: Sequence[str],
        superclasses: Sequence[str] = (),
        counts: ArrayLike | None = None,
        *,
        n_filters: int | None = None,
        only: int | None = None,
        unit: str = "filter",
    ) -> Self:
        """Pack fields (N_f, K, K), or class means and probe weights (N_f, K, S).

        only: they hold this one filter. unit: the word for a filter of this layer.
        """
        arrays = [np.ascontiguousarray(array, np.dtype("<f4")) for array in arrays]
        held, n_labels, width = arrays[0].shape
        dense = len(arrays) == 1
        if any(array.shape != arrays[0].shape for array in arrays) or (dense and width != n_labels):
            raise ValueError(f"arrays: expected fields or two factors, got shapes {[array.shape for array in arrays]}")
        if len(label_names) != n_labels or (only is not None and held != 1):
            raise ValueError(f"{len(label_names)} label names, filter {only}: do not fit arrays of {arrays[0].shape}")
        header = {
            "layer": layer,
            "unit": unit,
            "filters": held if n_filters is None else n_filters,
            "held": held,
            "first": only or 0,
            "live": only is None and is_live(held, n_labels),
            "labels": n_labels,
            "positions": 0 if dense else width,
            "names": list(label_names),
            "superclasses": list(superclasses),
            "counts": None if counts is None else np.asarray(counts).tolist(),
        }
        message = frame(header, *(array.tobytes() for array in arrays))
        key = hashlib.blake2b(message, digest_size=16).hexdigest()
        return cls(key, header["filters"], n_labels, only, message)


def layer_numbers(measure: LayerMeasure) -> dict[str, Any]:
    """What the browser shows of a layer that it does not measure itself."""
    return {
        "clustered": [measure.mean_clusters, measure.mean_cluster_size, measure.mean_noise],
        "all": [measure.mean_clusters_all, measure.mean_cluster_size_all, measure.mean_noise_all],
        "clusters": int(measure.cluster_sizes.size),
        "silent": int(measure.silent.sum()),
        "signal": measure.signal.tolist(),
        "noise_internal": measure.noise_internal.tolist(),
        "noise_external": measure.noise_external.tolist(),
    }


def sample_of(clusters: ClusterShares, measured: LayerMeasure, filter_index: int) -> dict[str, Any] | None:
    """A filter's clusters, their labels joined by commas, with the share of the resamples in which they are found.

    measured: at the threshold of `clusters`, in their scan order and gauge. None where the two do not fit.
    """
    if clusters.threshold != measured.threshold or len(clusters.share) != measured.cluster_sizes.size:
        return None
    start = int(measured.n_clusters[:filter_index].sum())
    of = measured.cluster_of[filter_index]
    found = [
        [",".join(map(str, np.flatnonzero(of == cluster))), float(clusters.share[start + cluster])]
        for cluster in range(int(measured.n_clusters[filter_index]))
    ]
    return {"threshold": clusters.threshold, "clusters": found}


def frame(header: Mapping[str, Any], *parts: bytes) -> bytes:
    """Length of the header (uint32, little-endian), the header as JSON padded to a multiple of 8 bytes, the parts."""
    text = json.dumps(jsonable(header), allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return b"".join((struct.pack("<I", len(text)), text, *parts))


def jsonable(value: Any) -> Any:
    """NaN, which JSON does not have, as null."""
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
