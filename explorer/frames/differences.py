"""Two frames -> one that tells their differences: the tables of the Compare page. Undefined numbers are null."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from explorer.frames.layer import histogram


def shares(a: NDArray[Any], b: NDArray[Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two distributions over the same bins: columns value (where a bin starts) and part (of all)."""
    bins = histogram(np.concatenate([a, b]))
    if bins.is_empty():
        empty = pl.DataFrame(schema={"value": pl.Float64, "part": pl.Float64})
        return empty, empty
    edges = np.append(bins["from"].to_numpy(), bins["to"][-1])
    left, right = (
        pl.DataFrame({"value": edges[:-1], "part": np.histogram(values, edges)[0] / max(1, values.size)})
        for values in (a, b)
    )
    return left, right


def of_tables(a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """B - A of what was measured in two `paper_table` frames, for the layers of both."""
    columns = ["accuracy", "n", "N_c", "C_s", "silent"]
    both = a.select("layer", *columns).join(b.select("layer", *columns), on="layer", suffix=" B", maintain_order="left")
    return both.select("layer", *((pl.col(f"{name} B") - pl.col(name)).alias(f"{name}, B - A") for name in columns))


def of_numbers(a: Mapping[str, float | None], b: Mapping[str, float | None]) -> pl.DataFrame:
    """One row a quantity of two layers: A, B, B - A, and how many times A it is in B."""
    rows = []
    for quantity, left in a.items():
        right = b[quantity]
        change = None if left is None or right is None else right - left
        times = None if right is None or not left else right / left
        rows.append((quantity, left, right, change, times))
    names = ("A", "B", "B - A", "B / A")
    return pl.DataFrame(rows, schema={"quantity": pl.String} | dict.fromkeys(names, pl.Float64), orient="row")


def of_labels(a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """Labels that two `labels` frames both have, by name, largest difference of signal first."""
    columns = ["signal", "noise_I", "noise_E"]
    left = a.unique("name", keep="first", maintain_order=True).select("name", "super-class", *columns)
    right = b.unique("name", keep="first", maintain_order=True).select("name", *columns)
    both = left.join(right, on="name", suffix=" B", maintain_order="left").rename(
        {name: f"{name} A" for name in columns}
    )
    ordered = [(pl.col(f"{name} B") - pl.col(f"{name} A")).alias(f"{name}, B - A") for name in columns]
    frame = both.with_columns(ordered)
    shown = [f"{name}{part}" for name in columns for part in (", B - A", " A", " B")]
    return frame.select("name", "super-class", *shown).sort(
        pl.col("signal, B - A").abs(), descending=True, maintain_order=True
    )
