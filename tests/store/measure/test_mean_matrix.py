"""The picture of a layer: the mean of its matrices, each divided by its maximum."""

import numpy as np

from store.measure.mean_matrix import mean_matrix

SILENT = np.array([[0, -1], [-2, 0]], np.float32)


def test_each_filter_counts_the_same_whatever_its_scale() -> None:
    first = np.array([[4, 2], [0, -1]], np.float32)
    second = np.array([[0, 0.25], [0.25, 0.5]], np.float32)
    expected = np.array([[0.5, 0.5], [0.25, 0.375]], np.float32)
    for scale in (1, 1e-30, 1e30):
        found = mean_matrix([first * np.float32(scale), SILENT, second])
        assert found.dtype == np.float32 and np.allclose(found, expected, rtol=1e-6, atol=0)


def test_what_is_far_below_zero_is_cut_off_and_stays_finite() -> None:
    found = mean_matrix([np.array([[1e-45, 0], [-1e38, 0]], np.float32)])
    assert np.array_equal(found, np.array([[1, 0], [-1, 0]], np.float32))


def test_there_is_none_of_silent_filters_alone() -> None:
    assert mean_matrix([SILENT, SILENT * np.float32(2)]) is None
