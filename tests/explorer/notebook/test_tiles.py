"""A layer's filters as tiles: which, in which order, and how large a cell they make."""

import base64
import io
from typing import Any

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is in the extra [notebook]")

from PIL import Image

from explorer.charts.gallery import tile
from explorer.notebook import gallery, tiles
from explorer.notebook.still import CELL
from store.file.read import Run
from tests.explorer.notebook.test_live import saved
from tests.explorer_runs import make_run


def shown(made: Any) -> list[int]:
    return [one["filter"] for one in made._tiles]


def pixels(one: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(one["picture"]))))


@pytest.mark.parametrize("style", ["fields", "clipped", "permuted"])
def test_each_tile_is_that_of_the_page(run: Run, style: Any) -> None:
    made = gallery(run, "7", style=style, threshold=0.25, gauge="zero-sum", order="reversed")
    layer = run.layers["7"]
    measured = layer.measure(0.25, np.arange(run.n_labels)[::-1], "zero-sum")
    assert shown(made) == list(range(16)) and made.filter == 0
    for one in made._tiles:
        f = one["filter"]
        assert np.array_equal(pixels(one), tile(layer.field(f, "zero-sum"), measured, f, style, is_cut=True))
        assert f"filter {f}: " in one["about"] and one["about"].endswith(f"n {measured.noise[f]:,}")


def test_they_are_sorted_chosen_by_a_label_and_few(run: Run) -> None:
    measured = run.layers["10"].measure(0.3)
    made = gallery(run, "10", sort="noise", most=5)
    assert shown(made) == np.argsort(-measured.noise, kind="stable")[:5].tolist() and made.filter == shown(made)[0]
    assert repr(made) == "Layer 10: 5 of 24 filters, permuted, threshold 0.3, sorted by noise"
    label = int(measured.signal.argmax())
    of_label = gallery(run, "10", holds=label)
    assert shown(of_label) == np.flatnonzero(measured.cluster_of[:, label] >= 0).tolist()
    assert f"that hold {run.label_names[label]}," in repr(of_label)


def test_what_is_no_gallery_is_refused(run: Run) -> None:
    for options, words in [
        ({"layer": "8"}, "no layer '8'"),
        ({"style": "images"}, "style: expected 'fields', 'clipped' or 'permuted', got 'images'"),
        ({"sort": "beauty"}, "sort: expected 'filter' or one of clusters, .*got 'beauty'"),
        ({"holds": 20}, "holds: labels are 0 to 19, not 20"),
    ]:
        with pytest.raises(ValueError, match=words):
            gallery(run, **options)  # type: ignore[arg-type]


def test_a_cell_has_room_for_some_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert saved(gallery(run, "10")) < CELL
    monkeypatch.setattr(tiles, "_ROOM", 12_000)
    made = gallery(run, "10", style="fields")
    assert 0 < len(made._tiles) < 24
    assert repr(made).startswith(f"Layer 10: {len(made._tiles)} of 24 filters")
    assert repr(made).endswith("; a cell has no room for more")
    assert sum(2 * len(one["picture"]) for one in made._tiles) < 12_000


def test_who_shows_no_widget_has_the_same_as_html(tmp_path) -> None:
    labels = [('<img src=x onerror="alert(1)">', "a"), ("b", "a"), ("c", "b"), ("d", "b")]
    with Run(make_run(tmp_path / "run.h5", {"1": (9, 2)}, labels)) as run:
        made = gallery(run, "1", holds=0, threshold=0.01)
    data, _ = made._repr_mimebundle_()
    page = data["text/html"]
    assert page.count("<img") == len(made._tiles) > 0 and "&lt;img src=x onerror=" in page
    assert all(f'src="data:image/png;base64,{one["picture"]}"' in page for one in made._tiles)
