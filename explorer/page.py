"""What every page is built of: the present view and its controls, text that stays text, tables and charts with files.

Names and manifests come from strangers' files. Streamlit reads Markdown, LaTeX and emoji codes in nearly all the text
that it is given, so such text goes only where none is read: `st.text`, `st.code`, data frames, Vega, select boxes, and
`text` below, which escapes it.
"""

import html
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

import polars as pl
import streamlit as st

from explorer import load
from explorer.load import FileId, SourceError
from explorer.state import Average, View, to_address
from store.format import FormatError
from store.measure import ScanOrder
from store.read import Run

if TYPE_CHECKING:
    from explorer.charts import Picture  # altair takes a third of a second, and the first page has tables before charts

LARGE = "This layer is large; measuring it at 19 thresholds takes a while."

_FORMATS = {
    "accuracy": "%.3f", "accuracy, paper": "%.3f", "n": "%.1f", "n, paper": "%.1f", "N_c": "%.2f", "N_c, paper": "%.2f",
    "C_s": "%.2f", "C_s, paper": "%.2f", "signal": "%.2f", "noise_I": "%.3f", "noise_E": "%.3f",
    "noise_I + noise_E": "%.3f", "Eq. (1)": "%.2f", "Eq. (2)": "%.3f", "Eq. (3)": "%.3f", "SNR_I": "%.1f",
    "Eq. (1)/(2)": "%.1f", "SNR_E": "%.1f", "Eq. (4)": "%.1f", "signal, fields": "%.1f", "noise_I, fields": "%.2f",
    "noise_E, fields": "%.2f", "noise_I + noise_E, fields": "%.2f", "maximum": "%.4g", "field": "%.4g",
    "field / maximum": "%.3f", "share of fields": "percent", "mean cluster size": "%.2f", "A": "%.4g", "B": "%.4g",
    "B - A": "%.4g", "relative": "percent",
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

# ---- The present view -----------------------------------------------------------------------------------------------


def view() -> View:
    present: View = st.session_state["view"]
    return present


def change(**values: Any) -> None:
    """Another view from now on; the address follows."""
    show_at(replace(view(), **values))


def show_at(present: View) -> None:
    address = to_address(present)
    st.session_state["view"], st.session_state["address"] = present, address
    if st.query_params.to_dict() != address:
        st.query_params.from_dict(address)


def opened() -> tuple[FileId, Run]:
    """The file that the app has opened for this run of the page, with at least one layer; `view` fits it."""
    file: FileId = st.session_state["file"]
    return file, load.open_run(file)


@contextmanager
def problems_as_messages() -> Iterator[None]:
    """What a wrong argument or a damaged file raises, as a message on the page: what it is, and what to do."""
    try:
        yield
    except SourceError as error:
        st.error("There is nothing to show here.")
        text(str(error))
        st.markdown("Start it with a result file or a folder of them:")
        st.code("streamlit run explorer/app.py -- --store PATH", language="bash")
    except FormatError as error:
        st.error("This file cannot be shown: it is damaged, or it is not a Filterscope result.")
        text(str(error))
        st.markdown("Choose another run, make it again, or see what is wrong with it:")
        st.code("python -m store check FILE", language="bash")
    except OSError as error:
        st.error("The system cannot read this file or folder.")
        text(f"{error.filename or ''}: {error.strerror or error}")
        st.markdown("Check its name and permissions, then load this page again.")


def fragment(draw: Callable[[], None]) -> Callable[[], None]:
    """A part of a page that is drawn again on its own. Its problems are messages too."""

    @wraps(draw)
    def guarded() -> None:
        with problems_as_messages():
            draw()

    return st.fragment(guarded)


def go(page: Literal["run", "layer", "filter", "labels", "compare"], **values: Any) -> NoReturn:
    """Another page, with these values of the view."""
    change(**values)
    st.switch_page(f"views/{page}.py", query_params=to_address(view()))


# ---- Controls: each shows a value of the view and writes it back ----------------------------------------------------


def _bound(name: str, key: str, value: Any, then: Callable[[Any], Any] | None = None) -> dict[str, Any]:
    """Arguments for a Streamlit control that stands for `name` of the view."""
    # Only where it differs: the browser takes a value that is set here for its own, and loses the key presses since.
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value

    def changed() -> None:
        chosen = st.session_state[key]
        if chosen is not None:
            change(**{name: then(chosen) if then else chosen})

    return {"key": key, "on_change": changed}


def choose(label: str, name: str, options: Sequence[Any], shown: Callable[[Any], str] = str, **more: Any) -> None:
    """A select box. Its options are plain text, whatever they look like."""
    value = getattr(view(), name)
    st.selectbox(label, options, format_func=shown, **_bound(name, f"choose_{name}", value), **more)


def choose_threshold() -> None:
    """A slider; the whole page follows when it is released. The Filter page has the live one."""
    st.slider(
        "Threshold, as a fraction of each maximum",
        0.0, 1.0, step=0.01,
        help="An element of a field matrix counts when it is above this fraction of the matrix's largest. "
        "The paper uses 0.3. Arrow keys move it.",
        **_bound("threshold", "choose_threshold", view().threshold),
    )  # fmt: skip


def choose_in_sidebar(run: Run) -> None:
    """What holds for all pages."""
    choose("Layer", "layer", list(run.layers))
    choose(
        "Scan order of the labels", "order", get_args(ScanOrder),
        lambda order: "as stored" if order == "stored" else order,
        help="The greedy search for clusters visits the labels in this order. It should matter little.",
    )  # fmt: skip
    choose(
        "Means of n and N_c over", "average", get_args(Average),
        lambda average: "filters with clusters" if average == "clustered" else "all filters",
        help="The paper's tables fit means over the filters that have at least one cluster.",
    )  # fmt: skip


def choose_number(label: str, name: str, last: int) -> None:
    st.number_input(label, 0, last, step=1, **_bound(name, f"choose_{name}", getattr(view(), name)))


def choose_other(label: str, name: str, options: Sequence[str], value: str, shown: Callable[[str], str] = str) -> None:
    """As `choose`, of a value that the view may leave at its default."""
    st.selectbox(label, options, format_func=shown, **_bound(name, f"choose_{name}", value))


def open_number(label: str, last: int) -> None:
    """A number to type in place of pointing at a picture."""
    number = st.number_input(label, 0, last, value=None, step=1, placeholder=f"0 to {last}", width=220)
    if number is not None:
        go("filter", filter=int(number))


def choose_label(run: Run, caption: str = "Label") -> None:
    choose(caption, "label", range(run.n_labels), lambda label: _numbered(run, label))


def _numbered(run: Run, label: int) -> str:
    kind = run.superclasses[label]
    return f"{label}  {run.label_names[label]}" + (f"  ({kind})" if kind else "")


# ---- Text -----------------------------------------------------------------------------------------------------------


def text(body: str, kind: Literal["heading", "note", "lead"] = "note") -> None:
    """Text from a file, shown letter by letter."""
    st.html(f'<div class="fs-{kind}">{html.escape(body)}</div>')


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """What is known about something, a line each: names of ours, values from a file."""
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in pairs)
    st.html(f'<dl class="fs-facts">{rows}</dl>')


