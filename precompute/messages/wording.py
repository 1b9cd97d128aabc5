"""Numbers and names as a person says them."""

from collections.abc import Sequence

_SAID = 5


def counted(number: int, thing: str) -> str:
    """
    >>> counted(1, "epoch"), counted(3, "epoch")
    ('1 epoch', '3 epochs')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def some(names: Sequence[str]) -> str:
    """The first few.

    >>> some(["a", "b"]), some(list("abcdef"))
    ('a, b', 'a, b, c, d, e ...')
    """
    return f"{', '.join(names[:_SAID])}{' ...' if names[_SAID:] else ''}"


def megabytes(n_bytes: int, digits: int = 0) -> str:
    """In smaller units where there are not that many.

    >>> megabytes(1_572_864_000), megabytes(8_640_000, 1), megabytes(8_640), megabytes(0)
    ('1573 MB', '8.6 MB', '9 kB', '0 kB')
    """
    return f"{n_bytes / 1e6:.{digits}f} MB" if n_bytes >= 1_000_000 else f"{n_bytes / 1e3:.0f} kB"
