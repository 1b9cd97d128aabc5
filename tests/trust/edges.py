"""The edges of the method: filters all negative, all zero, with NaN or infinity, two labels, ties at the threshold,
labels with unequal numbers of test inputs, two labels of one name, a thousand labels. Arrays with these are measured
and compared with numbers worked out by hand; files with these are opened on every page of the explorer, whose every
text, table and chart is searched: what is undefined is "-" or empty, never NaN."""

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from store.file.read import Run
from store.file.write import write_run
from store.measure.layer import fields_from_factors, measure_layer
from store.tables.layers import table
from tests.builders import small_run, write_small
from tests.explorer_runs import served
from tests.trust.finding import Finding
from tests.trust.visitor import Visitor

PAGES = ("", "layer", "filter", "labels", "afcc", "compare", "scaling", "claims")
NAN, INF = float("nan"), float("inf")
ABOVE_3 = float(np.nextafter(np.float32(3), np.float32(4)))
SILENT = {"n_clusters": [0], "noise": [0], "silent": [True], "mean_clusters": NAN, "mean_cluster_size": NAN}
SILENT |= {"mean_noise": NAN, "mean_noise_all": 0.0}


def blocks(n_labels: int, size: int) -> NDArray[np.float32]:
    """(1, K, K): clusters of so many labels each, and seven elements of noise in row 0."""
    field = np.kron(np.eye(n_labels // size), np.ones((size, size)))
    field[0, size : size + 7] = 0.5
    return field[None].astype(np.float32)


# Fields of one filter, test inputs a label or None, and what the definitions make of them at the threshold 0.3.
ARRAYS: dict[str, tuple[Any, list[int] | None, dict[str, Any]]] = {
    "all negative": ([[-1, -2, -3], [-1, -1, -1], [-5, -1, -1]], None, SILENT | {"signal": [0, 0, 0]}),
    "all zero": (np.zeros((3, 3)), None, SILENT | {"noise_external": [0, 0, 0]}),
    "a NaN": ([[1, NAN, 0], [0, 1, 0], [0, 0, 1]], None, SILENT | {"noise_internal": [0, 0, 0]}),
    "an infinite maximum": ([[1, INF, 0], [0, 1, 0], [0, 0, 1]], None, SILENT | {"n_above": [0]}),
    "minus infinity beside a finite maximum": (
        [[2, -INF], [0, 1]],
        None,
        {"silent": [False], "cluster_of": [[0, 1]], "noise": [0], "mean_clusters": 2.0, "signal": [1, 1]},
    ),
    "two labels": (
        [[1, 0.5], [0.2, 0.9]],
        None,
        {"cluster_of": [[0, 1]], "noise": [1], "signal": [1, 1], "noise_internal": [0, 0], "noise_external": [1, 0]},
    ),
    "ties at the threshold": (  # 0.3 x 10 is 3 in float64; the next float32 is above it
        [[10, 3, ABOVE_3], [3, 10, 0], [ABOVE_3, 0, 10]],
        None,
        {"cluster_of": [[0, 1, 0]], "noise": [0], "cluster_sizes": [2, 1], "noise_internal": [0.5, 0, 0.5]},
    ),
    "unequal numbers of test inputs": (
        [[1, 0.5], [0.25, 0.75]],
        [1, 8],
        {"noise": [1], "noise_external": [1, 0], "signal_field": [1, 6], "noise_external_field": [0.5, 0]},
    ),
    "a thousand labels": (
        blocks(1000, 4),
        None,
        {
            "mean_clusters": 250.0,
            "mean_cluster_size": 4.0,
            "mean_noise": 7.0,
            "signal": [1] * 1000,
            "noise_internal": [3 / 999] * 1000,
            "noise_external": [7 / 999] + [0] * 999,
        },
    ),
}


def findings(full: bool, folder: Path) -> list[Finding]:
    """The arrays; a file of each kind on each page (two pages of each in the short form)."""
    found = []
    for name, (fields, counts, expected) in ARRAYS.items():
        measured = measure_layer(np.array(fields, np.float32).reshape(1, *np.shape(fields)[-2:]), 0.3, counts=counts)
        wrong = [key for key, value in expected.items() if not np.array_equal(getattr(measured, key), value, True)]
        told = f"{len(expected)} of {len(expected)}" if not wrong else f"differ: {', '.join(wrong)}"
        found.append(Finding(name, f"{len(expected)} numbers exact", told, not wrong))
    names = _files(folder / "runs")
    for name in names:
        with Run(folder / "runs" / name) as run:
            run.verify()
            assert not re.search(r"\bnan\b", table(run), re.I), table(run)
    pages = PAGES if full else PAGES[:2]
    shown, problems, bad = asyncio.run(visit(folder / "runs", names, pages))
    found += [
        Finding(
            "pages of files with these", "none fails", f"{shown} shown, {len(problems)} with an error", not problems
        ),
        Finding("NaN on a page", "0", f"{len(bad)} {'; '.join(bad[:5])}".strip(), not bad),
    ]
    return found


def _files(folder: Path) -> list[str]:
    """Runs with these edges, K = 1000 among them."""
    folder.mkdir()
    silent = small_run({"10": (6, 4), "13": (5, 1)})
    for layer in silent.layers:
        _with_fields(layer, -np.abs(layer.class_means), np.abs(layer.probe_weights))
    zero = small_run({"10": (6, 4), "13": (5, 1)})
    for layer in zero.layers:
        _with_fields(layer, np.zeros_like(layer.class_means), layer.probe_weights)
    overflowing = small_run({"13": (5, 1)}, features=False)  # finite factors, a product that is not
    _with_fields(overflowing.layers[0], np.full((5, 4, 1), 3e38, np.float32), np.full((5, 4, 1), 3, np.float32))
    overflowing.layers[0].fields = None
    for name, run in (("silent", silent), ("zero", zero), ("overflowing", overflowing)):
        write_run(folder / f"{name}.h5", run)
    write_small(folder / "two-labels.h5", n_labels=2)
    write_small(folder / "one-name.h5", label_names=["label", "label", "", "label"])
    write_small(folder / "thousand.h5", layers={"13": (4, 1)}, n_labels=1000, features=False)
    return sorted(path.name for path in folder.iterdir())


def _with_fields(layer: Any, class_means: NDArray[np.float32], probe_weights: NDArray[np.float32]) -> None:
    layer.class_means, layer.probe_weights = class_means, probe_weights
    layer.fields = None if layer.fields is None else fields_from_factors(class_means, probe_weights)


async def visit(folder: Path, names: list[str], pages: tuple[str, ...]) -> tuple[int, list[str], list[str]]:
    """-> pages that were shown, what was an error on them, where NaN stood."""
    shown, problems, bad = 0, [], []
    with served("--store", str(folder)) as address:
        for name in names:
            visitor = await Visitor.arrive(address)
            for page in pages:
                await visitor.open(page, f"store={name}")
                shown += 1
                problems += [f"{name}, {page}: {problem}" for problem in visitor.problems]
                visitor.problems.clear()
                bad += [f"{name}, {page or 'run'}: {text}" for text in _not_numbers(visitor)]
            await visitor.leave()
    return shown, problems, bad


def _not_numbers(visitor: Visitor) -> list[str]:
    """Every NaN that a page's elements hold: in text, in a table, in a chart's data."""
    found = []
    for delta, kind in visitor.elements.values():
        element = delta.new_element
        if kind == "dataframe":
            found += [f"column {name}" for name in _nan_columns(element.dataframe.arrow_data.data)]
        elif kind == "vega_lite_chart":
            for dataset in element.vega_lite_chart.datasets:
                found += [f"chart's {name}" for name in _nan_columns(dataset.data.data)]
            found += _in_text(element.vega_lite_chart.spec)
        elif kind == "bidi_component":
            found += _in_text(element.bidi_component.json)  # not its program
        else:
            found += _in_text(str(element))
    return found


def _nan_columns(data: bytes) -> list[str]:
    """Columns of a table, as Arrow, with NaN or infinity in them; null is an empty cell."""
    frame = pl.read_ipc_stream(data)
    return [name for name in frame.columns if frame[name].dtype.is_float() and not frame[name].is_finite().all()]


def _in_text(text: str) -> list[str]:
    return [text[max(0, found.start() - 40) : found.end() + 20] for found in re.finditer(r"\b(NaN|nan|inf)\b", text)]
