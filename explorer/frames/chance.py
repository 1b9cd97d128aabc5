"""Draws of null models -> polars: a layer's numbers beside them. Undefined numbers are null."""

from typing import Any

import polars as pl

from store.measure.nulls import STATISTICS, Chance

SYMBOLS = dict(zip(STATISTICS, ("n", "N_c", "C_s", "signal", "noise_I", "noise_E", "SNR_I", "SNR_E"), strict=True))


def one_layer(drawn: Chance) -> pl.DataFrame:
    """One row a quantity: the layer's, and the draws'. Undefined numbers are null."""
    rows = [(symbol, *drawn.of(name)) for name, symbol in SYMBOLS.items()]
    columns = ("measured", "by chance", "spread", "z", "from", "to")
    schema = {"quantity": pl.String} | dict.fromkeys(columns, pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row")


def several(drawn: dict[str, Chance]) -> pl.DataFrame:
    """One row a layer: of each quantity what chance gives, and z."""
    rows: list[dict[str, Any]] = []
    for layer, found in drawn.items():
        row: dict[str, Any] = {"layer": layer}
        for name, symbol in SYMBOLS.items():
            against = found.of(name)
            row |= {f"{symbol}, by chance": against.mean, f"{symbol}, z": against.z}
        rows.append(row)
    schema = {"layer": pl.String} | {
        f"{symbol}, {what}": pl.Float64 for symbol in SYMBOLS.values() for what in ("by chance", "z")
    }
    return pl.DataFrame(rows, schema=schema)


def by_layer(drawn: dict[str, Chance]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The layers' numbers as `charts.depth` takes them, and the bands of their draws; only what is defined."""
    here: dict[str, Any] = {"layer": pl.String, "quantity": pl.String}
    values, bands = [], []
    for layer, found in drawn.items():
        for name, symbol in SYMBOLS.items():
            against = found.of(name)
            values.append((layer, symbol, "this run", against.observed))
            bands.append((layer, symbol, against.low, against.high))
    numbers = pl.DataFrame(values, schema=here | {"source": pl.String, "value": pl.Float64}, orient="row")
    edges = pl.DataFrame(bands, schema=here | {"low": pl.Float64, "high": pl.Float64}, orient="row")
    return numbers.drop_nulls(), edges.drop_nulls()
