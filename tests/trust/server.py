"""The server, as it is started for several people. A visitor asks for a file by some fifty names that none in the
folder has: ways up and out, absolute, encoded, with a NUL, of another drive or host, addresses, names that differ in
case, space or script, names of 100,000 characters, and files that are really there: outside, in a folder within,
hidden, or behind a linked folder. Each is asked for as the run and as the run that is compared; the newest file of the
folder must be shown instead, the message may name no path of the server, and no address may be asked. Then what is not
the page: ways out of the folders that Streamlit serves, uploads of 1 MB and 3 MB, messages of 2 MB, and what a page of
another server tries. A link in the folder to one file is followed: who writes into the folder decides what is shown."""

import asyncio
import http.client
import json
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.explorer_runs import ROOT, make_run, served
from tests.trust.finding import Finding
from tests.trust.shown_text import listening
from tests.trust.visitor import Visitor

SECRET = "secret-network"
SETTINGS: dict[str, dict[str, object]] = {
    "browser": {"gatherUsageStats": False},
    "client": {"showErrorDetails": "none", "toolbarMode": "viewer"},
    "server": {
        "address": "127.0.0.1", "enableCORS": True, "enableXsrfProtection": True, "enableStaticServing": False,
        "fileWatcherType": "none", "maxUploadSize": 0, "maxWidgetStateSize": 1,
    },
}  # fmt: skip
PATHS = [
    "/media/../../etc/passwd", "/media/..%2f..%2f..%2fetc%2fpasswd", "/static/../../../outside/secret.h5",
    "/static/..%2f..%2f..%2f..%2fetc%2fpasswd", "/app/static/../../etc/passwd", "/app/static/run.h5",
    "/_stcore/bidi-components/../../../etc/passwd", "/component/x/..%2f..%2fetc%2fpasswd",
    "//127.0.0.1/share/secret.h5", "/\\\\127.0.0.1\\share", "/%5c%5c127.0.0.1%5cshare", "/.streamlit/config.toml",
    "/explorer/app.py", "/run.h5", "/etc/passwd", "/static/%00",
]  # fmt: skip


def hostile_names(folder: Path, address: str) -> list[str]:
    """Values of `?store=`, none of which is the name of a file of the folder."""
    outside = folder.parent / "outside" / "secret.h5"
    return [
        "../outside/secret.h5", "..\\outside\\secret.h5", "../../../../../../etc/passwd", "./run.h5", "run.h5/",
        "x/../run.h5", "....//outside/secret.h5", str(outside), str(folder / "run.h5"), "/etc/passwd",
        "/proc/self/environ", "/dev/zero", f"file://{outside}", "%2e%2e%2foutside%2fsecret.h5",
        "..%2foutside%2fsecret.h5", "%252e%252e%252foutside%252fsecret.h5", "run.h5\x00", "../outside/secret.h5\x00.h5",
        "\x00", "C:\\secret.h5", "\\\\127.0.0.1\\share\\secret.h5", "//127.0.0.1/share/secret.h5",
        "\\\\?\\C:\\secret.h5", f"{address}/secret.h5", f"{address.replace('http', 'https')}/secret.h5",
        "s3://bucket/secret.h5", "hf://datasets/someone/secret.h5", "linked/secret.h5", "sub/inner.h5", ".hidden.h5",
        "RUN.H5", " run.h5", "run.h5 ", "run.h5\u200b", "\uff52\uff55\uff4e.h5", "\u202e5h.nur",
        "..\u2215outside\u2215secret.h5", "..\uff0foutside\uff0fsecret.h5", "~/secret.h5", "$HOME/secret.h5", "*.h5",
        "run.h5;ls", "run.h5::$DATA", "run.h5\n", "CON", "-", "a" * 100_000, "../" * 30_000 + "etc/passwd",
        "\U0010ffff",
    ]  # fmt: skip


