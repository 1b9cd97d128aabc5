"""A layer as it forms, on a page: the film, and its files."""

import shlex
from functools import partial

import streamlit as st

from explorer import words
from explorer.data import epochs, load
from explorer.data.commands import same_run
from explorer.data.source import FileId
from explorer.example import FORMING
from explorer.matrix.film import epochs_with, film, is_playable
from explorer.parts import elements, page
from store.file.read import Run
from store.measure.layer import scan_order

SNAPSHOTS = "10"  # that the printed command asks for


def has_epochs(run: Run) -> bool:
    return len(run.epochs) > 1


def missing(run: Run) -> None:
    """How to have earlier epochs in a file."""
    if FORMING.is_file():
        st.caption("A run that has them comes with the program:")
        st.code(f"filterscope explore {shlex.quote(str(FORMING))}", language=None, wrap_lines=True)
    if not run.manifest["network"]["epochs"]:
        st.caption("This network was probed as it is, without training: there are no epochs to look at.")
        return
    command = same_run(run, "--snapshots", SNAPSHOTS, "--fresh")
    if not command:
        st.caption("This file was made from activations: it knows of no training.")
        return
    st.caption(
        "This file has the trained network alone. With `--snapshots` the same run measures its layers at earlier "
        "epochs of the training too, and ends with the same numbers. What was not kept has to be trained again:"
    )
    st.code(command, language=None, wrap_lines=True)


def of_layer(file: FileId, key: str, figure: bool, gallery: bool) -> None:
    """The film of the view's layer. figure: with the view's filter; gallery: with all filters, to be chosen from."""
    run, view = load.open_run(file), page.view()
    layer = run.layers[view.layer]
    if not is_playable(run, view.layer):
        st.caption("This layer is too large for a browser to hold at all its epochs. In Python: run.at_epoch(...).")
        return
    film(
        epochs.film_data(file, view.layer),
        epoch=shown_epoch(run, view.layer),
        filter_index=view.filter,
        threshold=view.threshold,
        order=scan_order(view.order, run.n_labels),
        average=view.average,
        gauge=view.gauge,
        figure=figure,
        gallery=gallery,
        on_epoch=partial(_change_epoch, run),
        on_filter=lambda chosen: page.change(filter=min(chosen, layer.n_filters - 1)),
        key=key,
    )


def folded_in(file: FileId, key: str, figure: bool, gallery: bool) -> None:
    """The same where it is opened on another page, with the way to Emergence; or how to have epochs in a file."""
    run = load.open_run(file)
    if not has_epochs(run):
        missing(run)
        return
    of_layer(file, key, figure, gallery)
    if st.button("All of it on Emergence", key=f"{key}_more", type="tertiary", icon=":material/arrow_forward:"):
        page.go("emergence")


def shown_epoch(run: Run, layer: str) -> int:
    """The view's epoch, the trained network's where it has none or the layer was not measured then."""
    return page.view().epoch if page.view().epoch in epochs_with(run, layer) else run.epochs[-1]


def _change_epoch(run: Run, epoch: int) -> None:
    page.change(epoch=-1 if epoch == run.epochs[-1] else epoch)


def files(file: FileId) -> None:
    """The film of the layer, and of the filter, as animations, and both as a page."""
    run, view = load.open_run(file), page.view()
    name = f"{run.name.removesuffix('.h5')}-layer-{view.layer}"
    unit = words.unit_of(run.layers[view.layer])
    with st.container(horizontal=True, gap="small"):
        # Made when asked for: frames of a large layer take seconds.
        elements.download("Film of the layer (WebP)", f"{name}-epochs.webp", lambda: _webp(file, None), "image/webp")
        elements.download(
            f"Film of {unit} {view.filter} (WebP)", f"{name}-{unit}-{view.filter}-epochs.webp",
            lambda: _webp(file, view.filter), "image/webp",
        )  # fmt: skip
        if is_playable(run, view.layer):
            elements.download("As a page (.html)", f"{name}-epochs.html", lambda: _page(file), "text/html")


def _webp(file: FileId, filter_index: int | None) -> bytes:
    from explorer.charts import film as pictures

    run, view = load.open_run(file), page.view()
    measures = epochs.measures(file, view.threshold, view.order, view.gauge)
    frames, told = [], []
    for epoch in epochs_with(run, view.layer):
        fields = run.at_epoch(epoch).layers[view.layer].fields(gauge=view.gauge)
        at = measures[epoch, view.layer]
        drawn = pictures.of_layer(fields, at) if filter_index is None else pictures.of_filter(fields, at, filter_index)
        frames.append(drawn)
        what = f"layer {view.layer}" + ("" if filter_index is None else f", {filter_index}")
        told.append(f"{what}: after epoch {epoch} of {run.epochs[-1]}, threshold {view.threshold:g}")
    return pictures.animated(frames, told)


def _page(file: FileId) -> bytes:
    from explorer.capsule.film import film_page

    view = page.view()
    return film_page(load.open_run(file), epochs.film_data(file, view.layer), view.filter, view.threshold, view.gauge)
