"""The field matrices of a layer, whichever way they are held.

A layer has its matrices, (N_f, K, K), or what they are products of: class means and probe weights, (N_f, K, S) each.
Either gives the same fields, to the bit, so nothing outside this room asks which it is.

>>> import numpy as np
>>> means, weights = np.float32([[[1.0], [0.5]]]), np.float32([[[0.8], [-0.2]]])  # one filter, two labels, one position
>>> layer = Fields(factors=(means, weights))
>>> layer.matrix(0)  # rows: input labels, columns: output labels
array([[ 0.8, -0.2],
       [ 0.4, -0.1]], dtype=float32)
>>> layer.measure(0.3).n_clusters
array([1])
>>> layer.in_gauge("zero-sum").matrix(0)  # without what its weights add to all outputs alike
array([[ 0.5 , -0.5 ],
       [ 0.25, -0.25]], dtype=float32)
"""

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure import kernels
from store.measure.gauge import AS_TRAINED, Gauge, is_zero_sum, zero_sum
from store.measure.layer import (
    THRESHOLD,
    LayerMeasure,
    fields_from_factors,
    measure_factored,
    measure_layer,
)
from store.measure.threads import parallel_ranges

Array = NDArray[np.float32]
Factors = tuple[Array, Array]  # class means and probe weights, (N_f, K, S) each


