"""What is kept of something, up to so many bytes: that used last, longest."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LRUCache(Generic[Key, Value]):
    """Values by their keys, of which `size` tells the bytes; one is kept, however large. Threads may share it."""

    def __init__(self, most: int, size: Callable[[Value], int]) -> None:
        self.most = most
        self._size = size
        self._values: dict[Key, Value] = {}  # used last, last
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of this key; made where there is none. Two threads may make it twice; they wait for no one."""
        with self._lock:
            if key in self._values:
                self._values[key] = self._values.pop(key)
                return self._values[key]
        made = make()
        with self._lock:
            self._values[key] = made
            while len(self._values) > 1 and self._bytes() > self.most:
                del self._values[next(iter(self._values))]
        return made

    def has(self, key: Key) -> bool:
        with self._lock:
            return key in self._values

    def values(self) -> list[Value]:
        with self._lock:
            return list(self._values.values())

    def clear(self) -> None:
        with self._lock:
            self._values.clear()

    def _bytes(self) -> int:
        return sum(map(self._size, self._values.values()))
