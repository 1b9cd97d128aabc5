"""Text from a file is shown as text. A result's labels, super-classes, file name and every text of its manifest are
HTML, scripts, style sheets, Markdown, links, images, formulas, emoji codes, control characters, marks that turn the
direction of reading, and as many characters as fit (250 in a name, 1,000 in the manifest). Each that names an address
names a port of this machine where a server really listens. Chromium then opens every page of the app, with all that is
folded on it unfolded at full length, the exported page of a layer and the HTML report. No request may reach the port,
or go anywhere else; no script of the texts may run, no element may be made of them, and each label must be there letter
by letter. First the same texts are put into a page as HTML, to see that what is looked for would be seen."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from explorer.capsule.page import Shown, capsule
from store.file.read import Run
from store.tables.printable import printable
from tests.browser import CHROMIUM, chromium, eventually, eventually_true, patient, settle
from tests.explorer_runs import ROOT, make_run, served
from tests.trust.finding import Finding

PAGES = ["Overview", "Layer", "Filter", "Labels", "AFCC", "Compare", "Scaling", "Claims"]
FILE = "![a](b) <i>c<i> **d**.h5"

# What a text may never become: an element that asks for something, a script that ran, or Markdown that was read. Values
# of attributes that are only text (title, value, aria-label) are none of these. Also inside shadow roots.
_MADE = """(planted) => {
    const found = [];
    const asks = ["src", "href", "xlink:href", "srcset", "srcdoc", "style", "action", "poster", "data", "background"];
    const walk = (root) => {
        for (const element of root.querySelectorAll("*")) {
            for (const { name, value } of element.attributes) {
                const isOurs = element.localName === "a" && element.hasAttribute("download");
                const asking = asks.includes(name) && value.includes(planted) && !isOurs;
                if (asking || name.startsWith("on")) found.push(`${element.localName} ${name}`);
            }
            if (element.matches(".katex, blink, marquee, [data-planted]")) found.push(element.localName);
            const { localName, type } = element;
            const isCode = localName === "style" || (localName === "script" && !type.endsWith("json"));
            if (isCode && element.textContent.includes("planted-mark")) found.push(element.localName);
            if (element.shadowRoot) walk(element.shadowRoot);
        }
    };
    walk(document);
    return found;
}"""


class Seen(NamedTuple):
    """What a browser saw of one place where the texts are shown."""

    asked: list[str]  # requests at the planted address: what it got, and what the browser wanted to send
    ran: list[str]  # dialogs, and marks that the texts' scripts leave
    made: list[str]  # elements of the texts
    letters: int  # texts that are there letter by letter
    of: int

    @property
    def is_clean(self) -> bool:
        return not self.asked and not self.ran and not self.made and self.letters == self.of

    def __str__(self) -> str:
        first = next((f": {problem[0][:80]}" for problem in (self.asked, self.ran, self.made) if problem), "")
        return (
            f"{len(self.asked)} requests, {len(self.ran)} scripts, {len(self.made)} elements; "
            f"{self.letters} of {self.of} texts letter by letter{first}"
        )


def texts(address: str) -> list[str]:
    """Texts that do something wherever they are not text; `address` is asked by each that names one."""
    mark = "window.hacked = (window.hacked ?? 0) + 1 /* planted-mark */"
    return [
        f"<img src={address}/a.png onerror='{mark}'>",
        f"</script><script>{mark}</script>",
        f"<svg onload='{mark}'><image href={address}/b.png />",
        f"<link rel=stylesheet href={address}/c.css>",
        f"<style>/* planted-mark */ @import url({address}/d.css);</style>",
        f"<iframe srcdoc='<script>parent.hacked = 1</script>' src={address}/e>",
        f"![image]({address}/f.png)",
        f"[link]({address}/g) <b data-planted>bold</b> </div></td></title>",
        f"[script](javascript:alert('{address}'))",
        f"{address}/h www.planted.example",
        "**bold** _it_ `code` # head | a | b | <!--<script>",
        "$\\frac{1}{2}$ $$x^2$$ :smile: :material/home: :red[red]",
        "&lt;b&gt; &amp; &#60;img&#62; ${1} {{2}} %3Cb%3E datum.x __proto__",
        "\u202eright to left\u202c \u2066isolate\u2069 \u200b\ufeff \u2028 \u2029 a\u0301\u0302",
        "control \x00\x01\x07\x08\x1b[31m\x7f\x85 tab\tand\nline",
        "long " + "x" * 240,
    ]


def as_shown(text: str) -> str:
    """Without what a page has no letter for: control characters, and how much white space there is."""
    return "".join(c for c in text if c.isprintable() and not c.isspace() and c != "\ufffd")


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """The address of a server of this machine, and what was asked of it."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            with contextlib.suppress(ConnectionError):  # who asked may have gone
                self.send_error(404)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def write_hostile(path: Path, address: str) -> Path:
    """A result whose every text is one of `texts`; those of the manifest have 1,000 characters."""
    names = texts(address)
    long = [(text + " " + "y" * 1000)[:1000] for text in names]
    return make_run(
        path, {"10": (6, 1), "13": (5, 1)}, [(name, name) for name in names],
        device=long[0], created=long[1], generator=long[2], software={names[6]: long[3], long[1]: 1},
        recipe={"name": long[4], "seed": long[5], "departures": long, "is_paper": long[0]},
        network={"arch": names[7], "epochs": 30, "test_accuracy": long[8]},
        data={"name": long[6], "n_labels": len(names), "test_inputs": 100 * len(names), "licence": long[9],
              "source": long[1]},
    )  # fmt: skip


