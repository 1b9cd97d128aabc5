"""Which file is shown, and everything of it that is kept between runs: the only place with caching decorators.

A file is known by its path and by what the system says of it (time, size, inode), so a file that a running job has
replaced is another file, and what was kept of the old one goes unused. Every cache is bounded.
"""

import argparse
import contextlib
import ctypes
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit import net_util

from explorer.derived import SWEEP, SweepPoint, field_squares, rank_from_factors, sweep_point
from explorer.derived import rank as matrix_rank
from explorer.kept import Kept
from explorer.matrix import LayerData, is_live
from store import format as fmt
from store import guard
from store.measure import (
    LayerMeasure,
    ScanOrder,
    fields_from_factors,
    measure_factored,
    measure_layer,
    scan_order,
)
from store.read import Layer, Run
from store.remote import is_address, open_remote
from store.write import stores_fields

RUNS = Path("runs")
EXAMPLE = Path(__file__).with_name("example.h5")
_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_MAX_LAYER_BYTES = 2 << 30  # of class means, weights and fields: what a page may take of a server's memory


class FileId(NamedTuple):
    """One file as it was when it was listed."""

    path: str
    modified_ns: int
    size: int
    inode: int

    @property
    def name(self) -> str:
        return Path(self.path).name


class SourceError(ValueError):
    """The argument names nothing that can be shown; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """Where result files come from: one file, or the files of a folder. A page chooses among them by name only."""

    folder: Path
    only: str | None = None  # the one file that was asked for
    example: Path | None = None  # shown too, last
    address: str | None = None  # of the one file, where it is elsewhere: from the command line alone

    def files(self) -> list[FileId]:
        """Newest first. A file that vanishes meanwhile is left out. Raises OSError where the folder cannot be read."""
        if self.address is not None:
            return [_remote_id(self.address)]
        if self.only is not None:
            return [_file_id(self.folder / self.only)]
        found = []
        for path in self.folder.glob("*.h5") if self.folder.is_dir() else ():
            if path.name.startswith("."):
                continue
            try:
                found.append(_file_id(path))
            except OSError:
                continue
        found.sort(key=lambda file: (-file.modified_ns, file.name))
        if self.example is not None and self.example.is_file():
            found += [_file_id(self.example)] if self.example.name not in {file.name for file in found} else []
        return found


def source(arguments: Sequence[str]) -> Source:
    """From what follows `--` on the command line. Raises SourceError."""
    parser = _Parser(prog="streamlit run explorer/app.py --", add_help=False)
    parser.add_argument("--store")
    given: str | None = parser.parse_args(arguments).store
    if given is None:
        return Source(RUNS, example=EXAMPLE)
    if is_address(given):
        return Source(RUNS, address=given)
    store = Path(given)
    try:
        if store.is_dir():
            return Source(store)
        store.stat()
    except OSError as error:
        raise SourceError(f"{store}: {error.strerror or error}") from None
    return Source(store.parent, only=store.name)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise SourceError(f"{message}\nusage: streamlit run explorer/app.py -- [--store FILE_OR_FOLDER_OR_ADDRESS]")


def _file_id(path: Path) -> FileId:
    status = path.stat()
    return FileId(str(path), status.st_mtime_ns, status.st_size, status.st_ino)


_ADDRESSES: dict[str, str] = {}  # as it was given, with its secrets, by the path of its FileId, which has none


@st.cache_data(ttl=600, max_entries=4, show_spinner=False)
def _remote_id(address: str) -> FileId:
    """Looked up again after ten minutes: a file that was replaced is another one. Raises RemoteError."""
    remote = open_remote(address)
    _ADDRESSES[remote.address] = address
    return FileId(remote.address, 0, remote.size, int(remote.identity[:15], 16))


@dataclass(frozen=True, eq=False)
class Loaded:
    """One layer in memory: its fields where they are small, else class means and probe weights."""

    layer: Layer
    counts: NDArray[np.int64]  # (K,): test inputs a label
    fields: NDArray[np.float32] | None  # (N_f, K, K)
    factors: tuple[NDArray[np.float32], NDArray[np.float32]] | None  # (N_f, K, S) each

    def matrix(self, filter_index: int) -> NDArray[np.float32]:
        """(K, K): rows are input labels, columns output labels."""
        if self.fields is not None:
            matrix: NDArray[np.float32] = self.fields[filter_index]
            return matrix
        assert self.factors is not None
        means, weights = (array[filter_index : filter_index + 1] for array in self.factors)
        computed: NDArray[np.float32] = fields_from_factors(means, weights)[0]
        return computed

    def matrices(self) -> NDArray[np.float32]:
        """(N_f, K, K): all of them."""
        return self.fields if self.fields is not None else self.layer.fields()

    def measure(self, threshold: float, order: ScanOrder) -> LayerMeasure:
        labels = scan_order(order, self.layer.n_labels)
        if self.fields is not None:
            return measure_layer(self.fields, threshold, labels, self.counts)
        assert self.factors is not None
        return measure_factored(*self.factors, threshold, labels, self.counts)

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        """(N_f,): each filter's sum of squared fields."""
        return field_squares(self.fields, self.factors)

    @property
    def is_quick(self) -> bool:
        """Whether measuring it takes a few milliseconds, so that a sweep needs no asking."""
        return self.fields is not None


