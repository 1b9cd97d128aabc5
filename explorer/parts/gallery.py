"""The gallery: a layer's filters as one picture, sorted, filtered and paged as the view says."""

from typing import Any, get_args

import polars as pl
import streamlit as st

from explorer import words
from explorer.charts import gallery as pictures
from explorer.charts import layer as charts
from explorer.data import images, load
from explorer.data.source import FileId
from explorer.frames.sample import LEAST_SURE
from explorer.parts import controls, elements, page
from explorer.parts.pictures import missing
from explorer.state import FilterSort, Style
from store.file.read import Layer, Run
from store.measure.layer import LayerMeasure

_SORTS = {"filter": "number", "share of fields": "share of the fields"}
EXPLAINED = {
    "fields": "Bright is the largest field, black is zero, blue is below zero.",
    "clipped": "White: above the threshold and in a cluster; yellow: above it outside the clusters, the noise.",
    "permuted": "White: the clusters, moved to the upper left; yellow: the noise. Each is cut to the labels with an "
    "element above the threshold, and enlarged.",
    "images": "The nine test images with the largest activation, where the run keeps pictures.",
}


def choose_style() -> None:
    controls.choose("Show", "style", get_args(Style))


def choose_sort() -> None:
    controls.choose("Sort by", "sort", get_args(FilterSort), lambda sort: _SORTS.get(sort, sort), gallery_page=1)


def choose_label(run: Run) -> None:
    names = run.label_names
    controls.choose(
        "Holds the label",
        "holds",
        range(-1, run.n_labels),
        lambda label: "any" if label < 0 else names[label],
        gallery_page=1,
    )


def choose_conditions(table: pl.DataFrame) -> None:
    """Which rows of `frames.filters` are shown, and which way round.

    The controls are drawn while the box is open only. In a box that is closed the browser does not make them; made
    later, they would start from Streamlit's defaults and write these into the view.
    """
    box = st.popover("More conditions", width="stretch", key="conditions", on_change="rerun")
    if not box.open:
        return
    with box:
        controls.choose_range("Clusters", "clusters", _most(table, "clusters"))
        controls.choose_range("Labels in the largest cluster", "largest", _most(table, "largest cluster"))
        controls.choose_range("Noise", "noise", _most(table, "noise"))
        if LEAST_SURE in table.columns:
            controls.choose_range("Clusters found in % of resamples, the least sure", "sure", 100)
        controls.choose_span("Maximum", "maximum", table["maximum"].drop_nulls().to_list())
        controls.switch("Smallest first", "ascending", gallery_page=1)


def _most(table: pl.DataFrame, column: str) -> int:
    return int(table[column].max() or 0)  # type: ignore[arg-type]


def in_order(table: pl.DataFrame) -> pl.DataFrame:
    """Rows of `frames.filters` as the view sorts them; undefined numbers last."""
    view = page.view()
    descending = not view.ascending and view.sort != "filter"
    return table.sort(view.sort, descending=descending, maintain_order=True, nulls_last=True)


def meeting_conditions(table: pl.DataFrame) -> pl.DataFrame:
    """Rows of `frames.filters` that meet the view's conditions, but for the label, which is of one run."""
    view = page.view()
    for column, span in (
        ("clusters", view.clusters), ("largest cluster", view.largest), ("noise", view.noise),
        ("maximum", view.maximum),
    ):  # fmt: skip
        if span is not None:
            table = table.filter(pl.col(column).is_between(*span))
    if view.sure is not None and LEAST_SURE in table.columns:
        table = table.filter(pl.col(LEAST_SURE).is_between(*view.sure))
    return table


def holding_label(table: pl.DataFrame, measured: LayerMeasure) -> pl.DataFrame:
    """Rows of `frames.filters` whose clusters hold the view's label, all where it has none."""
    label = page.view().holds
    if label < 0:
        return table
    return table.filter(pl.Series(measured.cluster_of[:, label] >= 0).gather(table["filter"]))


def choose_page(last: int) -> int:
    """The page of the view, brought back to the last; a control where there is more than one."""
    if page.view().gallery_page > last:
        page.change(gallery_page=last)
    if last > 1:
        controls.choose_number(f"Page, of {last}", "gallery_page", last, first=1)
    return page.view().gallery_page


def picture(file: FileId, layer: Layer, tiles: pl.DataFrame, across: int, name: str, **more: Any) -> Any:
    """Draw these rows of `frames.filters` as one picture, to point at and to click; the event of Streamlit's chart."""
    view = page.view()
    measured = load.measured(file, layer.name, view.threshold, view.order, view.gauge)
    loaded = load.loaded(file, layer.name, view.gauge)
    shown = tiles["filter"].to_list()
    if view.style == "images" and not images.has_pictures(file, layer.name):
        missing(file)
    if view.style == "images" and images.has_pictures(file, layer.name):
        pixels = pictures.arranged([images.montage(file, layer.name, f, pictures.TILE) for f in shown], across)
    else:
        style = "permuted" if view.style == "images" else view.style
        pixels = pictures.gallery([loaded.fields.matrix(f) for f in shown], shown, measured, style, across)
    return elements.chart(
        charts.gallery(tiles, pixels, across, words.unit_of(layer)), name, f"{len(shown)} matrices, {view.style}",
        width="content", **more,
    )  # fmt: skip


def picked(event: Any) -> int | None:
    """The filter of the tile that was clicked."""
    tiles = event["selection"].get("tile") if event else None
    return int(tiles[0]["filter"]) if tiles else None
