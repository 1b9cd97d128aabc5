"""The folder that `datasets`' save_to_disk makes: Arrow streams, a list of them, and what the columns are.

DIR/dataset_dict.json and DIR/train/, DIR/test/; or one such part as DIR itself: state.json, dataset_info.json, *.arrow
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from precompute.images.splits import TRAIN_NAMES
from precompute.images.stored import tables
from precompute.images.stored.found import WHOLE, Part, StoredSet, join
from precompute.messages.problem import Problem, one_line


def is_there(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def read(folder: Path, wanted: Sequence[str], texts: bool) -> StoredSet:
    """Raises Problem."""
    if (folder / "dataset_dict.json").is_file():
        names = _json(folder / "dataset_dict.json").get("splits")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise Problem(f"{folder / 'dataset_dict.json'}: names no splits. {tables.AGAIN}")
        places = {("train" if name in TRAIN_NAMES else name): _inside(folder, name) for name in names}
    else:
        places = {WHOLE: folder}
    files = {name: _files(place) for name, place in places.items()}
    if not any(files.values()):
        raise Problem(f"{folder}: names no Arrow files. {tables.AGAIN}")
    tables.check_room([path for of_part in files.values() for path in of_part])
    parts: dict[str, Part] = {}
    label_names: list[list[str] | None] = []
    for name, place in places.items():
        features = _json(place / "dataset_info.json").get("features")
        pieces = []
        for path in files[name]:
            part, names_there = tables.part(
                path, _frame(path), features if isinstance(features, dict) else {}, wanted, texts
            )
            if label_names:
                tables.check_same_names(path, names_there, label_names[0])
            label_names.append(names_there)
            pieces.append(part)
        parts[name] = join(pieces)
    return StoredSet("datasets' save_to_disk", parts, label_names[0])


def _files(place: Path) -> list[Path]:
    entries = _json(place / "state.json").get("_data_files")
    names = [entry.get("filename") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [_inside(place, str(name)) for name in names]


def _inside(folder: Path, name: str) -> Path:
    """A name in a file of somebody's may not lead out of the folder."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise Problem(f"{folder}: names {name!r}, which is no file or folder in it")
    return folder / name


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Problem(f"{path}: missing; half-copied. {tables.AGAIN}") from None
    except ValueError as error:
        raise Problem(f"{path}: cut off or damaged ({one_line(error)}). {tables.AGAIN}") from error
    if not isinstance(content, dict):
        raise Problem(f"{path}: cut off or damaged. {tables.AGAIN}")
    return content


def _frame(path: Path) -> Any:
    import polars as pl

    try:
        return pl.read_ipc_stream(path)
    except FileNotFoundError:
        raise Problem(f"{path}: missing; half-copied. {tables.AGAIN}") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise Problem(f"{path}: cut off or damaged ({one_line(error)}). {tables.AGAIN}") from error
