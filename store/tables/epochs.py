"""A run's layers at each epoch that its file has, as text: how they form."""

import numpy as np

from store.file.read import Run
from store.file.sample_results import of_layer
from store.measure.gauge import AS_TRAINED, Gauge
from store.measure.halves import alike
from store.measure.layer import THRESHOLD
from store.measure.summary import summary
from store.tables.layers import in_words, number, title
from store.tables.printable import aligned

_HEAD = ["layer", "epoch", "accuracy", "n", "N_c", "C_s", "signal", "SNR_I", "SNR_E", "same", "Jaccard"]


def course(run: Run, threshold: float = THRESHOLD, gauge: Gauge = AS_TRAINED) -> str:
    """A row an epoch for each layer, the deepest first.

    same, Jaccard: filters whose clusters are those that they have at the end, and the mean share of elements in
    clusters of either that are in clusters of both.
    """
    rows = [_HEAD]
    for name in reversed(run.layers):
        final = run.layers[name].measure(threshold, gauge=gauge).cluster_of
        for epoch in run.epochs:
            layer = run.at_epoch(epoch).layers.get(name)
            if layer is None:
                continue
            measured = layer.measure(threshold, gauge=gauge)
            found, to_the_end = summary(measured), alike(measured.cluster_of, final)
            sample = of_layer(layer.record) if gauge == AS_TRAINED else None
            numbers = (("n", found.noise, 1), ("N_c", found.n_clusters, 2), ("C_s", found.cluster_size, 2))
            errors = [None if sample is None else sample.error(threshold, of) for of, _, _ in numbers]
            rows.append(
                [
                    name,
                    str(epoch),
                    number(layer.record.get("test_accuracy"), 3),
                    *(
                        number(value, digits) + ("" if error is None else f" +- {error:.2g}")
                        for (_, value, digits), error in zip(numbers, errors, strict=True)
                    ),
                    number(found.signal, 1),
                    number(found.snr_internal, 1),
                    number(found.snr_external, 2),
                    f"{to_the_end.identical:.0%}",
                    number(float(np.float64(to_the_end.jaccard)), 2),
                ]
            )
    own = ", ".join(f"{number(run.at_epoch(epoch).test_accuracy, 3)} ({epoch})" for epoch in run.epochs)
    at = f"threshold {threshold:g}{in_words(gauge)}; the network's own test accuracy (after epoch): {own}"
    return "\n".join([title(run), at, "", *aligned(rows)])
