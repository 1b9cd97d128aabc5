"""Results on disk, and what they mean. What people type stands here, whichever room it lives in:

>>> from store import Run  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.file.read import Layer, Run
    from store.measure.afcc import afcc_mask, silencing_order, to_blocks, what_if
    from store.measure.fields import Fields
    from store.measure.layer import LayerMeasure, estimates, measure_factored, measure_layer, permutation, scan_order
    from store.measure.nulls import rotated
    from store.measure.scaling import fits
    from store.paper.claims import judge
    from store.paper.records import run_record
    from store.tables.layers import table

__all__ = [
    "Fields",
    "Layer",
    "LayerMeasure",
    "Run",
    "afcc_mask",
    "estimates",
    "fits",
    "judge",
    "measure_factored",
    "measure_layer",
    "permutation",
    "rotated",
    "run_record",
    "scan_order",
    "silencing_order",
    "table",
    "to_blocks",
    "what_if",
]  # fmt: skip

_ROOMS = {
    "store.file.read": ("Layer", "Run"),
    "store.measure.fields": ("Fields",),
    "store.measure.afcc": ("afcc_mask", "to_blocks", "silencing_order", "what_if"),
    "store.measure.layer": (
        "LayerMeasure", "estimates", "measure_factored", "measure_layer", "permutation", "scan_order",
    ),
    "store.measure.nulls": ("rotated",),
    "store.measure.scaling": ("fits",),
    "store.paper.claims": ("judge",),
    "store.paper.records": ("run_record",),
    "store.tables.layers": ("table",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: loading numba takes longer than `python -m store --help`."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
