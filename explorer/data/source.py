"""Where result files come from: what follows `--` on the command line, and the files that are there now."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from explorer.example import EXAMPLES, RUNS
from store.file.remote import is_address, open_remote


class FileId(NamedTuple):
    """One file as it was when it was listed."""

    path: str
    modified_ns: int
    size: int
    inode: int

    @property
    def name(self) -> str:
        return Path(self.path).name


class SourceError(ValueError):
    """The argument names nothing that can be shown; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """Where result files come from: one file, or the files of a folder. A page chooses among them by name only."""

    folder: Path
    only: str | None = None  # the one file that was asked for
    examples: tuple[Path, ...] = ()  # shown too, last
    address: str | None = None  # of the one file, where it is elsewhere: from the command line alone

    def files(self) -> list[FileId]:
        """Newest first. A file that vanishes meanwhile is left out. Raises OSError where the folder cannot be read."""
        if self.address is not None:
            return [_remote_id(self.address)]
        if self.only is not None:
            return [_file_id(self.folder / self.only)]
        found = []
        for path in self.folder.glob("*.h5") if self.folder.is_dir() else ():
            if path.name.startswith("."):
                continue
            try:
                found.append(_file_id(path))
            except OSError:
                continue
        found.sort(key=lambda file: (-file.modified_ns, file.name))
        names = {file.name for file in found}
        return found + [_file_id(path) for path in self.examples if path.is_file() and path.name not in names]


def named(arguments: Sequence[str]) -> Source:
    """From what follows `--` on the command line. Raises SourceError."""
    parser = _Parser(prog="streamlit run explorer/app.py --", add_help=False)
    parser.add_argument("--store")
    given: str | None = parser.parse_args(arguments).store
    if given is None:
        return Source(RUNS, examples=EXAMPLES)
    if is_address(given):
        return Source(RUNS, address=given)
    store = Path(given)
    try:
        if store.is_dir():
            return Source(store)
        store.stat()
    except OSError as error:
        raise SourceError(f"{store}: {error.strerror or error}") from None
    return Source(store.parent, only=store.name)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise SourceError(f"{message}\nusage: streamlit run explorer/app.py -- [--store FILE_OR_FOLDER_OR_ADDRESS]")


def _file_id(path: Path) -> FileId:
    status = path.stat()
    return FileId(str(path), status.st_mtime_ns, status.st_size, status.st_ino)


ADDRESSES: dict[str, str] = {}  # as it was given, with its secrets, by the path of its FileId, which has none


@st.cache_data(ttl=600, max_entries=4, show_spinner=False)
def _remote_id(address: str) -> FileId:
    """Looked up again after ten minutes: a file that was replaced is another one. Raises RemoteError."""
    remote = open_remote(address)
    ADDRESSES[remote.address] = address
    return FileId(remote.address, 0, remote.size, int(remote.identity[:15], 16))
