"""Text of a file that may come from a stranger, on a person's terminal."""

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
