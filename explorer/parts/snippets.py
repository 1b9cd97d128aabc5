"""How to get the same numbers without this app: what a page prints under "Load this in Python"."""

from collections.abc import Sequence

import streamlit as st

from explorer.parts.page import folded, opened, view
from store.measure.gauge import AS_TRAINED


def python(code: str) -> None:
    """How to get the same numbers without this app. Call it where a new threshold is drawn, so that it has it."""
    folded("Load this in Python", "python", lambda: st.code(code, language="python"))


def gauge_argument() -> str:
    """What a call that measures ends with where the gauge is not the default."""
    gauge = view().gauge
    return "" if gauge == AS_TRAINED else f", gauge={gauge!r}"


def python_of_layer(*lines: str, imports: Sequence[str] = ()) -> None:
    """The same, for the layer at the present threshold: the lines that follow `measured`, and what they import."""
    file, _ = opened()
    present = view()
    gauge = gauge_argument()
    follow = "\n    ".join(lines)
    python(
        f"""from store import {", ".join(sorted(["Run", "scan_order", *imports], key=str.lower))}

with Run({file.path!r}) as run:
    layer = run.layers[{present.layer!r}]
    measured = layer.measure(threshold={present.threshold!r}, order=scan_order({present.order!r}, run.n_labels){gauge})
    {follow}"""
    )
