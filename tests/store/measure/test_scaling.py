"""store/measure/scaling.py: error against K."""

import numpy as np
import pytest

from store.measure.scaling import KINDS, Fit, NotEnough, fit, fit_linear, fits, slopes_within, student_95

K = np.array([10, 20, 40, 60, 100])


@pytest.mark.parametrize(
    ("kind", "error"),
    [("linear", 0.01 + 0.0013 * K), ("power", 0.004 * K**0.9), ("logarithmic", -0.05 + 0.06 * np.log(K))],
)
def test_a_curve_is_found_where_the_points_lie_on_it(kind: str, error: np.ndarray) -> None:
    found = fits(K, error)
    best = found[kind]  # type: ignore[index]
    assert isinstance(best, Fit)
    assert best(K) == pytest.approx(error) and best.rms < 1e-12 and np.abs(best.residuals).max() < 1e-12
    others = [other for name, other in found.items() if name != kind]
    assert len(others) == 2 and all(isinstance(other, Fit) and other.rms > 1e-4 for other in others)


def test_the_line_is_least_squares_with_students_interval() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(K, 3)
    error = 0.02 + 0.0012 * labels + rng.normal(0, 0.01, labels.size)
    found = fit_linear(labels, error)
    assert (found.slope, found.intercept) == pytest.approx(np.polyfit(labels, error, 1))
    assert found.residuals.sum() == pytest.approx(0, abs=1e-12) and found.n_points == 15 and found.n_labels == 5
    _, covariance = np.polyfit(labels, error, 1, cov=True)
    assert found.slope_interval is not None
    low, high = found.slope_interval
    assert (high - low) / 2 == pytest.approx(student_95(13) * np.sqrt(covariance[0, 0]))
    assert (low + high) / 2 == pytest.approx(found.slope)


def test_the_interval_holds_the_slope_in_95_of_100() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        low, high = fit_linear(K, 0.02 + 0.0012 * K + rng.normal(0, 0.01, K.size)).slope_interval or (0, 0)
        held += low <= 0.0012 <= high
    assert 930 <= held <= 968


@pytest.mark.parametrize(("free", "t"), [(1, 12.706), (2, 4.303), (3, 3.182), (8, 2.306), (30, 2.042), (1000, 1.962)])
def test_students_table(free: int, t: float) -> None:
    assert student_95(free) == pytest.approx(t, abs=5e-4)


def test_two_points_give_a_line_without_an_interval() -> None:
    found = fit_linear([20, 100], [0.1, 0.3])
    assert (
        found.slope == pytest.approx(0.0025) and found.slope_interval is None and found.at_one == pytest.approx(0.0525)
    )


@pytest.mark.parametrize(
    ("labels", "error"), [([], []), ([20], [0.1]), ([20, 20], [0.1, 0.2]), ([20, 40], [0.1, float("nan")])]
)
def test_too_few_points_are_said_to_be_too_few(labels: list[int], error: list[float]) -> None:
    for kind in KINDS:
        found = fit(kind, labels, error)
        assert isinstance(found, NotEnough) and "different K" in found.reason
    with pytest.raises(ValueError, match="two different K"):
        fit_linear(labels, error)


def test_any_curve_goes_through_two_points_so_only_the_line_is_given() -> None:
    found = fits([20, 20, 100], [0.1, 0.12, 0.3])
    assert isinstance(found["linear"], Fit)
    for kind in ("power", "logarithmic"):
        curve = found[kind]
        assert isinstance(curve, NotEnough) and "three different K, found only K = 20 and 100" in curve.reason


def test_no_power_law_through_an_error_of_zero() -> None:
    found = fits([10, 20, 40], [0.0, 0.1, 0.2])
    assert isinstance(found["power"], NotEnough) and "above zero" in found["power"].reason
    assert isinstance(found["linear"], Fit) and isinstance(found["logarithmic"], Fit)


def test_each_sample_by_itself() -> None:
    labels, of = [10, 100, 10, 100, 10], ["a", "a", "b", "b", "c"]
    found = slopes_within(of, labels, [0.1, 0.19, 0.1, 0.28, 0.1])
    assert list(found) == ["a", "b", "c"] and isinstance(found["c"], NotEnough)
    assert [f.slope for f in found.values() if isinstance(f, Fit)] == pytest.approx([0.001, 0.002])


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="one number a point"):
        fit("linear", [1, 2, 3], [0.1, 0.2])
