"""Pins: filters of any layers, side by side, at the present threshold. The address has them."""

from functools import partial

import streamlit as st

from explorer import words
from explorer.charts import gallery as pictures
from explorer.data import load
from explorer.parts import page, text
from explorer.state import MOST_PINS, Pin
from store.file.read import Run


def toggle(layer: str, number: int) -> None:
    """The button that pins the filter that is shown, or takes it off."""
    pins, pin = page.view().pins, (layer, number)
    if pin in pins:
        st.button("Unpin", icon=":material/keep_off:", on_click=partial(_put, _without(pin)), width="content")
        return
    st.button(
        "Pin", icon=":material/keep:", on_click=partial(_put, (*pins, pin)), disabled=len(pins) >= MOST_PINS,
        width="content", help=f"Keeps it in view beside others, of this layer or another; at most {MOST_PINS}.",
    )  # fmt: skip


def row(run: Run) -> None:
    """All that are pinned."""
    pins = page.view().pins
    if not pins:
        return
    st.subheader("Pinned")
    with st.container(horizontal=True, gap="medium", key="pins"):
        for pin in pins:
            with st.container(width=150, gap="small"):
                _tile(run, pin)


def _tile(run: Run, pin: Pin) -> None:
    file, view, (name, number) = page.opened()[0], page.view(), pin
    measured = load.measured(file, name, view.threshold, view.order, view.gauge)
    matrix = load.loaded(file, name, view.gauge).fields.matrix(number)
    style = "permuted" if view.style == "images" else view.style
    st.image(pictures.tile(matrix, measured, number, style, is_cut=True), width=150)
    text.plain(f"Layer {name}, {words.unit_of(run.layers[name])} {number}")
    found = "silent" if measured.silent[number] else f"N_c {measured.n_clusters[number]}, n {measured.noise[number]}"
    st.caption(found)
    with st.container(horizontal=True, gap="small"):
        key = f"{name}/{number}"
        st.button("Open", key=f"open {key}", on_click=partial(page.change, layer=name, filter=number), type="tertiary")
        st.button("Unpin", key=f"unpin {key}", on_click=partial(_put, _without(pin)), type="tertiary")


def _without(pin: Pin) -> tuple[Pin, ...]:
    return tuple(other for other in page.view().pins if other != pin)


def _put(pins: tuple[Pin, ...]) -> None:
    page.change(pins=pins)
