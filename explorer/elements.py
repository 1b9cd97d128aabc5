"""Tables and charts, each with its files."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import streamlit as st

if TYPE_CHECKING:
    from explorer.charts import Picture  # altair takes a third of a second, and the first page has tables before charts

_FORMATS = {
    "accuracy": "%.3f", "accuracy, paper": "%.3f", "n": "%.1f", "n, paper": "%.1f", "N_c": "%.2f", "N_c, paper": "%.2f",
    "C_s": "%.2f", "C_s, paper": "%.2f", "signal": "%.2f", "noise_I": "%.3f", "noise_E": "%.3f",
    "noise_I + noise_E": "%.3f", "Eq. (1)": "%.2f", "Eq. (2)": "%.3f", "Eq. (3)": "%.3f", "SNR_I": "%.1f",
    "Eq. (1)/(2)": "%.1f", "SNR_E": "%.1f", "Eq. (4)": "%.1f", "signal, fields": "%.1f", "noise_I, fields": "%.2f",
    "noise_E, fields": "%.2f", "noise_I + noise_E, fields": "%.2f", "maximum": "%.4g", "field": "%.4g",
    "field / maximum": "%.3f", "share of fields": "percent", "mean cluster size": "%.2f", "A": "%.4g", "B": "%.4g",
    "B - A": "%.4g", "relative": "percent", "share kept": "percent", "before": "%.3f", "probe trained again": "%.3f",
    "with the network": "%.3f", "trained again": "%.3f", "clusters only": "%.3f", "all weights": "%.3f",
    "difference": "%.3f", "dense": "%.4g", "CSR": "%.4g", "CSR / dense": "%.3g", "given": "%.4g",
    "of test inputs": "%.4g", "of training inputs": "%.4g", "measured": "%.4g", "by chance": "%.4g", "spread": "%.3g",
    "z": "%.1f", "from": "%.4g", "to": "%.4g", "slope or power": "%.4g", "root mean square residual": "%.2g",
    "at K = 1": "%.3g", "error": "%.3f", "error, sd": "%.3f", "error, paper": "%.3f", "N_c, sd": "%.2f",
    "C_s, sd": "%.2f",
}  # fmt: skip

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
    config = {
        column: st.column_config.NumberColumn(format=_FORMATS[quantity])
        for column in frame.columns
        if (quantity := _quantity(column)) in _FORMATS
    }
    more: dict[str, Any] = {}
    if pick is not None:
        more = {"on_select": "rerun", "selection_mode": "single-row", "key": f"table_{name}"}
    chosen = st.dataframe(frame, hide_index=True, height=height, column_config=config, placeholder="-", **more)
    with st.container(horizontal=True, gap="small"):
        download("CSV", f"{name}.csv", lambda: frame.write_csv().encode(), "text/csv")
        download("Parquet", f"{name}.parquet", lambda: _parquet(frame), "application/vnd.apache.parquet")
    if pick is not None and chosen["selection"]["rows"]:
        row = chosen["selection"]["rows"][0]
        if row < frame.height:
            pick(frame.row(row, named=True))


def _quantity(column: str) -> str:
    """Without what says whose it is; a z-score is one, whatever it is of."""
    if column.endswith(", z"):
        return "z"
    return column.removesuffix(", by chance").removesuffix(", B - A").removesuffix(" A").removesuffix(" B")


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
        _SAVE_CHART(data={"place": f"st-key-picture_{name}", "file": f"filterscope-{name}"}, key=f"save_{name}")
    return shown


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
