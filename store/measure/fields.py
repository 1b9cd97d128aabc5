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
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure.layer import (
    THRESHOLD,
    LayerMeasure,
    fields_from_factors,
    measure_factored,
    measure_layer,
)

Array = NDArray[np.float32]
Factors = tuple[Array, Array]  # class means and probe weights, (N_f, K, S) each


class Fields:
    """N_f matrices (K, K) of float32: rows are input labels, columns output labels.

    matrices (N_f, K, K), or factors: class means and probe weights (N_f, K, S) each, or a function that gives them
    where they are needed beside the matrices. With both, they are the same layer.
    """

    def __init__(self, matrices: Array | None = None, factors: Factors | Callable[[], Factors] | None = None) -> None:
        if matrices is None and (factors is None or callable(factors)):
            raise ValueError("fields: expected matrices, or class means and probe weights")
        self._matrices, self._factors = matrices, factors

    @property
    def is_dense(self) -> bool:
        """Whether the matrices are in memory: measuring then takes no product."""
        return self._matrices is not None

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What is in memory: the matrices alone, or class means and probe weights."""
        return self.factors if self._matrices is None else (self._matrices,)

    @property
    def factors(self) -> Factors:
        """Class means and probe weights. Raises ValueError where there are matrices alone."""
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
            matrix: Array = self._matrices[filter_index]
            return matrix
        means, weights = (array[filter_index][None] for array in self.factors)
        product: Array = fields_from_factors(means, weights)[0]
        return product

    def matrices(self) -> Array:
        """All of them: (N_f, K, K)."""
        return fields_from_factors(*self.factors) if self._matrices is None else self._matrices

    def as_matrices(self) -> "Fields":
        """The same, with the matrices in memory."""
        return Fields(self.matrices(), self._factors)

    def measure(
        self, threshold: float = THRESHOLD, order: ArrayLike | None = None, counts: ArrayLike | None = None
    ) -> LayerMeasure:
        """Clip, cluster and count (see `measure_layer`)."""
        if self._matrices is not None:
            return measure_layer(self._matrices, threshold, order, counts)
        return measure_factored(*self.factors, threshold, order, counts)

    def of_label(self, label: int) -> tuple[Array, Array]:
        """What a label causes on every output, F[:, label, :], and every label on its output, F[:, :, label].

        (N_f, K) each; from the factors with the same bits as a matrix has: in order over s, rounded once.
        """
        if self._matrices is not None:
            return self._matrices[:, label, :], self._matrices[:, :, label]
        means, weights = self.factors
        row, column = np.zeros((2, *means.shape[:2]))
        for s in range(means.shape[2]):
            row += means[:, label, s, None].astype(np.float64) * weights[:, :, s]
            column += means[:, :, s].astype(np.float64) * weights[:, label, s, None]
        return row.astype(np.float32), column.astype(np.float32)

    def squares(self) -> NDArray[np.float64]:
        """(N_f,): the sum of F^2 of each filter; from the factors the trace of (A^T A)(w^T w), without a matrix."""
        if self._matrices is not None:
            flat = self._matrices.reshape(len(self._matrices), -1)
            return np.array([np.dot(row, row) for row in map(_float64, flat)])
        pairs = zip(*self.factors, strict=True)
        return np.array([np.sum((a.T @ a) * (w.T @ w)) for a, w in (map(_float64, pair) for pair in pairs)])

    def ranks(self) -> NDArray[np.float64]:
        """Numerical rank of each matrix, (N_f,): singular values above K roundings of a float32.

        NaN where a matrix is not finite. A layer of 1x1 filters has fields of rank one, whatever it has learned, so a
        part of its clusters is algebra: what is above the threshold is so by the product of two numbers. With A = QR
        and w = PT, A w^T has the singular values of R T^T, whose sides are at most S: no matrix of K x K is made.
        """
        if not self.has_factors:
            return np.array([_rank(_float64(matrix), self.n_labels) for matrix in self.matrices()])
        return np.array([_rank_of_product(*map(_float64, pair)) for pair in zip(*self.factors, strict=True)])


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
