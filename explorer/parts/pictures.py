"""Test images on a page; where there are none, the command that adds them."""

import html

import polars as pl
import streamlit as st

from explorer.data import images, load
from explorer.data.commands import same_run
from explorer.data.source import FileId
from explorer.parts import elements, page
from store.file.read import Run
from store.measure.top_inputs import MOST

_MOST = 16  # images of a label
_MOST_FILTERS = 4  # named beside an image


def missing(file: FileId) -> None:
    """How to have pictures of the test images."""
    st.caption(
        "Which test images drive a filter can be seen in a run that keeps pictures of them, at most 64 pixels a side."
    )
    again(load.open_run(file), "--thumbnails")


def again(run: Run, *more: str) -> None:
    """The whole command that adds something to a run."""
    command = same_run(run, *more)
    if not command:
        st.caption("This run was made from activations, so no command here can add them.")
        return
    st.caption("The run's own command adds them; what is finished is not computed again:")
    st.code(command, language=None, wrap_lines=True)


def of_label(file: FileId, unit: str) -> None:
    """The images of the view's label that drive filters, with these."""
    view = page.view()
    if not images.has_pictures(file, view.layer):
        page.folded("Pictures of them", "label_images", lambda: missing(file))
        return
    found = images.of_label(file, view.layer, view.label)
    shown = [(number, filters, picture) for number, filters in found if (picture := images.source(file, number))]
    if not shown:
        st.text(f"None is among the first of any {unit}.")
        return
    st.caption(
        f"Each with the {unit}s to which it is one of the {MOST} test images of largest field on their own label; "
        f"those of most {unit}s first."
    )
    tiles = "".join(
        f'<figure title="test input {number}"><img src="{picture}" alt="test input {number}">'
        f"<figcaption>{_named(filters)}</figcaption></figure>"
        for number, filters, picture in shown[:_MOST]
    )
    st.html(f'<div class="fs-pictures">{tiles}</div>')
    numbers = [(number, len(filters), ", ".join(map(str, filters))) for number, filters, _ in shown]
    table = pl.DataFrame(numbers, schema=["test input", f"{unit}s", "which"], orient="row")
    page.folded(
        "All of them in a table", "label_images",
        lambda: elements.table(table, f"label-{view.layer}-{view.label}-images", height=320),
    )  # fmt: skip


def small(file: FileId, layer: str, label: int) -> str | None:
    """One image that stands for a label: the one that drives the most filters."""
    if not images.has_pictures(file, layer):
        return None
    pictures = (images.source(file, number) for number, _ in images.of_label(file, layer, label))
    return next((found for found in pictures if found is not None), None)


def with_name(source: str | None, name: str) -> None:
    """A label's name, as text, with its picture."""
    picture = "" if source is None else f'<img src="{source}" alt="" width="40" height="40">'
    st.html(f'<div class="fs-lead fs-pictured">{picture}{html.escape(name)}</div>')


def _named(filters: list[int]) -> str:
    rest = f", +{len(filters) - _MOST_FILTERS}" if len(filters) > _MOST_FILTERS else ""
    return ", ".join(map(str, filters[:_MOST_FILTERS])) + rest
