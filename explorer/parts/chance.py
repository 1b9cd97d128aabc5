"""Parts of pages that hold a layer's numbers against chance.

Which null is chosen in the sidebar. The draws of a layer that is measured in milliseconds are made at once, after all
else on the page; those of a large one when a person asks for them.
"""

import streamlit as st

from explorer import words
from explorer.data import load
from explorer.data.chance import SEED, meaning_of, of, ranks_of, samples
from explorer.data.source import FileId
from explorer.frames import layer as frames
from explorer.frames.chance import by_layer, one_layer, several
from explorer.parts import elements, page, text
from store.file.read import Layer
from store.measure.nulls import Chance, Null

_EXPLAINED: dict[Null, str] = {
    "labels shuffled": "the output labels permuted at random",
    "rotated filters": "the filters mixed by a random rotation, which leaves every logit as it was; activations then "
    "have signs, which by itself raises n and N_c, so that C_s and SNR_E say more",
    "random order": "clusters searched in random orders of the labels",
    "reversed order": "clusters searched from the last label to the first: one draw, so that there is no spread",
}


def said(null: Null, draws: int, unit: str) -> str:
    """What was drawn, as a sentence."""
    drawn = "1 draw" if draws == 1 else f"{draws} draws"
    return f"Chance: {_EXPLAINED[null].replace('filter', unit)}; {drawn}, seed {SEED}."


def beside(file: FileId, names: dict[str, tuple[FileId, str]] | None = None) -> dict[str, Chance]:
    """The present layer beside the null of the view; or several, by what they are called.

    Returns those that were drawn: none where the view has no null, or nobody has asked for the draws.
    """
    view = page.view()
    null = view.null
    if null == "none":
        return {}
    layers = names or {view.layer: (file, view.layer)}
    quick = all(load.loaded(*place, view.gauge).is_quick for place in layers.values())
    draws = samples(null, quick)
    unit = words.unit_of_all(load.loaded(*place, view.gauge).layer for place in layers.values())
    st.subheader("Beside chance")
    key = f"chance {sorted(layers.values())} {null}"
    large = "These layers are large; drawing and measuring them takes a while."
    if not page.asked(key, quick and len(layers) == 1, large if not quick else "It takes some seconds.", "Draw"):
        return {}
    found, refused = {}, dict[str, list[str]]()
    with st.spinner("Drawing", show_time=True):
        for name, place in layers.items():
            try:
                found[name] = of(*place, view, null, draws)
            except ValueError as error:
                if null != "rotated filters":
                    raise
                refused.setdefault(str(error), []).append(name)
    for reason, without in refused.items():
        text.plain(f"No {null}{f' of {frames.joined(without)}' if names else ''}: {reason}")
    bare = [name for without in refused.values() for name in without]
    if any(not load.loaded(*layers[name], view.gauge).fields.has_factors for name in bare):
        st.caption(
            "A packed file has, of each layer, only the smaller of the two; the file that it was packed from has both."
        )
    if not found:
        return {}
    st.caption(
        f"{said(null, draws, unit)} z: how many spreads of the draws the number lies from their mean. Means of n "
        f"and N_c are over {words.averaged(view.average, unit)}."
        + (" From, to: the smallest and the largest of the draws." if names is None else "")
    )
    table = several(found) if names is not None else one_layer(found[view.layer])
    elements.table(table, f"chance-{null.replace(' ', '-')}", "content")
    return found


def with_depth(found: dict[str, Chance]) -> None:
    """What `beside` has drawn, from input to output: the layers' numbers over the bands of their draws."""
    from explorer.charts import chance as charts_chance
    from explorer.charts import layer as charts

    numbers, bands = by_layer(found)
    if bands.is_empty():  # a single draw has none
        return
    st.caption("Line: this run. Grey: where the draws lie.")
    drawn = []
    for quantities, title, log in charts.OF_A_LAYER:
        picture = charts_chance.under_depth(charts.depth(numbers, quantities, title, log), bands, quantities, log)
        name = f"chance-depth-{'-'.join(quantities).lower()}"
        drawn.append((picture, name, f"{title} of each layer, beside chance"))
    elements.charts(drawn, across=2, gap="large")


def rank_distribution(file: FileId, layer: Layer) -> None:
    """Ranks of the filters' fields."""
    from explorer.charts import layer as charts

    unit = words.unit_of(layer)

    with st.spinner("Computing ranks", show_time=True):
        found = ranks_of(file, layer, page.view().gauge)
    st.caption(
        f"The rank of each {unit}'s fields, at most {min(layer.positions, layer.n_labels)}: a field is a sum over "
        f"{words.positions(layer)} of a {unit}."
    )
    if layer.positions == 1:
        st.caption(
            "With one position the fields are the product of two vectors, so a part of what clusters show here is "
            "algebra: an element is above the threshold where the product of two numbers is."
        )
    elements.chart(charts.histogram(frames.histogram(found), "rank", f"{unit}s"), "ranks", "Distribution of ranks")


def meaning(file: FileId) -> None:
    """Whether labels of one cluster share a super-class, and are mistaken for each other."""
    run = load.open_run(file)
    view = page.view()
    layer = run.layers[view.layer]
    many = layer.n_labels > 200
    key = f"meaning {file} {view.layer}"
    renamings = 100 if many else 1000
    if not page.asked(key, not many, "With so many labels this takes a while.", "Compute it"):
        return

    with st.spinner("Renaming labels", show_time=True):
        sharing, agreement = meaning_of(file, view, renamings)
    st.caption(
        f"Chance: the labels renamed at random, as a whole, {renamings} times, seed {SEED}. p: the part of the "
        "renamings that give as much or more."
    )
    if sharing is None:
        st.text("The labels of this run have no super-classes.")
    else:
        st.markdown("**Pairs of labels in one cluster that share a super-class**")
        text.numbers(
            [
                ("pairs", sharing.pairs, ",.0f"),
                ("% sharing", _percent(sharing.share), ".1f"),
                ("% by chance", _percent(sharing.expected), ".1f"),
                ("z", sharing.z, ".1f"),
                ("p", sharing.p, ".3f"),
            ]
        )
    if agreement is None:
        st.text("This run has no confusion matrix of this layer's probe.")
    else:
        st.markdown("**Labels that share clusters, and labels that the probe mistakes for each other**")
        text.numbers(
            [
                ("rank correlation", agreement.correlation, ".3f"),
                ("z", agreement.z, ".1f"),
                ("p", agreement.p, ".3f"),
                ("% confused, together", _percent(agreement.confused_together), ".2f"),
                ("% confused, apart", _percent(agreement.confused_apart), ".2f"),
            ]
        )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
