"""Tables and charts, each with its files."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import streamlit as st

from explorer import words
from explorer.frames import files

if TYPE_CHECKING:
    from explorer.charts.layer import (
        Picture,  # altair takes a third of a second, and the first page has tables before charts
    )

_SIGNIFICANT = {  # in four digits; in as many more as the largest number needs to be whole
    "maximum", "field", "A", "B", "B - A", "dense", "CSR", "given",
    "of test inputs", "of training inputs", "measured", "by chance", "from", "to", "slope or power",
}  # fmt: skip
_FORMATS = {
    "accuracy": "%.3f", "accuracy, paper": "%.3f", "n": "%.1f", "n, paper": "%.1f", "N_c": "%.2f",
    "N_c, paper": "%.2f", "C_s": "%.2f", "C_s, paper": "%.2f", "signal": "%.2f", "noise_I": "%.3f", "noise_E": "%.3f",
    "noise_I + noise_E": "%.3f", "Eq. (1)": "%.2f", "Eq. (2)": "%.3f", "Eq. (3)": "%.3f", "SNR_I": "%.1f",
    "Eq. (1)/(2)": "%.1f", "SNR_E": "%.1f", "Eq. (4)": "%.1f", "signal, fields": "%.1f", "noise_I, fields": "%.2f",
    "noise_E, fields": "%.2f", "noise_I + noise_E, fields": "%.2f", "field / maximum": "%.3f",
    "share of fields": "percent", "mean cluster size": "%.2f", "B / A": "×%.3g", "share kept": "%.1f%%",
    "before": "%.3f", "probe trained again": "%.3f", "with the network": "%.3f", "trained again": "%.3f",
    "clusters only": "%.3f", "all weights": "%.3f", "difference": "%.3f", "CSR / dense": "%.3g", "spread": "%.3g",
    "z": "%.1f", "root mean square residual": "%.2g", "at K = 1": "%.3g", "error": "%.3f", "error, sd": "%.3f",
    "error, paper": "%.3f", "N_c, sd": "%.2f", "C_s, sd": "%.2f", "common part": "percent",
}  # fmt: skip
_FORMATS |= {f"{of}{end}": _FORMATS[of] for of in ("signal", "noise_I", "noise_E") for end in (" A", " B", ", B - A")}
_FORMATS |= {f"{of}, B - A": _FORMATS[of] for of in ("accuracy", "n", "N_c", "C_s")}
_FORMATS |= {
    f"{of}, {what}": _FORMATS["z"] if what == "z" else _FORMATS[of]
    for of in ("n", "N_c", "C_s", "signal", "noise_I", "noise_E", "SNR_I", "SNR_E")
    for what in ("by chance", "z")
}

PICTURE = "picture"  # a column of images, which no file has
_IN_PERCENT = ("share kept",)  # on the page; in the files as parts of 1

_SAVE_CHART = st.components.v2.component(
    "filterscope.save_chart",
    js=Path(__file__).with_name("save_chart.js").read_text("utf-8"),
    html='<div class="save"><button type="button">PNG</button><button type="button">SVG</button></div>',
    css="""
    .save { display: flex; gap: 4px; justify-content: flex-end; }
    .save button { font: 12px var(--st-font, sans-serif); padding: 1px 8px; border-radius: 6px; cursor: pointer;
      color: var(--st-text-color); background: none; border: 1px solid var(--st-border-color, #8884); opacity: 0.75; }
    .save button:hover, .save button:focus-visible { opacity: 1; border-color: var(--st-primary-color); }
    @media print { .save { display: none; } }
    """,
)


def table(
    frame: pl.DataFrame,
    name: str,
    height: int | Literal["auto", "content"] = "auto",
    pick: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """A table and its CSV and parquet files; `pick` gets the row that is selected."""
    in_files, frame = frame.drop(PICTURE, strict=False), files.on_page(frame)
    config = {
        column: st.column_config.NumberColumn(format=number_format(column, frame[column]), help=words.meaning(column))
        if frame[column].dtype.is_numeric()
        else st.column_config.Column(help=words.meaning(column))
        for column in frame.columns
    }
    if PICTURE in frame.columns:
        config[PICTURE] = st.column_config.ImageColumn(PICTURE, width="small")
    more: dict[str, Any] = {}
    if pick is not None:
        more = {"on_select": "rerun", "selection_mode": "single-row", "key": f"table_{name}"}
    shown = frame.with_columns(pl.col(name) * 100 for name in _IN_PERCENT if name in frame.columns)
    with st.container(key=f"grid_{name}"):  # by which names.js tells what the table is
        chosen = st.dataframe(shown, hide_index=True, height=height, column_config=config, placeholder="-", **more)
    with st.container(horizontal=True, gap="small"):
        download("CSV", f"{name}.csv", lambda: files.csv(in_files), "text/csv")
        download("Parquet", f"{name}.parquet", lambda: files.parquet(in_files), "application/vnd.apache.parquet")
    if pick is not None and chosen["selection"]["rows"]:
        row = chosen["selection"]["rows"][0]
        if row < frame.height:
            pick(frame.row(row, named=True))


def number_format(column: str, values: pl.Series) -> str | None:
    """How a column's numbers are written, as Streamlit takes it; None: as they are, which is right for whole ones."""
    if values.dtype.is_integer():
        return None
    if column not in _SIGNIFICANT:
        return _FORMATS.get(column)
    largest = max((abs(value) for value in values if value is not None and math.isfinite(value)), default=0)
    digits = len(f"{largest:.0f}")
    return f"%.{max(4, digits) if digits <= 15 else 4}g"  # a double has no more


def download(label: str, file_name: str, data: Callable[[], bytes], mime: str) -> None:
    st.download_button(
        label,
        data,
        file_name,
        mime,
        key=f"file_{file_name}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def chart(picture: "Picture", name: str, alt_text: str, **more: Any) -> Any:
    """A chart and its PNG and SVG files. It is drawn as SVG, so that the file is what is seen."""
    picture = picture.properties(usermeta={"embedOptions": {"renderer": "svg"}})
    with st.container(key=f"picture_{name}", gap=None):
        shown = st.altair_chart(picture, alt=alt_text, **more)
        as_wide = more.get("width") != "content"  # else the buttons stay below the picture, which ends before the page
        data = {"place": f"st-key-picture_{name}", "file": f"filterscope-{name}", "side": "end" if as_wide else "start"}
        _SAVE_CHART(data=data, key=f"save_{name}")
    return shown


def charts(drawn: Iterable[tuple["Picture", str, str]], across: int, gap: Literal["medium", "large"]) -> None:
    """Several, each picture, name and alternative text as `chart` takes them, so many in a row."""
    shown = list(drawn)
    for first in range(0, len(shown), across):  # a row at a time: on a phone a column stands under the one before it
        row = shown[first : first + across]
        for column, (picture, name, alt_text) in zip(st.columns(across, gap=gap), row, strict=False):
            with column:
                chart(picture, name, alt_text)
