"""Results in a notebook: Jupyter, VS Code, Colab, marimo. `pip install 'filterscope[notebook]'`.

>>> from explorer.notebook import depth, gallery, show  # doctest: +SKIP
>>> view = show(run, layer="10", filter=17)  # doctest: +SKIP

`live` is the live matrix, the page's own element as a widget (anywidget); `tiles` a layer's filters, to choose from;
`charts` how the layers differ. None needs a server, Streamlit or torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.notebook.charts import depth
    from explorer.notebook.live import show
    from explorer.notebook.tiles import gallery

__all__ = ["depth", "gallery", "show"]

_MODULES = {"depth": "charts", "gallery": "tiles", "show": "live"}


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: the live matrix does without what draws charts."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.partition(".")[0] not in ("explorer", "store"):
            raise ModuleNotFoundError(
                f"{name} needs {missing.name}: pip install 'filterscope[notebook]'", name=missing.name
            ) from missing
        raise
