"""Layer: all filters as one picture, how their numbers are distributed, and the sweep of the threshold."""

import polars as pl
import streamlit as st

from explorer import words
from explorer.charts import chance as charts_chance
from explorer.charts import layer as charts
from explorer.charts.sample import with_bars
from explorer.data import load, sample
from explorer.data.chance import band
from explorer.data.source import FileId
from explorer.frames import layer as frames
from explorer.frames.sample import sweep_bars, with_shares
from explorer.parts import chance, controls, elements, gallery, page, snippets, text
from explorer.state import View

_BAND_DRAWS = 5
_ACROSS = 8  # matrices in a row of the gallery: as many as a laptop shows at a pixel a label or more


def show() -> None:
    _, run = page.opened()
    view = page.view()
    layer = run.layers[view.layer]
    text.plain(
        f"Layer {layer.name}: {layer.n_filters} {words.unit_of(layer)}s of {frames.filter_size(layer)}", "heading"
    )
    text.not_the_papers(run)
    _everything()


@page.fragment
def _everything() -> None:
    file, run = page.opened()
    view = page.view()
    layer = run.layers[view.layer]
    controls.choose_threshold()
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    numbers = frames.layer_numbers(layer, measured, view.average)
    text.numbers(
        [
            ("accuracy", numbers["accuracy"], ".3f"),
            ("n", numbers["n"], ".1f"),
            ("N_c", numbers["N_c"], ".2f"),
            ("C_s", numbers["C_s"], ".2f"),
            ("signal", numbers["signal"], ".2f"),
            ("SNR_I", numbers["SNR_I"], ".1f"),
            ("SNR_E", numbers["SNR_E"], ".1f"),
            ("silent", numbers["silent"], ".0f"),
        ]
    )
    beside = st.container()
    st.subheader("Gallery")
    _gallery()
    page.folded("As it formed, epoch by epoch", "as_it_formed", lambda: _film(file))
    page.later("distributions", _distributions)
    page.later("sweep", _sweep)
    page.folded("The sample: resample the test inputs", "resampling", lambda: _resampling(file))
    page.folded(f"Rank of each {words.unit_of(layer)}'s fields", "ranks", lambda: chance.rank_distribution(file, layer))
    snippets.python_of_layer("measured.noise, measured.n_clusters, measured.cluster_of  # one entry a filter")
    with beside:  # last: the draws take longer than all of the page
        chance.beside(file)