def findings(full: bool, folder: Path) -> list[Finding]:
    """All names on both pages; in the short form every second on one of them."""
    inside, outside = folder / "runs", folder / "outside"
    for made in (inside / "sub", outside):
        made.mkdir(parents=True)
    secret: dict[str, Any] = {"network": {"arch": SECRET, "epochs": 30, "test_accuracy": 0.5}}
    for path in (outside / "secret.h5", inside / "sub" / "inner.h5", inside / ".hidden.h5"):
        make_run(path, {"4": (4, 1)}, **secret)
    make_run(inside / "other.h5", {"4": (4, 1)})
    make_run(inside / "run.h5", {"4": (4, 1)})
    (inside / "linked").symlink_to(outside)
    with listening() as (address, asked), served("--store", ".", folder=inside) as app:
        names = hostile_names(inside, address)
        chosen = names if full else names[::2]
        refused, problems = asyncio.run(_asked_for(app, inside, chosen, full))
        found = [
            Finding(
                f"{len(chosen)} names that are not in the folder, as a run{' and as run B' if full else ''}",
                "each refused, without a path",
                f"{refused} of {len(chosen)} refused" + "".join(f"; {problem}" for problem in problems[:3]),
                refused == len(chosen) and not problems,
            ),
            Finding("addresses among them that were asked", "0", str(len(asked)), not asked),
            _listens(int(app.rpartition(":")[2])),
            *_beside_the_page(app),
            asyncio.run(_linked(app, inside, outside)),
        ]
    shipped = tomllib.loads((ROOT / "explorer" / ".streamlit" / "config.toml").read_text("utf-8"))
    other = [
        f"{section}.{name} = {shipped.get(section, {}).get(name)!r}"
        for section, settings in SETTINGS.items()
        for name, value in settings.items()
        if shipped.get(section, {}).get(name) != value
    ]
    number = sum(map(len, SETTINGS.values()))
    said = f"{number - len(other)} of {number}" + "".join(f"; {one}" for one in other)
    return [*found, Finding("settings for several people that are shipped (docs/serving.md)", "all", said, not other)]


def _listens(port: int) -> Finding:
    """The settings lie beside the app, so that they hold wherever it is started from: here in the folder of results."""
    wanted, what = "127.0.0.1", "addresses of this machine that it answers, started in another folder, none named"
    if not Path("/proc/net/tcp").exists():
        return Finding(what, wanted, "this system does not tell", True)
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, at = line.split()[1].rpartition(":")
            if line.split()[3] == "0A" and int(at, 16) == port:  # listens
                found.add("127.0.0.1" if address == "0100007F" else f"{table} {address}")
    return Finding(what, wanted, ", ".join(sorted(found)), found == {"127.0.0.1"})


async def _asked_for(app: str, folder: Path, names: list[str], both: bool) -> tuple[int, list[str]]:
    """How many names were refused, and what was wrong with the others."""
    visitor = await Visitor.arrive(app)
    refused, problems = 0, []
    for name in names:
        await visitor.open("", f"store={quote(name, safe='')}")
        said = _words(visitor, name)
        if visitor.parameter("store") != "run.h5" or "is not in the folder" not in said:
            problems.append(f"{name[:40]!r} as a run: {visitor.parameter('store')}")
        if both:
            await visitor.open("compare", f"store=other.h5&store_b={quote(name, safe='')}")
            said += _words(visitor, name)
            if visitor.parameter("store_b") not in (None, "run.h5") or visitor.parameter("store") != "other.h5":
                problems.append(f"{name[:40]!r} as run B: {visitor.parameter('store_b')}")
        leaks = [word for word in (str(folder.parent), SECRET, "Traceback", "root:") if word in said]
        problems += [f"{name[:40]!r}: the page says {word!r}" for word in leaks] + visitor.problems
        refused += not leaks and not visitor.problems
        visitor.problems.clear()
    await visitor.leave()
    return refused - len({problem for problem in problems if " as " in problem}), problems


def _words(visitor: Visitor, echoed: str) -> str:
    """Everything on the page, without the name that was asked for: that is the visitor's own."""
    deltas = " ".join(str(delta) for delta, _ in visitor.elements.values())
    texts = " ".join(visitor.texts())
    return f"{texts} {deltas}".replace(echoed, "").replace(json.dumps(echoed)[1:-1], "")


async def _linked(app: str, inside: Path, outside: Path) -> Finding:
    (inside / "link.h5").symlink_to(outside / "secret.h5")
    visitor = await Visitor.arrive(app)
    await visitor.open("", "store=link.h5")
    shown = visitor.parameter("store") == "link.h5" and SECRET in " ".join(visitor.texts())
    await visitor.leave()
    measured = "shown under the name of the link" if shown else "not shown"
    return Finding("a link in the folder to one result outside", "shown, as docs/serving.md says", measured, shown)