@st.cache_resource(max_entries=4, show_spinner=False)
def open_run(file: FileId) -> Run:
    """A file of this machine is opened in another process first. Raises FormatError, OSError."""
    if file.path in _ADDRESSES:
        return Run(_ADDRESSES[file.path])
    if refusal := _refusal(file):
        raise fmt.FormatError(refusal)
    return Run(file.path)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _refusal(file: FileId) -> str:
    """Why another process, which opens it first, refuses a file; "" where it does not. Kept: a file that takes all the
    time that it may is not to take it for each visitor."""
    try:
        guard.check(Path(file.path))
    except fmt.FormatError as error:
        return str(error)
    return ""


@st.cache_resource(max_entries=6, show_spinner=False)
def loaded(file: FileId, layer_name: str) -> Loaded:
    """Raises FormatError, OSError, and SourceError for a layer that is too large for this explorer."""
    run = open_run(file)
    layer = run.layers[layer_name]
    small = stores_fields(layer.n_filters, layer.n_labels)
    width = layer.n_labels if not layer.has_factors else 2 * layer.positions
    if layer.n_filters * layer.n_labels * width * 4 > _MAX_LAYER_BYTES:
        raise SourceError(
            f"layer {layer_name} is larger than {_MAX_LAYER_BYTES >> 30} GiB; measure it in Python instead"
        )
    if small or not layer.has_factors:
        return Loaded(layer, run.test_inputs, layer.fields(), None)
    return Loaded(layer, run.test_inputs, None, (layer.class_means, layer.probe_weights))


@st.cache_resource(show_spinner=False)
def return_memory() -> None:
    """Once a server: blocks of a megabyte and more go back to the system when they are freed. Streamlit runs each page
    in a new thread, and glibc, which learns to keep such blocks, would keep them for each thread anew: 20 MB for each
    release of the threshold, of a layer with 1000 labels. Elsewhere than with glibc nothing is done."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, 1 << 20)


@st.cache_resource(show_spinner=False)
def ask_nobody() -> None:
    """From a server's first page on: where a page of another server tries to open a session, Streamlit asks a server of
    Amazon's for this machine's public address, and all others wait for up to 2 s, each time. It gets an answer that
    allows none. Before the first page, and at a start with `--server.address 0.0.0.0`, it does ask."""
    with contextlib.suppress(AttributeError):
        net_util._external_ip = net_util._external_ip or "127.0.0.1"


@st.cache_resource(show_spinner=False)
def freeze_modules() -> None:
    """Once a server: Streamlit collects garbage after each run, before its last numbers are out. Going through what the
    imports made would hold them back by a tenth of a second each time."""
    gc.collect()
    gc.freeze()


def measured(file: FileId, layer_name: str, threshold: float, order: ScanOrder) -> LayerMeasure:
    """A page needs one a layer and run at a time, of 20 kB or of 5 MB."""
    key = (file, layer_name, threshold, order)
    return MEASURES.get(key, lambda: loaded(file, layer_name).measure(threshold, order))


MEASURES: Kept[tuple[FileId, str, float, ScanOrder], LayerMeasure] = Kept(
    100 << 20, lambda measured: measured.cluster_of.nbytes
)


@st.cache_data(max_entries=64, show_spinner=False)
def sweep(file: FileId, layer_name: str, order: ScanOrder) -> list[SweepPoint]:
    """The layer at each threshold of SWEEP."""
    layer = loaded(file, layer_name)
    return [sweep_point(layer.measure(threshold, order)) for threshold in SWEEP]


@st.cache_data(max_entries=4096, show_spinner=False)
def rank(file: FileId, layer_name: str, filter_index: int) -> int:
    """From the factors where they are thin: the singular values of 1000 x 1000 fields would take most of a second."""
    run = open_run(file)
    layer = run.layers[layer_name]
    if not layer.has_factors or 2 * layer.positions > layer.n_labels:
        return matrix_rank(loaded(file, layer_name).matrix(filter_index))
    places = (f"layers/{layer_name}/{name}" for name in (fmt.CLASS_MEANS, fmt.PROBE_WEIGHTS))
    return rank_from_factors(*(run.read_entry(place, filter_index) for place in places))


@st.cache_resource(max_entries=4, show_spinner=False)
def live_layer(file: FileId, layer_name: str, filter_index: int | None) -> LayerData:
    """What the live matrix shows; `filter_index` only where a layer goes to the browser filter by filter."""
    return LayerData.of(open_run(file), layer_name, filter_index or 0)


def live_data(file: FileId, layer_name: str, filter_index: int) -> LayerData:
    layer = open_run(file).layers[layer_name]
    whole = is_live(layer.n_filters, layer.n_labels)
    return live_layer(file, layer_name, None if whole else filter_index)
