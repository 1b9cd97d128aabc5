"""One definition, two implementations: `explorer/matrix/matrix.js` gives what `store.measure` gives, to the bit."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.matrix.pack import LayerData, frame
from store.measure import fields_from_factors, measure_layer, permutation, scan_order

MODULE = Path(__file__).parents[1] / "explorer" / "matrix" / "matrix.js"
RUNNER = Path(__file__).with_name("matrix_run.mjs")
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="no node to run the JavaScript module")


@dataclass
class Case:
    """A layer, as fields (N_f, K, K) or as two factors (N_f, K, S), and how it is measured."""

    arrays: Sequence[NDArray[np.float32]]
    threshold: float
    order: NDArray[np.int64]
    counts: NDArray[np.int64] | None = None


def assert_same(cases: list[Case], folder: Path) -> None:
    """Measure all cases in one node process and here: every output must be equal to the bit (any NaN equals any NaN).

    Cases in a row that share `arrays`, the object, are measured on one layer.
    """
    found = _measured_by_node(cases, folder)
    at = 0
    for number, case in enumerate(cases):
        is_new = number == 0 or case.arrays is not cases[number - 1].arrays
        for name, expected in _measured_here(case, is_new):
            values = np.asarray(expected, np.float64).reshape(-1)
            got = found[at : at + values.size]
            at += values.size
            if not np.array_equal(_bits(values), _bits(got)):
                first = int(np.flatnonzero(_bits(values) != _bits(got))[0])
                raise AssertionError(
                    f"case {number}, {name}[{first}]: Python {values[first]!r}, JavaScript {got[first]!r}; "
                    f"{[array.shape for array in case.arrays]}, threshold {case.threshold!r}"
                )
    assert at == found.size


def _measured_here(case: Case, is_new: bool) -> list[tuple[str, Any]]:
    fields = case.arrays[0] if len(case.arrays) == 1 else fields_from_factors(*case.arrays)
    measure = measure_layer(fields, case.threshold, case.order, case.counts)
    names = ["n_clusters", "noise", "n_above", "maximum", "silent", "cluster_of", "cluster_sizes"]
    names += ["signal", "noise_internal", "noise_external"]
    if case.counts is not None:
        names += ["signal_field", "noise_internal_field", "noise_external_field"]
    clustered = [measure.mean_clusters, measure.mean_cluster_size, measure.mean_noise]
    over_all = [measure.mean_clusters_all, measure.mean_cluster_size_all, measure.mean_noise_all]
    return [
        *([("fields", fields)] if is_new else []),
        *((name, getattr(measure, name)) for name in names),
        ("layer means over filters with clusters", clustered),
        ("layer means over all filters", over_all),
        ("silent filters, clusters", [measure.silent.sum(), measure.cluster_sizes.size]),
        *((f"permutation of filter {f}", permutation(row)) for f, row in enumerate(measure.cluster_of)),
    ]


def _measured_by_node(cases: list[Case], folder: Path) -> NDArray[np.float64]:
    headers: list[dict[str, Any]] = []
    messages: list[bytes] = []
    for number, case in enumerate(cases):
        header: dict[str, Any] = {"threshold": case.threshold, "order": case.order.tolist()}
        header["counts"] = None if case.counts is None else case.counts.tolist()
        if number == 0 or case.arrays is not cases[number - 1].arrays:
            names = [""] * case.arrays[0].shape[1]
            messages.append(LayerData.pack(case.arrays, "layer", names).message)
            header |= {"at": sum(map(len, messages[:-1])), "size": len(messages[-1])}
        headers.append(header)
    (folder / "cases.bin").write_bytes(frame({"cases": headers}, *messages))
    assert NODE is not None
    command = [NODE, str(RUNNER), str(MODULE), str(folder / "cases.bin"), str(folder / "found.bin")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return np.fromfile(folder / "found.bin", np.float64)


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    bits: NDArray[np.int64] = np.where(np.isnan(values), np.nan, values).view(np.int64)
    return bits


def _random_layer(rng: np.random.Generator) -> Sequence[NDArray[np.float32]]:
    """Fields or factors with what makes trouble: ties, zeros of both signs, NaN, infinities, silent filters."""
    n_filters, n_labels, n_positions = int(rng.integers(1, 9)), int(rng.integers(2, 41)), int(rng.integers(1, 10))
    kind = rng.choice(["plain", "ties", "tiny", "large", "zeros", "negative", "bad"])
    is_dense = rng.random() < 0.4
    shape = (n_filters, n_labels, n_labels if is_dense else n_positions)

    def draw() -> NDArray[np.float32]:
        values = rng.normal(size=shape)
        if kind == "ties":
            values = np.round(values * 3) / rng.choice([2, 3, 10])
        if kind == "tiny":
            values *= 1e-22 if not is_dense else 1e-42
        if kind == "large":
            values *= 1e18
        if kind == "zeros":
            values *= rng.choice([0.0, -0.0, 1.0], shape)
        if kind == "negative":
            values = -np.abs(values)
        values = values.astype(np.float32)
        if kind == "bad":
            values[rng.random(shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
        values[rng.random(n_filters) < 0.1] = rng.choice([0.0, -0.0])
        return values

    if is_dense:
        if rng.random() < 0.5:  # blocks of labels, as a trained network has them
            block = rng.integers(0, 5, n_labels)
            return [draw() + np.float32(2) * (block[:, None] == block[None, :])]
        return [draw()]
    return [draw(), np.abs(draw()) if kind == "negative" else draw()]


def _tied_threshold(rng: np.random.Generator, arrays: Sequence[NDArray[np.float32]]) -> float:
    """One that an element meets exactly, where there is one between 0 and 1."""
    fields = arrays[0] if len(arrays) == 1 else fields_from_factors(*arrays)
    matrix = fields[rng.integers(len(fields))].astype(np.float64)
    with np.errstate(all="ignore"):
        shares = (matrix / matrix.max()).reshape(-1)
    shares = shares[(shares >= 0) & (shares <= 1)]
    return float(rng.choice(shares)) + 0.0 if shares.size else 0.5


@needs_node
@pytest.mark.parametrize("seed", range(4))
def test_random_layers_give_the_same_bits(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(600):
        with np.errstate(over="ignore"):
            arrays = _random_layer(rng)
        n_labels = arrays[0].shape[1]
        for threshold in (rng.choice([0.0, 0.3, 1.0]), round(rng.random(), 2), _tied_threshold(rng, arrays)):
            order = scan_order(rng.choice(["stored", "reversed", "random"]), n_labels, seed=int(rng.integers(1000)))
            counts = rng.integers(1, 200, n_labels) if rng.random() < 0.5 else None
            cases.append(Case(arrays, float(threshold), order, counts))
    assert_same(cases, tmp_path)


@needs_node
def test_a_large_layer_gives_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    means = np.abs(rng.normal(size=(40, 300, 4))).astype(np.float32)
    weights = rng.normal(size=(40, 300, 4)).astype(np.float32)
    counts = np.full(300, 50)
    assert_same([Case([means, weights], t, scan_order("stored", 300), counts) for t in (0.05, 0.3, 0.8)], tmp_path)


@needs_node
def test_a_difference_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strict comparison made lenient: 0.5 is then above 0.5 of the maximum."""
    case = Case([np.array([[[1.0, 0.5], [0.0, 0.5]]], np.float32)], 0.5, scan_order("stored", 2))
    assert_same([case], tmp_path)
    text = MODULE.read_text("utf-8")
    changed = tmp_path / "changed.js"
    changed.write_text(text.replace("scratch.getInt32(0) - (", "scratch.getInt32(0) - 1 - ("), "utf-8")
    monkeypatch.setattr("tests.test_matrix_js.MODULE", changed)
    with pytest.raises(AssertionError, match="case 0, n_clusters"):
        assert_same([case], tmp_path)
