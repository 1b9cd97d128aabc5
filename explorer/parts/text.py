"""Text that stays text, and single numbers.

Names and manifests come from strangers' files. Streamlit reads Markdown, LaTeX and emoji codes in nearly all the text
that it is given, so such text goes only where none is read: `st.text`, `st.code`, data frames, Vega, select boxes, and
`plain` below, which escapes it.
"""

import html
import math
from collections.abc import Iterable
from typing import Literal

import streamlit as st

from explorer import words
from explorer.data import load
from explorer.data.source import FileId
from store.file.read import Layer, Run
from store.measure.gauge import Gauge


def plain(body: str, kind: Literal["heading", "note", "lead", "question"] = "note") -> None:
    """Text from a file, shown letter by letter."""
    tag = "h1" if kind == "heading" else "div"  # a page has one title, which a screen reader finds as such
    st.html(f'<{tag} class="fs-{kind}">{html.escape(body)}</{tag}>')


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """What is known about something, a line each: names of ours, values from a file."""
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in pairs)
    st.html(f'<dl class="fs-facts">{rows}</dl>')


def facts_of_filter(file: FileId, layer: Layer, number: int, gauge: Gauge) -> None:
    """A filter's rank, and its share of the layer's fields."""
    squares, unit = load.loaded(file, layer.name, gauge).squares, words.unit_of(layer)
    total = float(squares.sum())
    share = f"{squares[number] / total:.2%}" if 0 < total < math.inf else "-"
    rank, most = load.rank(file, layer.name, number, gauge), min(layer.positions, layer.n_labels)
    shown = "-" if math.isnan(rank) else int(rank)
    facts(
        [
            (
                "Rank",
                f"{shown}, of at most {most} (a field is a sum over {words.positions(layer)} of a {unit})",
            ),
            (
                "Share of the layer's fields",
                f"{share} of the sum of their squares; {1 / layer.n_filters:.2%} if all {unit}s had the same",
            ),
        ]
    )


def not_the_papers(run: Run) -> None:
    """A note wherever a recipe is not the paper's."""
    if note := words.not_the_papers(run):
        plain(note)


def numbers(pairs: Iterable[tuple[str, float | None, str]]) -> None:
    """Single numbers, in as many rows as they need: symbol, value, format; "-" where it is undefined."""
    with st.container(horizontal=True, gap="medium"):
        for name, value, shape in pairs:
            shown = "-" if value is None else format(value, shape if abs(value) < 1000 or "%" in shape else ",.0f")
            st.metric(name, shown, help=words.meaning(name), width="content")


def run_title(run: Run) -> str:
    network, data = run.manifest["network"], run.manifest["data"]
    return f"{words.printed(network['arch'])} on {words.printed(data['name'])}, {run.n_labels} labels"
