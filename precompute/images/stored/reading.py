"""A folder of files that hold many images each: which form they have, and what is in them."""

from collections.abc import Sequence
from pathlib import Path

from precompute.images.stored import arrays, arrow, parquet, tars
from precompute.images.stored.found import StoredSet
from precompute.images.stored.tables import LABEL_COLUMNS

FORMS = "parquet files, datasets' save_to_disk, WebDataset's .tar or arrays in .npz"


def read(folder: Path, wanted: Sequence[str] = LABEL_COLUMNS, texts: bool = True) -> StoredSet | None:
    """What the folder holds, or the one file; None where it has no file of these forms. Raises Problem, OSError.

    wanted: columns of labels in tables, the first that is there counts. texts: whether labels may be names.
    """
    if folder.is_file():
        return _read_file(folder, wanted, texts)
    if arrow.is_there(folder):
        return arrow.read(folder, wanted, texts)
    if files := parquet.files_in(folder):
        return parquet.read(folder, files, wanted, texts)
    if files := tars.files_in(folder):
        return tars.read(folder, files, texts)
    if files := arrays.files_in(folder):
        return arrays.read(folder, files)
    return None


def _read_file(path: Path, wanted: Sequence[str], texts: bool) -> StoredSet | None:
    if path.suffix == ".npz":
        return arrays.read(path.parent, [path])
    if path.suffix == ".parquet":
        return parquet.read(path.parent, [path], wanted, texts)
    return tars.read(path.parent, [path], texts) if path.suffix == ".tar" else None