class Watched:
    """A page of Chromium, and what the texts did to it."""

    def __init__(self, browser: Any, address: str, asked: list[str], own: str = "file:") -> None:
        """`own`: how the addresses begin that it may ask; all others are noted."""
        self.page = patient(browser.new_context(viewport={"width": 1366, "height": 1600}).new_page())
        self._address, self._asked = address, asked
        asked.clear()
        self._ran: list[str] = []
        self._made: list[str] = []
        self.page.on("dialog", self._dialog)
        local = (own, own.replace("http", "ws"), "data:", "blob:", "about:")
        self.page.on("request", lambda request: None if request.url.startswith(local) else asked.append(request.url))
        self.page.on("popup", lambda popup: asked.append(f"popup {popup.url}"))

    def _dialog(self, dialog: Any) -> None:
        self._ran.append(dialog.message)
        dialog.dismiss()

    def look(self) -> None:
        """Note what the texts have made of the page as it is now."""
        self._made += self.page.evaluate(_MADE, self._address)
        if marks := self.page.evaluate("window.hacked ?? 0"):
            self._ran.append(f"{marks} marks at {self.page.url}")

    def seen(self, shown: list[str], wanted: list[str]) -> Seen:
        letters = sum(as_shown(text) in map(as_shown, shown) for text in wanted)
        seen = Seen(list(self._asked), self._ran, self._made, letters, len(wanted))
        self.page.context.close()
        return seen


def findings(full: bool, folder: Path) -> list[Finding]:
    """Every page of the app; at full length with all that is folded, every label, and the report with its figures."""
    if CHROMIUM is None:
        return [Finding("text from a file", "shown by Chromium", "no chromium on this machine", False)]
    with listening() as (address, asked), chromium() as browser:
        runs = folder / "runs"
        runs.mkdir()
        hostile = write_hostile(runs / FILE, address)
        with Run(hostile) as run:
            labels = list(run.label_names)
        would = _as_html(browser, address, asked)
        seen = {
            f"{len(PAGES)} pages of the app": _of_app(browser, address, asked, runs, labels, full),
            "exported page of a layer": _of_capsule(browser, address, asked, hostile, folder, labels),
            "HTML report": _of_report(browser, address, asked, runs, folder, full),
        }
    caught = bool(would.asked and would.ran and would.made)
    found = [Finding("the same texts, put in as HTML", "requests, scripts and elements are seen", str(would), caught)]
    wanted = "0 requests, 0 scripts, 0 elements, every text letter by letter"
    return found + [Finding(place, wanted, str(one), one.is_clean) for place, one in seen.items()]


