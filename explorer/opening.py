"""Which file is shown: the argument, the address and the sidebar settle it before a page is drawn."""

import sys

import streamlit as st

from explorer.data import load
from explorer.data import source as sources
from explorer.data.source import FileId, Source
from explorer.parts import controls, find, page, text
from explorer.state import fitted, from_address
from store.file.format import FormatError
from store.file.remote import RemoteError

_MOST_TRIED = 20  # files of a folder, until one opens
_LOOK_EVERY = 2.0  # seconds between looks for new files, while the page is at rest


def open_file() -> bool:
    """Open the file that this run of a page shows, and draw the sidebar. False where there is nothing to show yet.

    Raises SourceError, FormatError, OSError.
    """
    _follow_address()
    page.note_drawn()
    source = sources.named(sys.argv[1:])
    files = source.files()
    _look_for_files(source, files)
    if not files:
        _nothing_yet(source)
        return False
    file = _choose_file(files)
    run = load.open_run(file)
    if not run.layers:
        text.plain(text.run_title(run), "heading")
        st.info("The first layer is still being made. This page shows it as soon as it is in the file.")
        return False
    st.session_state["file"], st.session_state["files"] = file, files
    page.show_at(fitted(page.view(), run))
    with st.sidebar:
        find.find(run)
        controls.choose_in_sidebar(run)
        find.copy_link()
    return True


def _follow_address() -> None:
    """The view is the address's where that is new: a link that was opened, or the browser's back button.

    Streamlit clears the address when another page is chosen; the view then stays.
    """
    address = st.query_params.to_dict()
    if "view" not in st.session_state or (address and address != st.session_state["address"]):
        st.session_state["view"], st.session_state["address"] = from_address(address), address


def _choose_file(files: list[FileId]) -> FileId:
    """The file of the address, by its name among those in the folder; the newest where it names none."""
    by_name = {file.name: file for file in files}
    named = page.view().store
    if named and named not in by_name:
        st.warning("The file that this address names is not in the folder that is open; the newest is shown instead.")
        text.plain(named)
    if named not in by_name:
        page.change(store=_newest_that_opens(files).name)
    if len(files) > 1:
        with st.sidebar:
            controls.choose("Run", "store", list(by_name), lambda name: name.removesuffix(".h5"))
    return by_name[page.view().store]


def _newest_that_opens(files: list[FileId]) -> FileId:
    """The newest where none does, so that a person reads why."""
    for file in files[:_MOST_TRIED]:
        try:
            load.open_run(file)
        except (FormatError, RemoteError, OSError):
            continue
        return file
    return files[0]


@st.fragment
def _look_for_files(source: Source, seen: list[FileId]) -> None:
    """Draw everything again when a file has appeared, or a running job has replaced one; or when the page is behind."""
    with st.container(key="look"):
        page.when_at_rest("look", _LOOK_EVERY)
    try:
        if page.is_behind() or source.files() != seen:
            st.rerun()
    except OSError:
        return  # the next run of the page says it


def _nothing_yet(source: Source) -> None:
    text.plain("No result yet", "heading")
    st.text(f"There is no .h5 file in {source.folder.resolve()}.")
    st.markdown("Make one, for example the demonstration on the embedded digits, which takes about 3 minutes:")
    st.code("make demo", language=None)
    st.markdown("or open another file or folder:")
    st.code("filterscope explore PATH", language=None)
    st.caption("This page shows a file as soon as it is there.")
