"""Emergence: the layers over the epochs of the training. When do clusters form, and do filters keep them?"""

import html

import polars as pl
import streamlit as st

from explorer import words
from explorer.charts import epochs as charts
from explorer.data import epochs
from explorer.frames import epochs as frames
from explorer.parts import controls, elements, film, page, snippets, text
from store.file.read import Run
from store.measure.gauge import AS_TRAINED
from store.measure.summary import FAR_ABOVE

_MOST_OF = 0.9  # of the final accuracy
_HALF = 0.5  # of the elements, as the mean over filters
_TITLES = {
    "accuracy": "accuracy of the probe", "n": "n, noise", "N_c": "N_c, clusters", "C_s": "C_s, labels in a cluster",
    "SNR_I": "SNR_I", "SNR_E": "SNR_E",
}  # fmt: skip
_LOGARITHMIC = ("n", "SNR_I", "SNR_E")


def show() -> None:
    _, run = page.opened()
    view = page.view()
    text.plain(f"Layer {view.layer} as it forms", "heading")
    text.plain("When do clusters form, and do filters keep the labels that they first pick?", "question")
    text.not_the_papers(run)
    if not film.has_epochs(run):
        film.missing(run)
        return
    _everything()


@page.fragment
def _everything() -> None:
    file, run = page.opened()
    controls.choose_threshold()
    view = page.view()
    layer = run.layers[view.layer]
    unit, last = words.unit_of(layer), layer.n_filters - 1
    with st.spinner("Measuring each epoch", show_time=True):
        measures = epochs.measures(file, view.threshold, view.order, view.gauge)
    course = frames.course(run, measures, view)
    _told(run, course)
    st.caption(
        f"Figure 1 of {unit} {view.filter} after an epoch of the training, and below it every {unit} of the layer, "
        "each with its clusters moved to the upper left: white in a cluster, yellow noise."
    )
    film.of_layer(file, "film_emergence", figure=True, gallery=True)
    with st.container(width=160):
        controls.choose_number(f"{unit.capitalize()}, 0 to {last}", "filter", last)
    film.files(file)
    page.later("course", lambda: _course(run, course))
    page.later("kept", lambda: _kept(run, course, unit))
    page.later("label", _label)
    gauge = "" if view.gauge == AS_TRAINED else f", gauge={view.gauge!r}"
    snippets.python(
        f"""from store import Run, scan_order

with Run({file.path!r}) as run:
    for epoch in run.epochs:
        layer = run.at_epoch(epoch).layers[{view.layer!r}]
        measured = layer.measure({view.threshold!r}, scan_order({view.order!r}, run.n_labels){gauge})
        print(epoch, layer.record["test_accuracy"], measured.mean_noise, measured.mean_clusters)"""
    )


def _told(run: Run, course: pl.DataFrame) -> None:
    """Three answers about the layer of the sidebar, from the table alone."""
    view = page.view()
    of_layer = course.filter(pl.col("layer") == view.layer).sort("epoch")
    first, last = of_layer.row(0, named=True), of_layer.row(-1, named=True)
    far = frames.since(course, view.layer, "SNR_E", FAR_ABOVE)
    accurate = frames.since(course, view.layer, "accuracy", _MOST_OF * (last["accuracy"] or 0.0))
    kept = frames.since(course, view.layer, "Jaccard", _HALF)
    said = [
        ("noise per filter, from {} to the end", f"{_number(first['n'])} to {_number(last['n'])}", first["epoch"]),
        (f"clusters share half of their elements with the final ones {{}}; 90% of the accuracy is there "
         f"{_when(accurate)}", _when(kept), None),
        (f"mean signal is above {FAR_ABOVE:g} times the external noise {{}}", _when(far), None),
    ]  # fmt: skip
    for column, (sentence, number, epoch) in zip(st.columns(3, gap="medium"), said, strict=True):
        if epoch is not None:
            sentence = "{} " + sentence.replace("{}", f"epoch {epoch}")
        before, _, after = map(html.escape, sentence.partition("{}"))
        with column:
            st.html(f'<div class="fs-answer">{before}<b>{html.escape(number)}</b>{after}</div>')


def _when(epoch: int | None) -> str:
    return "at no epoch" if epoch is None else f"from epoch {epoch} on"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _course(run: Run, course: pl.DataFrame) -> None:
    view = page.view()
    st.subheader("Every layer, epoch by epoch")
    st.caption(
        "A line a layer; dashed: the network's own accuracy. Bars are one standard error each way: over the test "
        "inputs for accuracies, over resamples of them for n, N_c and C_s; of a ratio they are taken as if signal and "
        "noise were independent. Epochs stand at even steps of log(1 + epoch).",
        help=words.meanings("n", "N_c", "C_s", "SNR_I", "SNR_E"),
    )
    found, own = frames.long(course), frames.own_accuracy(run)
    present = film.shown_epoch(run, view.layer)
    drawn = []
    for name, title in _TITLES.items():
        of_name = found.filter(pl.col("quantity") == name)
        picture = charts.course(of_name, title, present, name in _LOGARITHMIC, own if name == "accuracy" else None)
        drawn.append((picture, f"epochs-{name.lower()}", f"{title} of each layer against the epoch"))
    elements.charts(drawn, across=2, gap="large")
    page.folded("Every epoch and layer in a table", "epochs_table",
                lambda: elements.table(course, "epochs", height=320))  # fmt: skip


def _kept(run: Run, course: pl.DataFrame, unit: str) -> None:
    view = page.view()
    st.subheader("How much is there already")
    st.caption(
        f"Left: the share of a layer's {unit}s whose clusters are the very ones of the trained network. Right: the "
        f"share of elements in clusters of either that are in clusters of both (Jaccard), as a mean over {unit}s. Two "
        "halves of the test inputs do not agree fully either: see Overview."
    )
    present = film.shown_epoch(run, view.layer)
    drawn = []
    for name, title in (("same clusters", f"share of {unit}s, the same clusters"), ("Jaccard", "Jaccard, mean")):
        picture = charts.course(frames.long(course, (name,)), title, present)
        drawn.append((picture, f"epochs-{name.replace(' ', '-').lower()}", f"{title}, against the epoch"))
    elements.charts(drawn, across=2, gap="large")


def _label() -> None:
    file, run = page.opened()
    st.subheader("One label over time")
    controls.choose_label(run)
    view = page.view()
    measures = epochs.measures(file, view.threshold, view.order, view.gauge)
    of_label = frames.of_label(run, measures, view.label)
    present = film.shown_epoch(run, view.layer)
    drawn = []
    for name, title in (("signal", "signal: clusters that hold it"), ("noise_E", "noise_E")):
        picture = charts.course(frames.long(of_label, (name,)), title, present)
        drawn.append((picture, f"epochs-label-{name.lower()}", f"{title}, against the epoch"))
    elements.charts(drawn, across=2, gap="large")
    page.folded("This label in a table", "epochs_label_table",
                lambda: elements.table(of_label, f"epochs-label-{view.label}", height=320))  # fmt: skip


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
