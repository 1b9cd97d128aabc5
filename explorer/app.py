"""The explorer: `streamlit run explorer/app.py -- [--store FILE_OR_FOLDER]`.

Page set-up, which file, navigation; the pages are in views/.
"""

import sys

import streamlit as st

from explorer import load, page
from explorer.load import FileId, Source
from explorer.state import fitted, from_address

_LOOK_EVERY = 2.0  # seconds between looks for new files


def main() -> None:
    st.set_page_config(page_title="Filterscope", page_icon=":material/filter_center_focus:", layout="wide")
    st.html(_STYLE)
    views = [
        st.Page("views/run.py", title="Run", icon=":material/summarize:", default=True),
        st.Page("views/layer.py", title="Layer", icon=":material/grid_view:"),
        st.Page("views/filter.py", title="Filter", icon=":material/center_focus_strong:"),
        st.Page("views/labels.py", title="Labels", icon=":material/label:"),
        st.Page("views/compare.py", title="Compare", icon=":material/compare_arrows:"),
    ]
    chosen = st.navigation({"Filterscope": views})
    with page.problems_as_messages():
        _follow_address()
        source = load.source(sys.argv[1:])
        files = source.files()
        _look_for_files(source, files)
        if not files:
            _nothing_yet(source)
            return
        file = _choose_file(files)
        run = load.open_run(file)
        if not run.layers:
            page.text(page.run_title(run), "heading")
            st.info("The first layer is still being made. This page shows it as soon as it is in the file.")
            return
        st.session_state["file"], st.session_state["files"] = file, files
        page.show_at(fitted(page.view(), run))
        with st.sidebar:
            page.choose_in_sidebar(run)
        chosen.run()


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
        page.text(named)
    if named not in by_name:
        page.change(store=files[0].name)
    if len(files) > 1:
        with st.sidebar:
            page.choose("Run", "store", list(by_name), lambda name: name.removesuffix(".h5"))
    return by_name[page.view().store]


@st.fragment(run_every=_LOOK_EVERY)
def _look_for_files(source: Source, seen: list[FileId]) -> None:
    """Draw everything again when a file has appeared, or a running job has replaced one."""
    try:
        if source.files() != seen:
            st.rerun()
    except OSError:
        return  # the next run of the page says it


def _nothing_yet(source: Source) -> None:
    page.text("No result yet", "heading")
    st.text(f"There is no .h5 file in {source.folder.resolve()}.")
    st.markdown("Make one, for example the demonstration on the embedded digits, which takes about 3 minutes:")
    st.code("make demo", language="bash")
    st.markdown("or open another file or folder:")
    st.code("streamlit run explorer/app.py -- --store PATH", language="bash")
    st.caption("This page shows a file as soon as it is there.")


_STYLE = """<style>
.block-container { padding-top: 4rem; max-width: 1240px; }
.fs-heading { font-size: 1.7rem; font-weight: 650; line-height: 1.25; overflow-wrap: anywhere; }
.fs-lead { font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere; }
.fs-note { opacity: 0.75; font-size: 0.93rem; overflow-wrap: anywhere; max-width: 72ch; }
.fs-facts, .fs-facts dd { margin: 0 !important; padding: 0 !important; }
.fs-facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1.2rem; font-size: 0.95rem; }
.fs-facts dt { opacity: 0.65; font-weight: 400; }
.fs-facts dd { overflow-wrap: anywhere; }
@media print {
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stElementToolbar"],
  [data-testid="stDownloadButton"], [data-testid="stSlider"] { display: none !important; }
  .block-container { padding: 0 !important; max-width: none; }
  [data-testid="stVegaLiteChart"], [data-testid="stDataFrame"], [data-testid="stMetric"] { break-inside: avoid; }
}
</style>"""

main()
