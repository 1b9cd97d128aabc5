"""Labels: Figure 2, and from a label down to the filters that hold it and the labels that it meets there."""

from typing import get_args

import polars as pl
import streamlit as st

from explorer import words
from explorer.charts import layer as charts
from explorer.data import load
from explorer.frames import layer as frames
from explorer.parts import chance, controls, elements, page, pictures, snippets, text
from explorer.state import LabelSort
from store.file.manifest import defined
from store.measure.labels import partners as label_partners

_FIGURES = (("", "2a"), (", fields", "2b"))  # the end of the columns' names, and the figure's
_SORTS: dict[LabelSort, str] = {"label": "as stored"}  # the others by their names
_ASCENDING = ("label", "name", "super-class")

_PARTS = [
    (
        "**A. Counted**",
        "For each label: the clusters that hold it (signal), and, for a mean other label, the elements of its row "
        "inside its clusters (noise_I) and outside clusters (noise_E). Dashed: the means.",
    ),
    (
        "**B. Fields**",
        "The same elements, adding up the fields that all its test inputs cause, in place of ones.",
    ),
]


def show() -> None:
    _, run = page.opened()
    view = page.view()
    text.plain(f"The {run.n_labels} labels in layer {view.layer}", "heading")
    text.not_the_papers(run)
    _everything()


@page.fragment
def _everything() -> None:
    controls.choose_threshold()
    _figure()
    page.later("label", _label)
    file, _ = page.opened()
    page.folded("Super-classes and confusion: what the clusters mean", "meaning", lambda: chance.meaning(file))
    chance.beside(file)
    snippets.python_of_layer(
        "measured.signal, measured.noise_internal, measured.noise_external  # Figure 2A: one entry a label",
        "measured.signal_field, measured.noise_internal_field, measured.noise_external_field  # Figure 2B",
    )


@page.fragment
def _figure() -> None:
    file, run = page.opened()
    view = page.view()
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    sort_by, scale = st.columns([1, 3], vertical_alignment="bottom")
    with sort_by:
        controls.choose("Sort the labels by", "label_sort", get_args(LabelSort), lambda sort: _SORTS.get(sort, sort))
    with scale:
        controls.switch("Logarithmic", "log")
    view = page.view()
    descending = view.label_sort not in _ASCENDING
    table = frames.labels(run, measured).sort(view.label_sort, descending=descending, maintain_order=True)
    columns = st.columns(2, gap="large", vertical_alignment="bottom")
    for column, (title, explained), (suffix, name) in zip(columns, _PARTS, _FIGURES, strict=True):
        with column:
            st.markdown(title)
            st.caption(explained, help=words.meanings("signal", "noise_I", "noise_E"))
            elements.chart(
                charts.figure_2(table, suffix, view.log, view.label),
                f"figure-{name}",
                "Signal and noises of each label" + suffix,
            )
    counted = (measured.signal, measured.noise_internal, measured.noise_external)
    assert measured.signal_field is not None and measured.noise_internal_field is not None
    assert measured.noise_external_field is not None
    fields = (measured.signal_field, measured.noise_internal_field, measured.noise_external_field)
    pairs = []
    for values, shape, where in ((counted, ".2f", ""), (fields, ".3g", ", fields")):
        signal, internal, external = (float(value.mean()) for value in values)
        pairs += [(f"signal{where}", signal, shape), (f"noise_I{where}", internal, shape)]
        pairs += [(f"noise_I + noise_E{where}", internal + external, shape)]
    text.numbers([(name, defined(value), shape) for name, value, shape in pairs])
    page.folded("All labels in a table", "all_labels", lambda: _all_labels(table))


def _all_labels(table: pl.DataFrame) -> None:
    st.caption("Select a row to see the label below.")
    elements.table(table, f"labels-{page.view().layer}", height=320, pick=_picked)


def _picked(row: dict[str, int]) -> None:
    if row["label"] != page.view().label:
        page.change(label=row["label"])
        st.rerun()


def _label() -> None:
    file, run = page.opened()
    st.divider()
    st.subheader("One label")
    controls.choose_label(run)
    view = page.view()
    layer, label = run.layers[view.layer], view.label
    unit = words.unit_of(layer)
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    loaded = load.loaded(file, view.layer, view.gauge)
    rows = loaded.fields.of_label(label)
    pictures.with_name(pictures.small(file, view.layer, label), run.label_names[label])
    if run.superclasses[label]:
        text.plain(run.superclasses[label])
    text.numbers(
        [
            ("signal", float(measured.signal[label]), ".0f"),
            ("noise_I", float(measured.noise_internal[label]), ".2f"),
            ("noise_E", float(measured.noise_external[label]), ".2f"),
            ("test inputs", float(run.test_inputs[label]), ".0f"),
        ]
    )
    st.markdown(f"**Its test images, and the {unit}s that they drive**")
    pictures.of_label(file, unit)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{unit.capitalize()}s that hold it**")
        st.caption("In one of their clusters, the strongest first. Select a row to open it.")
        held = frames.filters_of_label(run, measured, label, rows[0][:, label])
        elements.table(
            held,
            f"label-{view.layer}-{label}-{unit}s",
            height=640,  # as much as there is beside it
            pick=lambda row: page.go("filter", filter=row["filter"]),
        )
    with right:
        st.markdown("**Labels that it meets**")
        st.caption(
            f"In how many {unit}s they share a cluster, and in how many this label's inputs raise the other's output "
            "as noise (to), or the other way round (from)."
        )
        found = frames.partner_labels(run, label_partners(measured, rows, label))
        if found.is_empty():
            st.text("None at this threshold.")
        else:
            elements.chart(
                charts.partners(found, unit),
                "partners",
                "Labels that share clusters or noise with this one",
            )
            elements.table(found, f"label-{view.layer}-{label}-labels", height=240, pick=_picked)


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
