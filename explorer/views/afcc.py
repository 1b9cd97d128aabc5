"""AFCC: what a layer's probe can do with the weights of its filters' clusters alone, and one input's logits."""

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from explorer import words
from explorer.charts import afcc as charts_afcc
from explorer.charts import layer as charts
from explorer.data import images, load, what_if
from explorer.data.source import FileId
from explorer.frames import afcc as frames_afcc
from explorer.frames import layer as frames
from explorer.parts import controls, elements, page, pictures, snippets, text
from explorer.state import View
from store.file import afcc_results
from store.file.afcc_results import LayerResults
from store.file.manifest import defined
from store.file.read import Layer, Run
from store.measure.afcc import WhatIf
from store.measure.gauge import AS_TRAINED
from store.measure.layer import LayerMeasure

_MOST_NAMES = 60  # of labels, in a line of text
_PICTURED = 40  # filters with an image beside them
_OUTPUTS = 8  # whose logits are taken apart


def show() -> None:
    _, run = page.opened()
    layer = run.layers[page.view().layer]
    text.plain(f"AFCC of layer {layer.name}", "heading")
    text.not_the_papers(run)
    _everything()
    page.later("retrained", _retrained)
    if afcc_results.between(run.manifest) is not None:  # a part that draws nothing would leave its place behind
        page.later("between", _between)


@page.fragment
def _everything() -> None:
    file, run = page.opened()
    layer = run.layers[page.view().layer]
    unit = words.unit_of(layer)
    st.caption(
        f"Applying {unit}'s cluster connections: of the probe's weights, only those from a {unit} to the labels of its "
        "clusters are kept, the others are zero. Nothing is trained again; the accuracy is that of the masked probe on "
        "all test inputs, exactly."
    )
    controls.choose_threshold()
    view = page.view()
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    if view.gauge != AS_TRAINED:
        st.caption(
            f"Which weights are kept follows the clusters of the {view.gauge} gauge; the weights are as trained."
        )
    if layer.has_test_features:
        _accuracies(run, layer, measured, view)
        page.later("one_input", _one_input)  # in here: what is kept of it follows the threshold
    else:
        text.numbers(_weights(layer, what_if.mask(measured, view), measured))
        _said_to_be_silenced(layer, view)
        _papers(run, layer)
        st.info(
            "This file has no test features of this layer (a packed file has none of any), so accuracies at other "
            "thresholds cannot be computed."
        )
        pictures.again(run, "--features", layer.name)
    snippets.python_of_layer(
        "kept = afcc_mask(measured.cluster_of)  # (filter, label)",
        *(
            [f"kept[silencing_order({view.silencing!r}, measured, {view.seed})[:{view.silenced}]] = False"]
            if view.silenced
            else []
        ),
        *(
            [
                "result = what_if(to_blocks(layer.test_features), layer.probe_weights, run.label_of_test_input, kept)",
                "print(result.accuracy, result.weights_kept)",
            ]
            if layer.has_test_features
            else []
        ),
        imports=["afcc_mask", "to_blocks", "what_if", *(["silencing_order"] if view.silenced else [])],
    )


def _weights(layer: Layer, kept: NDArray[np.bool_], measured: LayerMeasure) -> list[tuple[str, float | None, str]]:
    number = int(kept.sum()) * layer.positions
    estimate = layer.n_filters * layer.positions * measured.mean_cluster_size * measured.mean_clusters
    return [
        ("weights kept", number, ",.0f"),
        ("share kept", number / (kept.size * layer.positions), ".1%"),
        ("N_f F_s C_s N_c", defined(estimate), ",.0f"),
    ]


def _papers(run: Run, layer: Layer) -> None:
    paper = frames.published_afcc_of(run, layer)
    if paper is not None:
        st.caption(
            f"The paper keeps about {paper.kept:,} of {paper.weights:,} weights here, and finds an accuracy of about "
            f"{paper.accuracy:.3f} when they are trained again (Discussion)."
        )


def _said_to_be_silenced(layer: Layer, view: View) -> None:
    if view.silenced:
        first = "in random order" if view.silencing == "random" else f"the {view.silencing} first"
        st.caption(
            f"In these numbers {view.silenced} of the {layer.n_filters} {words.unit_of(layer)}s are silenced, {first}: "
            "none of their weights is kept. Below it can be changed."
        )


