"""Benchmarks 1 and 2: `measure_layer` and `measure_factored` at the sizes of VGG-16 and of EfficientNet-B0."""

from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row, interleaved, median_ratio, peak_above
from store import measure_factored, measure_layer
from tests import reference

VGG = (512, 100)  # filters and labels of layer 10 on CIFAR-100
EFFICIENTNET = (1280, 1000)  # of stage 9 on ImageNet
REFERENCE_FILTERS = 8  # the plain program runs on so many filters, and its time is scaled up


def typical_fields(n_filters: int, n_labels: int, seed: int = 0) -> NDArray[np.float32]:
    """(N_f, K, K) like a trained layer's: mostly small or negative, a few clusters of 2 or 3 labels, some noise."""
    random = np.random.default_rng(seed)
    fields = random.normal(-0.05, 0.1, (n_filters, n_labels, n_labels)).astype(np.float32)
    for f in range(n_filters):
        for size in (3, 2, 2):
            labels = random.choice(n_labels, size, replace=False)
            fields[f][np.ix_(labels, labels)] = random.uniform(0.5, 1.0, (size, size))
    return fields


def measure_layer_rows() -> list[Row]:
    """Benchmark 1. The array is larger than the caches: `max` of it is the least that one pass over it costs."""
    n_filters, n_labels = VGG
    fields = typical_fields(n_filters, n_labels)
    measured, passes = interleaved(partial(measure_layer, fields), fields.max, rounds=41)
    some = fields[:REFERENCE_FILTERS]
    plain = partial(reference.measure_layer, some.tolist())
    (plain_times,) = interleaved(plain, rounds=5)
    scale = n_filters / REFERENCE_FILTERS
    faster = median(plain_times) * scale / median(measured)
    ratio = median_ratio(measured, to=passes)
    size = f"{n_filters}x{n_labels}x{n_labels}"
    return [
        Row(f"measure_layer {size}", median(measured) * 1e3, "ms", "", True),
        Row(f"measure_layer {size} / one float32 max over it", ratio, "x", "<= 2", ratio <= 2),
        Row(
            f"plain Python program ({REFERENCE_FILTERS} filters, scaled to {n_filters}) / measure_layer",
            faster,
            "x",
            ">= 100",
            faster >= 100,
        ),
    ]


# Heavy-tailed activations of 1x1 filters: about 2,800 elements above the threshold a filter (published: about 1,100).
_FACTORS = """
import numpy as np
random = np.random.default_rng(0)
means = random.exponential(1.0, ({n_filters}, {n_labels}, 1)).astype(np.float32)
weights = random.standard_normal(({n_filters}, {n_labels}, 1), np.float32)
counts = np.full({n_labels}, 50)
"""


def measure_factored_rows() -> list[Row]:
    """Benchmark 2, without and with the sums of fields that `store.file.read.Layer.measure` asks for."""
    n_filters, n_labels = EFFICIENTNET
    factors = _FACTORS.format(n_filters=n_filters, n_labels=n_labels)
    made: dict[str, Any] = {}
    exec(factors, made)  # the very text that the process below runs
    means, weights, counts = made["means"], made["weights"], made["counts"]
    size = f"measure_factored {n_filters}x{n_labels}x{n_labels}, S=1"
    contestants = partial(measure_factored, means, weights), partial(measure_factored, means, weights, counts=counts)
    rows = []
    for name, times in zip((size, f"{size}, with fields"), interleaved(*contestants, rounds=9), strict=True):
        milliseconds = median(times) * 1e3
        rows.append(Row(name, milliseconds, "ms", "<= 300", milliseconds <= 300))
    # two labels first: the compiled loops are loaded, and what they take is no part of the measurement
    loaded = "from store import measure_factored\nmeasure_factored(means[:, :2], weights[:, :2], counts=counts[:2])"
    memory = peak_above(f"{factors}\n{loaded}", "measure_factored(means, weights, counts=counts)") / 1e6
    return [*rows, Row(f"{size}, with fields: peak above inputs", memory, "MB", "<= 64", memory <= 64)]


def rows() -> list[Row]:
    return [*measure_layer_rows(), *measure_factored_rows()]
