"""Attributes for people and their programs. Nothing of ours reads them.

NeXus's, by which H5Web and silx open a matrix as an image, with names on its axes; and the manifest's main entries,
which are JSON in bytes otherwise.
"""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from store.file import format as fmt
from store.file.manifest import mapping

_ABOUT = "Filterscope: what each single filter of a trained network contributes to each label"
_LONGEST = 500  # bytes of a text


def mark(file: h5py.File, manifest: Mapping[str, Any]) -> None:
    """Attributes of a file that is being written, whose datasets are all there."""
    data, network, recipe = (mapping(manifest.get(key)) for key in ("data", "network", "recipe"))
    _set(file, NX_class="NXroot", default="layers", about=_ABOUT)
    _set(
        file["about"],
        version=manifest["version"],
        arch=network.get("arch"),
        data=data.get("name"),
        n_labels=data.get("n_labels"),
        test_inputs=data.get("test_inputs"),
        licence=data.get("licence"),
        recipe=recipe.get("name"),
        is_paper=recipe.get("is_paper"),
        seed=recipe.get("seed"),
        epochs=network.get("epochs"),
        test_accuracy=network.get("test_accuracy"),
        created=manifest.get("created"),
        device=manifest.get("device"),
        generator=manifest.get("generator"),
    )
    _set(file["manifest"], long_name="JSON in UTF-8: all that is known of this run")
    pictures = [_picture(layer) for layer in manifest["layers"]]
    _set(file["layers"], NX_class="NXentry")
    if pictures:
        first = next((k for k, name in enumerate(pictures) if name != fmt.CLASS_MEANS), 0)
        _set(file["layers"], default=manifest["layers"][first]["name"])
    for index, (layer, signal) in enumerate(zip(manifest["layers"], pictures, strict=True)):
        group = file[f"layers/{layer['name']}"]
        axes = {
            fmt.FIELDS: [fmt.FILTER, fmt.INPUT, fmt.OUTPUT],
            fmt.MEAN_MATRIX: [fmt.INPUT, fmt.OUTPUT],
            fmt.CLASS_MEANS: [fmt.FILTER, fmt.INPUT, fmt.POSITION],
        }[signal]
        first_filter = {"default_slice": ["0", ".", "."]} if len(axes) == 3 else {}
        _set(
            group,
            NX_class="NXdata",
            signal=signal,
            axes=axes,
            **first_filter,
            index=index,
            module=layer.get("module"),
            unit=layer.get("unit"),
            test_accuracy=layer.get("test_accuracy"),
        )
        _set(group[signal], interpretation="image")
        _set(group[fmt.INPUT], long_name="input label")
        _set(group[fmt.OUTPUT], long_name="output label")


def _picture(layer: Mapping[str, Any]) -> str:
    """Which of a layer's datasets is drawn first."""
    return next(name for name in (fmt.FIELDS, fmt.MEAN_MATRIX, fmt.CLASS_MEANS) if name in layer["datasets"])


def _set(place: Any, **attributes: Any) -> None:
    """Where a manifest says nothing, or what no attribute can hold, there is none."""
    for name, value in attributes.items():
        texts = value if isinstance(value, list) else [value]  # a manifest may hold a list of anything
        if value and all(isinstance(text, str) for text in texts):
            place.attrs.create(name, _text(value))
        elif isinstance(value, bool):
            place.attrs.create(name, np.int8(value))
        elif isinstance(value, int) and abs(value) < 1 << 63:
            place.attrs.create(name, np.int64(value))
        elif isinstance(value, float):
            place.attrs.create(name, np.float64(value))


def _text(value: str | list[str]) -> Any:
    """Of fixed length; as ASCII where it is, since Octave leaves out groups that hold UTF-8."""
    texts = [text.encode(errors="replace")[:_LONGEST] for text in ([value] if isinstance(value, str) else value)]
    charset = "ascii" if all(text.isascii() for text in texts) else "utf-8"
    array = np.array(texts, h5py.string_dtype(charset, max(1, *map(len, texts))))
    return array[0] if isinstance(value, str) else array
