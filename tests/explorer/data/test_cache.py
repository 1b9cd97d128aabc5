"""A cache of so many bytes."""

import pytest

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.data.cache import LRUCache


def test_kept_forgets_what_was_not_used() -> None:
    kept: LRUCache[int, bytes] = LRUCache(20, len)
    for key in (1, 2, 1, 3):
        kept.get(key, lambda: b"x" * 9)
    assert kept.has(1) and kept.has(3) and not kept.has(2)
    kept.get(4, lambda: b"x" * 99)  # one is kept, however large
    assert kept.values() == [b"x" * 99]
