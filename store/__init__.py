"""Results on disk, and what they mean: the file format, lazy reading, and the measurement of field matrices."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.measure import LayerMeasure, estimates, measure_factored, measure_layer, permutation, scan_order

__all__ = ["LayerMeasure", "estimates", "measure_factored", "measure_layer", "permutation", "scan_order"]


def __getattr__(name: str) -> Any:
    """The measurement is imported when it is asked for: loading numba takes longer than `python -m store --help`."""
    if name in __all__:
        from store import measure

        return getattr(measure, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
