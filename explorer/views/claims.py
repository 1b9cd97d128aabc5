"""Claims: each claim of the paper as a test on the runs at hand."""

from collections.abc import Callable, Sequence
from typing import Literal

import streamlit as st

from explorer.data import claims as records
from explorer.data import load
from explorer.data.source import FileId, SourceError
from explorer.frames import claims as frames_claims
from explorer.frames.runs import UNTRAINED, Damaged
from explorer.parts import controls, elements, page, snippets, text
from explorer.state import Scope
from store.file.format import FormatError
from store.file.read import Run
from store.measure.gauge import Gauge, other_gauge
from store.measure.summary import THRESHOLDS
from store.paper.claims import DRAWS, Finding, judge
from store.paper.criteria import OF_SEVERAL, Verdict
from store.paper.records import RunRecord

_SCOPES: dict[Scope, str] = {"file": "the open file", "folder": "all runs of the folder"}
_ICONS: dict[Verdict, str] = {"holds": ":material/check_circle:", "fails": ":material/cancel:",
                              "not enough runs": ":material/help:"}  # fmt: skip
_COLOURS: dict[Verdict, Literal["green", "red", "gray"]] = {"holds": "green", "fails": "red", "not enough runs": "gray"}


def show() -> None:
    text.plain("Claims", "heading")
    st.caption(
        "Each claim of the paper as a test on the runs at hand, with the numbers that decide it. The paper's layers "
        "count, up to the one where its accuracy saturates; clusters are searched in the stored order of the labels "
        "and means are over filters with clusters, whatever the sidebar says. They are judged in its gauge."
    )
    controls.choose_scope(_SCOPES)
    _everything()


@page.fragment
def _everything() -> None:
    file, run = page.opened()
    controls.choose_threshold()
    if page.view().scope == "folder":
        _folder()
    else:
        text.plain(text.run_title(run), "lead")
        text.not_the_papers(run)
        found = _judged([file], "this file")
        _cards(found, _in_other_gauge([file], found), run, of_file=True)
        st.subheader("As a table")
        elements.table(frames_claims.ledger({file.name: found}).drop("runs"), "claims", height="content")
        if len(run.epochs) > 1:
            st.subheader("As the network forms")
            st.caption("The claims that need one network alone, of its layers at each epoch that the file has.")
            page.folded("Epoch by epoch", "claims_over_time", lambda: _over_time(file))
    _python(file)


def _over_time(file: FileId) -> None:
    view = page.view()
    with st.spinner("Measuring each epoch", show_time=True):
        found = records.over_time(file, view.threshold, view.gauge)
    since = [
        (findings[0].claim.sentence, _holds_since([finding.verdict for finding in findings], list(found)))
        for findings in zip(*found.values(), strict=True)
    ]
    text.facts([(sentence, "at no epoch to the end" if epoch is None else f"from epoch {epoch} on")
                for sentence, epoch in since])  # fmt: skip
    elements.table(frames_claims.over_time(found), "claims-over-time", height="content")


def _holds_since(verdicts: Sequence[Verdict], epochs: Sequence[int]) -> int | None:
    """The first epoch from which on all hold; None where the last does not."""
    fails = [k for k, verdict in enumerate(verdicts) if verdict != "holds"]
    first = fails[-1] + 1 if fails else 0
    return epochs[first] if first < len(epochs) else None


def _folder() -> None:
    """Runs that differ in K and in their samples alone stand for each claim together."""
    files: list[FileId] = st.session_state["files"]
    if not page.asked(
        f"claims folder {files}",
        records.is_quick(files, 3),
        "There are many runs, or large ones; measuring them all takes a while.",
        "Measure them",
    ):
        return
    with st.spinner("Measuring", show_time=True):
        groups, names, problems = _groups(files)
    _problems(problems)
    if not groups:
        st.info("There is no run to test.")
        return
    titles = [f"{names[k]} ({len(group)} {'run' if len(group) == 1 else 'runs'})" for k, group in enumerate(groups)]
    chosen = controls.choose_kind(titles, [[file.name for file in group] for group in groups])
    everything: dict[str, list[Finding]] = {}
    for k, group in enumerate(groups):
        if k == chosen:
            everything[names[k]] = _judged(group, "these runs")
            text.plain("; ".join(file.name for file in group))
            text.not_the_papers(load.open_run(group[0]))
            st.caption(
                "A claim about one run holds for several runs if it holds for each; the numbers are those of the run "
                "that decides it. For a claim about K, runs of one K are averaged."
            )
            other = _in_other_gauge(group, everything[names[k]])
            _cards(everything[names[k]], other, load.open_run(group[0]), of_file=False)
        else:
            view = page.view()
            everything[names[k]] = judge(_records(group, [view.threshold], view.gauge), view.threshold)
    st.subheader("All kinds of runs in this folder")
    ordered = {name: everything[name] for name in names}
    elements.table(frames_claims.ledger(ordered), "claims-of-folder", height=420)


def _groups(files: Sequence[FileId]) -> tuple[list[list[FileId]], list[str], list[Damaged]]:
    """Files of one kind together, what each kind is called, and what cannot be read or is too large."""
    threshold, gauge = page.view().threshold, page.view().gauge
    rows, read, problems = records.all_rows(files, threshold, gauge)
    measured = []
    for file in read:
        try:
            records.record(file, [threshold], gauge)
            measured.append(file)
        except (FormatError, SourceError, OSError) as error:
            problems.append(Damaged(file.name, str(error)))
    by_name = {file.name: file for file in measured}
    groups, names = [], []
    for name, part in frames_claims.kinds(rows).items():
        group = [by_name[file] for file in part["file"].unique(maintain_order=True) if file in by_name]
        if group:
            groups.append(group)
            names.append(name)
    return groups, names, problems


