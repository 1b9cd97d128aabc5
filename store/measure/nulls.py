"""Chance: what n, N_c, C_s and the SNRs are where the mechanism cannot be at work. Arrays in, arrays out, with seeds.

    labels shuffled   the output labels permuted at random: what a filter raises has nothing to do with what it sees
    rotated filters   activations and weights of a layer rotated together by a random orthogonal matrix over filters:
                      every logit stays as it was, the "filters" are others. After a ReLU activations have no sign, and
                      rotated they have: two negatives give elements above the threshold as well, so n and N_c rise
                      also where filters have nothing to lose. C_s and SNR_E are what this null is fair to
    random order      the greedy scan in random orders of the labels
    reversed order    the greedy scan from the last label to the first: one draw, no spread

Of each null, a number of draws is measured like the layer itself, and the layer's statistics are set beside theirs.

>>> import numpy as np
>>> fields = np.stack([np.diag([1.0, 0.9, 0.0, 0.0]), np.diag([0.0, 0.0, 1.0, 0.9])]).astype(np.float32)
>>> drawn = chance("labels shuffled", Fields(fields), samples=20, seed=0)
>>> signal, noise = drawn.of("signal"), drawn.of("noise_external")
>>> signal.observed > signal.mean, noise.observed < noise.mean  # the largest elements lie off the diagonal
(True, True)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.measure.fields import Fields
from store.measure.layer import THRESHOLD, LayerMeasure, scan_order
from store.measure.summary import Average, Summary, summary

Null = Literal["labels shuffled", "rotated filters", "random order", "reversed order"]
Seed = int | np.random.Generator

NULLS: tuple[Null, ...] = get_args(Null)
SAMPLES = 20
MAX_ROTATED = 8192  # filters: the matrix that rotates them takes 8 bytes x their square

# What is compared: numbers of a `Summary`, the first three of them as `average` says.
STATISTICS = (
    "noise", "n_clusters", "cluster_size", "signal", "noise_internal", "noise_external", "snr_internal", "snr_external",
)  # fmt: skip


def statistics(found: Summary, average: Average = "clustered") -> tuple[float, ...]:
    """The numbers that are compared, in the order of STATISTICS. NaN where one is undefined."""
    return (*found.means(average), *(getattr(found, name) for name in STATISTICS[3:]))


class NullComparison(NamedTuple):
    """One statistic beside its null. None where it is undefined."""

    observed: float | None
    mean: float | None  # over the draws; None where it is undefined in any of them: the others would be a selection
    std: float | None  # between the draws, with one degree of freedom less; None for a single one
    z: float | None  # (observed - mean) / std; None where the draws do not differ
    low: float | None  # the smallest of the draws
    high: float | None  # the largest


@dataclass(frozen=True, eq=False)
class Chance:
    """A layer's statistics beside those of the draws of a null."""

    null: str
    observed: Summary
    draws: NDArray[np.float64]  # (samples, statistics), in the order of STATISTICS; NaN where one is undefined
    average: Average = "clustered"  # of the means of n and N_c, of the layer and of the draws alike

    def of(self, name: str) -> NullComparison:
        """One statistic by its name in STATISTICS."""
        place = STATISTICS.index(name)
        observed = _or_none(statistics(self.observed, self.average)[place])
        values = self.draws[:, place]
        if np.isnan(values).any():
            return NullComparison(observed, None, None, None, None, None)
        differ = values.min() < values.max()  # where not, rounding alone would leave a spread that is not there
        mean = float(values.mean() if differ else values[0])
        if len(values) < 2:
            return NullComparison(observed, mean, None, None, None, None)
        std = float(values.std(ddof=1)) if differ else 0.0
        z = (observed - mean) / std if differ and observed is not None else None
        return NullComparison(observed, mean, std, z, float(values.min()), float(values.max()))


def chance(
    null: Null,
    fields: Fields,
    *,
    threshold: float = THRESHOLD,
    samples: int = SAMPLES,
    seed: Seed = 0,
    order: ArrayLike | None = None,
    average: Average = "clustered",
) -> Chance:
    """A layer against `samples` draws of a null.

    threshold and order as in `measure_layer`. Draw k is the same however many there are. Raises ValueError where
    filters cannot be rotated: there are matrices alone, a value is not finite, or filters are more than MAX_ROTATED.
    """
    if samples < 1:
        raise ValueError(f"samples: expected at least 1, got {samples}")
    observed = fields.measure(threshold, order)
    draws = _draws(null, fields, threshold, samples, np.random.default_rng(seed), order)
    return against(null, observed, draws, average)


