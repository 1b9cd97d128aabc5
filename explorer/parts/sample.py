"""The part of a page that resamples a layer's test inputs at the view's own threshold, scan order and gauge."""

import streamlit as st

from explorer.data import load, sample
from explorer.data.source import FileId
from explorer.frames import sample as frames
from explorer.parts import elements, page, text
from store.tables.rests_on import n_sure

_QUICK = 3e8  # multiply-adds: some tenths of a second


def resampling(file: FileId) -> None:
    run, view = load.open_run(file), page.view()
    layer = run.layers[view.layer]
    if not sample.can_resample(layer):
        text.plain(
            "This needs the activations of each test input in the file: `--features` with the name of the layer. What "
            "the run itself has recorded is in the tables and charts."
        )
        return
    draws = sample.resamples(layer)
    work = draws * layer.n_filters * layer.n_labels**2 * layer.positions
    st.caption(
        f"{draws} resamples of the test inputs within each label, at threshold {view.threshold:g}, in the scan order "
        "and gauge that are chosen. The probe's weights stay as they are: it was trained on other inputs."
    )
    quick = work < _QUICK or sample.is_resampled(file, view)
    key = f"resample {file} {view.layer} {view.threshold} {view.order} {view.gauge}"
    if not page.asked(key, quick, "With so many filters and labels it takes some seconds.", "Resample"):
        return
    with st.spinner("Resampling", show_time=True):
        found = sample.resampled(file, view)
    if found is None:
        return
    measured = load.measured(file, view.layer, view.threshold, view.order, view.gauge)
    elements.table(frames.resampled(found, measured), f"sample-{view.layer}")
    st.caption(
        "n and N_c are means over filters with a cluster. bias: by how much resamples lie to one side of what was "
        "measured. Filter draws the clusters that fewer than half of the resamples find dashed, at this threshold too."
    )
    if found.clusters is not None and found.clusters.share.size:
        sure = found.clusters.sure()
        on_average = n_sure(measured, sure)
        text.numbers(
            [
                ("clusters", sure.size, ",.0f"),
                ("% sure", 100 * float(sure.mean()), ".0f"),
                ("N_c, sure", on_average, ".2f"),
                ("mean Jaccard", float(found.clusters.jaccard.mean()), ".2f"),
            ]
        )
