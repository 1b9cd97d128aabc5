"""Benchmark: from a mask to exact accuracies, and the silencing curve, at the size of layer 10 of CIFAR-100."""

from functools import partial
from statistics import median

import numpy as np

from benchmarks.timing import Row, interleaved
from store.measure.afcc import from_bfloat16, silencing, to_blocks, what_if

N_INPUTS, N_LABELS, N_FILTERS, POSITIONS = 10_000, 100, 512, 4
KEPT = 10_800 / (N_FILTERS * N_LABELS * POSITIONS)  # the paper's layer 10


def rows() -> list[Row]:
    """The sums alone; what a page takes from release to the new accuracy is measured in the browser."""
    random = np.random.default_rng(0)
    activations = np.maximum(random.standard_normal((N_INPUTS, N_FILTERS * POSITIONS), np.float32), 0)
    bits = (activations.view(np.uint32) >> 16).astype(np.uint16)
    weights = random.standard_normal((N_FILTERS, N_LABELS, POSITIONS), np.float32)
    labels = np.arange(N_INPUTS) % N_LABELS
    clusters, half, everything = (random.random((N_FILTERS, N_LABELS)) < share for share in (KEPT, 0.5, 1.0))
    features = to_blocks(bits)
    exact, wide = from_bfloat16(bits), np.ascontiguousarray(weights.transpose(0, 2, 1)).reshape(-1, N_LABELS)
    order = random.permutation(N_FILTERS)
    contestants = [
        *(partial(what_if, features, weights, labels, mask) for mask in (clusters, half, everything)),
        partial(np.matmul, exact, wide),
        partial(silencing, features, weights, labels, clusters, order, step=16),
        partial(silencing, features, weights, labels, everything, order, step=16),
        partial(to_blocks, bits),
    ]
    names = [
        f"what-if, {KEPT:.1%} of the weights kept",
        "what-if, half of the weights kept",
        "what-if, all weights kept",
        "one dense product of float32 alone, without accuracies",
        f"silencing, {N_FILTERS // 16 + 1} points, {KEPT:.1%} of the weights kept",
        f"silencing, {N_FILTERS // 16 + 1} points, all weights kept",
        "laying out the features, once a layer",
    ]
    size = f"{N_INPUTS} x {N_FILTERS * POSITIONS} features, {N_LABELS} labels"
    rows = []
    for number, (name, times) in enumerate(zip(names, interleaved(*contestants, rounds=9), strict=True)):
        milliseconds = median(times) * 1e3
        criterion, holds = ("<= 75", milliseconds <= 75) if number == 0 else ("", True)
        rows.append(Row(f"{name} ({size})", milliseconds, "ms", criterion, holds))
    return rows
