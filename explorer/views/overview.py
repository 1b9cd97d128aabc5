"""Overview: the question, what this run answers, one telling filter, how the layers differ, and the paper's table."""

import html
import json

import streamlit as st

from explorer import words
from explorer.data import images, load
from explorer.data.claims import is_quick
from explorer.frames import answer, sample
from explorer.frames import layer as frames
from explorer.frames.telling import like_the_papers
from explorer.matrix import live_matrix
from explorer.parts import elements, page, snippets, text
from store.file.manifest import defined, mapping
from store.file.read import Run
from store.measure.layer import THRESHOLD, LayerMeasure, scan_order
from store.measure.summary import summary
from store.tables.rests_on import DRAWS, rests_on


def show() -> None:
    _, run = page.opened()
    text.plain(text.run_title(run), "heading")
    text.plain(
        f"What does each single {words.unit_of_all(run.layers.values())} of this trained network contribute to each "
        "label? Filterscope silences all others and looks at which outputs each label's test images still drive.",
        "question",
    )
    if run.unfinished:
        st.info("This run is not finished. Layers still to come are listed below; this page follows the file.")
        text.plain(f"Still to come: layers {frames.joined(run.unfinished)}")
    _everything()


@page.fragment
def _everything() -> None:
    file, run = page.opened()
    view = page.view()
    measures = {name: load.measured(file, name, view.threshold, view.order, view.gauge) for name in run.layers}
    _answer(run, measures)
    _figure_1()
    page.later("depth", lambda: _depth(measures))
    _table(measures)
    if view.null != "none":
        from explorer.parts import chance  # late: most people look at the tables alone

        found = chance.beside(file, {name: (file, name) for name in reversed(run.layers)})
        chance.with_depth({name: found[name] for name in run.layers if name in found})
    page.folded("Training of the network", "training", _history)
    page.folded("Where this comes from: recipe, data, software", "provenance", _comes_from)
    gauge = snippets.gauge_argument()
    snippets.python(
        f"""from store import Run, scan_order, table

with Run({file.path!r}) as run:
    print(table(run, threshold={view.threshold!r}{gauge}))  # the paper's table
    measured = run.layers[{view.layer!r}].measure({view.threshold!r}, scan_order({view.order!r}, run.n_labels){gauge})
    print(measured.mean_noise, measured.mean_clusters, measured.mean_cluster_size)"""
    )


def _answer(run: Run, measures: dict[str, LayerMeasure]) -> None:
    """What was found in the layer of the sidebar, a sentence each with the page that shows it."""
    view = page.view()
    layer, names = run.layers[view.layer], list(run.layers)
    k = names.index(view.layer)
    before = (names[k - 1], summary(measures[names[k - 1]])) if k else None
    found = answer.statements(layer, summary(measures[view.layer]), before, view.average)
    for column, said in zip(st.columns(3, gap="medium"), found, strict=False):
        with column:
            first, _, last = map(html.escape, said.sentence.partition("{}"))
            st.html(f'<div class="fs-answer">{first}<b>{html.escape(said.number)}</b>{last}</div>')
            if st.button(said.link, key=f"to_{said.page}", type="tertiary", icon=":material/arrow_forward:"):
                shown = {"filter": _telling()} if said.page == "filter" else {}
                page.go(said.page, **shown)
    text.plain(answer.rests_on(run, layer, view.threshold, view.average))
    text.not_the_papers(run)


def _telling() -> int:
    """The filter that is shown: chosen at the paper's threshold, so that it stays while another is dragged to."""
    file, _ = page.opened()
    view = page.view()
    return like_the_papers(load.measured(file, view.layer, THRESHOLD, view.order, view.gauge)) or 0


def _figure_1() -> None:
    file, run = page.opened()
    view = page.view()
    f, unit = _telling(), words.unit_of(run.layers[view.layer])
    st.subheader(f"One {unit}, live: drag the threshold")
    st.caption(
        f"{unit.capitalize()} {f} of layer {view.layer}, of all the one most like the paper's Figure 1. Bright: what "
        f"the test images of a label (row) cause on an output (column) through this {unit} alone. Above the threshold "
        "few elements stay; with their labels moved together they are small clusters, and yellow noise."
    )
    live_matrix(
        load.live_data(file, view.layer, f),
        filter_index=f,
        threshold=view.threshold,
        order=scan_order(view.order, run.n_labels),
        average=view.average,
        gauge=view.gauge,
        measure=load.measured(file, view.layer, view.threshold, view.order, view.gauge),
        strip=images.driving(page.opened()[0], view.layer, f),
        on_release=lambda threshold: page.change(threshold=threshold),
        is_brief=True,
    )


def _table(measures: dict[str, LayerMeasure]) -> None:
    _, run = page.opened()
    view = page.view()
    unit = words.unit_of_all(run.layers.values())
    common = {name: load.common_part(page.opened()[0], name) for name in run.layers}
    table = sample.with_errors(frames.paper_table(run, measures, view.average, common), run, measures, view)
    published = (
        "Columns named *paper* hold the published numbers for this network and data set, at threshold 0.3."
        if any(column.endswith(frames.PUBLISHED) for column in table.columns)
        else "The paper has no numbers for this network, data set and number of labels."
    )
    st.subheader("The layers, and what the paper found")
    st.caption(f"At threshold {view.threshold:g}. Each row is a layer, the deepest first. {published}")
    elements.table(table, "layers")
    if any(column.endswith("±") for column in table.columns):
        st.caption(
            "±: standard errors, from resamples of the test inputs within each label. N_c, sure: clusters that half of "
            "the resamples find again."
        )
    if off := sample.biased(run, view):
        st.caption(
            "Resampling moves the numbers of these layers to one side: an interval of ± 1.96 errors holds the truth "
            f"less than 90 times in 100. Layers {frames.joined(off)}."
        )
    page.folded("What the numbers rest on", "rests-on", _rests_on)
    st.subheader("Signal and noise")
    st.caption(
        f"Counted over all {unit}s, as means over the labels; beside each number what the layer means alone would give "
        "(the paper's equations 1 to 4)."
    )
    elements.table(frames.signal_table(run, measures, view.average), "signal")


