"""Words that depend on the file or the view, alike on every page."""

from collections.abc import Iterable

from store.file.manifest import mapping
from store.file.read import Layer, Run
from store.measure.summary import Average

_UNITS = ("filter", "node", "head")  # as `precompute` names what a field matrix is of


def unit_of(layer: Layer) -> str:
    """What a layer is made of; "unit" where the file says something else, which may be anything."""
    said = layer.record.get("unit", "filter")
    return said if isinstance(said, str) and said in _UNITS else "unit"


def unit_of_all(layers: Iterable[Layer]) -> str:
    """The same of several layers; "unit" where they differ."""
    found = set(map(unit_of, layers))
    return found.pop() if len(found) == 1 else "unit"


def averaged(average: Average, unit: str) -> str:
    """Over what means of n and N_c are."""
    return f"all {unit}s" if average == "all" else f"{unit}s with clusters"


def not_the_papers(run: Run) -> str:
    """What to say wherever a recipe is not the paper's, "" where it is; holds words of the file."""
    recipe = mapping(run.manifest.get("recipe"))
    if recipe.get("is_paper") is True:
        return ""
    name, departures = recipe.get("name", "unknown"), recipe.get("departures")
    changed = " with " + "; ".join(map(str, departures)) if isinstance(departures, list) and departures else ""
    return f"Not the paper's recipe, but {'that' if name == 'paper' else f'the {name} one'}{changed}."


def positions(layer: Layer) -> str:
    """What a field is a sum over."""
    return "the one position" if layer.positions == 1 else f"the {layer.positions} positions"
