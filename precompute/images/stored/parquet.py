"""Parquet files, as on the Hugging Face hub and from `datasets`. Their labels' names stand in the files' metadata."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from precompute.images.stored import tables
from precompute.images.stored.found import Part, StoredSet, by_part, join
from precompute.messages.problem import Problem, one_line


def files_in(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.parquet"))
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def read(folder: Path, files: Sequence[Path], wanted: Sequence[str], texts: bool) -> StoredSet:
    """All parts, each in the order of its files. Raises Problem."""
    tables.check_room(files)
    parts: dict[str, Part] = {}
    names: list[list[str] | None] = []
    for name, of_part in by_part(files, folder).items():
        read_here = []
        for path in of_part:
            part, names_there = _read_file(path, wanted, texts)
            if names:
                tables.check_same_names(path, names_there, names[0])
            names.append(names_there)
            read_here.append(part)
        parts[name] = join(read_here)
    return StoredSet("parquet", parts, names[0])


def _read_file(path: Path, wanted: Sequence[str], texts: bool) -> tuple[Part, list[str] | None]:
    import polars as pl

    try:
        metadata = pl.read_parquet_metadata(path)
        n_rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        if n_rows > path.stat().st_size:
            raise Problem(f"{path}: says that it has {n_rows} rows, which so small a file cannot hold. {tables.AGAIN}")
        frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise Problem(f"{path}: cut off or damaged ({one_line(error)}). {tables.AGAIN}") from error
    return tables.part(path, frame, _features(metadata), wanted, texts)


def _features(metadata: dict[str, str]) -> dict[str, Any]:
    """What `datasets` keeps of each column; nothing where another program wrote the file."""
    try:
        features = json.loads(metadata.get("huggingface", "{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}