def _beside_the_page(app: str) -> list[Finding]:
    out = [path for path in PATHS if (answer := _ask(app, "GET", path)).status == 200 and _is_a_file(answer.body)]
    statuses, without = asyncio.run(_uploads(app))
    other = asyncio.run(_from_elsewhere(app))
    allowed = _ask(app, "GET", "/_stcore/health", None, {"Origin": "http://elsewhere.test"}).allowed
    large = asyncio.run(_large_message(app))
    return [
        Finding(f"{len(PATHS)} ways out of the folders that Streamlit serves", "no file", f"{len(out)} files {out}"
                if out else "no file", not out),
        Finding("uploads of 1 and 3 MB, with a session and its token", "refused", f"statuses {statuses}",
                len(statuses) == 3 and all(status == HUNG_UP or 400 <= status < 500 for status in statuses)
                and _ask(app, "GET", "/_stcore/health").status == 200),
        Finding("an upload without the token", "403", str(without), without == 403),
        Finding("a session for a page of another server", "refused", other, other.startswith("refused")),
        Finding("answers that such a page may read", "none", str(allowed or "none"), allowed is None),
        Finding("a message of 2 MB", "the connection is closed", large, large.startswith("closed")),
    ]  # fmt: skip


HUNG_UP = 0  # in place of a status


class Answered(NamedTuple):
    status: int
    body: bytes
    allowed: str | None  # pages of which server may read it
    token: str  # that came with it, against requests in somebody else's name


def _ask(app: str, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answered:
    """As it is, without the tidying of addresses that other clients do."""
    connection = http.client.HTTPConnection(urlsplit(app).netloc, timeout=600)
    try:
        connection.request(method, path, body, headers or {})  # type: ignore[arg-type]
        answer = connection.getresponse()
        token = re.search(r"_streamlit_xsrf=([^;]+)", answer.getheader("Set-Cookie") or "")
        allowed = answer.getheader("Access-Control-Allow-Origin")
        return Answered(answer.status, answer.read(), allowed, token[1] if token else "")
    finally:
        connection.close()


def _is_a_file(body: bytes) -> bool:
    """Not Streamlit's own page, which it gives for every address that could be one of the app's."""
    return b"<title>Streamlit</title>" not in body


def _form(content: bytes) -> bytes:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.h5"\r\n\r\n'
    return head + content + b"\r\n--edge--\r\n"


async def _uploads(app: str) -> tuple[list[int], int]:
    """The statuses of three uploads by a visitor who is there, with the token of its browser; of one without it."""
    visitor = await Visitor.arrive(app)
    await visitor.open("", "")
    token = (await asyncio.to_thread(_ask, app, "GET", "/_stcore/health")).token
    place = f"/_stcore/upload_file/{visitor.session}/file"
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    headers = kind | {"X-Xsrftoken": token, "Cookie": f"_streamlit_xsrf={token}"}
    small, large = _form(b"x" * (1 << 20)), _form(b"x" * (3 << 20))
    pieces = (large[at : at + 65536] for at in range(0, len(large), 65536))  # so no length is told before
    statuses = []
    for method, body in (("PUT", small), ("POST", small), ("PUT", pieces)):
        try:
            statuses.append((await asyncio.to_thread(_ask, app, method, place, body, headers)).status)
        except ConnectionError:  # it may hang up in the middle of what it does not want
            statuses.append(HUNG_UP)
    without = (await asyncio.to_thread(_ask, app, "PUT", place, small, kind)).status
    await visitor.leave()
    return statuses, without


async def _from_elsewhere(app: str) -> str:
    try:
        async with connect(f"{app.replace('http', 'ws', 1)}/_stcore/stream", origin="http://elsewhere.test"):  # type: ignore[arg-type]
            return "opened"
    except InvalidStatus as refusal:
        return f"refused with status {refusal.response.status_code}"


async def _large_message(app: str) -> str:
    async with connect(f"{app.replace('http', 'ws', 1)}/_stcore/stream") as socket:
        await socket.send(bytes(2 << 20))
        try:
            async with asyncio.timeout(60):
                while True:
                    await socket.recv()
        except ConnectionClosed as closed:
            return f"closed with code {closed.rcvd.code if closed.rcvd else 'none'}"
        except TimeoutError:
            return "not answered"
