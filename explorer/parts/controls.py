"""Controls: each shows a value of the view and writes it back."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, get_args

import streamlit as st

from explorer import words
from explorer.parts import page
from explorer.state import NullChoice, Scope, Weights
from store.file.read import Run
from store.measure.afcc import SilencingOrder
from store.measure.gauge import Gauge
from store.measure.layer import ScanOrder
from store.measure.summary import Average


def _bound(
    name: str,
    key: str,
    value: Any,
    then: Callable[[Any], Any] | None = None,
    change: Callable[..., None] = page.change,
    **also: Any,
) -> dict[str, Any]:
    """Arguments for a Streamlit control that stands for `name` of the view; `also`: what else a change brings."""
    # Only where it differs: the browser takes a value that is set here for its own, and loses the key presses since.
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value

    def changed() -> None:
        chosen = st.session_state[key]
        if chosen is not None:
            change(**{name: then(chosen) if then else chosen}, **also)

    return {"key": key, "on_change": changed}


def choose(
    label: str,
    name: str,
    options: Sequence[Any],
    shown: Callable[[Any], str] = str,
    help: str | None = None,
    change: Callable[..., None] = page.change,
    **also: Any,
) -> None:
    """A select box. Its options are plain text, whatever they look like."""
    bound = _bound(name, f"choose_{name}", getattr(page.view(), name), change=change, **also)
    st.selectbox(label, options, format_func=shown, help=help, **bound)


def switch(label: str, name: str, **also: Any) -> None:
    st.toggle(label, **_bound(name, f"choose_{name}", getattr(page.view(), name), **also))


def choose_range(label: str, name: str, last: int) -> None:
    """From and to, both included; none where all is."""
    if last == 0:
        return
    low, high = getattr(page.view(), name) or (0, last)
    value = (min(low, last), min(high, last))
    whole = (0, last)
    key = f"choose_{name}_{last}"  # a control with other ends is another one
    st.slider(
        label,
        0,
        last,
        **_bound(name, key, value, lambda chosen: None if tuple(chosen) == whole else chosen, gallery_page=1),
    )


def choose_span(label: str, name: str, values: Sequence[float]) -> None:
    """From and to of numbers that are not whole, typed, both included; none where all is."""
    if not values or min(values) == max(values):
        return
    first, last = float(min(values)), float(max(values))
    low, high = getattr(page.view(), name) or (first, last)
    for column, end, value in zip(st.columns(2), ("from", "to"), (low, high), strict=True):

        def chosen(number: float, end: str = end) -> tuple[float, float] | None:
            span = (number, max(number, high)) if end == "from" else (min(low, number), number)
            return None if span[0] <= first and span[1] >= last else span

        with column:
            st.number_input(
                f"{label}, {end}", format="%.6g", step=(last - first) / 100,
                **_bound(name, f"choose_{name}_{end}", value, chosen, gallery_page=1),
            )  # fmt: skip


def choose_threshold() -> None:
    """A slider; the whole page follows when it is released. The Filter page has the live one."""
    st.slider(
        "Threshold, as a fraction of each maximum",
        0.0, 1.0, step=0.01, format="%.4g",  # an address, or the live slider, may ask for finer ones
        help="An element of a field matrix counts when it is above this fraction of the matrix's largest. "
        "The paper uses 0.3. Arrow keys move it.",
        **_bound("threshold", "choose_threshold", page.view().threshold),
    )  # fmt: skip


def choose_in_sidebar(run: Run) -> None:
    """What holds for all pages."""
    unit = words.unit_of_all(run.layers.values())
    choose("Layer", "layer", list(run.layers))
    choose(
        "Scan order of the labels", "order", get_args(ScanOrder),
        lambda order: "as stored" if order == "stored" else order,
        help="The greedy search for clusters visits the labels in this order. The averages hardly depend on it; single "
        "filters' clusters may.",
    )  # fmt: skip
    choose(
        "Gauge", "gauge", get_args(Gauge),
        help="What the probe's weights add to all outputs alike changes no prediction, since softmax does not feel it, "
        f"yet it shifts the fields of a {unit}, and with them clusters and noise. Zero-sum: each row of the fields "
        "without its mean over outputs. The paper's numbers are as trained.",
    )  # fmt: skip
    choose(
        "Means of n and N_c over", "average", get_args(Average),
        lambda average: words.averaged(average, unit),
        help=f"The paper's tables fit means over the {unit}s that have at least one cluster.",
    )  # fmt: skip
    choose(
        "Beside chance", "null", get_args(NullChoice),
        help="Hold the numbers against what they are where the mechanism cannot be at work: output labels permuted at "
        f"random, {unit}s mixed by a random rotation (every logit stays as it was), or other orders of the search for "
        "clusters.",
    )  # fmt: skip


def choose_silencing() -> None:
    choose(
        "Silence first",
        "silencing",
        get_args(SilencingOrder),
        lambda order: f"the {order}" if order != "random" else "random",
    )


def choose_weights() -> None:
    choose(
        "Curve with",
        "weights",
        get_args(Weights),
        lambda of: "weights of clusters" if of == "clusters" else "all weights",
    )


def choose_number(label: str, name: str, last: int, first: int = 0) -> None:
    value = min(getattr(page.view(), name), last)
    st.number_input(label, first, last, step=1, **_bound(name, f"choose_{name}", value))


def choose_other(label: str, name: str, options: Sequence[str], value: str, shown: Callable[[str], str] = str) -> None:
    """As `choose`, of a value that the view may leave at its default."""
    st.selectbox(label, options, format_func=shown, **_bound(name, f"choose_{name}", value))


def choose_scope(titles: dict[Scope, str]) -> None:
    st.segmented_control(
        "Runs", list(titles), format_func=titles.__getitem__, required=True,
        **_bound("scope", "choose_scope", page.view().scope),
    )  # fmt: skip


def choose_kind(names: Sequence[str], files: Sequence[Sequence[str]]) -> int:
    """Which of the kinds of runs, each with the names of its files: by default that of the file that is open."""
    present = page.opened()[0].name
    found = (k for name in (page.view().kind, present) for k, of_kind in enumerate(files) if name in of_kind)
    chosen = next(found, 0)
    firsts = [of_kind[0] for of_kind in files]
    title = dict(zip(firsts, names, strict=True))
    choose_other("Kind of runs: one network, data set and recipe", "kind", firsts, firsts[chosen], title.__getitem__)
    return chosen


def open_number(label: str, last: int) -> None:
    """A number to type in place of pointing at a picture."""
    number = st.number_input(label, 0, last, value=None, step=1, placeholder=f"0 to {last}", width=220)
    if number is not None:
        page.go("filter", filter=int(number))


def choose_label(run: Run, caption: str = "Label") -> None:
    shown = partial(_numbered, run)
    choose(caption, "label", range(run.n_labels), shown, change=page.change_everywhere)


def _numbered(run: Run, label: int) -> str:
    kind = run.superclasses[label]
    return f"{label}  {run.label_names[label]}" + (f"  ({kind})" if kind else "")
