"""What every page is built of: the present view, what is drawn again on its own, and text that stays text.

Names and manifests come from strangers' files. Streamlit reads Markdown, LaTeX and emoji codes in nearly all the text
that it is given, so such text goes only where none is read: `st.text`, `st.code`, data frames, Vega, select boxes, and
`text` below, which escapes it.
"""

import html
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, Literal, NoReturn

import streamlit as st

from explorer import load, words
from explorer.load import FileId, SourceError
from explorer.state import View, to_address
from store.format import FormatError
from store.read import Layer, Run
from store.remote import RemoteError

LARGE = "This layer is large; measuring it at 19 thresholds takes a while."

# ---- The present view -----------------------------------------------------------------------------------------------


def view() -> View:
    present: View = st.session_state["view"]
    return present


def change(**values: Any) -> None:
    """Another view from now on; the address follows."""
    show_at(replace(view(), **values))


def change_everywhere(**values: Any) -> None:
    """The same, of what several parts of the page show: all are drawn again, not the control's fragment alone."""
    change(**values)
    st.session_state["everywhere"] = True


def show_at(present: View) -> None:
    address = to_address(present)
    st.session_state["view"], st.session_state["address"] = present, address
    if st.query_params.to_dict() != address:
        st.query_params.from_dict(address)


def note_drawn() -> None:
    """From now on the page shows the present view, or what of it has changed."""
    st.session_state["drawn"], st.session_state["everywhere"] = view(), False


def is_behind() -> bool:
    """Whether the view has changed and nothing was drawn for it.

    Streamlit sends what changes within one moment as one message, for the fragment of the first change. The second
    control then has its new value, and what belongs to it is not drawn again.
    """
    behind: bool = st.session_state["drawn"] != view()
    return behind


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
    except RemoteError as error:
        st.error("The file at this address cannot be read.")
        text(str(error))
    except OSError as error:
        st.error("The system cannot read this file or folder.")
        text(f"{error.filename or ''}: {error.strerror or error}")
        st.markdown("Check its name and permissions, then load this page again.")


def fragment(draw: Callable[[], None]) -> Callable[[], None]:
    """A part of a page that is drawn again on its own. Its problems are messages too."""

    @wraps(draw)
    def guarded() -> None:
        if st.session_state["everywhere"]:
            st.rerun()
        with problems_as_messages():
            draw()
        note_drawn()

    return st.fragment(guarded)


def folded(label: str, key: str, draw: Callable[[], object]) -> None:
    """A part that is drawn when it is opened, alone: what nobody sees holds nothing up. Each on a page has its key."""

    @fragment
    def part() -> None:
        box = st.expander(label, key=key, on_change="rerun")
        if box.open:
            with box:
                draw()

    part()


def asked(key: str, quick: bool, caption: str, button: str) -> bool:
    """Whether something is to be computed: what takes a while waits until a person asks for it."""
    if quick or st.session_state.get(key):
        return True
    st.caption(caption)
    st.button(button, on_click=partial(st.session_state.__setitem__, key, True))
    return False


def later(name: str, draw: Callable[[], None]) -> None:
    """A part of a session's first page that is drawn once the browser has drawn the rest.

    To draw it at once would hold the rest up: the server makes its charts while the browser waits for the code that
    draws headings and tables. From the second page on it is drawn at once. Each on a page has its name.
    """

    @fragment
    def part() -> None:
        if st.session_state.get("has drawn"):
            draw()
            return
        with st.container(key=f"later_{name}", height=300, border=False):
            when_at_rest(name, then=partial(st.session_state.__setitem__, "has drawn", True))

    part()


def when_at_rest(name: str, every: float | None = None, then: Callable[[], None] = lambda: None) -> None:
    """Draw the fragment around it again once the page is drawn, or every so many seconds while nothing goes on."""
    _AT_REST(key=f"rest_{name}", data={"every": every}, on_rest_change=then)


_AT_REST = st.components.v2.component(
    "filterscope.at_rest", js=Path(__file__).with_name("at_rest.js").read_text("utf-8")
)


def go(page: Literal["run", "layer", "filter", "labels", "afcc", "compare"], **values: Any) -> NoReturn:
    """Another page, with these values of the view."""
    change(**values)
    st.switch_page(f"views/{page}.py", query_params=to_address(view()))


# ---- Text -----------------------------------------------------------------------------------------------------------


def text(body: str, kind: Literal["heading", "note", "lead"] = "note") -> None:
    """Text from a file, shown letter by letter."""
    st.html(f'<div class="fs-{kind}">{html.escape(body)}</div>')


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """What is known about something, a line each: names of ours, values from a file."""
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in pairs)
    st.html(f'<dl class="fs-facts">{rows}</dl>')


def facts_of_filter(file: FileId, layer: Layer, number: int) -> None:
    """A filter's rank, and its share of the layer's fields."""
    squares, unit = load.loaded(file, layer.name).squares, words.unit_of(layer)
    total = float(squares.sum())
    share = f"{squares[number] / total:.2%}" if 0 < total < math.inf else "-"
    rank, most = load.rank(file, layer.name, number), min(layer.positions, layer.n_labels)
    facts(
        [
            ("Rank", f"{rank}, of at most {most} (a field is a sum over {words.positions(layer)} of a {unit})"),
            (
                "Share of the layer's fields",
                f"{share} of the sum of their squares; {1 / layer.n_filters:.2%} if all {unit}s had the same",
            ),
        ]
    )


def python(code: str) -> None:
    """How to get the same numbers without this app. Call it where a new threshold is drawn, so that it has it."""
    folded("Load this in Python", "python", lambda: st.code(code, language="python"))


def python_of_layer(*lines: str, imports: str = "") -> None:
    """The same, for the layer at the present threshold: the lines that follow `measured`, and what they import."""
    file, _ = opened()
    present = view()
    follow = "\n    ".join(lines)
    python(
        f"""from store import scan_order
{imports}from store.read import Layer, Run

with Run({file.path!r}) as run:
    layer = run.layers[{present.layer!r}]
    measured = layer.measure(threshold={present.threshold!r}, order=scan_order({present.order!r}, run.n_labels))
    {follow}"""
    )


def not_the_papers(run: Run) -> None:
    """A note wherever a recipe is not the paper's."""
    if note := words.not_the_papers(run):
        text(note)


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
