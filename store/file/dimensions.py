"""The names of all axes, as HDF5's dimension scales: xarray, h5netcdf and netCDF4 find `input_label` in place of a
number.

Some scales hold something: the labels' names, twice, since a matrix has input labels along one axis and output labels
along the other, and the numbers of filters and positions. These are datasets like all others (`store.file.format`). The
rest are names and sizes alone, as netCDF has dimensions without a variable, and take no storage.
"""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from store.file import format as fmt

_OF_THE_RUN = {
    "manifest": ("byte",),
    fmt.INPUT_LABEL: ("input_label",),
    fmt.OUTPUT_LABEL: ("output_label",),
    "labels/name": ("input_label",),
    "labels/superclass": ("input_label",),
    "labels/test_inputs": ("input_label",),
    fmt.OF_TEST_INPUT: ("test_input",),
    fmt.THUMBNAIL_INPUTS: ("thumbnail",),
}
_OF_A_LAYER = {
    fmt.FILTER: ("filter",),
    fmt.POSITION: ("position",),
    fmt.INPUT: ("input_label",),
    fmt.OUTPUT: ("output_label",),
    fmt.CLASS_MEANS: ("filter", "input_label", "position"),
    fmt.CLASS_MEANS_HALF: ("filter", "input_label", "position"),
    fmt.PROBE_WEIGHTS: ("filter", "output_label", "position"),
    fmt.FIELDS: ("filter", "input_label", "output_label"),
    fmt.MEAN_MATRIX: ("input_label", "output_label"),
    fmt.CONFUSION: ("input_label", "output_label"),
    fmt.TEST_FEATURES: ("test_input", "filter", "position"),
    fmt.TOP_INPUTS: ("filter", "ranking", "rank", "input_and_position"),
    fmt.TOP_VALUES: ("filter", "ranking", "rank"),
}
_IN_ITS_GROUP = {"filter", "position", "epoch"}  # the size of all others is one for the whole file


def axes(place: str, places: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths of the scales of a dataset's axes, among a file's `places`; none where it is not known here."""
    group, _, name = place.rpartition("/")
    if place == fmt.THUMBNAILS:
        pictures = "thumbnail" if fmt.THUMBNAIL_INPUTS in places else "test_input"
        names: tuple[str, ...] = (pictures, "row", "column", "colour")
    elif group == "history" or group.endswith("/history"):
        names = ("epoch",)
    else:
        names = _OF_THE_RUN.get(place) or _OF_A_LAYER.get(name, ())
    return tuple(f"{group}/{axis}" if axis in _IN_ITS_GROUP and group else axis for axis in names)


def scales(manifest: Mapping[str, Any], names: NDArray[np.bytes_]) -> dict[str, NDArray[Any]]:
    """Path -> what it holds, of the scales that hold something; `names` are those of the labels."""
    numbers = np.arange(len(names), dtype="<i4")
    arrays: dict[str, NDArray[Any]] = {fmt.INPUT_LABEL: names, fmt.OUTPUT_LABEL: names}
    for layer in manifest["layers"]:
        arrays |= {
            f"layers/{layer['name']}/{fmt.FILTER}": np.arange(layer["n_filters"], dtype="<i4"),
            f"layers/{layer['name']}/{fmt.POSITION}": np.arange(layer["positions"], dtype="<i4"),
            f"layers/{layer['name']}/{fmt.INPUT}": numbers,
            f"layers/{layer['name']}/{fmt.OUTPUT}": numbers,
        }
    return arrays


def attach(file: h5py.File, places: Mapping[str, Any]) -> None:
    """Name the axes of all datasets of a file that is being written."""
    for place in ("manifest", *places):
        for axis, scale in enumerate(axes(place, places)):
            size = file[place].shape[axis]
            if scale not in file:
                _size_alone(file, scale, size)
            if not h5py.h5ds.is_scale(file[scale].id):
                file[scale].make_scale(scale.rpartition("/")[2])
            if scale != place:
                file[place].dims[axis].attach_scale(file[scale])


def _size_alone(file: h5py.File, place: str, size: int) -> None:
    scale = file.create_dataset(place, (size,), ">f4", track_times=False)  # never written, so nothing is stored
    scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")  # by which netCDF4 knows it
