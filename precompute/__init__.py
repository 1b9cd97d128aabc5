"""From images, or activations, to a file of field matrices. What people call from Python stands here:

>>> from precompute import measure, measure_activations  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from precompute.in_memory import measure
    from precompute.measuring import ProbeOptions, measure_activations

__all__ = ["ProbeOptions", "measure", "measure_activations"]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: torch takes longer than `python -m precompute --help`."""
    if name == "measure":
        from precompute.in_memory import measure

        return measure
    if name in __all__:
        from precompute import measuring

        return getattr(measuring, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
