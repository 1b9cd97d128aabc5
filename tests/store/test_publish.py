"""What is sent to the hub, with a stand-in for the hub; and what is refused."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from store.file.format import FormatError
from store.paper.citation import ARXIV, AUTHORS, DOI, PAPER, PUBLISHED_TITLE, bibtex
from store.publish import PublishError, parcel, send, shown
from tests.explorer.views.test_pages import HOSTILE
from tests.explorer_runs import ROOT, make_run

hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is in the extra [remote]")


class Hub:
    """Records what it is asked."""

    token: str | None = "a token"

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.error = error

    def create_repo(self, repository: str, **options: Any) -> None:
        self.calls.append((repository, options))

    def create_commit(self, repository: str, operations: list[Any], **options: Any) -> Any:
        if self.error is not None:
            raise self.error
        sent = {operation.path_in_repo: operation.path_or_fileobj for operation in operations}
        self.calls.append((repository, {"sent": sent} | options))
        return SimpleNamespace(commit_url="https://hub.test/commit/1")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run.h5", {"10": (6, 1)})


def test_one_commit_has_the_file_its_card_its_checksum_and_the_citation(run: Path) -> None:
    client = Hub()
    ready = parcel(run, "hf:user/name")
    assert send(ready, private=True, hub=lambda: client) == "https://hub.test/commit/1"
    assert client.calls[0] == ("user/name", {"repo_type": "dataset", "private": True, "exist_ok": True})
    repository, commit = client.calls[1]
    assert repository == "user/name" and commit["repo_type"] == "dataset"
    sent = commit["sent"]
    assert list(sent) == ["run.h5", "README.md", "run.h5.sha256", "CITATION.bib"]
    assert sent["run.h5"] == str(run)
    expected = subprocess.run(["sha256sum", run.name], cwd=run.parent, capture_output=True, check=True).stdout
    assert sent["run.h5.sha256"] == expected
    assert sent["CITATION.bib"].decode().count("@") == 2
    text = sent["README.md"].decode()
    assert PAPER in text and "hf://datasets/user/name/run.h5" in text and "vgg16 on cifar100, 20 labels" in text


def test_a_dry_run_shows_what_would_be_sent_and_needs_no_token(run: Path) -> None:
    command = [sys.executable, "-m", "store", "publish", str(run), "--to", "hf:user/name"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(run.parent), "HF_TOKEN": ""}
    done = subprocess.run(
        [*command, "--dry-run"], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert shown(parcel(run, "hf:user/name")) in done.stdout
    assert f"  run.h5  {run.stat().st_size} bytes\n" in done.stdout
    assert "nothing was sent" in done.stdout
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 1 and "not signed in" in done.stderr


def test_without_a_token_or_a_right_nothing_is_sent(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = parcel(run, "hf:user/name")
    monkeypatch.setattr(hub, "get_token", lambda: None)
    client = Hub()
    client.token = None
    with pytest.raises(PublishError, match="not signed in"):
        send(ready, hub=lambda: client)
    assert client.calls == []
    denied = RuntimeError("Authorization: Bearer a-secret")
    denied.response = SimpleNamespace(status_code=403)  # type: ignore[attr-defined]
    with pytest.raises(PublishError, match="may not write there") as error:
        send(ready, hub=lambda: Hub(denied))
    assert "secret" not in str(error.value)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(PublishError, match=re.escape("filterscope[remote]")):
        send(ready)


def test_what_is_unfinished_damaged_or_oddly_named_is_refused(run: Path, tmp_path: Path) -> None:
    for place in ("user/name", "hf:user", "hf:../name", "hf:user/name/more", "s3:user/name", "hf:user/na me"):
        with pytest.raises(PublishError, match="hf:USER/NAME"):
            parcel(run, place)
    odd = run.with_name("a b](x).h5")
    odd.write_bytes(run.read_bytes())
    with pytest.raises(PublishError, match="rename it"):
        parcel(odd, "hf:user/name")
    make_run(tmp_path / "going.h5", {"10": (6, 1)}, planned=("10", "13"))
    with pytest.raises(PublishError, match="unfinished, still to come: layers 13"):
        parcel(tmp_path / "going.h5", "hf:user/name")
    content = bytearray(run.read_bytes())
    at = len(content) - 5000
    content[at] ^= 1
    run.write_bytes(content)
    with pytest.raises(FormatError):
        parcel(run, "hf:user/name")


def test_text_of_a_file_stays_in_blocks_of_code(tmp_path: Path) -> None:
    nasty = ["```\n\n# head\n", "~~~", "---\nlicense: mit\n", "![x](https://evil.example/a.png)", *HOSTILE]
    for text in nasty:
        make_run(
            tmp_path / "run.h5", {"10": (6, 1)}, [(text[:250], text[:250])] + [(f"l{i}", "") for i in range(3)],
            device=text, generator=text, created=text, recipe={"name": text, "seed": text, "departures": nasty},
            network={"arch": text, "epochs": 30},
            data={"name": text, "n_labels": 4, "test_inputs": 400, "licence": text, "source": text},
        )  # fmt: skip
        card = parcel(tmp_path / "run.h5", "hf:user/name").small["README.md"].decode()
        head = yaml.safe_load(card.split("---\n")[1])
        assert head == {
            "license": "other",
            "pretty_name": "Filterscope result",
            "tags": ["filterscope", "interpretability"],
        }
        outside, inside = [], False
        for line in card.splitlines():
            if re.fullmatch(r"```(text|bash)?", line):
                inside = not inside
            elif not inside:
                outside.append(line)
        assert not inside and len(outside) == 24
        assert not [line for line in outside if "evil" in line or "head" in line or "<" in line]


def test_citation_cff_says_the_same() -> None:
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= cff.keys() and cff["cff-version"] == "1.2.0"
    assert cff["title"] == "Filterscope" and cff["type"] == "software" and cff["license"] == "MIT"
    project = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert project is not None and cff["version"] == project[1]
    assert all(set(author) == {"name"} for author in cff["authors"])
    article, preprint = cff["references"]
    assert (article["type"], article["title"], article["doi"]) == ("article", PUBLISHED_TITLE, DOI)
    assert preprint["identifiers"] == [{"type": "other", "value": f"arXiv:{ARXIV}"}] and preprint["title"] in PAPER
    for reference in (article, preprint):
        names = [f"{author['given-names']} {author['family-names']}" for author in reference["authors"]]
        assert tuple(names) == AUTHORS
    assert DOI in bibtex("0.1.0") and "\\" not in bibtex("0.1.0")


def test_the_container_has_what_its_commands_name() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", text, re.M) for name in line.split()]
    assert copied and all((ROOT / name).exists() for name in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == allowed
    extras = re.search(r"'\.\[(.+)\]'", text)
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for extra in extras[1].split(","):
        assert re.search(rf"^{extra} = \[", project, re.M), extra
    assert (ROOT / "explorer" / "app.py").is_file() and (ROOT / "explorer" / "example.h5").is_file()
    assert "USER filterscope" in text and "EXPOSE 8501" in text and "/_stcore/health" in text
    assert text.index("USER filterscope") < text.index("ENTRYPOINT")
