"""Test images that drive a layer's filters, as a page shows them."""

import base64
import io
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from explorer.data import load
from explorer.data.source import FileId
from store.file.receptive import box
from store.measure.top_inputs import TopInputs

_EXACT = 32  # pixels a side: up to here as PNG, which for small images is hardly more than JPEG


@st.cache_resource(max_entries=12, show_spinner=False)
def top_inputs(file: FileId, layer: str) -> TopInputs | None:
    """None where the run kept none. Raises FormatError."""
    return load.open_run(file).layers[layer].top_inputs


@st.cache_resource(max_entries=4, show_spinner=False)
def label_of_input(file: FileId) -> NDArray[np.int64] | None:
    """(test inputs,); None where the file has none. Raises FormatError."""
    return load.open_run(file).label_of_test_input


def has_pictures(file: FileId, layer: str) -> bool:
    """Whether the images that drive a filter can be seen."""
    run = load.open_run(file)
    return run.has_thumbnails and top_inputs(file, layer) is not None


@st.cache_data(max_entries=20_000, show_spinner=False)
def source(file: FileId, test_input: int) -> str | None:
    """A test image as the address of an <img>; None where the file has none of it. Raises FormatError."""
    pixels = load.open_run(file).thumbnail(test_input)
    if pixels is None:
        return None
    kind = "PNG" if max(pixels.shape[:2]) <= _EXACT else "JPEG"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def driving(file: FileId, layer: str, filter_index: int) -> dict[str, Any] | None:
    """What the live matrix shows below Figure 1; None where nothing can be seen. Raises FormatError."""
    top, labels = top_inputs(file, layer), label_of_input(file)
    if top is None or labels is None or not has_pictures(file, layer):
        return None
    record = load.open_run(file).layers[layer].record
    rankings = []
    for ranking in range(2):
        images = []
        for number, position, value in zip(
            top.inputs[filter_index, ranking].tolist(),
            top.positions[filter_index, ranking].tolist(),
            top.values[filter_index, ranking].tolist(),
            strict=True,
        ):
            picture = source(file, number) if value > 0 else None  # what does not drive it is not shown
            if picture is not None:
                images.append(
                    {
                        "source": picture,
                        "input": number,
                        "label": int(labels[number]),
                        "value": value,
                        "box": box(record, position),
                    }
                )
        rankings.append(images)
    return {"rankings": rankings}


def of_label(file: FileId, layer: str, label: int) -> list[tuple[int, list[int]]]:
    """A label's test inputs that are among the first of a filter by the field on their own label: (input, filters).

    Those of most filters first.
    """
    top, labels = top_inputs(file, layer), label_of_input(file)
    if top is None or labels is None:
        return []
    inputs = np.where(top.values[:, 1] > 0, top.inputs[:, 1], -1)  # (filter, rank)
    found: dict[int, list[int]] = {}
    for filter_index, rank in np.argwhere((inputs >= 0) & (labels[inputs] == label)).tolist():
        found.setdefault(int(inputs[filter_index, rank]), []).append(filter_index)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def montage(file: FileId, layer: str, filter_index: int, side: int) -> NDArray[np.uint8]:
    """The images of a filter's largest activations, (side, side, 3), the first at the upper left."""
    top = top_inputs(file, layer)
    tile = np.zeros((side, side, 3), np.uint8)
    if top is None:
        return tile
    run = load.open_run(file)
    shown = top.inputs[filter_index, 0][top.values[filter_index, 0] > 0]
    across = 3
    edge = side // across
    for place, number in enumerate(shown[: across * across]):
        pixels = run.thumbnail(int(number))
        if pixels is None:
            continue
        small = np.asarray(Image.fromarray(pixels).resize((edge - 1, edge - 1), Image.Resampling.BILINEAR))
        y, x = divmod(place, across)
        tile[y * edge : y * edge + edge - 1, x * edge : x * edge + edge - 1] = small
    return tile