def _accuracies(run: Run, layer: Layer, measured: LayerMeasure, view: View) -> None:
    file, _ = page.opened()
    if not what_if.FEATURES.has((file, view.layer)):
        with st.spinner("Reading the test features", show_time=True):
            what_if.unmasked(file, view.layer)
    masked, unmasked = what_if.masked(file, view), what_if.unmasked(file, view.layer)
    text.numbers(
        [
            ("accuracy, clusters", masked.accuracy, ".4f"),
            ("accuracy, all", unmasked.accuracy, ".4f"),
            *_weights(layer, what_if.mask(measured, view), measured),
            ("labels lost", int(masked.lost.sum()), ".0f"),
            ("unconnected", int(masked.unconnected.sum()), ".0f"),
        ]
    )
    _said_to_be_silenced(layer, view)
    _papers(run, layer)
    st.subheader("Accuracy of each label")
    st.caption(
        "With the weights of clusters only; the orange marks are with all weights. Lost: none of its test inputs is "
        "recognised. Unconnected: it is in no cluster, so that its logit is always zero."
    )
    table = frames_afcc.label_accuracies(run, masked, unmasked)
    elements.chart(charts_afcc.label_accuracies(table), "afcc-labels", "Accuracy of each label, and with all weights")
    _named(run, "Lost", masked.lost & ~masked.unconnected)
    _named(run, "Unconnected", masked.unconnected)
    page.folded("All labels in a table", "afcc_labels", lambda: elements.table(table, f"afcc-labels-{view.layer}", 320))
    _silencing(layer, masked)


def _named(run: Run, what: str, which: NDArray[np.bool_]) -> None:
    names = [run.label_names[label] for label in np.flatnonzero(which)]
    if names:
        rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        text.plain(f"{what}: {frames.joined(names[:_MOST_NAMES])}{rest}.")


def _silencing(layer: Layer, masked: WhatIf) -> None:
    file, _ = page.opened()
    unit = words.unit_of(layer)
    st.subheader(f"Silencing {unit}s")
    st.caption(
        f"The test accuracy while more and more {unit}s are silenced. What is silenced here is also silent in "
        "all numbers above, and in what is kept below."
    )
    columns = st.columns(4, vertical_alignment="bottom")
    with columns[0]:
        controls.choose_silencing()
    with columns[1]:
        controls.choose_number(f"Silenced {unit}s, 0 to {layer.n_filters}", "silenced", layer.n_filters)
    with columns[2]:
        controls.choose_weights()
    if page.view().silencing == "random":
        with columns[3]:
            controls.choose_number("Seed of the order", "seed", 10**9 - 1)
    view = page.view()
    slow = f"curve {file} {view.layer}"
    work = layer.n_filters * layer.positions * len(masked.predicted) * layer.n_labels
    quick = view.weights == "clusters" or work < 10**9
    if not page.asked(slow, quick, "With all weights this takes some seconds.", "Compute the curve"):
        return
    with st.spinner("Silencing", show_time=True):
        frame = frames_afcc.silencing(what_if.curve(file, view))
    elements.chart(
        charts_afcc.silencing(frame, view.silenced, unit), "silencing", f"Test accuracy against silenced {unit}s"
    )
    page.folded(
        "The curve as a table", "silencing_table", lambda: elements.table(frame, f"silencing-{view.layer}", 320)
    )


# ---- One input ------------------------------------------------------------------------------------------------------


def _one_input() -> None:
    file, run = page.opened()
    layer = run.layers[page.view().layer]
    unit = words.unit_of(layer)
    st.divider()
    st.subheader("One test input")
    last = int(run.test_inputs.sum()) - 1
    controls.choose_number(f"Test input, 0 to {last}", "test_input", last)
    view = page.view()
    one = what_if.one_input(file, view)
    logits = one.split.logits
    predicted = int(np.argmax(logits.astype(np.float32)))
    alone = int(what_if.masked(file, view).predicted[view.test_input])
    image = images.source(file, view.test_input) if run.has_thumbnails else None
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="thumbnail"):
        if image is not None:
            st.image(image, width=96)
        text.facts(
            [
                ("Its label", run.label_names[one.label]),
                ("Predicted, all weights", run.label_names[predicted]),
                ("Predicted, clusters only", run.label_names[alone]),
            ]
        )
    st.caption(
        f"The largest logits, with all weights: each the sum of what all {unit}s give, split by what the {unit}'s "
        "element in the row of the input's label is: signal, internal noise, external noise, or not above the "
        "threshold. The mark is the logit; parts below zero stand to the left."
    )
    largest = np.argsort(-logits, kind="stable")[:_OUTPUTS].tolist()
    outputs = largest if one.label in largest else [*largest[:-1], one.label]
    table = frames_afcc.split(run, one, outputs)
    elements.chart(charts_afcc.split(table), "logits", "The largest logits, by part")
    page.folded("The parts as a table", "logits_table", lambda: elements.table(table, "logits", 320))
    st.caption(
        f"The {unit}s by what they give to a logit, the most first; kept: the weights stay when only clusters do. "
        "Select a row to open it."
    )
    shown = {"the predicted label": predicted} | ({"its own label": one.label} if one.label != predicted else {})
    for column, (what, output) in zip(st.columns(2, gap="large"), shown.items(), strict=False):
        with column:
            st.markdown(f"**Given to {what}**")
            text.plain(run.label_names[output])
            given = _pictured(file, view.layer, frames_afcc.given(one, output))
            elements.table(
                given, f"given-{view.layer}-{view.test_input}-{output}", 320,
                pick=lambda row: page.go("filter", filter=row["filter"]),
            )  # fmt: skip


