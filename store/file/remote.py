"""A result file at an address, of which only the parts are fetched that are looked at: https, hf or s3, through fsspec.

The file is read as HDF5 reads it, in blocks that are kept up to a limit; a read that goes on where the last one ended
fetches twice as much as that one did. What is checked of a local file is checked of it too (`store.file.format`).

An address may hold a secret (a password, or the signature of a link that expires), so messages and pages have `shown`
of it, and the errors of the libraries, which may name it in full, are told in words of ours.
"""

import atexit
import contextlib
import gc
import hashlib
import importlib
import io
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

BLOCK = 64 << 10  # bytes: opening a file of 84 MB takes 12 of them
_BLOCKS_KEPT = 256
_MOST_AT_ONCE = 64  # blocks
_TRIES = 3
_SECONDS = {"connect": 15, "total": 120}  # of one request
_HERE = {"localhost", "127.0.0.1", "::1"}
_NEEDS = {"http": "aiohttp", "https": "aiohttp", "hf": "huggingface_hub", "s3": "s3fs"}


class RemoteError(OSError):
    """An address that cannot be read. The message names it without its secrets, and says what to do."""


def is_address(text: object) -> bool:
    """Whether it is an address, of whatever kind, and no path."""
    return "://" in str(text)


def shown(address: str) -> str:
    """Without user name, password, query and fragment.

    >>> shown("https://me:secret@example.org/runs/a.h5?signature=secret")
    'https://example.org/runs/a.h5'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class RemoteFile(io.RawIOBase):
    """A file that is read by ranges, from a file of fsspec's; make it with `open_remote`."""

    def __init__(self, source: Any, address: str, identity: str) -> None:
        self.address, self.identity = shown(address), identity
        self.size = int(source.size)
        self.requests = self.bytes_fetched = 0
        self.failure: RemoteError | None = None  # what HDF5, through which an error goes, would tell in its own words
        self._source = source
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._last = (-1, 0)  # the block after the last ones fetched, and how many they were

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self.size - self._at))
        done = 0
        while done < length:
            number, start = divmod(self._at + done, BLOCK)
            end = min(BLOCK, start + length - done)
            view[done : done + end - start] = self._block(number, -(-(self._at + length) // BLOCK))[start:end]
            done += end - start
        self._at += length
        return length

    def _block(self, number: int, needed_up_to: int) -> bytes:
        if number not in self._blocks:
            self._fetch(number, needed_up_to)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, first: int, needed_up_to: int) -> None:
        expected, before = self._last
        most = max(needed_up_to - first, 2 * before if first == expected else 1)
        last = min(first + min(most, _MOST_AT_ONCE, _BLOCKS_KEPT), -(-self.size // BLOCK))
        held = next((number for number in range(first + 1, last) if number in self._blocks), last)
        start, end = first * BLOCK, min(held * BLOCK, self.size)
        fetched = self._range(start, end)
        for number in range(first, held):
            self._blocks[number] = fetched[(number - first) * BLOCK : (number - first + 1) * BLOCK]
        while len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        self._last = (held, held - first)

    def _range(self, start: int, end: int) -> bytes:
        for attempt in range(1, _TRIES + 1):
            try:
                fetched: bytes = self._source._fetch_range(start, end)
                break
            except Exception as error:
                self.failure = _problem(self.address, error)
                if attempt == _TRIES or not _may_pass(error):
                    raise self.failure from None
                time.sleep(0.3 * attempt)
        if len(fetched) != end - start:
            self.failure = RemoteError(f"{self.address}: {len(fetched)} bytes came where {end - start} were asked for")
            raise self.failure
        self.failure = None
        self.requests += 1
        self.bytes_fetched += end - start
        return fetched


def open_remote(address: str) -> RemoteFile:
    """Raises RemoteError."""
    kind = urlsplit(address).scheme
    if refusal := _refusal(address):
        raise RemoteError(f"{shown(address)}: {refusal}")
    try:
        fsspec = importlib.import_module("fsspec")
        importlib.import_module(_NEEDS[kind])
    except ImportError:
        raise RemoteError(
            f"{shown(address)}: to read it takes {_NEEDS[kind]}: pip install 'filterscope[remote]'"
        ) from None
    try:
        files = fsspec.filesystem(kind, skip_instance_cache=True, **_options(kind, address))
        place = address if kind.startswith("http") else files._strip_protocol(address)
        details = files.info(place)
        source = files.open(place, "rb", block_size=BLOCK, cache_type="none")
    except Exception as error:
        raise _problem(shown(address), error) from None
    if not hasattr(source, "_fetch_range") or not isinstance(source.size, int):
        raise RemoteError(f"{shown(address)}: this server sends no parts of files; download the file and open it here")
    known = [details.get(name) for name in ("ETag", "blob_id", "LastModified", "last_modified", "mtime")]
    text = repr([address, source.size, *(str(value) for value in known)])
    return RemoteFile(source, address, hashlib.sha256(text.encode()).hexdigest())


_collecting = threading.Lock()
_reading = 0  # calls of HDF5 on files at an address, and whether garbage was collected before the first of them
_was_collecting = False


@contextlib.contextmanager
def uncollected(source: RemoteFile | None) -> Iterator[None]:
    """Around a call of HDF5 that may fetch: no garbage collection meanwhile, in any thread.

    h5py holds its lock while HDF5 waits for bytes, which a thread of fsspec's brings. Should a collection begin in that
    thread and meet an object of h5py's, it would wait for the lock, and both for ever.
    """
    global _reading, _was_collecting
    if source is None:
        yield
        return
    with _collecting:
        if _reading == 0:
            _was_collecting = gc.isenabled()
            gc.disable()
        _reading += 1
    try:
        yield
    finally:
        with _collecting:
            _reading -= 1
            if _reading == 0 and _was_collecting:
                gc.enable()


def raise_failure(source: object) -> None:
    """Of a file elsewhere, what went wrong on the way: HDF5 would call it damage."""
    if isinstance(source, RemoteFile) and source.failure is not None:
        raise source.failure from None


def _refusal(address: str) -> str:
    """Why this is no address of a file to read, given or redirected to; empty where it is one."""
    parts = urlsplit(address)
    if parts.scheme not in _NEEDS:
        return "addresses start with https://, hf:// or s3://"
    if parts.scheme == "http" and parts.hostname not in _HERE:
        return "http is read from this machine alone; use https"
    return "" if parts.netloc else "names no server"


def _options(kind: str, address: str) -> dict[str, Any]:
    if kind == "s3":
        return {"config_kwargs": {"connect_timeout": _SECONDS["connect"], "read_timeout": _SECONDS["total"]}}
    if kind == "hf":
        return {}  # HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT, 10 s each unless set
    aiohttp = importlib.import_module("aiohttp")
    traces = aiohttp.TraceConfig()

    async def redirected(session: Any, context: Any, params: Any) -> None:
        to = urljoin(str(params.url), params.response.headers.get("Location", ""))
        if urlsplit(to).scheme != kind or _refusal(to):
            raise RemoteError(f"{shown(address)}: redirects to {shown(to)[:200]}, which is not followed")

    async def answered(session: Any, context: Any, params: Any) -> None:
        """Before its body is read: a part, and of no more bytes than were asked for."""
        if "Range" not in params.headers or params.response.status >= 400:
            return
        first, _, last = params.headers["Range"].removeprefix("bytes=").partition("-")
        headers = params.response.headers
        if params.response.status != 206 or headers.get("Content-Encoding", "identity") != "identity":
            raise RemoteError(
                f"{shown(address)}: this server sends no parts of files; download the file and open it here"
            )
        if not 0 <= int(headers.get("Content-Length", -1)) <= int(last) - int(first) + 1:
            raise RemoteError(f"{shown(address)}: this server sends more than the part that was asked for; refused")

    traces.on_request_redirect.append(redirected)
    traces.on_request_end.append(answered)
    timeout = aiohttp.ClientTimeout(total=_SECONDS["total"], connect=_SECONDS["connect"])
    return {
        "client_kwargs": {"timeout": timeout, "trace_configs": [traces]},
        "headers": {"Accept-Encoding": "identity"},
    }


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    status = getattr(error, "status", None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _may_pass(error: BaseException) -> bool:
    """Whether to ask again: a connection that broke, a server that is busy."""
    if isinstance(error, RemoteError | FileNotFoundError | PermissionError):
        return False
    status = _status(error)
    return status is None or status == 429 or status >= 500


def _problem(place: str, error: BaseException) -> RemoteError:
    """In words of ours: a library's may have the whole address in it, with its secrets."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__  # fsspec calls it so whatever it was that went wrong
    if isinstance(error, RemoteError):
        return error
    status, name = _status(error), type(error).__name__
    if status == 404 or isinstance(error, FileNotFoundError):
        return RemoteError(f"{place}: there is no such file")
    if status in (401, 403) or isinstance(error, PermissionError):
        return RemoteError(f"{place}: access is denied; sign in, or ask whoever sent the address")
    if status is not None:
        return RemoteError(f"{place}: the server answers with status {status}")
    if isinstance(error, TimeoutError) or "Timeout" in name:
        return RemoteError(f"{place}: no answer in time; try again, or download the file")
    return RemoteError(f"{place}: cannot be reached ({name}); is there a network, and is the address right?")


_open: "weakref.WeakSet[Any]" = weakref.WeakSet()


def close_at_exit(closable: Any) -> None:
    """HDF5 would ask for bytes from a file of Python's when Python is gone already: a crash at the very end."""
    if not _open:
        atexit.register(_close_all)
    _open.add(closable)


def _close_all() -> None:
    for closable in list(_open):
        closable.close()