@page.fragment
def _gallery() -> None:
    file, run = page.opened()
    view = page.view()
    layer, unit = run.layers[view.layer], words.unit_of(run.layers[view.layer])
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    filters = frames.filters(measured, load.loaded(file, view.layer, view.gauge).squares)
    table = with_shares(filters, sample.clusters(file, view), measured)

    columns = st.columns(4, vertical_alignment="bottom")
    with columns[0]:
        gallery.choose_style()
    with columns[1]:
        gallery.choose_sort()
    with columns[2]:
        gallery.choose_label(run)
    with columns[3]:
        gallery.choose_conditions(table)
    view = page.view()
    shown = gallery.in_order(gallery.holding_label(gallery.meeting_conditions(table), measured))
    if shown.is_empty():
        st.info("Nothing here meets these conditions.")
        return
    size = _ACROSS * (4 if layer.n_labels <= 200 else 2)
    caption, pager = st.columns([4, 1], vertical_alignment="bottom")
    with pager:
        number = gallery.choose_page(-(-shown.height // size))
    matrices = f"each a matrix of {layer.n_labels} x {layer.n_labels}: rows are input labels, columns output labels."
    what = f"{unit}s." if view.style == "images" else f"{unit}s, {matrices}"
    caption.caption(
        f"{shown.height} of {table.height} {what} {gallery.EXPLAINED[view.style]} Point at one for its numbers; click "
        "to open it."
    )
    tiles = shown.slice((number - 1) * size, size)
    event = gallery.picture(
        file, layer, tiles, _ACROSS, "gallery", on_select="rerun", key=f"gallery_{view.layer}_{number}"
    )
    if (picked := gallery.picked(event)) is not None:
        page.go("filter", filter=picked)
    controls.open_number(f"Open {unit}", layer.n_filters - 1)
    page.folded(f"All {unit}s in a table", "all_filters", lambda: _all_filters(shown, f"layer-{layer.name}-{unit}s"))


def _film(file: FileId) -> None:
    from explorer.parts import film  # late: most visitors do not open it

    film.folded_in(file, "film_layer", figure=False, gallery=True)


def _all_filters(shown: pl.DataFrame, name: str) -> None:
    st.caption("Select a row to open it.")
    elements.table(shown, name, height=320, pick=lambda row: page.go("filter", filter=row["filter"]))


def _distributions() -> None:
    st.subheader("Distributions")
    file, run = page.opened()
    view = page.view()
    unit = words.unit_of(run.layers[view.layer])
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    some = measured.n_clusters > 0 if view.average == "clustered" else measured.n_clusters >= 0
    st.caption(
        f"How many {unit}s have so much noise and so many clusters, and how many clusters have so many labels.",
        help=words.meanings("n", "N_c", "C_s"),
    )
    parts = [
        ("n", "n, noise", measured.noise[some], f"{unit}s"),
        ("n_c", "N_c, clusters", measured.n_clusters[some], f"{unit}s"),
        ("c_s", "C_s, labels in a cluster", measured.cluster_sizes, "clusters"),
    ]
    for column, (name, title, values, counted) in zip(st.columns(3, gap="medium"), parts, strict=True):
        with column:
            elements.chart(
                charts.histogram(frames.histogram(values), title, counted), f"distribution-{name}",
                f"Distribution of {title}",
            )  # fmt: skip


def _sweep() -> None:
    st.subheader("Sweep of the threshold")
    file, _ = page.opened()
    view = page.view()
    quick = load.loaded(file, view.layer, view.gauge).is_quick
    if not page.asked(f"sweep {file} {view.layer}", quick, page.LARGE, "Measure the sweep"):
        return
    with st.spinner("Measuring at 19 thresholds", show_time=True):
        points = load.sweep(file, view.layer, view.order, view.gauge)
    frame = frames.sweep(points, view.average)
    st.caption(
        "The layer at thresholds from 0.05 to 0.95. Solid line: the present threshold; dashed line: the paper's 0.3. "
        "SNR_I and SNR_E are the mean signal over the mean internal and external noise.",
        help=words.meanings("n", "N_c", "C_s", "SNR_I", "SNR_E"),
    )
    error_bars = sweep_bars(load.open_run(file).layers[view.layer], frame, view)
    bands = _bands(file, view)
    drawn = []
    for quantities, title, log in charts.OF_A_LAYER:
        picture = with_bars(
            charts.sweep(frame, quantities, title, view.threshold, log), error_bars, quantities, "threshold", log
        )
        if bands is not None:
            picture = charts_chance.under_sweep(picture, bands, quantities, log)
        drawn.append((picture, f"sweep-{'-'.join(quantities).lower()}", f"{title} against the threshold"))
    elements.charts(drawn, across=2, gap="large")
    page.folded("The sweep as a table", "sweep_table", lambda: elements.table(frame, f"sweep-{view.layer}", height=320))


def _resampling(file: FileId) -> None:
    from explorer.parts.sample import resampling  # late: most visitors do not open it

    resampling(file)


def _bands(file: FileId, view: View) -> pl.DataFrame | None:
    """Of the null, where one is chosen and a person has asked for it."""
    if view.null == "none" or view.null == "reversed order":  # one draw has no band
        return None
    key = f"bands {file} {view.layer} {view.null}"
    if not page.asked(key, False, "Drawing at 19 thresholds takes a while.", "Add the band of chance"):
        return None
    try:
        with st.spinner("Drawing at 19 thresholds", show_time=True):
            bands = band(file, view, view.null, _BAND_DRAWS)
    except ValueError as reason:
        text.plain(f"No {view.null}: {reason}")
        return None
    unit = words.unit_of(load.open_run(file).layers[view.layer])
    st.caption(
        f"Grey: where the draws lie, n and N_c as means over {words.averaged(view.average, unit)}, as the lines "
        f"are. {chance.said(view.null, _BAND_DRAWS, unit)}"
    )
    return bands


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
