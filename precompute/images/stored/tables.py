"""A table's columns as images and labels, as `datasets` and the Hugging Face hub have them, features included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from precompute.images.encoded import Encoded, Stored
from precompute.images.stored.found import Part
from precompute.machine.memory import free_memory
from precompute.messages.problem import Problem
from precompute.messages.wording import counted, megabytes, some

if TYPE_CHECKING:
    import polars as pl

AGAIN = "Unpack or download it again"
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "class", "cls", "y")
_IMAGE_COLUMNS = ("img", "image", "png", "jpg", "jpeg", "webp")


@dataclass(frozen=True)
class Row(Stored):
    """An encoded image of a table that is held in memory."""

    column: "pl.Series" = field(compare=False, repr=False)
    row: int

    @property
    def n_bytes(self) -> int:
        return len(self.read_bytes())

    def read_bytes(self) -> bytes:
        return self.column[self.row] or b""


def part(
    path: Path, frame: "pl.DataFrame", features: Mapping[str, Any], wanted: Sequence[str], texts: bool
) -> tuple[Part, list[str] | None]:
    """The images and labels of a file's table, and its labels' names where the features say them. Raises Problem.

    features: column -> what `datasets` keeps of it, {"_type": "ClassLabel", "names": [...]}. wanted: columns of labels,
    the first that is there counts. texts: whether labels may be names in place of numbers.
    """
    import polars as pl

    kinds = frame.schema
    stored = pl.Struct({"bytes": pl.Binary, "path": pl.String})
    image_column = next((name for name in _IMAGE_COLUMNS if kinds.get(name) in (stored, pl.Binary)), None)
    image_column = image_column or next((name for name, kind in kinds.items() if kind == stored), None)
    label_column = _label_column(kinds, features, wanted, texts)
    if image_column is None or label_column is None:
        what = "labels, numbers or names" if texts else "integer labels"
        raise Problem(
            f"{path}: columns {dict(kinds)}; expected encoded images ('img') and {what} ('{wanted[0]}'), as on the "
            "Hugging Face hub"
        )
    if frame[label_column].null_count():
        raise Problem(f"{path}: inputs without a label in column {label_column!r}. {AGAIN}")
    names = _names(features.get(label_column))
    labels: NDArray[np.int64] | list[str]
    if kinds[label_column] == pl.String:
        labels = frame[label_column].to_list()
    else:
        labels = frame[label_column].to_numpy().astype(np.int64)
    return Part(_images(path, frame[image_column]), labels), names


def _label_column(kinds: "pl.Schema", features: Mapping[str, Any], wanted: Sequence[str], texts: bool) -> str | None:
    import polars as pl

    fit = [name for name, kind in kinds.items() if kind.is_integer() or (texts and kind == pl.String)]
    named = [name for name in fit if _names(features.get(name)) is not None]
    for among in (named, fit):
        if found := next((name for name in wanted if name in among), None):
            return found
    return named[0] if texts and len(named) == 1 else None


def _names(feature: Any) -> list[str] | None:
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    names = feature.get("names")
    is_names = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    return list(names) if is_names and len(set(names)) == len(names) else None  # type: ignore[arg-type]


def _images(path: Path, column: "pl.Series") -> list[Encoded]:
    import polars as pl

    if column.dtype == pl.Binary:
        encoded, places = column, None
    else:
        encoded, places = column.struct.field("bytes"), column.struct.field("path")
    images: list[Encoded] = []
    for row, lacks in enumerate(encoded.is_null().to_list()):
        place = places[row] if lacks and places is not None else None
        if place:
            images.append(_named(path, row, place))
        else:
            images.append(Row(path, f"row {row}", encoded, row))
    return images


def _named(path: Path, row: int, name: str) -> Path:
    """The file that a table names in place of an image's bytes."""
    place = path.parent / name  # which is the name itself, where that is absolute
    if not place.is_file():
        raise Problem(
            f"{path}, row {row}: holds no image, only its name, {name!r}, where nothing is: its program was given "
            "names of files, and to_parquet keeps these. Put the images there, or use save_to_disk, which keeps them"
        )
    return place


def check_room(files: Sequence[Path]) -> None:
    """Raises Problem where the encoded images, which a table's reader holds in memory, would not leave half of it."""
    n_bytes, free = sum(path.stat().st_size for path in files if path.is_file()), free_memory()
    if n_bytes > free // 2:
        raise Problem(
            f"{files[0].parent}: {megabytes(n_bytes)} in {counted(len(files), 'file')} are read into memory, of which "
            f"{megabytes(free)} are free. Write the images out as LABEL/*, which are read one by one"
        )


def check_same_names(path: Path, names: list[str] | None, before: list[str] | None) -> None:
    """Raises Problem where two files of a data set number their labels differently."""
    if names != before:
        said, other = (some(one) if one is not None else "none" for one in (names, before))
        raise Problem(f"{path}: names its labels {said}; another file of the data set {other}. Keep one of them here")
