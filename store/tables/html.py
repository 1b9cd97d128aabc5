"""The paper's table as HTML, as a notebook shows a run or a layer. What comes from the file goes in as text alone."""

import html
from collections.abc import Iterable, Sequence

from store.file.read import Layer, Run
from store.measure.layer import THRESHOLD
from store.tables.layers import HEAD, at, rows_of, title
from store.tables.printable import printable

_RIGHT = ' style="text-align:right;padding:2px 8px"'


def of_run(run: Run) -> str:
    """The run's table, deepest layer first. Of a file elsewhere, or closed by now, what is known without reading on."""
    return _page(run, list(reversed(run.layers.values())))


def of_layer(run: Run, layer: Layer) -> str:
    """The layer's rows of that table."""
    return _page(run, [layer])


def _page(run: Run, layers: Sequence[Layer]) -> str:
    notes = [title(run)]
    if not run.is_open:
        return _paragraphs([*notes, f"closed; open it again with Run({run.place!r})"])
    if run.remote is not None:
        rows = [[layer.name, str(layer.n_filters)] for layer in layers]
        return _paragraphs([*notes, "a file elsewhere: print(table(run)) reads it"]) + _table(HEAD[:2], rows)
    rows = [row for layer in layers for row in rows_of(run, layer)]
    unfinished = [f"still to come: {', '.join(map(printable, run.unfinished))}"] if run.unfinished else []
    return _paragraphs([*notes, at(THRESHOLD), *unfinished]) + _table(HEAD, rows)


def _paragraphs(lines: Iterable[str]) -> str:
    first, *others = map(html.escape, lines)
    return f"<p><b>{first}</b><br>{'<br>'.join(others)}</p>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td{_RIGHT}>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    heads = "".join(f"<th{_RIGHT}>{_symbol(name)}</th>" for name in head)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _symbol(name: str) -> str:
    """N_c -> N with c below the line."""
    letter, _, index = name.partition("_")
    return f"{letter}<sub>{index}</sub>" if index else name
