"""A file at an address: checked as a local one, and only the parts are fetched that are looked at."""

import gc
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.file import remote as remote_module
from store.file.format import FormatError
from store.file.read import Run
from store.file.remote import BLOCK, RemoteError, is_address, open_remote, shown
from tests.explorer.views.test_pages import open_app, unfold, unharmed  # noqa: F401
from tests.explorer.views.test_pages import shown as page_text
from tests.explorer_runs import ROOT, cifar100_labels, make_run

pytest.importorskip("fsspec", reason="fsspec is in the extra [remote]")
pytest.importorskip("aiohttp", reason="aiohttp is in the extra [remote]")


class Server:
    """A server of ranges on this machine, which counts what it sends; `answer` can put another in a request's place."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[tuple[str, str]] = []  # method, path
        self.sent = 0
        self.answer: Callable[[BaseHTTPRequestHandler], bool] = lambda request: False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                outer.give(self, folder)

            do_GET = do_HEAD

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def give(self, request: BaseHTTPRequestHandler, folder: Path) -> None:
        self.requests.append((request.command, request.path))
        if self.answer(request):
            return
        path = folder / request.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            return reply(request, 404)
        body, wanted = path.read_bytes(), request.headers.get("Range")
        if wanted is None:
            return reply(request, 200, body, ETag='"one"', **{"Accept-Ranges": "bytes"})
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", wanted).groups())
        part = body[first : last + 1]
        self.sent += len(part)
        return reply(request, 206, part, **{"Content-Range": f"bytes {first}-{last}/{len(body)}"})


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """run.h5 with 30 MB, mostly of a layer's matrices; small.h5."""
    folder = tmp_path_factory.mktemp("served")
    make_run(folder / "run.h5", {"4": (128, 4), "10": (512, 2)}, cifar100_labels())
    make_run(folder / "small.h5")
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_only_the_parts_that_are_looked_at_are_fetched(server: Server, folder: Path) -> None:
    size = (folder / "run.h5").stat().st_size
    assert size > 25_000_000
    with Run(f"{server.address}/run.h5") as run, Run(folder / "run.h5") as local:
        assert run.remote is not None
        assert server.sent < 1_000_000 and run.remote.requests <= 16
        assert run.size == size and run.name == "run.h5"
        assert run.label_names == local.label_names and run.manifest == local.manifest
        found, expected = run.layers["10"].measure(0.3), local.layers["10"].measure(0.3)
        assert found.cluster_of.tobytes() == expected.cluster_of.tobytes()
        assert np.array_equal(found.maximum, expected.maximum)
        factors = 2 * 512 * 100 * 4 * 4
        assert server.sent < 1_000_000 + 2 * factors
        assert server.sent == run.remote.bytes_fetched < size / 6
        requests = run.remote.requests
        assert requests < 40
        run.layers["10"].measure(0.5)
        assert run.layers["10"].field(3).tobytes() == local.layers["10"].field(3).tobytes()
        run.verify()
        local.verify()
    assert {path for _, path in server.requests} == {"/run.h5"}


def test_no_garbage_is_collected_while_hdf5_waits_for_bytes(server: Server) -> None:
    """In the thread that brings them a collection would wait for h5py's lock, which the waiting thread holds."""
    collecting = []
    server.answer = lambda request: "Range" in request.headers and collecting.append(gc.isenabled())
    with Run(f"{server.address}/small.h5") as run:
        assert collecting and gc.isenabled()
        run.layers[next(iter(run.layers))].field(0)
        run.verify()
    assert not any(collecting) and gc.isenabled()


def test_blocks_are_kept_up_to_a_limit(server: Server, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(remote_module, "_BLOCKS_KEPT", 4)
    file = open_remote(f"{server.address}/run.h5")
    bytes_here = (folder / "run.h5").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        start, length = int(rng.integers(len(bytes_here))), int(rng.integers(1, 5 * BLOCK))
        file.seek(start)
        assert file.read(length) == bytes_here[start : start + length]
        assert len(file._blocks) <= 4
    file.seek(-10, 2)
    assert file.read() == bytes_here[-10:]
    assert file.read(5) == b""


def test_a_read_that_goes_on_fetches_more_at_once(server: Server) -> None:
    file = open_remote(f"{server.address}/run.h5")
    for _ in range(160):  # 10 MB in small pieces
        file.read(BLOCK)
    assert file.requests < 12


def refuse(status: int) -> Callable[[BaseHTTPRequestHandler], bool]:
    def answer(request: BaseHTTPRequestHandler) -> bool:
        reply(request, status)
        return True

    return answer


def redirect(to: str) -> Callable[[BaseHTTPRequestHandler], bool]:
    def answer(request: BaseHTTPRequestHandler) -> bool:
        reply(request, 302, Location=to)
        return True

    return answer


def only_whole(request: BaseHTTPRequestHandler) -> bool:
    reply(request, 200, b"\x89HDF\r\n\x1a\n" + b"\0" * 300_000)
    return True


def too_much(request: BaseHTTPRequestHandler) -> bool:
    if "Range" not in request.headers:
        return False
    request.send_response(206)
    request.send_header("Content-Length", str(10**12))
    request.end_headers()
    request.close_connection = True
    return True


def without_length(request: BaseHTTPRequestHandler) -> bool:
    if "Range" not in request.headers:
        return False
    request.send_response(206)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.close_connection = True
    return True


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refuse(404), "there is no such file"),
        (refuse(403), "access is denied"),
        (refuse(401), "access is denied"),
        (only_whole, "sends no parts of files"),
        (too_much, "sends more than the part that was asked for"),
        (without_length, "sends more than the part that was asked for"),
        (redirect("file:///etc/hostname"), "redirects to file:///etc/hostname, which is not followed"),
        (redirect("ftp://elsewhere.test/a.h5"), "redirects to ftp:"),
        (redirect("http://elsewhere.test/a.h5"), "redirects to http://elsewhere.test/a.h5"),
        (redirect("https://elsewhere.test/a.h5"), "redirects to https://elsewhere.test/a.h5"),
    ],
)
def test_what_goes_wrong_is_said(server: Server, answer: Any, message: str) -> None:
    server.answer = answer
    address = server.address.replace("//", "//me:secret@")
    with pytest.raises(RemoteError, match=message) as error:
        Run(f"{address}/run.h5?signature=secret")
    assert "secret" not in str(error.value)
    assert f"{server.address}/run.h5" in str(error.value)


