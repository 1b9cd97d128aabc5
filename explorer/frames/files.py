"""A table as a person sees it, and as the files that other programs read."""

import io

import polars as pl

# Numbers of labels, beside their names: what tables are joined by, and nobody looks at.
IN_FILES_ALONE = ("label ids", "with ids", "input id", "output id")


def on_page(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as text in a line, and without what is for files alone."""
    return _lists_joined(frame.drop(IN_FILES_ALONE, strict=False), ", ")


def csv(frame: pl.DataFrame) -> bytes:
    """Texts in quotes, lists joined by "; ", and TRUE and FALSE, which R takes for logical."""
    booleans = [name for name, kind in frame.schema.items() if kind == pl.Boolean]
    spelled = (pl.col(name).replace_strict({True: "TRUE", False: "FALSE"}, return_dtype=pl.String) for name in booleans)
    return _lists_joined(frame, "; ").with_columns(spelled).write_csv(quote_style="non_numeric").encode()


def parquet(frame: pl.DataFrame) -> bytes:
    """Lists stay lists, and whole numbers whole where some are absent."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _lists_joined(frame: pl.DataFrame, by: str) -> pl.DataFrame:
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    return frame.with_columns(pl.col(name).cast(pl.List(pl.String)).list.join(by) for name in lists)
