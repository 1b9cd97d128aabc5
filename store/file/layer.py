"""A layer of a file that is open, at the end of the training or after an earlier epoch: what is stored of it, and what
follows from that."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.file import format as fmt
from store.file.manifest import defined
from store.file.opened import Opened
from store.file.write import EpochContent, LayerContent
from store.measure.afcc import from_bfloat16
from store.measure.bootstrap import RESAMPLES, Bootstrap, bootstrap
from store.measure.fields import Factors, Fields
from store.measure.gauge import AS_TRAINED, Gauge, common_part
from store.measure.layer import THRESHOLD, LayerMeasure, fields_from_factors
from store.measure.mean_matrix import mean_matrix
from store.measure.top_inputs import TopInputs

_ABOUT = ("unit", "pooling", "module", "filter_size", "receptive_field")  # of a layer's record


class Layer:
    """One layer of a run: N_f filters, K labels, S positions a filter. group: where it lies in the file."""

    def __init__(self, run: Opened, record: dict[str, Any], group: str | None = None) -> None:
        self._run = run
        self._group = f"layers/{record['name']}" if group is None else group
        self.record = record
        self.name: str = record["name"]
        self.n_filters: int = record["n_filters"]
        self.n_labels: int = run.n_labels
        self.positions: int = record["positions"]

    def __repr__(self) -> str:
        return f"Layer({self.name!r}) of {self._run!r}: {self.n_filters} filters, {self.n_labels} labels"

    def _repr_html_(self) -> str:
        """Its row of the table, for a notebook."""
        return as_html("of_layer", self._run, self)

    @property
    def is_final(self) -> bool:
        """Whether it is of the trained network, and not of an earlier epoch."""
        return not self._group.startswith(fmt.EPOCHS)

    @property
    def about(self) -> dict[str, Any]:
        """What its record says that is the same in every epoch."""
        return {key: self.record[key] for key in _ABOUT if key in self.record}

    @property
    def has_fields(self) -> bool:
        """Whether the matrices are stored; they can be asked for either way."""
        return fmt.FIELDS in self.record["datasets"]

    @property
    def has_factors(self) -> bool:
        return fmt.CLASS_MEANS in self.record["datasets"]

    @property
    def class_means(self) -> NDArray[np.float32]:
        """A: (N_f, K, S). KeyError where the file has the matrices alone."""
        return self._run.read(f"{self._group}/{fmt.CLASS_MEANS}")

    @property
    def probe_weights(self) -> NDArray[np.float32]:
        """w: (N_f, K, S). KeyError where the file has the matrices alone."""
        return self._run.read(f"{self._group}/{fmt.PROBE_WEIGHTS}")

    @property
    def has_test_features(self) -> bool:
        """Whether what the probe makes of each test input, with any of its weights, follows from the file."""
        return self.has_factors and fmt.TEST_FEATURES in self.record["datasets"]

    @property
    def test_features(self) -> NDArray[np.uint16] | None:
        """Activations of the test inputs, (inputs, N_f, S), as bfloat16 bit patterns; None where the run kept none."""
        if fmt.TEST_FEATURES not in self.record["datasets"]:
            return None
        features: NDArray[np.uint16] = self._run.read(f"{self._group}/{fmt.TEST_FEATURES}")
        return features

    @property
    def confusion(self) -> NDArray[np.int32] | None:
        """(K, K): test inputs of label i that the layer's probe takes for label j; None where the run kept none."""
        if fmt.CONFUSION not in self.record["datasets"]:
            return None
        self.verify_confusion()
        confusion: NDArray[np.int32] = self._run.read(f"{self._group}/{fmt.CONFUSION}")
        return confusion

    @property
    def class_means_half(self) -> NDArray[np.float32] | None:
        """A of one half of each label's test inputs, (N_f, K, S); None where the run kept none."""
        if fmt.CLASS_MEANS_HALF not in self.record["datasets"]:
            return None
        half: NDArray[np.float32] = self._run.read(f"{self._group}/{fmt.CLASS_MEANS_HALF}")
        return half

    @property
    def top_inputs(self) -> TopInputs | None:
        """Which test inputs drive each filter; None where the run kept none."""
        if fmt.TOP_INPUTS not in self.record["datasets"]:
            return None
        place = f"{self._group}/{fmt.TOP_INPUTS}"
        numbers, values = self._run.read(place), self._run.read(f"{self._group}/{fmt.TOP_VALUES}")
        n_inputs = self._run.manifest["data"]["test_inputs"]
        fmt.check_top_inputs(f"{self._run.place}: {place}", numbers, values, n_inputs, self.positions)
        return TopInputs(numbers[..., 0], numbers[..., 1], values)

    def fields(self, only: int | None = None, fewest_bytes: bool = False, gauge: Gauge = AS_TRAINED) -> Fields:
        """The layer's field matrices, or one filter's; the bits are the same however they are stored.

        What is stored as matrices is read as such, and what else the file has of the layer where it is needed. From
        elsewhere, or with `fewest_bytes`, class means and weights are read where these are less. Raises IndexError.
        """
        if only is not None and not 0 <= only < self.n_filters:
            raise IndexError(f"layer {self.name} has filters 0 to {self.n_filters - 1}, not {only}")

        def read(name: str) -> NDArray[np.float32]:
            place = f"{self._group}/{name}"
            return self._run.read(place) if only is None else self._run.read_entry(place, only)[None]

        def factors() -> Factors:
            return read(fmt.CLASS_MEANS), read(fmt.PROBE_WEIGHTS)

        fewest_bytes |= self._run.remote is not None
        factors_are_less = self.has_factors and 2 * self.positions < self.n_labels
        if self.has_fields and not (fewest_bytes and factors_are_less):
            return Fields(read(fmt.FIELDS), factors if self.has_factors else None, gauge)
        return Fields(factors=factors(), gauge=gauge)

    def field(self, filter_index: int, gauge: Gauge = AS_TRAINED) -> NDArray[np.float32]:
        """One filter's matrix: (K, K), rows are input labels, columns output labels. Raises IndexError."""
        return self.fields(filter_index, gauge=gauge).matrix(0)

    def measure(
        self, threshold: float = THRESHOLD, order: ArrayLike | None = None, gauge: Gauge = AS_TRAINED
    ) -> LayerMeasure:
        """Clip, cluster and count at this threshold (see `store.measure.layer`), in a gauge (`store.measure.gauge`)."""
        return self.fields(gauge=gauge).measure(threshold, order, self._run.test_inputs)

    @property
    def common_part(self) -> float | None:
        """The share of the probe's weights that is common to all outputs; None where there are matrices alone."""
        return common_part(self.probe_weights) if self.has_factors else None

    def bootstrap(
        self,
        threshold: float = THRESHOLD,
        order: ArrayLike | None = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        gauge: Gauge = AS_TRAINED,
    ) -> Bootstrap | None:
        """Standard errors and sure clusters at any threshold, from the test features; None where the run kept none.

        At 19 thresholds, and of the clusters at 0.3, the record says as much (`store.file.sample_results`).
        """
        features, labels = self.test_features, self._run.label_of_test_input
        if features is None or labels is None or not self.has_test_features:
            return None

        def columns(first: int, last: int) -> NDArray[np.float32]:
            return from_bfloat16(features[:, first:last])

        try:
            return bootstrap(
                columns, labels, self.probe_weights, (threshold,), threshold, resamples,
                seed=seed, order=order, gauge=gauge,
            )  # fmt: skip
        except ValueError as reason:  # a label without a test input, in a file of a stranger
            raise fmt.FormatError(f"{self._run.place}: {self._group}: {reason}") from None

    @property
    def n_elements(self) -> int:
        """Numbers that class means and weights take in memory, or matrices where the file has these alone."""
        return self.n_filters * self.n_labels * (2 * self.positions if self.has_factors else self.n_labels)

    def content(self) -> LayerContent:
        """All of the layer, as it is written."""
        return LayerContent(
            name=self.name,
            class_means=self.class_means if self.has_factors else None,
            probe_weights=self.probe_weights if self.has_factors else None,
            history=self._history(),
            record=self.record if self.is_final else {k: v for k, v in self.record.items() if k not in self.about},
            fields=self._run.read(f"{self._group}/{fmt.FIELDS}") if self.has_fields else None,
            test_features=self.test_features,
            confusion=self.confusion,
            class_means_half=self.class_means_half,
            top_inputs=self.top_inputs,
        )

    def _history(self) -> dict[str, list[float]]:
        """One value an epoch of the probe; of an earlier epoch of the network none is kept."""
        return {c: values.tolist() for c, values in self._run.history(self.name).items()} if self.is_final else {}

    def verify_fields(self) -> None:
        """Compare stored matrices with class means x probe weights, bit by bit. Raises FormatError."""
        if not (self.has_fields and self.has_factors):
            return
        computed = fields_from_factors(self.class_means, self.probe_weights)
        if computed.tobytes() != self._run.read(f"{self._group}/{fmt.FIELDS}").tobytes():
            where = f"{self._run.place}: {self._group}"
            raise fmt.FormatError(f"{where}: fields are not class means x probe weights")

    def verify_confusion(self) -> None:
        """Compare the confusion matrix with the numbers of test inputs. Raises FormatError."""
        if fmt.CONFUSION in self.record["datasets"]:
            place = f"{self._group}/{fmt.CONFUSION}"
            fmt.check_confusion(f"{self._run.place}: {place}", self._run.read(place), self._run.test_inputs)

    def verify_mean_matrix(self) -> None:
        """Compare the layer's picture with its matrices, bit by bit. Raises FormatError."""
        if fmt.MEAN_MATRIX in self.record["datasets"]:
            place, fields = f"layers/{self.name}/{fmt.MEAN_MATRIX}", self.fields()
            expected = mean_matrix(fields.matrix(f) for f in range(self.n_filters))
            if expected is None or expected.tobytes() != self._run.read(place).tobytes():
                raise fmt.FormatError(f"{self._run.place}: {place}: not the mean of the layer's matrices")


@dataclass(frozen=True)
class Epoch:
    """The layers of a run after an epoch of the training."""

    epoch: int
    layers: dict[str, Layer]
    record: dict[str, Any]  # what the manifest says of it

    @property
    def test_accuracy(self) -> float | None:
        """The network's own; None where it is not known."""
        return defined(self.record.get("test_accuracy"))

    def content(self) -> EpochContent:
        record = {key: value for key, value in self.record.items() if key not in ("epoch", "layers")}
        return EpochContent(self.epoch, record, [layer.content() for layer in self.layers.values()])


def as_html(function: str, *shown: object) -> str:
    """Tables are made in a room above this one, and only a notebook asks for them: found by name, when it does."""
    made: str = getattr(import_module("store.tables.html"), function)(*shown)
    return made
