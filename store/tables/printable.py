"""Text on a person's terminal: what a file says, which may come from a stranger, and tables."""

from collections.abc import Sequence

_LONGEST = 500  # characters; a manifest may hold a text of 16 MiB


def printable(value: object) -> str:
    """As text in one line, each character that is not to be seen written out: `\\x1b`, `\\n`, `\\u202e`.

    Escape sequences would command the terminal, line breaks would forge lines, and marks of direction would show other
    words than there are.

    >>> print(printable("\\x1b[2Jvgg16\\n\\u202e"))
    \\x1b[2Jvgg16\\n\\u202e
    """
    text = str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def aligned(rows: Sequence[Sequence[str]], left: int = 0) -> list[str]:
    """Rows of equally many cells as lines: the first `left` columns flush left, the others flush right.

    >>> print(*aligned([["mask", "kept"], ["clusters", "340"]], left=1), sep="\\n")
    mask      kept
    clusters   340
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