def test_a_server_that_fails_in_between_is_not_damage(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with Run(f"{server.address}/run.h5") as run:
        server.answer = refuse(503)
        with pytest.raises(RemoteError, match="status 503"):
            run.layers["10"].measure()
        server.answer = lambda request: False
        assert run.layers["10"].measure().mean_noise > 0  # it goes on where the server does
        asked = iter([True, False])
        server.answer = lambda request: next(asked, False) and refuse(503)(request)
        assert run.layers["4"].measure().mean_noise > 0  # one failure is passed over


def test_nobody_there_and_no_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for address in ("http://127.0.0.1:9/a.h5", "https://localhost:9/a.h5"):
        with pytest.raises(RemoteError, match="cannot be reached"):
            Run(address)
    for address in ("ftp://host/a.h5", "file:///etc/hostname", "http://elsewhere.test/a.h5", "https:///a.h5", "s4://a"):
        with pytest.raises(RemoteError, match=r"start with https|this machine alone|names no server"):
            Run(address)


def test_no_answer_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "_SECONDS", {"connect": 0.5, "total": 0.5})
    waiting = threading.Event()
    server.answer = lambda request: waiting.wait(20)
    with pytest.raises(RemoteError, match="no answer in time"):
        Run(f"{server.address}/run.h5")
    waiting.set()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(RemoteError, match=re.escape("pip install 'filterscope[remote]'")):
        Run("https://example.test/a.h5")


def test_damage_elsewhere_is_damage(server: Server, folder: Path) -> None:
    whole = (folder / "small.h5").read_bytes()
    rng = np.random.default_rng(1)
    for name, content in {
        "cut.h5": whole[: len(whole) // 2],
        "text.h5": b"hello" * 100,
        "empty.h5": b"",
        **{f"flip{k}.h5": whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :]
           for k, at in enumerate(rng.integers(8, len(whole), 12).tolist())},
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
        if name.startswith("flip"):
            try:
                with Run(f"{server.address}/{name}") as run, Run(folder / "small.h5") as local:
                    run.verify()
                    assert run.manifest == local.manifest  # a byte that nothing reads
            except FormatError:
                pass
        else:
            with pytest.raises((FormatError, RemoteError)):
                Run(f"{server.address}/{name}")
        (folder / name).unlink()  # the explorer opens the newest of the folder


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "store", *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_the_command_reads_an_address_and_prints_no_secret(server: Server) -> None:
    address = f"{server.address}/small.h5"
    done = command("info", address.replace("//", "//me:secret@") + "?signature=secret")
    assert done.returncode == 0, done.stderr
    assert f"file      {address} (" in done.stdout and "secret" not in done.stdout + done.stderr
    assert command("check", address).stdout.startswith(f"{address}: whole")
    done = command("info", f"{server.address}/none.h5?signature=secret")
    assert done.returncode == 1
    assert done.stderr == f"error: {server.address}/none.h5: there is no such file\n"
    done = command("pack", address)
    assert done.returncode == 1 and "download it first" in done.stderr


def test_python_ends_well_with_a_file_left_open(server: Server) -> None:
    program = f"from store import Run\nrun = Run('{server.address}/small.h5')\nprint(run.n_labels)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr


def test_addresses() -> None:
    assert is_address("https://example.org/a.h5") and not is_address("runs/a.h5") and not is_address(Path("https:/a"))
    assert shown("s3://bucket/a.h5?versionId=3#x") == "s3://bucket/a.h5"
    assert shown("hf://datasets/user/name/a.h5") == "hf://datasets/user/name/a.h5"


def test_the_explorer_shows_an_address_of_the_command_line_alone(
    server: Server,
    open_app: Any,  # noqa: F811
) -> None:
    address = f"{server.address}/small.h5"
    at = open_app("--store", address.replace("//", "//me:secret@") + "?signature=secret", page="filter", layer="7")
    unfold(at, "python")
    assert "secret" not in page_text(at) and address in page_text(at)
    paths = {path for _, path in server.requests}
    assert paths == {"/small.h5?signature=secret"}
    at = open_app("--store", address, page="overview", store=f"{server.address}/run.h5")
    unharmed(at)
    assert not [path for _, path in server.requests if "run.h5" in path]


def test_the_explorer_opens_no_address_of_the_browser(server: Server, folder: Path, open_app: Any) -> None:  # noqa: F811
    at = open_app("--store", folder, store=f"{server.address}/run.h5")
    unharmed(at)
    assert server.requests == []


def test_the_explorer_says_what_is_wrong_with_an_address(server: Server, open_app: Any) -> None:  # noqa: F811
    at = open_app("--store", f"{server.address}/none.h5?signature=secret")
    assert not at.exception
    assert "there is no such file" in page_text(at) and "secret" not in page_text(at)
