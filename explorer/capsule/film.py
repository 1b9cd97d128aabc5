"""A layer's film as one HTML file that needs no server and no network: scrubber, gallery and Figure 1."""

import base64
from pathlib import Path
from typing import Any

from explorer.capsule.page import html_page
from explorer.matrix.film import UNPACK, FilmData, script
from explorer.words import not_the_papers
from store.file.read import Run
from store.measure.gauge import Gauge
from store.tables.printable import printable

_FOLDER = Path(__file__).parent


def film_page(run: Run, data: FilmData, filter_index: int, threshold: float, gauge: Gauge) -> bytes:
    """The page, which opens at the trained network; labels are scanned as they are stored."""
    arch, name = run.manifest["network"]["arch"], run.manifest["data"]["name"]
    content: dict[str, Any] = {
        "title": f"Layer {data.layer} as it forms: {printable(arch)} on {printable(name)}, {run.n_labels} labels",
        "departures": printable(not_the_papers(run)),
        "epochs": list(data.epochs),
        "filter": filter_index,
        "threshold": threshold,
        "gauge": gauge,
        "content": f"sha256 {run.content_sha256}",
    }
    javascript = script() + UNPACK + (_FOLDER / "film.js").read_text("utf-8").partition("// ----\n")[2]
    return html_page(content, base64.b64encode(data.message).decode(), javascript)