class Fields:
    """N_f matrices (K, K) of float32: rows are input labels, columns output labels.

    matrices (N_f, K, K), or factors: class means and probe weights (N_f, K, S) each, or a function that gives them
    where they are needed beside the matrices. With both, they are the same layer. Both are as trained, whatever the
    gauge: what is asked of the fields is of the gauge, and is derived where it is asked for.
    """

    def __init__(
        self,
        matrices: Array | None = None,
        factors: Factors | Callable[[], Factors] | None = None,
        gauge: Gauge = AS_TRAINED,
    ) -> None:
        if matrices is None and (factors is None or callable(factors)):
            raise ValueError("fields: expected matrices, or class means and probe weights")
        self._matrices, self._factors = matrices, factors
        self.gauge: Gauge = gauge
        self._zero_sum = is_zero_sum(gauge)

    def in_gauge(self, gauge: Gauge) -> "Fields":
        """The same layer in another gauge; what is in memory is shared."""
        return self if gauge == self.gauge else Fields(self._matrices, self._factors, gauge)

    @property
    def is_dense(self) -> bool:
        """Whether the matrices are in memory: measuring then takes no product."""
        return self._matrices is not None

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What is in memory, as trained: the matrices alone, or class means and probe weights. `gauge` goes with it."""
        return self.factors if self._matrices is None else (self._matrices,)

    @property
    def factors(self) -> Factors:
        """Class means and probe weights, as trained. Raises ValueError where there are matrices alone."""
        if self._factors is None:
            raise ValueError("there are matrices alone, without class means and weights")
        return self._factors() if callable(self._factors) else self._factors

    @property
    def has_factors(self) -> bool:
        return self._factors is not None

    def __len__(self) -> int:
        """N_f."""
        return len(self.arrays[0])

    @property
    def n_labels(self) -> int:
        """K."""
        return int(self.arrays[0].shape[1])

    def matrix(self, filter_index: int) -> Array:
        """One filter's matrix: (K, K)."""
        if self._matrices is not None:
            matrices = self._matrices[filter_index][None]
        else:
            means, weights = (array[filter_index][None] for array in self.factors)
            matrices = fields_from_factors(means, weights)
        matrix: Array = (zero_sum(matrices) if self._zero_sum else matrices)[0]
        return matrix

    def matrices(self) -> Array:
        """All of them: (N_f, K, K)."""
        matrices = self._as_trained()
        return zero_sum(matrices) if self._zero_sum else matrices

    def as_matrices(self) -> "Fields":
        """The same, with the matrices in memory."""
        return Fields(self._as_trained(), self._factors, self.gauge)

    def _as_trained(self) -> Array:
        return fields_from_factors(*self.factors) if self._matrices is None else self._matrices

    def measure(
        self, threshold: float = THRESHOLD, order: ArrayLike | None = None, counts: ArrayLike | None = None
    ) -> LayerMeasure:
        """Clip, cluster and count (see `measure_layer`)."""
        if self._matrices is not None:
            return measure_layer(self._matrices, threshold, order, counts, self.gauge)
        return measure_factored(*self.factors, threshold, order, counts, self.gauge)

    def of_label(self, label: int) -> tuple[Array, Array]:
        """What a label causes on every output, F[:, label, :], and every label on its output, F[:, :, label].

        (N_f, K) each; from the factors with the same bits as a matrix has: in order over s, rounded once. In the
        zero-sum gauge a column needs the mean of every row: they are computed at the first label, and kept.
        """
        if self._matrices is not None:
            row, column = self._matrices[:, label, :], self._matrices[:, :, label]
        else:
            means, weights = self.factors
            sums = np.zeros((2, *means.shape[:2]))
            for s in range(means.shape[2]):
                sums[0] += means[:, label, s, None].astype(np.float64) * weights[:, :, s]
                sums[1] += means[:, :, s].astype(np.float64) * weights[:, label, s, None]
            row, column = _rounded(sums)
        if not self._zero_sum:
            return row, column
        means_of_rows = self._row_means
        with np.errstate(invalid="ignore"):  # infinite fields
            return _rounded(row - means_of_rows[:, label, None]), _rounded(column - means_of_rows)

    @cached_property
    def _row_means(self) -> NDArray[np.float64]:
        """(N_f, K): the mean over outputs of each row, as trained."""
        found = np.empty((len(self), self.n_labels))

        def fill(share: int, first: int, last: int) -> None:
            if self._matrices is not None:
                kernels.fill_means(first, last, self._matrices, found)
            else:
                kernels.fill_means_of_factors(first, last, *self.factors, found)

        parallel_ranges(fill, len(self), work=found.size * self.n_labels)
        return found

    def squares(self) -> NDArray[np.float64]:
        """(N_f,): the sum of F^2 of each filter; from the factors the trace of (A^T A)(w^T w), without a matrix."""
        if self._matrices is not None:
            rows = (_float64(self.matrix(f)).reshape(-1) for f in range(len(self)))
            return np.array([np.dot(row, row) for row in rows])
        return np.array([np.sum((a.T @ a) * (w.T @ w)) for a, w in self._pairs()])

    def ranks(self) -> NDArray[np.float64]:
        """Numerical rank of each matrix, (N_f,): singular values above K roundings of a float32.

        NaN where a matrix is not finite. A layer of 1x1 filters has fields of rank one, whatever it has learned, so a
        part of its clusters is algebra: what is above the threshold is so by the product of two numbers. With A = QR
        and w = PT, A w^T has the singular values of R T^T, whose sides are at most S: no matrix of K x K is made. In
        the zero-sum gauge w is without its mean over outputs.
        """
        if not self.has_factors:
            return np.array([_rank(_float64(matrix), self.n_labels) for matrix in self.matrices()])
        return np.array([_rank_of_product(*pair) for pair in self._pairs()])

    def _pairs(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Class means and weights of each filter, (K, S) each; in the zero-sum gauge weights without their mean."""
        for a, w in zip(*self.factors, strict=True):
            means, weights = _float64(a), _float64(w)
            if self._zero_sum:
                with np.errstate(invalid="ignore"):  # infinite weights
                    weights -= weights.mean(axis=0)
            yield means, weights


def _rounded(array: NDArray[np.float64]) -> Array:
    """To float32, a zero without a sign, as the kernels do it."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32) + np.float32(0)


def _float64(array: Array) -> NDArray[np.float64]:
    return array.astype(np.float64)


def _rank_of_product(means: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    if not (np.isfinite(means).all() and np.isfinite(weights).all()):
        return float("nan")
    left, right = (np.asarray(np.linalg.qr(array, "r")) for array in (means, weights))
    return _rank(left @ right.T, len(means))


def _rank(matrix: NDArray[np.float64], n_labels: int) -> float:
    if not np.isfinite(matrix).all():
        return float("nan")
    return float(np.linalg.matrix_rank(matrix, rtol=n_labels * float(np.finfo(np.float32).eps)))