def python(code: str) -> None:
    """How to get the same numbers without this app."""
    with st.expander("Load this in Python"):
        st.code(code, language="python")


def python_of_layer(*lines: str) -> None:
    """The same, for the layer at the present threshold: the lines that follow `measured`."""
    file, _ = opened()
    present = view()
    follow = "\n    ".join(lines)
    python(
        f"""from store import scan_order
from store.read import Run

with Run({file.path!r}) as run:
    layer = run.layers[{present.layer!r}]
    measured = layer.measure(threshold={present.threshold!r}, order=scan_order({present.order!r}, run.n_labels))
    {follow}"""
    )


def not_the_papers(run: Run) -> None:
    """A note wherever a recipe is not the paper's."""
    recipe = run.manifest.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}
    if recipe.get("is_paper") is True:
        return
    departures = recipe.get("departures")
    listed = [str(entry) for entry in departures] if isinstance(departures, list) else []
    name = str(recipe.get("name", "unknown"))
    text(f"Not the paper's recipe ({name})" + (": " + "; ".join(listed) if listed else "") + ".", "note")


def numbers(pairs: Iterable[tuple[str, float | None, str]]) -> None:
    """A row of single numbers: symbol, value, format; "-" where it is undefined."""
    shown = list(pairs)
    for column, (name, value, shape) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(name, "-" if value is None else format(value, shape if abs(value) < 1000 else ",.0f"))


_PRINTED = {  # names as the paper prints them
    "vgg16": "VGG-16", "efficientnet_b0": "EfficientNet-B0", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100",
    "imagenet": "ImageNet",
}  # fmt: skip


def printed(name: object) -> str:
    return _PRINTED.get(str(name), str(name))


def run_title(run: Run) -> str:
    network, data = run.manifest["network"], run.manifest["data"]
    return f"{printed(network['arch'])} on {printed(data['name'])}, {run.n_labels} labels"


# ---- Tables and charts, each with its files -------------------------------------------------------------------------


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
        if (quantity := column.removesuffix(", B - A").removesuffix(" A").removesuffix(" B")) in _FORMATS
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