def against(
    null: str,
    observed: LayerMeasure,
    draws: Iterator[LayerMeasure] | Sequence[LayerMeasure],
    average: Average = "clustered",
) -> Chance:
    """A measured layer against others that were measured at the same threshold: an untrained network's, say."""
    rows = []
    for draw in draws:
        if draw.threshold != observed.threshold:
            raise ValueError(f"{null}: measured at threshold {draw.threshold}, the layer at {observed.threshold}")
        rows.append(statistics(summary(draw), average))
    if not rows:
        raise ValueError(f"{null}: no draw to compare with")
    return Chance(null, summary(observed), np.array(rows, np.float64), average)


def shuffled(fields: Fields, seed: Seed, each_filter: bool = False) -> Fields:
    """The layer with its output labels permuted at random.

    One permutation for all filters, as if the outputs had been given wrong names: the filters of a layer are not
    independent of each other, and keep what they have in common, so that the draws differ as layers would. With
    `each_filter` a permutation for each: the same expectation of whatever is added up over filters, but draws that
    differ far less, since what filters share is gone as well; a z-score over those would call anything significant.
    Matrices and factors are permuted alike, as trained; the draw is in the layer's gauge.
    """
    outputs = _permuted(len(fields), fields.n_labels, seed, each_filter)
    if fields.is_dense:
        (matrices,) = fields.arrays
        return Fields(np.take_along_axis(matrices, outputs[:, None, :], axis=2), gauge=fields.gauge)
    means, weights = fields.factors
    return Fields(factors=(means, np.take_along_axis(weights, outputs[:, :, None], axis=1)), gauge=fields.gauge)


def rotation(n_filters: int, seed: Seed) -> NDArray[np.float64]:
    """A random orthogonal matrix (N_f, N_f), all rotations and reflections equally likely (Haar).

    QR of a matrix of normal numbers, with the signs that make R's diagonal positive: without them, the choice of signs
    is the algorithm's and not chance's (Mezzadri, 2007).
    """
    if n_filters > MAX_ROTATED:
        raise ValueError(f"{n_filters} filters: at most {MAX_ROTATED} can be rotated, for want of memory")
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((n_filters, n_filters)))
    rotated: NDArray[np.float64] = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return rotated


def rotated(fields: Fields, seed: Seed) -> Fields:
    """The layer with its filters mixed by one random rotation: A' = QA, w' = Qw.

    The sum over filters of A'[f, i, s] w'[f, j, s] is that of A and w, at each position and so for every logit, since Q
    is orthogonal. Multiplied in float64, rounded once to float32. The draw is in the layer's gauge: rotating and taking
    the mean over outputs may change places. Raises ValueError where there are no class means and weights, and where a
    value is not finite: it would be in every filter.
    """
    if not fields.has_factors:
        raise ValueError("fields alone cannot be rotated; class means and weights can")
    factors = fields.factors
    if not all(np.isfinite(array).all() for array in factors):
        raise ValueError("class means or weights that are not finite cannot be rotated")
    q = rotation(len(factors[0]), seed)
    means, weights = (
        (q @ array.reshape(len(array), -1).astype(np.float64)).astype(np.float32).reshape(array.shape)
        for array in factors
    )
    return Fields(factors=(means, weights), gauge=fields.gauge)


def _permuted(n_filters: int, n_labels: int, seed: Seed, each_filter: bool) -> NDArray[np.int64]:
    """(N_f or 1, K): what stands at each output."""
    rows = np.tile(np.arange(n_labels), (n_filters if each_filter else 1, 1))
    return np.random.default_rng(seed).permuted(rows, axis=1)


def _draws(
    null: Null, fields: Fields, threshold: float, samples: int, random: np.random.Generator, order: ArrayLike | None
) -> Iterator[LayerMeasure]:
    """The draws of a null, measured one after another, so that no two are in memory at once."""
    if null not in NULLS:
        raise ValueError(f"null: expected one of {', '.join(NULLS)}, got {null!r}")
    n_labels = fields.n_labels
    for draw in random.spawn(1 if null == "reversed order" else samples):
        match null:
            case "labels shuffled":
                yield shuffled(fields, draw).measure(threshold, order)
            case "rotated filters":
                yield rotated(fields, draw).measure(threshold, order)
            case "random order":
                yield fields.measure(threshold, draw.permutation(n_labels))
            case "reversed order":
                yield fields.measure(threshold, scan_order("reversed", n_labels))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