def _as_html(browser: Any, address: str, asked: list[str]) -> Seen:
    watched = Watched(browser, address, asked)
    body = "".join(f"<p>{text}</p>" for text in texts(address)[:4])
    watched.page.set_content(f"<script>0</script>{body}", wait_until="commit")
    eventually(watched.page, lambda: len(asked) > 1, True)
    eventually(watched.page, lambda: watched.page.evaluate("window.hacked ?? 0") > 0, True)
    watched.look()
    return watched.seen([], [])


def _of_app(browser: Any, address: str, asked: list[str], runs: Path, labels: list[str], full: bool) -> Seen:
    """Every page, opened by its link; the labels, of which the short form takes two, where each is the page's own."""
    labels = labels if full else labels[:2]
    shown = []
    with served("--store", str(runs)) as app:
        watched = Watched(browser, address, asked, app)
        page = watched.page
        page.goto(f"{app}/?threshold=0.1")
        for name in PAGES:
            page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
            page.wait_for_url(
                "**/*threshold=0.1*" if name == "Overview" else f"**/{name.lower()}?*", wait_until="commit"
            )
            settle(page, 0.3)
            if full:
                for part in page.locator("[data-testid=stExpander] summary").all():
                    part.click()
                settle(page, 0.5)
            watched.look()
        for number, label in enumerate(labels):
            page.goto(f"{app}/labels?layer=10&label={number}")
            lead = page.locator(".fs-lead")
            eventually(page, lambda lead=lead: as_shown(lead.text_content() or ""), as_shown(label))  # type: ignore
            shown.append(lead.text_content() or "")
            settle(page, 0.3 if full else 0)
            watched.look()
        return watched.seen(shown, labels)


def _of_capsule(browser: Any, address: str, asked: list[str], hostile: Path, folder: Path, labels: list[str]) -> Seen:
    """The page as a colleague opens it, from disk; every filter, and every element by the keyboard."""
    path = folder / "page.html"
    with Run(hostile) as run:
        path.write_bytes(capsule(run, Shown("10", threshold=0.05)))
    watched = Watched(browser, address, asked)
    page = watched.page
    page.goto(path.as_uri())
    eventually_true(page, "/[0-9]/.test(document.querySelector('.fs-layer dd')?.textContent)")
    page.evaluate("() => document.querySelectorAll('details').forEach((part) => (part.open = true))")
    for number in range(6):
        page.locator("#filter").fill(str(number))
        page.locator("#filter").press("Enter")
    page.locator("canvas").first.focus()
    for _ in labels:
        page.keyboard.press("ArrowDown")
        watched.look()
    last = json.dumps(f"input {labels[-1]}"[:12])
    eventually_true(page, f"document.querySelector('.fs-readout')?.textContent.startsWith({last})")
    watched.look()
    shown = page.locator("#label-table tbody th").evaluate_all("cells => cells.map((cell) => cell.textContent)")
    return watched.seen(shown, labels)


def _of_report(browser: Any, address: str, asked: list[str], runs: Path, folder: Path, full: bool) -> Seen:
    out = folder / "report"
    options = [] if full else ["--no-figures"]
    command = [sys.executable, "-m", "explorer.report", str(runs), "--out", str(out), *options]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=600)
    watched = Watched(browser, address, asked)
    page = watched.page
    page.goto((out / "index.html").as_uri())
    watched.look()
    text = as_shown(page.locator("body").evaluate("body => body.textContent"))
    with Run(runs / FILE) as run:
        network, data = run.manifest["network"]["arch"], run.manifest["data"]["name"]
    wanted = [as_shown(printable(part)) for part in (network, data[:300], FILE)]  # it cuts long ones off
    shown = [part for part in wanted if part in text]
    shutil.rmtree(out)
    return watched.seen(shown, wanted)
