"""The widget's JavaScript on an empty page, with a model in place of a notebook's: what a state alone can do, as in a
saved notebook, and what happens when Python answers late."""

import base64
import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("anywidget", reason="anywidget is in the extra [notebook]")

from explorer.notebook import show
from store.file.read import Run
from store.measure.layer import THRESHOLD
from tests.browser import eventually
from tests.explorer_runs import cifar100_labels, make_run
from tests.notebooks import drag

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What anywidget gives `render`: a state whose changes are told, and saved when somebody says so.
_MODEL = """
window.model = {
  state: null, saved: [], heard: new Map(),
  get(name) { return this.state[name]; },
  set(name, value) { this.state[name] = value; (this.heard.get(`change:${name}`) ?? []).forEach((told) => told()); },
  save_changes() { this.saved.push([this.state.threshold, this.state.filter, this.state.gauge, this.state.pointer]); },
  on(name, told) { this.heard.set(name, [...(this.heard.get(name) ?? []), told]); },
  off(name, told) { this.heard.set(name, (this.heard.get(name) ?? []).filter((other) => other !== told)); },
};
window.bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
window.begin = (state, layer) => {
  model.state = { ...state, _layer: bytes(layer) };
  window.end = window.widget.render({ model, el: document.getElementById("cell") });
};
"""


def opened(page: "Page", view: Any, style: str = "") -> None:
    script = view._esm.replace("export default { render };", "window.widget = { render };")
    page.set_content(
        f'<body style="{style}"><div id="cell"></div><script type="module">{script}{_MODEL}</script></body>'
    )
    page.wait_for_function("() => window.begin")
    state = {
        name: value for name, value in view.get_state().items() if isinstance(value, int | float | str | list | dict)
    }
    state |= dict.fromkeys({"_order", "_numbers", "_sure", "pointer"} - set(state))
    state.pop("_esm")
    page.evaluate("([state, layer]) => begin(state, layer)", [json.loads(json.dumps(state)), encoded(view)])
    eventually(page, lambda: page.locator(".fs output").inner_text(), f"{view.threshold:.2f}")


def encoded(view: Any) -> str:
    return base64.b64encode(view._layer).decode()


def numbers(page: "Page") -> list[str]:
    return page.locator(".fs .fs-layer dd").all_inner_texts()


def means(view: Any) -> list[str]:
    """As JavaScript rounds: a tie away from zero."""
    measured = view.measured
    found = (measured.mean_clusters, measured.mean_cluster_size, measured.mean_noise)
    return [str(Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)) for value in found]


def test_a_state_alone_is_live(page: "Page", tmp_path: Path) -> None:
    with Run(make_run(tmp_path / "run.h5")) as run:
        view = show(run, "7", 3)
    opened(page, view)
    eventually(page, lambda: numbers(page)[:3], means(view))
    drag(page, THRESHOLD, 0.6)
    view.threshold = 0.6
    eventually(page, lambda: numbers(page)[:3], means(view))
    page.get_by_label("Gauge").select_option("zero-sum")
    view.gauge = "zero-sum"
    eventually(page, lambda: numbers(page)[:3], means(view))
    page.get_by_role("button", name="Next").click()
    eventually(page, lambda: page.locator(".fs figure small").first.inner_text(), "filter 4")
    page.get_by_label("Filter").fill("99")
    page.get_by_label("Filter").press("Enter")
    eventually(page, lambda: page.locator(".fs figure small").first.inner_text(), "filter 15")
    assert page.evaluate("model.saved") == [
        [0.6, 3, "as trained", None],
        [0.6, 3, "zero-sum", None],
        [0.6, 4, "zero-sum", None],
        [0.6, 15, "zero-sum", None],
    ]
    page.evaluate("end()")
    assert page.locator("#cell").inner_html() == ""
    assert page.evaluate("[...model.heard.values()].flat()") == []


def test_of_a_large_layer_the_numbers_are_pythons_and_late_ones_are_not_shown(page: "Page", tmp_path: Path) -> None:
    with Run(make_run(tmp_path / "large.h5", {"4": (128, 8)}, cifar100_labels())) as run:
        view = show(run, "4", 5)
    opened(page, view)
    eventually(page, lambda: numbers(page)[:3], means(view))
    drag(page, THRESHOLD, 0.45)
    note = page.locator(".fs-layer small")
    eventually(
        page, lambda: note.inner_text(), "follow on release, from Python: too large a layer for a cell of a notebook"
    )
    assert page.locator(".fs.fs-stale").count() == 1

    view.threshold = 0.45
    page.evaluate("(numbers) => model.set('_numbers', numbers)", view._numbers)
    eventually(page, lambda: numbers(page)[:3], means(view))
    assert page.locator(".fs.fs-stale").count() == 0

    page.get_by_role("button", name="Next").click()
    eventually(page, lambda: page.evaluate("model.saved.at(-1)[1]"), 6)
    assert page.locator(".fs figure small").first.inner_text() == "filter 5", "its fields are not here yet"
    view.filter = 6
    page.evaluate("(layer) => model.set('_layer', bytes(layer))", encoded(view))
    eventually(page, lambda: page.locator(".fs figure small").first.inner_text(), "filter 6")
    found = int((view.measured.cluster_of[6].max()) + 1)
    eventually(page, lambda: page.locator(".fs section:not(.fs-layer) dd").first.inner_text(), str(found))


@pytest.mark.parametrize(
    ("style", "theme", "ground"),
    [
        ("", "light", "rgb(255, 255, 255)"),
        ("background:oklch(0.25 0.02 260);color:oklch(0.95 0 0)", "dark", None),
        ("color:#eee", "dark", "rgb(17, 17, 17)"),  # the ground of a page around a frame, which nobody in it sees
    ],
)
def test_its_colours_are_those_of_where_it_stands(
    page: "Page", tmp_path: Path, style: str, theme: str, ground: str | None
) -> None:
    with Run(make_run(tmp_path / "run.h5", {"7": (4, 1)})) as run:
        view = show(run)
    opened(page, view, style)
    matrix = page.locator(".fs")
    eventually(page, lambda: matrix.get_attribute("data-theme"), theme)
    seen = matrix.evaluate("matrix => getComputedStyle(matrix).backgroundColor")
    assert seen.startswith("rgb(") and (ground is None or seen == ground)
    page.evaluate("document.body.setAttribute('style', 'background:#111;color:#eee')")
    eventually(page, lambda: matrix.evaluate("matrix => getComputedStyle(matrix).backgroundColor"), "rgb(17, 17, 17)")
    assert matrix.get_attribute("data-theme") == "dark"
