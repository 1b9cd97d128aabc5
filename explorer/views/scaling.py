"""Scaling: the error, N_c and C_s against the number of labels K, over the runs of the folder that is open."""

from collections.abc import Mapping

import polars as pl
import streamlit as st

from explorer import words
from explorer.data import claims as records
from explorer.data import load
from explorer.data.source import FileId
from explorer.frames import claims as frames_claims
from explorer.parts import controls, elements, page, snippets, text
from store.file.read import Run
from store.measure.scaling import Fit, Kind, NotEnough, fits

_FEWEST = 2  # different K, for a chart
_NEEDED = 3  # different K: with two, any curve goes through both

_TITLES = {"error": "error of the probe", "N_c": "N_c, clusters per filter", "C_s": "C_s, labels per cluster"}


def show() -> None:
    text.plain("Scaling", "heading")
    st.caption(
        "The layer where the accuracy saturates, against the number of labels K, over all runs of the folder that is "
        "open. Runs of one network, data set and recipe stand together; several of one K are its samples. The paper: "
        "the error grows linearly with K (its Figures 3 to 5), while N_c and C_s hardly change. Clusters are searched "
        "in the stored order of the labels and means are over filters with clusters, whatever the sidebar says."
    )
    _everything()


@page.fragment
def _everything() -> None:
    controls.choose_threshold()
    files: list[FileId] = st.session_state["files"]
    large = "There are many runs, or large ones; measuring them all takes a while."
    threshold, gauge = page.view().threshold, page.view().gauge
    if not page.asked(f"scaling {files}", records.are_known(files, threshold, gauge), large, "Measure them"):
        return
    with st.spinner("Measuring", show_time=True):
        rows, _, problems = records.all_rows(files, threshold, gauge)
    if problems:
        st.warning("Files that are not in this: they cannot be read.")
        text.facts(problems)
    if rows.is_empty():
        st.info("There is no run with a layer to show.")
        return
    table = frames_claims.against_labels(rows)
    kinds = frames_claims.kinds(rows)
    names = list(kinds)
    name = names[
        controls.choose_kind(names, [part["file"].unique(maintain_order=True).to_list() for part in kinds.values()])
    ]
    of_kind = frames_claims.at_saturated(kinds[name])
    _kind(of_kind, table.filter(pl.col("runs") == name))
    st.subheader("All runs of this folder")
    st.caption("A row is a kind of runs and a K: means over its samples, their standard deviation, and the paper's.")
    elements.table(table, "scaling", height="content")
    _python()


def _kind(rows: pl.DataFrame, means: pl.DataFrame) -> None:
    """Charts, fits and what is missing, of runs that differ in K and in their samples alone."""
    from explorer.charts import scaling as charts_scaling

    first = rows.row(0, named=True)
    known = rows.drop_nulls("error")
    labels, errors = known["K"].to_list(), known["error"].to_list()
    here = fits(labels, errors)
    paper = frames_claims.the_papers_points(first["arch"], first["data"], first["layer"])
    papers = fits(paper["K"].to_list(), paper["error"].to_list())
    different = known["K"].n_unique()
    text.plain(
        f"{words.printed(first['arch'])} on {words.printed(first['data'])}, layer {first['layer']}: "
        f"{rows.height} {'run' if rows.height == 1 else 'runs'}, K = {', '.join(map(str, sorted(set(labels))))}",
        "lead",
    )
    text.not_the_papers(_run(rows))
    _missing(rows, different)
    if different < _FEWEST:  # a chart would be a point in each
        return
    shown = here if different >= _NEEDED else papers
    fitted_to = labels if shown is here else paper["K"].to_list()
    lines = [frames_claims.curve(fitted, fitted_to) for fitted in shown.values() if isinstance(fitted, Fit)]
    empty = pl.DataFrame(schema={"K": pl.Float64, "error": pl.Float64, "curve": pl.String})
    st.caption(
        "Filled: means of these runs, with their standard deviation where there are several. Hollow: the paper. "
        + ("Curves are fitted to " + ("these runs." if shown is here else "the paper's points.") if lines else "")
    )
    for column, quantity in zip(st.columns(3, gap="medium"), frames_claims.QUANTITIES, strict=True):
        points = means.select(
            "K", "samples", pl.col(quantity).alias("mean"),
            low=pl.col(quantity) - pl.col(f"{quantity}, sd"), high=pl.col(quantity) + pl.col(f"{quantity}, sd"),
        )  # fmt: skip
        curves = pl.concat([empty, *lines]) if quantity == "error" else empty
        with column:
            elements.chart(
                charts_scaling.against_labels(points, paper, curves, quantity, _TITLES[quantity]),
                f"scaling-{quantity.lower()}",
                f"{_TITLES[quantity]} against the number of labels K",
            )
    _fits(here, papers, fitted_to, different)


def _run(rows: pl.DataFrame) -> Run:
    """One of these, which have their recipe in common."""
    by_name: dict[str, FileId] = {file.name: file for file in st.session_state["files"]}
    return load.open_run(by_name[rows["file"][0]])


def _missing(rows: pl.DataFrame, different: int) -> None:
    """The commands for what there is not enough of."""
    run = _run(rows)
    if different < _NEEDED:
        st.info(
            f"A fit needs {_NEEDED} different K; these runs have {different}. This makes the others, and leaves what "
            "is there as it is:"
        )
        st.code(records.more_labels(run), language=None, wrap_lines=True)
    if different >= _NEEDED and rows.group_by("K").len()["len"].min() == 1:
        st.caption("One run for each K says nothing about how much samples differ. This makes five:")
        st.code(records.more_seeds(run), language=None, wrap_lines=True)


def _fits(
    here: Mapping[Kind, Fit | NotEnough], papers: Mapping[Kind, Fit | NotEnough], labels: list[int], different: int
) -> None:
    from explorer.charts import scaling as charts_scaling

    shown = {"these runs": here} if different >= _NEEDED else {}
    if any(isinstance(fitted, Fit) for fitted in papers.values()):
        shown["paper"] = papers
    if not shown:
        return
    st.subheader("Fits of the error")
    st.caption(
        "Linear: error = a + b K. Power: error = a K^b. Logarithmic: error = a + b log K. From, to: the 95% interval "
        "of b. The smaller the residual, the better the curve; at K = 1 the error should vanish."
    )
    elements.table(frames_claims.fits(shown), "scaling-fits", height="content")
    of, found = next(iter(shown.items()))
    st.caption(f"Residuals: what each curve leaves of each point of {'the paper' if of == 'paper' else of}.")
    elements.chart(
        charts_scaling.residuals(frames_claims.residuals(found, labels)),
        "scaling-residuals",
        "Residuals of the three fits against the number of labels K",
    )


def _python() -> None:
    files: list[FileId] = st.session_state["files"]
    paths = "\n".join(f"    Path({file.path!r})," for file in files)
    snippets.python(
        f"""from pathlib import Path

from explorer.frames.runs import collect
from explorer.frames.claims import against_labels, at_saturated, kinds
from store import fits

rows, damaged = collect([
{paths}
], threshold={page.view().threshold!r}{snippets.gauge_argument()})
print(against_labels(rows))
for name, runs in kinds(rows).items():
    last = at_saturated(runs)
    print(name, fits(last["K"].to_list(), last["error"].to_list()))"""
    )


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
