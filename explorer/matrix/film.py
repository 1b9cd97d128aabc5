"""A layer at every epoch of a file, as the bytes that `film.js` reads; and the film on a Streamlit page."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from explorer.matrix.pack import Average, LayerData, frame
from explorer.matrix.script import joined
from explorer.words import unit_of
from store.file.read import Run
from store.measure.gauge import AS_TRAINED, Gauge

FILM = Path(__file__).with_name("film.js")
MOST_BYTES = 96 << 20  # of a film, as it goes to the browser
MOST_ELEMENTS = 64_000_000  # of the fields of all its epochs, 4 bytes each, as the browser keeps them
_FILMS_KEPT = 2  # in the browser

_GLUE = """
const films = new Map(); // the films used last, by key
const filmViews = new WeakMap();
export default function ({ parentElement, data, setTriggerValue }) {
  const [update, message] = unframe(data);
  if (message.length) films.set(update.film, unpackFilm(message));
  const layers = films.get(update.film);
  if (!layers) {
    setTriggerValue("missing", update.film);
    return undefined;
  }
  films.delete(update.film);
  films.set(update.film, layers);
  if (films.size > FILMS_KEPT) films.delete(films.keys().next().value);
  const state = { ...update, layers };
  let view = filmViews.get(parentElement);
  if (view) view.update(state);
  else filmViews.set(parentElement, (view = createFilmView(parentElement, state)));
  view.callbacks.onEpoch = (epoch) => setTriggerValue("epoch", epoch);
  view.callbacks.onFilter = (filter) => setTriggerValue("filter", filter);
  const call = (view.call = (view.call ?? 0) + 1);
  return () => {
    if (view.call !== call) return; // a later call has the view
    filmViews.delete(parentElement);
    view.destroy();
  };
}
"""
UNPACK = """
/** The length of each layer's message, and the messages one after the other. */
function unpackFilm(bytes) {
  const [{ lengths }, body] = unframe(bytes);
  let at = 0;
  return lengths.map((length) => {
    const layer = unpackLayer(body.subarray(at, at + length));
    at += length;
    return layer;
  });
}
"""


@dataclass(frozen=True, eq=False)
class FilmData:
    """A layer at the epochs that have it. Worth caching, by file and layer."""

    key: str  # of the content
    layer: str
    epochs: tuple[int, ...]
    message: bytes

    @classmethod
    def of(cls, run: Run, layer: str) -> Self:
        """Read the layer at each epoch, as trained. Raises FormatError, OSError."""
        epochs = epochs_with(run, layer)
        messages = []
        for epoch in epochs:
            source = run.at_epoch(epoch).layers[layer]
            fields = source.fields(fewest_bytes=True)
            fields = fields if 2 * source.positions < run.n_labels else fields.as_matrices()
            messages.append(
                LayerData.pack(fields.arrays, layer, run.label_names, unit=unit_of(run.layers[layer])).message
            )
        message = frame({"lengths": [len(part) for part in messages]}, *messages)
        return cls(hashlib.blake2b(message, digest_size=16).hexdigest(), layer, epochs, message)


def epochs_with(run: Run, layer: str) -> tuple[int, ...]:
    """The epochs that have this layer, the trained network's last."""
    return tuple(epoch for epoch in run.epochs if layer in run.at_epoch(epoch).layers)


def is_playable(run: Run, layer: str) -> bool:
    """Whether a browser can hold the layer at all its epochs."""
    found, number = run.layers[layer], len(epochs_with(run, layer))
    matrix = found.n_labels**2
    least = min(matrix, 2 * found.n_labels * found.positions) if found.has_factors else matrix
    n_bytes, elements = (4 * number * found.n_filters * least, number * found.n_filters * matrix)
    return n_bytes <= MOST_BYTES and elements <= MOST_ELEMENTS


def script(*more: Path) -> str:
    """All that draws a film, as one text."""
    return joined(FILM, *more)


@cache
def _mount() -> Any:
    import streamlit as st  # late: a page that is exported does without

    javascript = script() + UNPACK + _GLUE.replace("FILMS_KEPT", str(_FILMS_KEPT))
    return st.components.v2.component("filterscope_film", js=javascript)


def film(
    data: FilmData,
    *,
    epoch: int,
    filter_index: int,
    threshold: float,
    order: ArrayLike | None = None,
    average: Average = "clustered",
    gauge: Gauge = AS_TRAINED,
    figure: bool = True,
    gallery: bool = True,
    on_epoch: Callable[[int], None],
    on_filter: Callable[[int], None],
    key: str,
) -> None:
    """Show a layer's film; figure, gallery: one filter's three matrices, all filters of the layer.

    epoch: that it stands at. order (K,): as in `live_matrix`. on_epoch, on_filter: called before the run that a release
    of the scrubber, or a click on a matrix, causes.
    """
    import streamlit as st

    def told(name: str, call: Callable[[int], None]) -> None:
        value = st.session_state[key].get(name)
        if value is not None:
            call(int(value))

    update = {
        "film": data.key, "epochs": list(data.epochs), "epoch": epoch, "filter": filter_index, "threshold": threshold,
        "order": None if order is None else np.asarray(order).tolist(), "average": average, "gauge": gauge,
        "figure": figure, "gallery": gallery,
    }  # fmt: skip
    # Its bytes go out when a session first shows it, and again when the browser says that it has them no more.
    events = st.session_state.get(key) or {}
    sent: list[str] = st.session_state.setdefault("films sent", [])
    is_known = data.key in sent and events.get("missing") != data.key
    sent[:] = [*(other for other in sent if other != data.key), data.key][-_FILMS_KEPT:]
    _mount()(
        key=key,
        data=frame(update, b"" if is_known else data.message),
        on_epoch_change=lambda: told("epoch", on_epoch),
        on_filter_change=lambda: told("filter", on_filter),
        on_missing_change=lambda: None,
    )
