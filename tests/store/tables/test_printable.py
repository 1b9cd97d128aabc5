"""Text on a terminal: nothing of a stranger's file is obeyed, and tables stand in columns."""

import pytest

from store.tables.printable import aligned, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("vgg16", "vgg16"),
        (0.3, "0.3"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202egnp.h5", "\\u202egnp.h5"),
        ("\u5b57 \u00e9", "\u5b57 \u00e9"),
        ("x" * 501, "x" * 500 + "..."),
    ],
)
def test_what_is_not_to_be_seen_is_written_out(text: object, shown: str) -> None:
    assert printable(text) == shown


ROWS = [["mask", "kept", "note"], ["clusters", "340", ""], ["", "1,024", "paper"]]


@pytest.mark.parametrize(
    ("left", "lines"),
    [
        (0, ["    mask   kept   note", "clusters    340", "          1,024  paper"]),
        (1, ["mask       kept   note", "clusters    340", "          1,024  paper"]),
        (3, ["mask      kept   note", "clusters  340", "          1,024  paper"]),
    ],
)
def test_columns_stand_under_each_other(left: int, lines: list[str]) -> None:
    assert aligned(ROWS, left=left) == lines


def test_a_row_of_fewer_cells_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        aligned([["a", "b"], ["c"]])
