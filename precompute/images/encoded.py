"""An image as it is stored, a file of its own or a part of a file of many; it is decoded when it is asked for."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Encoded(Protocol):
    """What a Path gives, and a part of a file gives as well. As text it is the place that messages name."""

    @property
    def name(self) -> str: ...

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True)
class Stored(ABC):
    """An image inside a file."""

    file: Path
    name: str  # which no other image of the file has: "row 3"

    def __str__(self) -> str:
        return f"{self.file}, {self.name}"

    @property
    @abstractmethod
    def n_bytes(self) -> int: ...

    @abstractmethod
    def read_bytes(self) -> bytes: ...


def file_of(image: Encoded) -> Path:
    """The file that holds it."""
    return image if isinstance(image, Path) else image.file  # type: ignore[attr-defined]


def size_of(image: Encoded) -> int:
    """In bytes, encoded."""
    return image.n_bytes if isinstance(image, Stored) else file_of(image).stat().st_size
