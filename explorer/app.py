"""The explorer: `filterscope explore`, which is `streamlit run explorer/app.py -- [--store FILE_OR_FOLDER]`.

Page set-up, style and navigation; the pages are in views/, which file they show is settled in opening.py.
"""

from pathlib import Path

import streamlit as st


def main() -> None:
    # Before the navigation, which else has the page's icon fetched from another server, as any icon by its name.
    st.set_page_config(page_title="Filterscope", page_icon=_ICON, layout="wide")
    views = [
        st.Page("views/overview.py", title="Overview", icon=":material/summarize:", default=True),
        st.Page("views/layer.py", title="Layer", icon=":material/grid_view:"),
        st.Page("views/filter.py", title="Filter", icon=":material/center_focus_strong:"),
        st.Page("views/labels.py", title="Labels", icon=":material/label:"),
        st.Page("views/emergence.py", title="Emergence", icon=":material/movie:"),
        st.Page("views/afcc.py", title="AFCC", icon=":material/account_tree:"),
        st.Page("views/compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page("views/scaling.py", title="Scaling", icon=":material/trending_up:"),
        st.Page("views/claims.py", title="Claims", icon=":material/fact_check:"),
    ]
    chosen = st.navigation({"Filterscope": views})
    st.set_page_config(page_title=f"{chosen.title} - Filterscope")
    st.html(_STYLE)
    st.html(f"<script>{_SCRIPTS}</script>", unsafe_allow_javascript=True)

    # Late: these imports take most of a cold start, and the first element on the page has Streamlit look at every
    # module that is loaded by then. The process that opens a file first starts meanwhile.
    from store import guard

    guard.start()
    from explorer import opening, server
    from explorer.parts import page

    server.return_memory()
    server.disable_public_ip_lookup()
    with page.problems_as_messages():
        if opening.open_file():
            chosen.run()
    server.freeze_modules()


# A clipped matrix in small: two clusters and noise.
_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="2" fill="#0d0e12"/>
<path fill="#fff" d="M1 1h6v6h-6zM7 7h4v4h-4z"/><path fill="#ffcd2c" d="M12 3h2v2h-2zM3 12h2v2h-2z"/></svg>"""

_SCRIPTS = "\n".join(
    Path(__file__).with_name(name).read_text("utf-8") for name in ("history.js", "print.js", "names.js")
)

_STYLE = """<style>
.block-container { padding-top: 4rem; max-width: 1240px; }
h1.fs-heading { font-size: 1.7rem; font-weight: 650; line-height: 1.25; overflow-wrap: anywhere; margin: 0;
  padding: 0; }
.fs-question { font-size: 1.05rem; line-height: 1.5; opacity: 0.85; max-width: 68ch; }
.fs-answer { font-size: clamp(1.15rem, 0.9rem + 1.1vw, 1.65rem); font-weight: 600; line-height: 1.35;
  overflow-wrap: anywhere; max-width: 44ch; text-wrap: pretty; }
.fs-answer b { color: var(--st-primary-color, #2f7fd0); font-weight: 700; }
[data-testid="stSidebar"] .fs-note { font-size: 0.85rem; }
.st-key-picture_gallery svg.marks, [class*="st-key-picture_compare-gallery"] svg.marks { display: block;
  width: 100%; height: auto; }
[class*="-gallery"] :is([data-testid="stVegaLiteChart"], [data-testid="stVegaLiteChart"] > div, .chart-wrapper,
  [data-testid="stFullScreenFrame"], [data-testid="stElementContainer"]) { width: 100% !important; max-width: 100%; }
[data-testid="stVegaLiteChart"] summary { display: none; }
.fs-lead { font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere; }
.fs-note { opacity: 0.75; font-size: 0.93rem; overflow-wrap: anywhere; max-width: 72ch; }
.st-key-look { display: none; }
.fs-pictured { display: flex; align-items: center; gap: 0.7rem; }
.fs-pictured img { image-rendering: pixelated; border-radius: 3px; }
.fs-pictures { display: flex; flex-wrap: wrap; gap: 10px; }
.fs-pictures figure { width: 64px; margin: 0; }
.fs-pictures img { display: block; width: 64px; image-rendering: pixelated; border-radius: 3px; }
.fs-pictures figcaption { font-size: 0.72rem; line-height: 1.25; opacity: 0.75; overflow-wrap: anywhere; }
.st-key-thumbnail img { image-rendering: pixelated; border-radius: 3px; }
.fs-facts, .fs-facts dd { margin: 0 !important; padding: 0 !important; }
.fs-facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1.2rem; font-size: 0.95rem; }
.fs-facts dt { opacity: 0.65; font-weight: 400; }
.fs-facts dd { overflow-wrap: anywhere; }
@media print {
  @page { margin: 14mm; }
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stElementToolbar"],
  [data-testid="stDownloadButton"], [data-testid="stExpander"]:not(:has(details[open])), .stTooltipIcon,
  [data-testid="stPopover"], [data-testid="stButton"] { display: none !important; }
  .block-container { padding: 0 !important; margin: 0 !important; max-width: none !important;
    width: var(--fs-width, auto) !important; zoom: var(--fs-zoom, 1); }
  [data-testid="stVegaLiteChart"], [data-testid="stDataFrame"], [data-testid="stMetric"], [data-testid="stImage"],
  [data-testid="stHorizontalBlock"]:not(:has(.fs-note)) { break-inside: avoid; }
  [data-testid="stHeading"], [data-testid="stCaptionContainer"], .fs-heading, .fs-lead { break-after: avoid; }
  [data-testid="stHorizontalBlock"] { display: flex !important; flex-wrap: nowrap !important; }
  [data-testid="stColumn"] { min-width: 0 !important; }
  .fs-was-dark :is(body, .stApp, [data-testid="stMain"]), .fs-was-dark [data-testid="stSelectbox"] *,
  .fs-was-dark [data-testid="stNumberInput"] * { background: #fff !important; }
  .fs-was-dark .stApp :is(div, span, p, h1, h2, h3, label, dt, dd, input, summary) { color: #1f2328 !important; }
  .fs-was-dark [data-testid="stDataFrame"] { filter: invert(1) hue-rotate(180deg) brightness(1.12); }
  .fs-was-dark svg.marks { background: #fff !important; }
  .fs-was-dark svg.marks > rect { fill: #fff !important; }
  .fs-was-dark svg.marks text { fill: #1f2328 !important; }
  .fs-was-dark svg.marks .role-axis line { stroke: #ddd !important; }
}
</style>"""

if __name__ == "__main__":
    main()
