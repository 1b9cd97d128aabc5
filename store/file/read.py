"""A result file, lazily: opening reads names and manifest, a matrix is read when it is asked for."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from store.file import format as fmt
from store.file.dimensions import scales
from store.file.layer import Epoch, Layer, as_html
from store.file.manifest import mapping
from store.file.opened import Opened
from store.file.write import RunContent, content_sha256

__all__ = ["Epoch", "Layer", "Run"]


class Run(Opened):
    """One result file, open for reading; the structure is checked on opening, the data when first read.

    By its path, or by its address (https://, hf://, s3://; see `store.file.remote`): then only the parts that are asked
    for are fetched, and `place` names it without the address's secrets.

    It stays the file that was opened, also when a running job replaces it. Raises FormatError or OSError.

    >>> with Run("runs/vgg16-digits.h5") as run:            # doctest: +SKIP
    ...     run.layers["10"].measure(threshold=0.3).mean_noise
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        try:
            self.label_names = _as_text(self.read("labels/name"))
            self.superclasses = _as_text(self.read("labels/superclass"))
        except BaseException:
            self.close()
            raise
        self.layers = {record["name"]: Layer(self, record) for record in self.manifest["layers"]}
        self._epochs = {at["epoch"]: at for at in self.manifest.get(fmt.EPOCHS) or []}

    @property
    def epochs(self) -> tuple[int, ...]:
        """After which epochs of the training its layers are in the file, in order; the last is the trained network."""
        return (*self._epochs, self.manifest["network"]["epochs"])

    def at_epoch(self, epoch: int) -> Epoch:
        """The layers after so many epochs of the training, 0 before the first step. Raises KeyError.

        >>> with Run("runs/vgg16-digits.h5") as run:        # doctest: +SKIP
        ...     {epoch: run.at_epoch(epoch).layers["10"].measure().mean_noise for epoch in run.epochs}
        """
        if epoch == self.epochs[-1]:
            return Epoch(epoch, self.layers, self.manifest["network"])
        if epoch not in self._epochs:
            there = ", ".join(map(str, self.epochs))
            raise KeyError(f"{self.place} has no layers of epoch {epoch}; it has those of {there}")
        at, about = self._epochs[epoch], {layer.name: layer.about for layer in self.layers.values()}
        records = {record["name"]: about[record["name"]] | record for record in at["layers"]}
        layers = {name: Layer(self, records[name], fmt.epoch_group(epoch, name)) for name in about if name in records}
        return Epoch(epoch, layers, at)

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
    def unfinished(self) -> list[str]:
        """The layers that this run was asked for and does not hold yet."""
        return [name for name in self.manifest.get("planned_layers") or [] if name not in self.layers]

    @property
    def is_current(self) -> bool:
        """Whether it has all that a file has by now: of one that was written earlier, its axes may have no names."""
        return fmt.INPUT_LABEL in self._places

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
        names = (fmt.CLASS_MEANS, fmt.PROBE_WEIGHTS)
        factors = {place: sums[place] for place in sums if place.startswith("layers/") and place.endswith(names)}
        return content_sha256({"sha256": factors})

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

    def verify(self) -> None:
        """Read everything and compare it with the manifest, and with what else the file says of the same."""
        for place in self._places:
            self.verify_dataset(place)
        self.verify_labels()
        self._verify_axes()
        for layer in self.layers.values():
            layer.verify_fields()
            layer.verify_confusion()
            layer.verify_mean_matrix()
            _ = layer.top_inputs
        _ = self.thumbnail_inputs

    def content(self) -> RunContent:
        """All of it, as it is written: what a job that goes on adds its next layers to."""
        derived = ("format", "version", "layers", fmt.EPOCHS, "sha256")
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
            epochs=[self.at_epoch(epoch).content() for epoch in self._epochs],
        )

    def _verify_axes(self) -> None:
        """Whether the scales that other programs read say what the file does. Raises FormatError."""
        for place, values in scales(self.manifest, self.read("labels/name")).items():
            if place in self._places and not np.array_equal(self.read(place), values):
                raise fmt.FormatError(f"{self.place}: {place}: not what the file says of this axis elsewhere")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _as_text(fixed: NDArray[Any]) -> tuple[str, ...]:
    """Fixed-length UTF-8 bytes -> text; what is not UTF-8 shows as U+FFFD."""
    return tuple(bytes(name).decode("utf-8", errors="replace") for name in fixed)
