"""How a notebook shows a run and a layer."""

from importlib import import_module


def as_html(function: str, *shown: object) -> str:
    """What a function of `store.tables.html` makes of them: of a room above this one, so it is found by name, when a
    notebook asks."""
    made: str = getattr(import_module("store.tables.html"), function)(*shown)
    return made
