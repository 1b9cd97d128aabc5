"""What every page is built of: the present view, and what is drawn again on its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, Literal, NoReturn

import streamlit as st

from explorer.data import load
from explorer.data.source import FileId, SourceError
from explorer.parts import text
from explorer.state import View, to_address
from store.file.format import FormatError
from store.file.read import Run
from store.file.remote import RemoteError
from store.file.structure import BEING_WRITTEN

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
        text.plain(str(error))
        st.markdown("Start it with a result file or a folder of them:")
        st.code("filterscope explore PATH", language=None)
    except FormatError as error:
        is_being_written = BEING_WRITTEN in str(error)
        reason = (
            "another program is writing it" if is_being_written else "it is damaged, or it is not a Filterscope result"
        )
        st.error(f"This file cannot be shown: {reason}.")
        text.plain(str(error))
        st.markdown("Choose another run, make it again, or see what is wrong with it:")
        st.code("python -m store check FILE", language=None)
    except RemoteError as error:
        st.error("The file at this address cannot be read.")
        text.plain(str(error))
    except OSError as error:
        st.error("The system cannot read this file or folder.")
        text.plain(f"{error.filename or ''}: {error.strerror or error}")
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


def go(
    page: Literal["overview", "layer", "filter", "labels", "emergence", "afcc", "compare"], **values: Any
) -> NoReturn:
    """Another page, with these values of the view."""
    change(**values)
    st.switch_page(f"views/{page}.py", query_params=to_address(view()))
