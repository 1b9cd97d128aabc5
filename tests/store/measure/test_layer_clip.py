"""The clip rule, wherever an element is said to be above the threshold: compared in float64, and everywhere alike."""

import numpy as np
import polars as pl
import pytest

from store.file.read import Run
from store.measure.afcc import EXTERNAL, REST, parts_of_row
from store.measure.labels import partners
from store.measure.layer import clip, measure_layer
from tests.builders import random_fields, small_run

pytest.importorskip("altair", reason="Altair is in the extra [explore]")
from explorer.charts import gallery as pictures
from explorer.frames import layer as frames
from store.file.write import write_run


@pytest.fixture
def run(tmp_path):
    """Its labels name what the tables show; its fields are not looked at."""
    write_run(tmp_path / "run.h5", small_run())
    with Run(tmp_path / "run.h5") as opened:
        yield opened


def counted(run: Run, matrix: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """Elements above, and noise: by the kernel, the gallery, the table, the labels' parts, and what labels share."""
    measured = measure_layer(matrix[None], threshold)
    kinds = pictures.kinds(matrix, measured, 0)
    table = frames.elements(run, matrix, measured, 0)
    parts = np.array([parts_of_row(measured, matrix[None, label], label)[0] for label in range(len(matrix))])
    shared = [partners(measured, (matrix[None, i], matrix[None, :, i]), i) for i in range(len(matrix))]
    above = clip(matrix, measured.cut[0])
    return [
        (int(measured.n_above[0]), int(measured.noise[0])),
        (int((kinds > 0).sum()), int((kinds == 1).sum())),
        (table.height, table.filter(pl.col("part") == "noise").height),
        (int((parts != REST).sum()), int((parts == EXTERNAL).sum())),
        (int(above.sum()), int(sum(partner.noise_to.sum() for partner in shared))),
    ]


def test_the_threshold_rounded_to_float32_is_above_it(run: Run) -> None:
    """float32(0.3) is 0.300000012: above 0.3 times 1, though equal to it in a comparison of float32."""
    matrix = np.zeros((4, 4), np.float32)
    matrix[0, 0], matrix[1, 2], matrix[3, 3] = 1, 0.3, 0.5
    assert counted(run, matrix, 0.3) == [(3, 1)] * 5


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.3, 0.5, 1.0])
def test_all_agree_on_the_boundary(run: Run, threshold: float) -> None:
    for matrix in random_fields(np.random.default_rng(int(100 * threshold)), 120, len(run.label_names)):
        found = counted(run, matrix, threshold)
        assert found == found[:1] * 5