def _pictured(file: FileId, layer: str, given: pl.DataFrame) -> pl.DataFrame:
    """Filters with the image that drives each the most, for the first of them, where there are pictures."""
    if not images.has_pictures(file, layer):
        return given
    top = images.top_inputs(file, layer)
    assert top is not None
    numbers = top.inputs[given["filter"].to_numpy()[:_PICTURED], 0, 0].tolist()
    found = [images.source(file, number) for number in numbers] + [None] * max(0, given.height - _PICTURED)
    return given.insert_column(0, pl.Series(elements.PICTURE, found, pl.String))


# ---- What the run has trained again ---------------------------------------------------------------------------------


def _retrained() -> None:
    file, run = page.opened()
    layer = run.layers[page.view().layer]
    st.divider()
    st.subheader("Trained again")
    results = afcc_results.of_layer(layer.record)
    if results is None:
        st.caption("The run has not trained the masked probe of this layer again.")
        pictures.again(run, "--afcc", layer.name)
        return
    at = "-" if results.threshold is None else f"{results.threshold:g}"
    before = "-" if results.accuracy is None else f"{results.accuracy:.3f}"
    st.caption(
        f"What the run found at threshold {at}: test accuracies with the weights that each mask keeps, before and "
        "after training again, of the probe alone and with the network as the supplement does. With all weights: "
        f"{before}."
    )
    for name, recipe in results.recipes.items():
        if recipe:
            text.plain(f"Training of the {name}: {recipe}")
    elements.table(frames_afcc.masks(results), f"afcc-{layer.name}", "content")
    epochs = frames_afcc.epochs(results)
    if not epochs.is_empty():
        st.caption("Test accuracy after each epoch. Dashed: trained with the network.")
        elements.chart(charts_afcc.epochs(epochs), "afcc-epochs", "Test accuracy of each mask against the epoch")
        page.folded("The epochs as a table", "epochs_table", lambda: elements.table(epochs, "afcc-epochs", 320))
    left, right = st.columns(2, gap="large")
    with left:
        _costs(results)
    with right:
        _likeness(file, layer, results)


def _costs(results: LayerResults) -> None:
    if results.costs is None:
        return
    st.markdown("**What it costs**")
    st.caption("The probe with the weights of clusters only, as a dense matrix and as compressed sparse rows (CSR).")
    elements.table(frames_afcc.costs(results.costs), "afcc-costs", "content")
    for batch, times in results.costs.slower.items():
        inputs = "one input" if batch == 1 else f"a batch of {batch}"
        st.caption(f"The sparse one is slower for {inputs}: it takes {times:.3g} times as long.")


def _likeness(file: FileId, layer: Layer, results: LayerResults) -> None:
    unit = words.unit_of(layer)
    if results.alike is None and not results.alike_of_filter:
        return
    st.markdown("**Clusters of training inputs**")
    same = "-" if results.identical is None else f"{results.identical:.1%}"
    alike = "-" if results.alike is None else f"{results.alike:.3f}"
    st.caption(
        f"The paper finds the same clusters with training inputs. Here they are identical in {same} of the {unit}s; "
        f"the mean likeness is {alike} (elements in clusters of both, of those in clusters of either)."
    )
    if results.threshold is not None:
        of_test = load.measured(file, layer.name, results.threshold, "stored", AS_TRAINED)
        elements.table(frames_afcc.train_and_test(results, of_test), "afcc-train", "content")
    if results.alike_of_filter:
        bins = frames_afcc.likeness(results.alike_of_filter)
        elements.chart(
            charts.histogram(bins, "likeness", f"{unit}s", 0.1), "afcc-likeness",
            "How alike clusters of test and training inputs are",
        )  # fmt: skip


def _between() -> None:
    _, run = page.opened()
    results = afcc_results.between(run.manifest)
    if results is None:
        return
    st.subheader("Between layers")
    before = "-" if results.accuracy is None else f"{results.accuracy:.3f}"
    st.caption(
        "Of the weights between consecutive layers, those between two filters whose clusters share a label are kept, "
        "layer after layer, and the network is trained again after each; beside it, other ways to choose as many. The "
        f"network's accuracy before: {before}."
    )
    text.plain(f"Layers {results.layers}. {results.recipe}")
    table = frames_afcc.between(results)
    elements.table(table, "afcc-between", "content")
    if table["trained again"].count():
        elements.chart(charts_afcc.between(table), "afcc-between", "Test accuracy after each pair of layers")


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
