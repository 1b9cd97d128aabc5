"""The box that finds a label or a filter from any page, and the button that copies the page's address."""

from pathlib import Path

import streamlit as st

from explorer.parts import page
from store.file.read import Run

_COPY_LINK = st.components.v2.component(
    "filterscope.copy_link",
    js=Path(__file__).with_name("copy_link.js").read_text("utf-8"),
    html='<button type="button" title="The address holds everything that is chosen"><span>Copy link</span></button>',
    css="""
    button { font: 14px var(--st-font, sans-serif); padding: 5px 12px; border-radius: 8px; cursor: pointer; width: 100%;
      color: var(--st-text-color); background: none; border: 1px solid var(--st-border-color, #8884); }
    button:hover, button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
    """,
)


def find(run: Run) -> None:
    """A label by its name, or a filter as "LAYER/NUMBER" or by its number in the layer that is chosen."""
    times = st.session_state.setdefault("found", 0)  # a box that has led somewhere is a new, empty one
    found = st.selectbox(
        "Find", range(run.n_labels), index=None, format_func=lambda label: _name(run, label),
        placeholder="a label, or a filter: 10/156", accept_new_options=True, key=f"find_{times}",
    )  # fmt: skip
    if found is None:
        return
    if not isinstance(found, str):
        st.session_state["found"] += 1
        page.go("labels", label=found)
    place = filter_of(found, run, page.view().layer)
    if place is None:
        st.caption("Neither a label nor a filter of this run.")
        return
    st.session_state["found"] += 1
    page.go("filter", layer=place[0], filter=place[1])


def copy_link() -> None:
    _COPY_LINK(key="copy_link")


def filter_of(text: str, run: Run, layer: str) -> tuple[str, int] | None:
    """The layer and number that "10/156", or "156" in `layer`, names; None where the run has no such filter."""
    name, slash, number = text.strip().rpartition("/")
    name = name.strip() if slash else layer
    number = number.strip()
    if name not in run.layers or not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return (name, int(number)) if int(number) < run.layers[name].n_filters else None


def _name(run: Run, label: int | str) -> str:
    return label if isinstance(label, str) else run.label_names[label]
