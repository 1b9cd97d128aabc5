"""A result file, lazily: opening reads names and manifest, a matrix is read when it is asked for."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.file import format as fmt
from store.file.manifest import mapping
from store.file.notebook import as_html
from store.file.remote import RemoteFile, close_at_exit, is_address, open_remote, raise_failure
from store.file.structure import open_checked
from store.file.write import LayerContent, RunContent, content_sha256
from store.measure.afcc import from_bfloat16
from store.measure.bootstrap import RESAMPLES, Bootstrap, bootstrap
from store.measure.fields import Factors, Fields
from store.measure.gauge import AS_TRAINED, Gauge, common_part
from store.measure.layer import THRESHOLD, LayerMeasure, fields_from_factors
from store.measure.top_inputs import TopInputs


class Run:
    """One result file, open for reading; the structure is checked on opening, the data when first read.

    By its path, or by its address (https://, hf://, s3://; see `store.file.remote`): then only the parts that are asked
    for are fetched, and `place` names it without the address's secrets.

    It stays the file that was opened, also when a running job replaces it. Raises FormatError or OSError.

    >>> with Run("runs/vgg16-digits.h5") as run:            # doctest: +SKIP
    ...     run.layers["10"].measure(threshold=0.3).mean_noise
    """

    def __init__(self, path: str | Path) -> None:
        self.remote = open_remote(str(path)) if is_address(path) else None
        if self.remote is not None:
            self.path: PurePath = PurePosixPath(urlsplit(self.remote.address).path)  # no file here has it
            self.place, self.size = self.remote.address, self.remote.size
            self._file, self.manifest = open_checked(self.remote)
            close_at_exit(self)
        else:
            here = self.path = Path(path)
            self._file, self.manifest = open_checked(here)
            self.place, self.size = str(path), self._file.id.get_filesize()
        self._places = fmt.expected(self.manifest)
        self._verified: set[str] = set()
        try:
            self.label_names = _as_text(self.read("labels/name"))
            self.superclasses = _as_text(self.read("labels/superclass"))
            self.test_inputs: NDArray[np.int64] = self.read("labels/test_inputs")  # (K,)
        except BaseException:
            self.close()
            raise
        self.layers = {record["name"]: Layer(self, record) for record in self.manifest["layers"]}

    def __repr__(self) -> str:
        return f"Run({self.place!r})"

    def _repr_html_(self) -> str:
        """Its table, for a notebook."""
        return as_html("of_run", self)

    @property
    def is_open(self) -> bool:
        return bool(self._file)

    @property
    def name(self) -> str:
        """The file's own, without its folder."""
        return self.path.name

    @property
    def n_labels(self) -> int:
        return len(self.label_names)

    @property
    def unfinished(self) -> list[str]:
        """The layers that this run was asked for and does not hold yet."""
        return [name for name in self.manifest.get("planned_layers") or [] if name not in self.layers]

    @property
    def is_untrained(self) -> bool:
        """Whether its network has random weights, under trained probes."""
        network = self.manifest["network"]
        return not network["epochs"] and mapping(network.get("weights")).get("from") in (None, "none")

    @property
    def content_sha256(self) -> str:
        """Equal for two runs that measured the same data, whatever their durations and machines."""
        return content_sha256(self.manifest)

    @property
    def measurement_sha256(self) -> str:
        """Equal also for a packed copy: of class means and weights, or of all data where a layer has matrices alone."""
        if not all(layer.has_factors for layer in self.layers.values()):
            return self.content_sha256
        sums: dict[str, str] = self.manifest["sha256"]
        factors = {place: sums[place] for place in sums if place.endswith((fmt.CLASS_MEANS, fmt.PROBE_WEIGHTS))}
        return content_sha256({"sha256": factors})

    @property
    def label_of_test_input(self) -> NDArray[np.int64] | None:
        """(test inputs,), in the order of every layer's test features; None where the file has none of these."""
        if fmt.OF_TEST_INPUT not in self._places:
            return None
        self.verify_labels()
        labels: NDArray[np.int64] = self.read(fmt.OF_TEST_INPUT)
        return labels

    @property
    def has_thumbnails(self) -> bool:
        return fmt.THUMBNAILS in self._places

    @property
    def thumbnail_inputs(self) -> NDArray[np.int64] | None:
        """Which test inputs have a thumbnail, in order; None: all, or none at all."""
        if fmt.THUMBNAIL_INPUTS not in self._places:
            return None
        inputs: NDArray[np.int64] = self.read(fmt.THUMBNAIL_INPUTS)
        fmt.check_thumbnail_inputs(
            f"{self.place}: {fmt.THUMBNAIL_INPUTS}", inputs, self.manifest["data"]["test_inputs"]
        )
        return inputs

    def thumbnail(self, test_input: int) -> NDArray[np.uint8] | None:
        """A test image in small, (height, width, 3); None where the file has none of it. Raises IndexError."""
        if not self.has_thumbnails:
            return None
        inputs = self.thumbnail_inputs
        place = test_input
        if inputs is not None:
            place = int(np.searchsorted(inputs, test_input))
            if place == len(inputs) or inputs[place] != test_input:
                return None
        image: NDArray[np.uint8] = self.read_entry(fmt.THUMBNAILS, place)
        return image

    def history(self, layer: str | None = None) -> dict[str, NDArray[np.float64]]:
        """Training of the network, or of a layer's probe: one value an epoch, NaN where none was taken."""
        place = "history" if layer is None else f"layers/{layer}/history"
        if layer is None and not self.manifest["network"]["epochs"]:
            return {column: np.empty(0) for column in fmt.HISTORY}
        return {column: self.read(f"{place}/{column}") for column in fmt.HISTORY}

    def read(self, place: str) -> NDArray[Any]:
        """A whole dataset, compared with its checksum in the manifest. Raises FormatError, KeyError."""
        array: NDArray[Any] = self._stored(place)[...]
        if place not in self._verified:
            self._verify(place, [array])
        return array

    def read_entry(self, place: str, index: int) -> NDArray[Any]:
        """One entry along the first axis. The first entry asked for checks the whole dataset, a part at a time."""
        dataset = self._stored(place)
        if place not in self._verified:
            self._verify(place, _in_parts(dataset))
        entry: NDArray[Any] = dataset[index]
        return entry

    def verify(self) -> None:
        """Read everything and compare it with the manifest, and with what else the file says of the same."""
        for place in self._places:
            self._verify(place, _in_parts(self._stored(place)))
        self.verify_labels()
        for layer in self.layers.values():
            layer.verify_fields()
            layer.verify_confusion()
            _ = layer.top_inputs
        _ = self.thumbnail_inputs

    def verify_labels(self) -> None:
        """Whether the label of each test input is one of the labels. Raises FormatError."""
        if fmt.OF_TEST_INPUT in self._places:
            fmt.check_labels(f"{self.place}: {fmt.OF_TEST_INPUT}", self.read(fmt.OF_TEST_INPUT), self.n_labels)

    def content(self) -> RunContent:
        """All of it, as it is written: what a job that goes on adds its next layers to."""
        derived = ("format", "version", "layers", "sha256")
        manifest = {key: value for key, value in self.manifest.items() if key not in derived}
        manifest["data"] = {key: value for key, value in manifest["data"].items() if key != fmt.THUMBNAILS}
        return RunContent(
            manifest=manifest,
            label_names=list(self.label_names),
            superclasses=list(self.superclasses),
            test_inputs=self.test_inputs,
            history={column: values.tolist() for column, values in self.history().items()},
            layers=[layer.content() for layer in self.layers.values()],
            label_of_test_input=self.label_of_test_input,
            thumbnails=self.read(fmt.THUMBNAILS) if self.has_thumbnails else None,
            thumbnail_inputs=self.thumbnail_inputs,
        )

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stored(self, place: str) -> Any:
        if place not in self._places:
            raise KeyError(f"{self.place} has no {place!r}")
        return _Stored(self._file[place], f"{self.place}: {place}", self.remote)

    def _verify(self, place: str, parts: Iterable[NDArray[Any]]) -> None:
        """Compare a dataset, in parts along its first axis, with its checksum; its numbers must be finite too."""
        digest, finite = hashlib.sha256(), True
        for part in parts:
            digest.update(np.ascontiguousarray(part).data)
            finite &= fmt.is_finite(place, part)
        if self.manifest["sha256"].get(place) != digest.hexdigest():
            raise fmt.FormatError(f"{self.place}: {place}: the data is not what was written (sha256 differs); damaged")
        if not finite:
            raise fmt.FormatError(f"{self.place}: {place}: {fmt.NOT_FINITE}")
        self._verified.add(place)


class Layer:
    """One layer of a run: N_f filters, K labels, S positions a filter."""

    def __init__(self, run: Run, record: dict[str, Any]) -> None:
        self._run = run
        self.record = record
        self.name: str = record["name"]
        self.n_filters: int = record["n_filters"]
        self.n_labels: int = run.n_labels
        self.positions: int = record["positions"]

    def __repr__(self) -> str:
        return f"Layer({self.name!r}) of {self._run!r}: {self.n_filters} filters, {self.n_labels} labels"

    def _repr_html_(self) -> str:
        return as_html("of_layer", self._run, self)

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
        return self._run.read(f"layers/{self.name}/{fmt.CLASS_MEANS}")

    @property
    def probe_weights(self) -> NDArray[np.float32]:
        """w: (N_f, K, S). KeyError where the file has the matrices alone."""
        return self._run.read(f"layers/{self.name}/{fmt.PROBE_WEIGHTS}")

    @property
    def has_test_features(self) -> bool:
        """Whether what the probe makes of each test input, with any of its weights, follows from the file."""
        return self.has_factors and fmt.TEST_FEATURES in self.record["datasets"]

    @property
    def test_features(self) -> NDArray[np.uint16] | None:
        """Activations of the test inputs, (inputs, N_f, S), as bfloat16 bit patterns; None where the run kept none."""
        if fmt.TEST_FEATURES not in self.record["datasets"]:
            return None
        features: NDArray[np.uint16] = self._run.read(f"layers/{self.name}/{fmt.TEST_FEATURES}")
        return features

    @property
    def confusion(self) -> NDArray[np.int32] | None:
        """(K, K): test inputs of label i that the layer's probe takes for label j; None where the run kept none."""
        if fmt.CONFUSION not in self.record["datasets"]:
            return None
        self.verify_confusion()
        confusion: NDArray[np.int32] = self._run.read(f"layers/{self.name}/{fmt.CONFUSION}")
        return confusion

    @property
    def class_means_half(self) -> NDArray[np.float32] | None:
        """A of one half of each label's test inputs, (N_f, K, S); None where the run kept none."""
        if fmt.CLASS_MEANS_HALF not in self.record["datasets"]:
            return None
        half: NDArray[np.float32] = self._run.read(f"layers/{self.name}/{fmt.CLASS_MEANS_HALF}")
        return half

    @property
    def top_inputs(self) -> TopInputs | None:
        """Which test inputs drive each filter; None where the run kept none."""
        if fmt.TOP_INPUTS not in self.record["datasets"]:
            return None
        place = f"layers/{self.name}/{fmt.TOP_INPUTS}"
        numbers, values = self._run.read(place), self._run.read(f"layers/{self.name}/{fmt.TOP_VALUES}")
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
            place = f"layers/{self.name}/{name}"
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
            raise fmt.FormatError(f"{self._run.place}: layers/{self.name}: {reason}") from None

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
            history={column: values.tolist() for column, values in self._run.history(self.name).items()},
            record=self.record,
            fields=self._run.read(f"layers/{self.name}/{fmt.FIELDS}") if self.has_fields else None,
            test_features=self.test_features,
            confusion=self.confusion,
            class_means_half=self.class_means_half,
            top_inputs=self.top_inputs,
        )

    def verify_fields(self) -> None:
        """Compare stored matrices with class means x probe weights, bit by bit. Raises FormatError."""
        if not (self.has_fields and self.has_factors):
            return
        computed = fields_from_factors(self.class_means, self.probe_weights)
        if computed.tobytes() != self._run.read(f"layers/{self.name}/{fmt.FIELDS}").tobytes():
            where = f"{self._run.place}: layers/{self.name}"
            raise fmt.FormatError(f"{where}: fields are not class means x probe weights")

    def verify_confusion(self) -> None:
        """Compare the confusion matrix with the numbers of test inputs. Raises FormatError."""
        if fmt.CONFUSION in self.record["datasets"]:
            place = f"layers/{self.name}/{fmt.CONFUSION}"
            fmt.check_confusion(f"{self._run.place}: {place}", self._run.read(place), self._run.test_inputs)


class _Stored:
    """A dataset whose read errors name the place."""

    def __init__(self, dataset: Any, where: str, remote: RemoteFile | None) -> None:
        self._dataset, self._where, self._remote = dataset, where, remote
        self.shape, self.chunks = dataset.shape, dataset.chunks

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            array: NDArray[Any] = self._dataset[key]
        except (OSError, RuntimeError) as error:  # fletcher32 of a chunk does not fit its data
            raise_failure(self._remote)
            raise fmt.FormatError(f"{self._where}: damaged, its checksum does not fit ({error})") from error
        return array


def _in_parts(dataset: Any) -> Iterator[NDArray[Any]]:
    """A chunk at a time, so that no more is in memory."""
    step = max(1, dataset.chunks[0])
    for first in range(0, dataset.shape[0], step):
        yield dataset[first : first + step]


def _as_text(fixed: NDArray[Any]) -> tuple[str, ...]:
    """Fixed-length UTF-8 bytes -> text; what is not UTF-8 shows as U+FFFD."""
    return tuple(bytes(name).decode("utf-8", errors="replace") for name in fixed)
