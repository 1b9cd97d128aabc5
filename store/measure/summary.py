"""A layer at one threshold in single numbers: the means of the paper's tables, and signal-to-noise ratios."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.measure.layer import LayerMeasure, ratio

Average = Literal["clustered", "all"]  # means of n and N_c over the filters with a cluster (the paper's), or over all

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))  # 0.05 to 0.95: where a layer is looked at
FAR_ABOVE = 3.0  # Eq. (4) of the paper's own tables gives an average of 4.5 to 32, and a label may lie below it

_NAN = float("nan")


class Summary(NamedTuple):
    """NaN where a number is undefined."""

    threshold: float
    noise: float = _NAN  # n, over the filters with a cluster
    n_clusters: float = _NAN  # N_c, over the same
    cluster_size: float = _NAN  # C_s, over all clusters
    noise_all: float = _NAN  # n over all filters
    n_clusters_all: float = _NAN  # N_c over all filters
    silent: int = 0  # filters
    signal: float = _NAN  # the mean over the labels, counted
    noise_internal: float = _NAN
    noise_external: float = _NAN
    least_snr_internal: float = _NAN  # over the labels; 0 where one is in no cluster, infinite where none has noise
    least_snr_external: float = _NAN
    labels_near: int = 0  # labels whose signal is not FAR_ABOVE both noises

    @property
    def snr_internal(self) -> float:
        """Mean signal / mean noise_I."""
        return ratio(self.signal, self.noise_internal)

    @property
    def snr_external(self) -> float:
        return ratio(self.signal, self.noise_external)

    def means(self, average: Average) -> tuple[float, float, float]:
        """n, N_c and C_s. C_s is the same over all filters: one without a cluster adds none to the mean."""
        if average == "all":
            return self.noise_all, self.n_clusters_all, self.cluster_size
        return self.noise, self.n_clusters, self.cluster_size


def summary(measured: LayerMeasure) -> Summary:
    """The numbers of a measured layer.

    >>> import numpy as np
    >>> from store.measure.layer import measure_layer
    >>> layer = measure_layer(np.float32([[[1.0, 0.8, 0.0], [0.9, 0.7, 0.4], [0.0, 0.0, 0.5]]]))
    >>> summary(layer)[1:4]  # n, N_c, C_s: labels 0 and 1 share a cluster, label 2 has its own
    (1.0, 2.0, 1.5)
    """
    signal, noises = measured.signal, (measured.noise_internal, measured.noise_external)
    internal, external = (_over(signal, noise) for noise in noises)
    return Summary(
        threshold=measured.threshold,
        noise=measured.mean_noise,
        n_clusters=measured.mean_clusters,
        cluster_size=measured.mean_cluster_size,
        noise_all=measured.mean_noise_all,
        n_clusters_all=measured.mean_clusters_all,
        silent=int(measured.silent.sum()),
        signal=float(signal.mean()),
        noise_internal=float(noises[0].mean()),
        noise_external=float(noises[1].mean()),
        least_snr_internal=float(internal.min()),
        least_snr_external=float(external.min()),
        labels_near=int(((internal <= FAR_ABOVE) | (external <= FAR_ABOVE)).sum()),
    )


def _over(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,): signal / noise, 0 where there is no signal, infinite where there is signal and no noise."""
    full = np.where(signal > 0, np.inf, 0.0)
    return np.divide(signal, noise, out=full, where=(signal > 0) & (noise > 0))
