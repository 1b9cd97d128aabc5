"""Pictures of the test images that drive filters, as many as the file has room for."""

import numpy as np
from numpy.typing import NDArray

from precompute.images.thumbnails import most_thumbnails, some_of, thumbnails
from precompute.job import Job
from precompute.networks.receptive import receptive_fields
from store.file.write import RunContent
from store.measure.top_inputs import to_show


def add_pictures(job: Job, content: RunContent) -> None:
    """Pictures of the test images, of as many as the file has room for, and where each layer's positions look."""
    assert job.data is not None, "only a dry run has no data"
    images = job.data.test.images
    tops = [layer.top_inputs.inputs for layer in content.layers if layer.top_inputs is not None]
    limit = most_thumbnails(job.sizes)
    if tops or len(images) <= limit:  # without layers nobody knows yet which of too many are wanted
        chosen = to_show(np.concatenate(tops), len(images), limit) if tops else None
        if content.thumbnails is None or not _same(content.thumbnail_inputs, chosen):
            content.thumbnails = thumbnails(images if chosen is None else some_of(images, chosen))
            content.thumbnail_inputs = chosen
    layers = {layer.name: layer for layer in content.layers if "receptive_field" not in layer.record}
    taps = [tap for tap in job.taps if tap.layer in layers]
    if taps:
        network = job.arch.build(job.sizes.n_labels)
        for name, field in receptive_fields(network, taps, job.arch.side).items():
            layers[name].record["receptive_field"] = field


def _same(known: NDArray[np.int64] | None, chosen: NDArray[np.int64] | None) -> bool:
    return chosen is None if known is None else chosen is not None and np.array_equal(known, chosen)
