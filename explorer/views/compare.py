"""Compare: two layers, or the same layer of two runs, differences first."""

from functools import partial

import polars as pl
import streamlit as st

from explorer import words
from explorer.charts import compare as charts_compare
from explorer.charts import layer as charts
from explorer.data import load
from explorer.frames import differences
from explorer.frames import layer as frames
from explorer.matrix import live_matrix
from explorer.parts import (
    chance,
    controls,
    elements,
    gallery,
    page,
    sides,
    snippets,
    text,
)
from explorer.parts.sides import Side
from explorer.state import View
from store.measure.layer import LayerMeasure, scan_order

_ACROSS, _DOWN = 4, 4  # matrices of a gallery
_LARGE = ("signal", "noise_I + noise_E")  # of Figure 2: noise_I is a part of the second
_WITH_DEPTH = [  # a quantity, its title, is it logarithmic
    ("accuracy", "test accuracy of the probe", False), ("n", "n, noise", True), ("N_c", "N_c, clusters", False),
    ("C_s", "C_s, labels in a cluster", False), ("signal", "signal", False), ("noise_E", "noise_E", False),
]  # fmt: skip


def show() -> None:
    text.plain("Compare", "heading")
    st.caption("A is what the sidebar has chosen; choose here what B is, another layer or another run.")
    a, b = sides.choose()
    for side in (a, b):
        text.plain(side.title, "lead")
        text.not_the_papers(side.run)
        if side.run.is_untrained:
            st.info(
                f"{side.letter} is an untrained network, random weights with trained probes: its numbers are what "
                "chance alone gives. Compare the other's with them."
            )
    _everything()


@page.fragment
def _everything() -> None:
    a, b = sides.now()
    controls.choose_threshold()
    view = page.view()
    st.subheader("Differences")
    st.caption(
        "Every number of the two layers, counted or from the paper's equations; B - A, and B as so many times A. A "
        "dash where a number is undefined.",
        help=words.meanings("n", "N_c", "C_s", "silent", "signal", "noise_I", "noise_E", "SNR_I", "SNR_E", "FC_s"),
    )
    numbers = [frames.layer_numbers(side.layer, side.measured(view), view.average) for side in (a, b)]
    elements.table(differences.of_numbers(*numbers), "differences", height="content")
    _labels(a, b, view)
    _runs(a, b, view)
    chance.beside(a.file, {side.letter: (side.file, side.layer.name) for side in (a, b)})
    page.later("distributions", _distributions)
    page.later("sweeps", _sweeps)
    page.later("galleries", _galleries)
    page.later("figure_1", _figure_1)
    page.later("figure_2", _figure_2)
    gauge = snippets.gauge_argument()
    snippets.python(
        f"""from store import Run, scan_order

with Run({a.file.path!r}) as run_a, Run({b.file.path!r}) as run_b:
    a, b = (
        run.layers[name].measure({view.threshold!r}, scan_order({view.order!r}, run.n_labels){gauge})
        for run, name in ((run_a, {a.layer.name!r}), (run_b, {b.layer.name!r}))
    )
    print(b.mean_noise - a.mean_noise, b.mean_clusters - a.mean_clusters)"""
    )


def _labels(a: Side, b: Side, view: View) -> None:
    st.subheader("Labels")
    changes = differences.of_labels(a.labels(view), b.labels(view))
    if changes.is_empty():
        st.text("The two runs have no label in common.")
        return
    st.caption(
        "Each point is a label of both; on the dashed line nothing differs. Below, the largest differences first."
    )
    with st.container(horizontal=True, gap="medium"):  # squares, so many in a row as there is room for
        for quantity in ("signal", "noise_I", "noise_E"):
            with st.container(width=310):
                elements.chart(
                    charts_compare.scatter(changes, quantity),
                    f"compare-labels-{quantity.lower()}",
                    f"{quantity} of each label, A against B",
                )
    elements.table(changes, "label-differences", height=280)


