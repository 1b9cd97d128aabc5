"""A file that is open: its manifest, and its datasets, each compared with its checksum when it is first read."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from store.file import format as fmt
from store.file.remote import RemoteFile, close_at_exit, is_address, open_remote, raise_failure, uncollected
from store.file.structure import open_checked


class Opened:
    """A file whose structure has been checked. Raises FormatError or OSError."""

    def __init__(self, path: str | Path) -> None:
        self.remote = open_remote(str(path)) if is_address(path) else None
        if self.remote is not None:
            self.path: PurePath = PurePosixPath(urlsplit(self.remote.address).path)  # no file here has it
            self.place, self.size = self.remote.address, self.remote.size
            with uncollected(self.remote):
                self._file, self.manifest = open_checked(self.remote)
            close_at_exit(self)
        else:
            here = self.path = Path(path)
            self._file, self.manifest = open_checked(here)
            self.place, self.size = str(path), self._file.id.get_filesize()
        self._places = fmt.expected(self.manifest)
        self._verified: set[str] = set()
        try:
            self.test_inputs: NDArray[np.int64] = self.read("labels/test_inputs")  # (K,)
        except BaseException:
            self.close()
            raise

    @property
    def n_labels(self) -> int:
        return len(self.test_inputs)

    @property
    def label_of_test_input(self) -> NDArray[np.int64] | None:
        """(test inputs,), in the order of every layer's test features; None where the file has none of these."""
        if fmt.OF_TEST_INPUT not in self._places:
            return None
        self.verify_labels()
        labels: NDArray[np.int64] = self.read(fmt.OF_TEST_INPUT)
        return labels

    def verify_labels(self) -> None:
        """Whether the label of each test input is one of the labels. Raises FormatError."""
        if fmt.OF_TEST_INPUT in self._places:
            fmt.check_labels(f"{self.place}: {fmt.OF_TEST_INPUT}", self.read(fmt.OF_TEST_INPUT), self.n_labels)

    def history(self, layer: str | None = None) -> dict[str, NDArray[np.float64]]:
        """Training of the network, or of a layer's probe: one value an epoch, NaN where none was taken."""
        place = "history" if layer is None else f"layers/{layer}/history"
        if layer is None and not self.manifest["network"]["epochs"]:
            return {column: np.empty(0) for column in fmt.HISTORY}
        return {column: self.read(f"{place}/{column}") for column in fmt.HISTORY}

    def read(self, place: str) -> NDArray[Any]:
        """A whole dataset, compared with its checksum in the manifest. Raises FormatError, KeyError."""
        with uncollected(self.remote):
            array: NDArray[Any] = self._stored(place)[...]
        if place not in self._verified:
            self._verify(place, [array])
        return array

    def read_entry(self, place: str, index: int) -> NDArray[Any]:
        """One entry along the first axis. The first entry asked for checks the whole dataset, a part at a time."""
        with uncollected(self.remote):
            dataset = self._stored(place)
            if place not in self._verified:
                self._verify(place, _in_parts(dataset))
            entry: NDArray[Any] = dataset[index]
        return entry

    def verify_dataset(self, place: str) -> None:
        """Compare a dataset with its checksum, a part at a time. Raises FormatError, KeyError."""
        with uncollected(self.remote):
            self._verify(place, _in_parts(self._stored(place)))

    def close(self) -> None:
        self._file.close()

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
