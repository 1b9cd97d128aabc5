"""Filter: the paper's Figure 1, live, and what the filter's clusters and noise are."""

import io
from typing import Any

import numpy as np
import streamlit as st

from explorer import words
from explorer.capsule.page import Shown, capsule
from explorer.data import images, load, sample
from explorer.data.chance import samples
from explorer.data.source import FileId
from explorer.frames import layer as frames
from explorer.matrix import live_matrix
from explorer.matrix.pack import sample_of
from explorer.parts import controls, elements, page, pictures, pins, snippets, text
from store.measure.gauge import AS_TRAINED
from store.measure.layer import LayerMeasure, scan_order


def show() -> None:
    _filter()


@page.fragment
def _filter() -> None:
    file, run = page.opened()
    view = page.view()
    layer = run.layers[view.layer]
    unit, last = words.unit_of(layer), layer.n_filters - 1
    text.plain(f"Layer {layer.name}, {unit} {view.filter}", "heading")
    text.not_the_papers(run)
    with st.container(horizontal=True, vertical_alignment="bottom"):  # one row, on a phone too
        st.button(
            "Previous", on_click=lambda: page.change(filter=max(0, view.filter - 1)), disabled=view.filter == 0,
            icon=":material/arrow_back:", width="content",
        )  # fmt: skip
        with st.container(width=130):
            controls.choose_number(f"{unit.capitalize()}, 0 to {last}", "filter", last)
        st.button(
            "Next", on_click=lambda: page.change(filter=min(last, view.filter + 1)), disabled=view.filter == last,
            icon=":material/arrow_forward:", width="content",
        )  # fmt: skip
        pins.toggle(view.layer, view.filter)
    view = page.view()

    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    st.caption(
        f"Left: the fields that the test inputs of each label (rows) cause on each output (columns) through this "
        f"{unit} alone, divided by their maximum. Middle: those above the threshold. Right: the same, with the labels "
        "of clusters moved together; clusters are boxed, dashed where fewer than half of the resamples of the test "
        "inputs find them; the noise is yellow."
    )
    strip = images.driving(file, view.layer, view.filter)
    live_matrix(
        load.live_data(file, view.layer, view.filter),
        filter_index=view.filter,
        threshold=view.threshold,
        order=scan_order(view.order, run.n_labels),
        average=view.average,
        gauge=view.gauge,
        measure=measured,
        sample=_sample(file),
        strip=strip,
        on_release=lambda threshold: page.change(threshold=threshold),
    )
    pins.row(run)
    page.folded("As it formed, epoch by epoch", "as_it_formed", lambda: _film(file))
    if strip is None:
        page.folded("Test images that drive it", "images", lambda: pictures.missing(file))
    st.subheader(f"This {unit}")
    text.facts_of_filter(file, layer, view.filter, view.gauge)
    if view.null != "none":
        page.folded("The layer's numbers beside chance", "chance", _beside_chance)
    of = measured.cluster_of[view.filter]
    page.folded(
        "Clusters in a table", "clusters",
        lambda: elements.table(frames.clusters(run, of), f"clusters-{view.layer}-{view.filter}"),
    )  # fmt: skip
    page.folded("Elements above the threshold", "elements", lambda: _elements(measured))
    elements.download(
        "Matrix (.npy)", f"fields-{view.layer}-{view.filter}{'' if view.gauge == AS_TRAINED else f'-{view.gauge}'}.npy",
        # Made when asked for: Streamlit keeps this function for long.
        lambda: _npy(load.loaded(file, view.layer, view.gauge).fields.matrix(view.filter)),
        "application/octet-stream",
    )  # fmt: skip
    draws = samples("labels shuffled", load.loaded(file, view.layer, view.gauge).is_quick)
    shown = Shown(view.layer, view.filter, view.threshold, view.order, view.average, view.gauge, draws)
    elements.download(
        "This view as a page (.html)", f"{run.name.removesuffix('.h5')}-layer-{view.layer}.html",
        lambda: capsule(run, shown), "text/html",
    )  # fmt: skip
    gauge = snippets.gauge_argument()
    snippets.python(
        f"""import numpy as np

from store import Run, permutation, scan_order

with Run({file.path!r}) as run:
    layer = run.layers[{view.layer!r}]
    matrix = layer.field({view.filter}{gauge})  # rows: input labels, columns: output labels
    measured = layer.measure(threshold={view.threshold!r}, order=scan_order({view.order!r}, run.n_labels){gauge})
    order = permutation(measured.cluster_of[{view.filter}])
    permuted = matrix[np.ix_(order, order)]"""
    )


def _film(file: FileId) -> None:
    from explorer.parts import film  # late: nobody who goes from filter to filter waits for it

    film.folded_in(file, "film_filter", figure=True, gallery=False)


def _beside_chance() -> None:
    from explorer.parts import chance  # late: nobody who goes from filter to filter waits for it

    chance.beside(page.opened()[0])


def _sample(file: FileId) -> dict[str, Any] | None:
    """How sure this filter's clusters are; None where nobody knows."""
    view = page.view()
    clusters = sample.clusters(file, view)
    if clusters is None:
        return None
    measured = load.measured(file, view.layer, clusters.threshold, view.order, view.gauge)
    return sample_of(clusters, measured, view.filter)


def _elements(measured: LayerMeasure) -> None:
    file, run = page.opened()
    view = page.view()
    matrix = load.loaded(file, view.layer, view.gauge).fields.matrix(view.filter)
    found = frames.elements(run, matrix, measured, view.filter)
    elements.table(found, f"elements-{view.layer}-{view.filter}", height=320)


def _npy(matrix: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, matrix, allow_pickle=False)
    return buffer.getvalue()


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
