"""The tables of a page."""

import math

import pytest

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")
from explorer.parts import elements


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        ("B - A", [16384.0, 0.25, None], "%.5g"),  # 16380 in four digits
        ("CSR", [137268.0, 5.5], "%.6g"),
        ("measured", [17110.0, 17108.0], "%.5g"),
        ("A", [0.123456, 12.0], "%.4g"),
        ("A", [math.inf, None], "%.4g"),
        ("field", [3e38], "%.4g"),
        ("signal, B - A", [0.5], "%.2f"), ("noise_I A", [0.5], "%.3f"), ("n, B - A", [0.5], "%.1f"),
        ("SNR_E, by chance", [0.5], "%.1f"), ("C_s, z", [0.5], "%.1f"),
        ("silent, B - A", [1, 2], None), ("given", [123456, 2], None), ("of something else", [0.5], None),
    ],
)  # fmt: skip
def test_whole_numbers_are_written_whole(column: str, values: list[float | None], wanted: str | None) -> None:
    assert elements.number_format(column, pl.Series(values)) == wanted