def _records(files: Sequence[FileId], thresholds: Sequence[float], gauge: Gauge) -> list[RunRecord]:
    return [records.record(file, thresholds, gauge) for file in files]


def _in_other_gauge(files: Sequence[FileId], found: Sequence[Finding]) -> str:
    """How many verdicts of the same runs differ there."""
    view = page.view()
    other = other_gauge(view.gauge)
    with st.spinner("Measuring in the other gauge", show_time=True):
        others = judge(_records(files, [view.threshold], other), view.threshold)
    return frames_claims.in_other_gauge(found, others, other)


def _judged(files: Sequence[FileId], what: str) -> list[Finding]:
    """At 19 thresholds and against chance where a person has asked for these."""
    threshold, gauge = page.view().threshold, page.view().gauge
    columns = st.columns(2, gap="large")
    thresholds: Sequence[float] = ()
    null_samples: dict[str, list[list[RunRecord]]] = {}
    with columns[0]:
        caption = f"At which thresholds do they hold? {what.capitalize()} at 19, from 0.05 to 0.95."
        if page.asked(f"claims thresholds {files}", False, caption, "Measure thresholds"):
            thresholds = THRESHOLDS
    with columns[1]:
        caption = f"Does chance do the same? {DRAWS} draws with shuffled labels, and with rotated filters."
        if page.asked(f"claims chance {files}", False, caption, "Test chance"):
            with st.spinner("Drawing", show_time=True):
                null_samples = records.null_samples(files, threshold, gauge)
                readable = records.all_rows(st.session_state["files"], threshold, gauge)[1]
                null_samples[UNTRAINED] = records.untrained(readable, files, threshold, gauge)
    with st.spinner("Measuring", show_time=True):
        return judge(_records(files, sorted({threshold, *thresholds}), gauge), threshold, thresholds, null_samples)


# ---- What is shown --------------------------------------------------------------------------------------------------


def _cards(found: Sequence[Finding], in_other_gauge: str, run: Run, of_file: bool) -> None:
    words: dict[Verdict, str] = {"holds": "hold", "fails": "fail", "not enough runs": "cannot be tested on these runs"}
    counts = {word: sum(finding.verdict == verdict for finding in found) for verdict, word in words.items()}
    st.markdown(" · ".join(f"**{number}** {word}" for word, number in counts.items()))
    st.caption(in_other_gauge)
    _needed(found, run)
    for finding in found:
        left, right = st.columns([3, 8], gap="medium")  # the longest verdict is whole at 1024 pixels
        with left:
            st.badge(finding.verdict, icon=_ICONS[finding.verdict], color=_COLOURS[finding.verdict])
        with right:
            text.plain(finding.claim.sentence, "lead")
            _card(finding, of_file)


def _needed(found: Sequence[Finding], run: Run) -> None:
    """What makes the runs that all claims without enough need, as one text to copy."""
    open_ones = [finding for finding in found if finding.verdict == "not enough runs" and finding.missing]
    commands = dict.fromkeys(make() for finding in open_ones if (make := _command(finding, run)))
    if commands:
        st.caption("These runs would test the rest; what is there already stays as it is:")
        st.code(" &&\n".join(commands), language=None, wrap_lines=True)


def _card(finding: Finding, of_file: bool) -> None:
    pairs = [("Measured", finding.numbers)]
    if finding.seeds.of > 1:
        of = "seeds" if finding.claim.key in OF_SEVERAL else "runs"
        pairs.append(("Samples", f"it holds in {frames_claims.count(finding.seeds)} {of}"))
    if at := frames_claims.intervals(finding):
        pairs.append(("At thresholds", at))
    if chance := frames_claims.chance(finding):
        pairs.append(("By chance it holds", f"{chance}. {frames_claims.verdict_on_chance(finding)}".strip()))
    pairs.append(("Test", f"{finding.claim.criterion} ({finding.claim.place})"))
    text.facts((name, value) for name, value in pairs if value)
    if finding.verdict == "not enough runs" and finding.missing:
        text.plain(f"Needed: {finding.missing}.")
        if of_file and finding.claim.key in ("scaling", "linear"):
            st.caption("One file is of one K; the runs of the folder together are tested above, under Runs.")


def _command(finding: Finding, run: Run) -> Callable[[], str] | None:
    """What makes the runs that a claim needs."""
    match finding.claim.key:
        case "train":
            from explorer.state import default_layer

            return lambda: records.with_train_clusters(run, default_layer(run).name)
        case "scaling" | "linear":
            return lambda: records.more_labels(run)
    return None


def _problems(problems: Sequence[Damaged]) -> None:
    if problems:
        st.warning("Files that are not in this: they are damaged, or too large for this page.")
        text.facts(problems)


def _python(file: FileId) -> None:
    threshold, gauge = page.view().threshold, snippets.gauge_argument()
    snippets.python(
        f"""from store import Run, judge, run_record

with Run({file.path!r}) as run:  # several runs of one network, data set and recipe stand together in the list
    findings = judge([run_record(run, [{threshold!r}]{gauge})], threshold={threshold!r})
for finding in findings:
    print(finding.verdict, "|", finding.claim.sentence, "|", finding.numbers)"""
    )


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
