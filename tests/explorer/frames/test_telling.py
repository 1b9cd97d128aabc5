"""Which filter is shown first."""

import numpy as np

from explorer.frames.telling import like_the_papers
from store.measure.layer import measure_layer


def test_the_filter_that_is_shown_is_mostlike_the_papers() -> None:
    fields = np.zeros((4, 10, 10), np.float32)
    for f, sizes in enumerate([(5,), (2, 3, 2), (2, 2, 3), (1, 1)]):
        start = 0
        for size in sizes:
            fields[f, start : start + size, start : start + size] = 1
            start += size
    fields[1, 0, 9] = 1  # one element of noise more than filter 2
    assert like_the_papers(measure_layer(fields)) == 2
    assert like_the_papers(measure_layer(np.zeros((2, 5, 5), np.float32))) is None
