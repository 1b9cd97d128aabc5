"""The explorer: `streamlit run explorer/app.py -- [--store FILE_OR_FOLDER]`.

Page set-up, style and navigation; the pages are in views/, which file they show is settled in opening.py.
"""

from pathlib import Path

import streamlit as st


def main() -> None:
    st.set_page_config(page_title="Filterscope", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    st.html(f"<script>{_HISTORY}</script>", unsafe_allow_javascript=True)
    views = [
        st.Page("views/run.py", title="Run", icon=":material/summarize:", default=True),
        st.Page("views/layer.py", title="Layer", icon=":material/grid_view:"),
        st.Page("views/filter.py", title="Filter", icon=":material/center_focus_strong:"),
        st.Page("views/labels.py", title="Labels", icon=":material/label:"),
        st.Page("views/compare.py", title="Compare", icon=":material/compare_arrows:"),
    ]
    chosen = st.navigation({"Filterscope": views})

    # Late: these imports take most of a cold start, and the first element on the page has Streamlit look at every
    # module that is loaded by then.
    from explorer import load, opening, page

    load.return_memory()
    with page.problems_as_messages():
        if opening.open_file():
            chosen.run()
    load.freeze_modules()


# A clipped matrix in small: two clusters and noise. An icon by name would be fetched from another server.
_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="2" fill="#0d0e12"/>
<path fill="#fff" d="M1 1h6v6h-6zM7 7h4v4h-4z"/><path fill="#ffcd2c" d="M12 3h2v2h-2zM3 12h2v2h-2z"/></svg>"""

_HISTORY = Path(__file__).with_name("history.js").read_text("utf-8")

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

if __name__ == "__main__":
    main()