def _rests_on() -> None:
    """Asked for where it takes a while: ten null layers and a gauge of each layer."""
    file, run = page.opened()
    threshold = page.view().threshold
    caption = "Measures each layer in another gauge, and with shuffled labels and rotated filters; this takes a while."
    if not page.asked(f"rests on {file}", is_quick([file], 2 * DRAWS + 1), caption, "Measure"):
        return
    with st.spinner("Measuring", show_time=True):
        found = [rests_on(run, layer, threshold) for layer in reversed(run.layers.values())]
    st.caption(
        "Labels scanned as stored. start: share of the probe's weights left of its random start. gauge: filters with "
        "other clusters in the zero-sum gauge. halves: filters with the same clusters in both halves of the test "
        "inputs, and mean Jaccard. sample: clusters that half of the resamples find again. shuffled, rotated: draws "
        "whose SNR_E is as high as the layer's; a dash: not possible for this file."
    )
    elements.table(sample.rests_on(found, DRAWS), "rests-on")


def _depth(measures: dict[str, LayerMeasure]) -> None:
    from explorer.charts.sample import of_depth  # late: the rest is on the page by now

    _, run = page.opened()
    depth = frames.depth(run, measures, page.view().average)
    bars = sample.depth_bars(run, measures, page.view())
    paper = " Dashed and hollow: the paper." if "paper" in depth["source"] else ""
    st.subheader("With depth")
    st.caption(
        f"{answer.with_depth(depth)} Solid: this run.{paper}",
        help=words.meanings("accuracy", "n", "N_c", "C_s", "signal", "noise_I", "noise_E"),
    )
    drawn = [
        (picture, "depth-" + "-".join(quantities).lower(), f"{title} of each layer, from input to output")
        for picture, quantities, title in of_depth(depth, bars, words.unit_of_all(run.layers.values()))
    ]
    elements.charts(drawn, across=2, gap="large")


def _history() -> None:
    from explorer.charts import layer as charts

    _, run = page.opened()
    history = frames.history(run.history())
    if history.is_empty():
        st.caption("The network was not trained in this run.")
        return
    st.caption("Accuracy of the whole network on training and test inputs after each epoch.")
    elements.chart(charts.history(history), "training", "Training and test accuracy against the epoch")
    elements.table(history, "training", height=220)


def _comes_from() -> None:
    file, run = page.opened()
    left, right = st.columns(2, gap="large")
    with left:
        text.facts(_what(run))
    with right:
        text.facts(_provenance(run, file.name, file.size))


def _what(run: Run) -> list[tuple[str, str]]:
    manifest = run.manifest
    network, data, recipe = (mapping(manifest.get(name)) for name in ("network", "data", "recipe"))
    kinds = len({kind for kind in run.superclasses if kind})
    labels = f"{run.n_labels}" + (f" in {kinds} super-classes" if kinds else "")
    is_paper = "the paper's" if recipe.get("is_paper") is True else "not the paper's"
    pairs = [
        ("Network", words.printed(network.get("arch"))),
        ("Data", words.printed(data.get("name"))),
        ("Labels", labels),
        ("Inputs", f"{_text(data.get('train_inputs'))} to train, {_text(data.get('test_inputs'))} to test"),
        ("Recipe", f"{_text(recipe.get('name'))} ({is_paper}), {_text(network.get('epochs'))} epochs"),
        ("Seed", _text(recipe.get("seed"))),
        ("Test accuracy", _text(defined(network.get("test_accuracy")))),
        ("Train accuracy", _text(defined(network.get("train_accuracy")))),
    ]
    return pairs


def _provenance(run: Run, name: str, size: int) -> list[tuple[str, str]]:
    manifest = run.manifest
    data = mapping(manifest.get("data"))
    durations = [value for value in map(defined, mapping(manifest.get("durations")).values()) if value]
    return [
        ("File", f"{name}, {size / 1e6:.1f} MB, format {manifest['version']}"),
        ("Made", _text(manifest.get("created"))),
        ("By", _text(manifest.get("generator"))),
        ("On", _text(manifest.get("device")) + (f", in {_duration(sum(durations))}" if durations else "")),
        (
            "Software",
            frames.joined(f"{key} {value}" for key, value in mapping(manifest.get("software")).items()) or "-",
        ),
        ("Data from", _text(data.get("source"))),
        ("Licence", _text(data.get("licence"))),
        ("Content", f"sha256 {run.content_sha256[:16]}…"),
    ]


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _text(value: object) -> str:
    if value is None:
        return "-"
    shown = value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else json.dumps(value)
    return shown if len(shown) <= 300 else shown[:300] + "…"


if __name__ == "__main__":  # as Streamlit runs a page; a test that only imports it draws nothing
    show()