def _runs(a: Side, b: Side, view: View) -> None:
    """Two runs: the paper's table of each, the layers that both have, and all of them with depth."""
    if a.file == b.file:
        return
    st.subheader("All layers of the two runs")
    measures = [
        {name: load.measured(side.file, name, view.threshold, view.order, view.gauge) for name in side.run.layers}
        for side in (a, b)
    ]
    tables = [frames.paper_table(side.run, of_run, view.average) for side, of_run in zip((a, b), measures, strict=True)]
    changes = differences.of_tables(*tables)
    if not changes.is_empty():
        st.caption("Layers that both have, the deepest first: B - A of what the paper's table holds.")
        elements.table(changes, "layer-differences")
    for side, table in zip((a, b), tables, strict=True):
        st.caption(f"{side.letter}, with the published numbers where the paper has them.")
        elements.table(table, f"layers-{side.letter.lower()}")
    left, right = (frames.depth(side.run, of_run, view.average) for side, of_run in zip((a, b), measures, strict=True))
    drawn = [
        (
            charts_compare.depth(left, right, quantity, title, log),
            f"compare-depth-{quantity.lower()}",
            f"{title} of each layer of A and B, from input to output",
        )
        for quantity, title, log in _WITH_DEPTH
    ]
    elements.charts(drawn, across=3, gap="medium")


def _distributions() -> None:
    a, b = sides.now()
    view = page.view()
    unit = words.unit_of_all(side.layer for side in (a, b))
    st.subheader("Distributions")
    st.caption(
        f"n and N_c: the part of {words.averaged(view.average, unit)} at each value; C_s: the part of all clusters. "
        "A solid, B dashed."
    )
    measures = [side.measured(view) for side in (a, b)]
    some = [measured.n_clusters >= (view.average == "clustered") for measured in measures]
    parts = [
        ("n", "n, noise", f"{unit}s", [measured.noise[of] for measured, of in zip(measures, some, strict=True)]),
        (
            "n_c", "N_c, clusters", f"{unit}s",
            [measured.n_clusters[of] for measured, of in zip(measures, some, strict=True)],
        ),
        ("c_s", "C_s, labels in a cluster", "clusters", [measured.cluster_sizes for measured in measures]),
    ]  # fmt: skip
    for column, (name, title, counted, values) in zip(st.columns(3, gap="medium"), parts, strict=True):
        with column:
            left, right = differences.shares(*values)
            elements.chart(
                charts_compare.distributions(left, right, title, counted), f"compare-{name}",
                f"Distribution of {title} in A and B",
            )  # fmt: skip


def _sweeps() -> None:
    a, b = sides.now()
    view = page.view()
    st.subheader("Sweep of the threshold")
    asked = f"sweeps {a.file} {a.layer.name} {b.file} {b.layer.name}"
    quick = all(side.loaded(view).is_quick for side in (a, b))
    if not page.asked(asked, quick, page.LARGE, "Measure the sweeps"):
        return
    with st.spinner("Measuring at 19 thresholds", show_time=True):
        left, right = (
            frames.sweep(load.sweep(side.file, side.layer.name, view.order, view.gauge), view.average)
            for side in (a, b)
        )
    unit = words.unit_of_all(side.layer for side in (a, b))
    st.caption(
        "A solid, B dashed, at thresholds from 0.05 to 0.95. Vertical lines: the present threshold, solid, and the "
        f"paper's 0.3, dashed. n and N_c are means over {words.averaged(view.average, unit)}."
    )
    panels = [
        ("n", "n, noise", True), ("N_c", "N_c, clusters", False), ("C_s", "C_s, labels in a cluster", False),
        ("SNR_I", "SNR_I, signal to internal noise", True), ("SNR_E", "SNR_E, signal to external noise", True),
    ]  # fmt: skip
    drawn = [
        (
            charts_compare.sweeps(left, right, quantity, title, view.threshold, log),
            f"compare-sweep-{quantity.lower()}",
            f"{quantity} of A and B against the threshold",
        )
        for quantity, title, log in panels
    ]
    elements.charts(drawn, across=3, gap="medium")


