"""Where a position looks, from a manifest that may say anything."""

from typing import Any

import pytest

from store.file.receptive import box

FIELD = {"side": 8, "rows": [[0, 5], [3, 8]], "columns": [[0, 4], [2, 6], [4, 8]]}


def test_positions_go_row_by_row():
    record = {"positions": 6, "receptive_field": FIELD}
    assert box(record, 0) == (0, 0, 5 / 8, 4 / 8)
    assert box(record, 4) == (3 / 8, 2 / 8, 5 / 8, 4 / 8)
    assert box(record, 5) == (3 / 8, 4 / 8, 5 / 8, 4 / 8)
    assert box(record, 6) is None and box(record, -1) is None and box({"positions": 6}, 0) is None


@pytest.mark.parametrize(
    "change",
    [
        {"side": 0}, {"side": "8"}, {"side": True}, {"rows": []}, {"rows": None}, {"columns": 3}, {"columns": []},
        {"rows": [[0, 9], [3, 8]]}, {"rows": [[5, 5], [3, 8]]}, {"rows": [[0.0, 5], [3, 8]]}, {"rows": [[0], [3, 8]]},
        {"rows": [None, [3, 8]]}, {"rows": [[0, 5]]}, {"rows": [[-1, 5], [3, 8]]}, {"rows": ["05", [3, 8]]},
    ],
)  # fmt: skip
def test_what_cannot_be_is_left_out(change: dict[str, Any]):
    assert box({"positions": 6, "receptive_field": FIELD | change}, 0) is None


@pytest.mark.parametrize("field", [None, [], "whole", 3])
def test_something_else_is_left_out(field: Any):
    assert box({"positions": 6, "receptive_field": field}, 0) is None
