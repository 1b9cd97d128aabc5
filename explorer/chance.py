"""A layer's numbers beside chance: what the pages show of `store.nulls` and `store.semantics`, made when asked for.

Which null is chosen in the sidebar. The draws of a layer that is measured in milliseconds are made at once, after all
else on the page; those of a large one when a person asks for them.
"""

from typing import Any

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from explorer import elements, frames, load, page, words
from explorer.derived import SWEEP
from explorer.kept import Kept
from explorer.load import FileId
from explorer.state import View
from store.measure import scan_order
from store.nulls import Chance, Null, Statistics, chance, ranks, ranks_from_factors
from store.read import Layer
from store.semantics import Agreement, Sharing, confusion_agreement, superclass_sharing, together

SEED = 0
_SYMBOLS = dict(
    zip(Statistics._fields, ("n", "N_c", "C_s", "signal", "noise_I", "noise_E", "SNR_I", "SNR_E"), strict=True)
)
_EXPLAINED: dict[Null, str] = {
    "labels shuffled": "the output labels permuted at random",
    "rotated filters": "the filters mixed by a random rotation, which leaves every logit as it was; activations then "
    "have signs, which by itself raises n and N_c, so that C_s and SNR_E say more",
    "random order": "clusters searched in random orders of the labels",
    "reversed order": "clusters searched from the last label to the first: one draw, so that there is no spread",
}
_CHANCES: Kept[tuple[object, ...], Chance] = Kept(8 << 20, lambda drawn: drawn.draws.nbytes)
_RANKS: Kept[tuple[FileId, str], NDArray[np.float64]] = Kept(8 << 20, lambda found: found.nbytes)
_MEANINGS: Kept[tuple[object, ...], tuple[Sharing | None, Agreement | None]] = Kept(256, lambda _: 1)


def samples(null: Null, quick: bool) -> int:
    return 1 if null == "reversed order" else 20 if quick else 5


def of(file: FileId, name: str, view: View, null: Null, draws: int, threshold: float | None = None) -> Chance:
    """A layer against so many draws of a null. Raises ValueError where its filters cannot be rotated."""
    at = view.threshold if threshold is None else threshold

    def draw() -> Chance:
        loaded = load.loaded(file, name)
        layer, factors = loaded.layer, loaded.factors
        if null == "rotated filters" and factors is None and layer.has_factors:
            factors = layer.class_means, layer.probe_weights
        order = scan_order(view.order, layer.n_labels)
        return chance(
            null, fields=loaded.fields, factors=factors, threshold=at, samples=draws, seed=SEED, order=order,
            average=view.average,
        )  # fmt: skip

    return _CHANCES.get((file, name, view.order, view.average, null, draws, at), draw)


# ---- Tables ---------------------------------------------------------------------------------------------------------


def one_layer(drawn: Chance) -> pl.DataFrame:
    """One row a quantity: the layer's, and the draws'. Undefined numbers are null."""
    rows = [(symbol, *drawn.of(name)) for name, symbol in _SYMBOLS.items()]
    columns = ("measured", "by chance", "spread", "z", "from", "to")
    schema = {"quantity": pl.String} | dict.fromkeys(columns, pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row")


def several(drawn: dict[str, Chance]) -> pl.DataFrame:
    """One row a layer: of each quantity what chance gives, and z."""
    rows: list[dict[str, Any]] = []
    for layer, found in drawn.items():
        row: dict[str, Any] = {"layer": layer}
        for name, symbol in _SYMBOLS.items():
            against = found.of(name)
            row |= {f"{symbol}, by chance": against.mean, f"{symbol}, z": against.z}
        rows.append(row)
    schema = {"layer": pl.String} | {
        f"{symbol}, {what}": pl.Float64 for symbol in _SYMBOLS.values() for what in ("by chance", "z")
    }
    return pl.DataFrame(rows, schema=schema)


def band(file: FileId, view: View, null: Null, draws: int) -> pl.DataFrame:
    """One row a threshold and quantity of the sweep: the band of the draws; only where it is defined."""
    rows = []
    for threshold in SWEEP:
        drawn = of(file, view.layer, view, null, draws, threshold)
        for name, symbol in _SYMBOLS.items():
            against = drawn.of(name)
            rows.append((threshold, symbol, against.low, against.high))
    schema = {"threshold": pl.Float64, "quantity": pl.String, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls()


def by_layer(drawn: dict[str, Chance]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The layers' numbers as `charts.depth` takes them, and the bands of their draws; only what is defined."""
    here: dict[str, Any] = {"layer": pl.String, "quantity": pl.String}
    values, bands = [], []
    for layer, found in drawn.items():
        for name, symbol in _SYMBOLS.items():
            against = found.of(name)
            values.append((layer, symbol, "this run", against.observed))
            bands.append((layer, symbol, against.low, against.high))
    numbers = pl.DataFrame(values, schema=here | {"source": pl.String, "value": pl.Float64}, orient="row")
    edges = pl.DataFrame(bands, schema=here | {"low": pl.Float64, "high": pl.Float64}, orient="row")
    return numbers.drop_nulls(), edges.drop_nulls()


# ---- Parts of pages -------------------------------------------------------------------------------------------------


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
    quick = all(load.loaded(*place).is_quick for place in layers.values())
    draws = samples(null, quick)
    unit = words.unit_of_all(load.loaded(*place).layer for place in layers.values())
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
        page.text(f"No {null}{f' of {frames.joined(without)}' if names else ''}: {reason}")
    if any(not load.loaded(*layers[name]).layer.has_factors for without in refused.values() for name in without):
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
    from explorer import charts, charts_chance

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
    from explorer import charts

    unit = words.unit_of(layer)

    def compute() -> NDArray[np.float64]:
        if layer.has_factors:
            return ranks_from_factors(layer.class_means, layer.probe_weights)
        return ranks(load.loaded(file, layer.name).matrices())

    with st.spinner("Computing ranks", show_time=True):
        found = _RANKS.get((file, layer.name), compute)
    found = found[np.isfinite(found)]
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

    def compute() -> tuple[Sharing | None, Agreement | None]:
        pairs = together(load.measured(file, view.layer, view.threshold, view.order).cluster_of)
        sharing = superclass_sharing(pairs, run.superclasses, renamings, SEED) if any(run.superclasses) else None
        confusion = layer.confusion
        agreement = None if confusion is None else confusion_agreement(pairs, confusion, renamings, SEED)
        return sharing, agreement

    with st.spinner("Renaming labels", show_time=True):
        sharing, agreement = _MEANINGS.get((file, view.layer, view.threshold, view.order), compute)
    st.caption(
        f"Chance: the labels renamed at random, as a whole, {renamings} times, seed {SEED}. p: the part of the "
        "renamings that give as much or more."
    )
    if sharing is None:
        st.text("The labels of this run have no super-classes.")
    else:
        st.markdown("**Pairs of labels in one cluster that share a super-class**")
        page.numbers(
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
        page.numbers(
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
