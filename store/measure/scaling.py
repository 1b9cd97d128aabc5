"""How the error grows with the number of labels K: arrays in, arrays out.

The paper fits a line ("the maximal error rate increases approximately linearly with the number of output labels",
Figures 3-5); the power law and the logarithm are there to be held against it, by their residuals.

    linear       error = a + b K
    power        error = a K^b      (least squares of log error on log K)
    logarithmic  error = a + b log K

>>> fit = fit_linear([10, 20, 40, 60, 100], [0.02, 0.033, 0.059, 0.085, 0.137])
>>> round(fit.slope, 4), round(fit.at_one, 4)  # at K = 1 there is one answer, and the error should vanish
(0.0013, 0.0083)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # not scipy.stats, which takes ten times as long to import

Kind = Literal["linear", "power", "logarithmic"]
KINDS: tuple[Kind, ...] = ("linear", "power", "logarithmic")
_NEEDED: dict[Kind, int] = {"linear": 2, "power": 3, "logarithmic": 3}  # different K; through two goes any curve


@dataclass(frozen=True)
class NotEnough:
    """There is no fit, and why."""

    reason: str


@dataclass(frozen=True, eq=False)
class Fit:
    """One curve through points (K, error)."""

    kind: Kind
    intercept: float  # a
    slope: float  # b
    slope_interval: tuple[float, float] | None  # 95%; None for two values of K and a point each: no residual is left
    residuals: NDArray[np.float64]  # (points,): error - curve, in the order given
    rms: float  # root of the mean squared residual, in units of the error: the kinds can be compared by it
    n_points: int
    n_labels: int  # different K

    def __call__(self, labels: ArrayLike) -> NDArray[np.float64]:
        """The curve at these K."""
        return _curve(self.kind, self.intercept, self.slope, np.asarray(labels, np.float64))

    @property
    def at_one(self) -> float:
        """The curve at K = 1, where "the error is expected to vanish"."""
        return float(self([1.0])[0])

    @property
    def formula(self) -> str:
        """
        >>> fit_linear([10, 20, 40], [0.1, 0.2, 0.4]).formula
        'error = 0 + 0.01 K'
        """
        a, b = (f"{value if abs(value) > 1e-12 else 0:.3g}" for value in (self.intercept, self.slope))
        sign, b_size = ("-", b[1:]) if b.startswith("-") else ("+", b)
        right = {"linear": f"{a} {sign} {b_size} K", "power": f"{a} K^{b}", "logarithmic": f"{a} {sign} {b_size} log K"}
        return f"error = {right[self.kind]}"


def fit(kind: Kind, labels: ArrayLike, error: ArrayLike) -> Fit | NotEnough:
    """One kind of curve. labels (points,): K of each; error (points,), in [0, 1]; several points may share a K.

    A point that is not finite is left out. A line needs two different K, so that it has a slope; the others, which are
    only there to be compared with it, three; the power law also errors above zero.
    Raises ValueError where the shapes differ.
    """
    x, y = np.asarray(labels, np.float64), np.asarray(error, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"labels {x.shape} and error {y.shape}: expected one number a point each")
    there = np.isfinite(x) & np.isfinite(y) & (x > 0)
    x, y = x[there], y[there]
    if len(np.unique(x)) < _NEEDED[kind]:
        number = {2: "two", 3: "three"}[_NEEDED[kind]]
        return NotEnough(f"not enough: a {kind} fit needs {number} different K, found {_only(x)}")
    if kind == "power" and (y <= 0).any():
        return NotEnough("not enough: a power law needs errors above zero")
    across = x if kind == "linear" else np.log(x)
    up = np.log(y) if kind == "power" else y
    intercept, slope, interval = _line(across, up)
    if kind == "power":
        intercept = math.exp(intercept)
    residuals = y - _curve(kind, intercept, slope, x)
    return Fit(
        kind,
        intercept,
        slope,
        interval,
        residuals,
        math.sqrt(float(np.mean(residuals**2))),
        len(x),
        len(np.unique(x)),
    )


def fit_linear(labels: ArrayLike, error: ArrayLike) -> Fit:
    """As `fit`, for points that are enough. Raises ValueError where they are not."""
    found = fit("linear", labels, error)
    if isinstance(found, NotEnough):
        raise ValueError(found.reason)
    return found


def fits(labels: ArrayLike, error: ArrayLike) -> dict[Kind, Fit | NotEnough]:
    """All kinds."""
    return {kind: fit(kind, labels, error) for kind in KINDS}


def slopes_within(sample: Sequence[object], labels: ArrayLike, error: ArrayLike) -> dict[object, Fit | NotEnough]:
    """The line of each sample for itself: "the slope fluctuated slightly among the samples"."""
    x, y = np.asarray(labels, np.float64), np.asarray(error, np.float64)
    of = list(sample)
    return {
        name: fit("linear", *(values[[k for k, other in enumerate(of) if other == name]] for values in (x, y)))
        for name in dict.fromkeys(of)
    }


def _curve(kind: Kind, a: float, b: float, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    if kind == "power":
        return np.asarray(a * labels**b)
    return a + b * (labels if kind == "linear" else np.log(labels))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, tuple[float, float] | None]:
    """Least squares: intercept, slope, and the slope's 95% interval by Student's t with points - 2 degrees of freedom.

    The points are taken for independent. Samples whose labels are nested are not quite: the interval is a little
    narrow for them, and the slopes of the samples one by one (`slopes_within`) say how much they differ.
    """
    from_mean = x - x.mean()
    spread = float(from_mean @ from_mean)
    slope = float(from_mean @ (y - y.mean())) / spread
    intercept = float(y.mean() - slope * x.mean())
    free = len(x) - 2
    if free < 1:
        return intercept, slope, None
    left = y - intercept - slope * x
    half = student_95(free) * math.sqrt(float(left @ left) / free / spread)
    return intercept, slope, (slope - half, slope + half)


def student_95(free: int) -> float:
    """95% of Student's distribution with so many degrees of freedom lies within -t to t.

    >>> round(student_95(3), 3), round(student_95(10_000), 2)
    (3.182, 1.96)
    """
    return float(special.stdtrit(free, 0.975))


def _only(labels: NDArray[np.float64]) -> str:
    listed = " and ".join(f"{value:g}" for value in np.unique(labels))
    return f"only K = {listed}" if listed else "none"