def _galleries() -> None:
    a, b = sides.now()
    st.subheader("Galleries, side by side")
    columns = st.columns(4, vertical_alignment="bottom")
    with columns[0]:
        gallery.choose_style()
    with columns[1]:
        gallery.choose_sort()
    every = [frames.filters(side.measured(page.view()), side.loaded(page.view()).squares) for side in (a, b)]
    with columns[2]:
        gallery.choose_conditions(pl.concat(every))
    tables = [gallery.meeting_conditions(table) for table in every]
    with columns[3]:
        number = gallery.choose_page(max(1, -(-max(table.height for table in tables) // (_ACROSS * _DOWN))))
    st.caption(
        f"{gallery.EXPLAINED[page.view().style]} Point at one for its numbers; click to see it in Figure 1, below."
    )
    for column, side, table in zip(st.columns(2, gap="large"), (a, b), tables, strict=True):
        with column:
            text.plain(side.title)
            tiles = gallery.in_order(table).slice((number - 1) * _ACROSS * _DOWN, _ACROSS * _DOWN)
            if tiles.is_empty():
                st.text(f"It has no more {words.unit_of(side.layer)}s.")
                continue
            key = f"compare_gallery_{side.letter}"
            gallery.picture(
                side.file, side.layer, tiles, _ACROSS, f"compare-gallery-{side.letter.lower()}", key=key,
                on_select=partial(_picked, key, side.filter_name),
            )  # fmt: skip


def _picked(key: str, name: str) -> None:
    if (number := gallery.picked(st.session_state[key])) is not None:
        page.change_everywhere(**{name: number})


def _figure_1() -> None:
    a, b = sides.now()
    view = page.view()
    unit = words.unit_of_all(side.layer for side in (a, b))
    st.subheader("Figure 1, side by side")
    st.caption(
        f"A {unit} of each: its fields, those above the threshold, and the same permuted into its clusters. Either "
        "threshold can be dragged; on release both have it."
    )
    most = max(_peak(side.measured(view)) for side in (a, b))
    for column, side in zip(st.columns(2, gap="large"), (a, b), strict=True):
        with column:
            text.plain(side.title)
            last = side.layer.n_filters - 1
            controls.choose_number(f"{side.letter}: {words.unit_of(side.layer)}, 0 to {last}", side.filter_name, last)
            f = getattr(page.view(), side.filter_name)
            measured = side.measured(view)
            live_matrix(
                load.live_data(side.file, side.layer.name, f),
                filter_index=f,
                threshold=view.threshold,
                order=scan_order(view.order, side.run.n_labels),
                average=view.average,
                gauge=view.gauge,
                measure=measured,
                on_release=lambda threshold: page.change_everywhere(threshold=threshold),
                peak=most,
                key=f"live_matrix_{side.letter}",
            )
            text.facts_of_filter(side.file, side.layer, f, view.gauge)
            clusters = frames.clusters(side.run, measured.cluster_of[f])
            elements.table(clusters, f"compare-clusters-{side.letter.lower()}")


def _peak(measured: LayerMeasure) -> float:
    """The largest number of any label, for one axis of both."""
    return float(max(measured.signal.max(), (measured.noise_internal + measured.noise_external).max()))


def _figure_2() -> None:
    a, b = sides.now()
    view = page.view()
    st.subheader("Figure 2, side by side")
    tables = [side.labels(view) for side in (a, b)]
    parts = [
        (suffix, name, max(_largest(table, f"{series}{suffix}") for table in tables for series in _LARGE))
        for suffix, name in (("", "a"), (", fields", "b"))
    ]
    for column, side, table in zip(st.columns(2, gap="large"), (a, b), tables, strict=True):
        with column:
            text.plain(side.title)
            for suffix, name, top in parts:
                elements.chart(
                    charts.figure_2(table, suffix, top=top), f"compare-figure-2{name}-{side.letter.lower()}",
                    f"Signal and noises of each label in {side.letter}",
                )  # fmt: skip


def _largest(table: pl.DataFrame, column: str) -> float:
    return float(table[column].max() or 0)  # type: ignore[arg-type]


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
