"""A result to a data set's repository on the Hugging Face hub: the file, a card, its checksum and how to cite it.

What the card tells comes from the file, and so may come from a stranger. It stands in a block of code, where Markdown
reads nothing and makes no links, a line each that starts with words of ours; the card's head has words of ours alone.
"""

import hashlib
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from store.file.read import Run
from store.paper.citation import PAPER, bibtex, software
from store.tables.layers import table
from store.tables.printable import printable

_PLACE = re.compile(r"hf:([A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}\.h5")


class PublishError(ValueError):
    """Why nothing was sent; the message says what to do."""


@dataclass(frozen=True)
class Parcel:
    """What is sent: small files as their bytes, the result as its path."""

    repository: str  # USER/NAME, of a data set
    result: Path
    small: dict[str, bytes]

    @property
    def files(self) -> dict[str, int]:
        """Sizes by name, in the order in which they are sent."""
        sizes = {name: len(content) for name, content in self.small.items()}
        return {self.result.name: self.result.stat().st_size} | sizes


def parcel(path: Path, to: str) -> Parcel:
    """Everything, once the file has been read in whole. Raises PublishError, FormatError, OSError."""
    place = _PLACE.fullmatch(to)
    if place is None:
        raise PublishError(f"{to}: where to is hf:USER/NAME, a data set on the Hugging Face hub")
    if _NAME.fullmatch(path.name) is None:
        raise PublishError(f"{path.name}: rename it, to letters, digits, '_', '-' and '.', ending with .h5")
    with Run(path) as run:
        if run.unfinished or not run.layers:
            missing = ", ".join(map(printable, run.unfinished)) or "all"
            raise PublishError(f"{path}: the run is unfinished, still to come: layers {missing}")
        run.verify()
        checksum = _sha256(path)
        text = card(run, place[1])
    return Parcel(
        place[1],
        path,
        {
            "README.md": text.encode(),
            f"{path.name}.sha256": f"{checksum}  {path.name}\n".encode(),
            "CITATION.bib": bibtex(_version()).encode(),
        },
    )


def card(run: Run, repository: str) -> str:
    """The data set's README.md."""
    manifest = run.manifest
    recipe, data = manifest.get("recipe") or {}, manifest["data"]
    departures = recipe.get("departures")
    facts = {
        "recipe": recipe.get("name", "-"),
        "departs": "; ".join(map(str, departures)) if isinstance(departures, list) else "-",
        "seed": recipe.get("seed", "-"),
        "labels": ", ".join(run.label_names),
        "data": data["name"],
        "source": data.get("source", "-"),
        "licence": data.get("licence", "-"),
        "device": manifest.get("device", "-"),
        "created": manifest.get("created", "-"),
        "by": manifest.get("generator", "-"),
        "content": f"sha256 {run.content_sha256}",
    }
    lines = [f"{name:8} {printable(value)}" for name, value in facts.items()]
    address = f"hf://datasets/{repository}/{run.name}"
    return f"""---
license: other
pretty_name: "Filterscope result"
tags:
- filterscope
- interpretability
---

# What each single filter of a trained network contributes to each label

One result of Filterscope: class means, probe weights and field matrices of a network's layers, in one HDF5 file. The
licence of the data that it was made from is below, in the words of the file.

```text
{table(run)}
```

```text
{chr(10).join(lines)}
```

Look at it, without downloading it:

```bash
pip install 'filterscope[explore,remote]'
streamlit run explorer/app.py -- --store {address}
python -m store info {address}
```

## How to cite

- {PAPER}
- {software(_version())}

`CITATION.bib` has both.
"""


def shown(ready: Parcel) -> str:
    """What `send` would send, in full but for the result itself."""
    sizes = "\n".join(f"  {name}  {size} bytes" for name, size in ready.files.items())
    texts = "\n".join(f"--- {name}\n{content.decode()}" for name, content in ready.small.items())
    return f"to the data set {ready.repository} on the Hugging Face hub:\n{sizes}\n\n{texts}"


def send(ready: Parcel, private: bool = False, hub: Callable[[], Any] | None = None) -> str:
    """In one commit; returns its address. `hub` makes the client. Raises PublishError."""
    try:
        library = importlib.import_module("huggingface_hub")
    except ImportError:
        raise PublishError("publishing takes huggingface_hub: pip install 'filterscope[remote]'") from None
    client = (hub or library.HfApi)()
    if not (client.token or library.get_token()):
        raise PublishError("not signed in to the Hugging Face hub: hf auth login, or set HF_TOKEN; then again")
    contents: dict[str, Any] = {ready.result.name: str(ready.result)} | ready.small
    operations = [library.CommitOperationAdd(name, content) for name, content in contents.items()]
    try:
        client.create_repo(ready.repository, repo_type="dataset", private=private, exist_ok=True)
        done = client.create_commit(
            ready.repository, operations, commit_message=f"Filterscope: {ready.result.name}", repo_type="dataset"
        )
    except Exception as error:  # the hub's own name it with the request's whole address and headers
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = {401: "the token is not accepted", 403: "this token may not write there"}.get(
            status or 0, f"{type(error).__name__}{f', status {status}' if status else ''}"
        )
        raise PublishError(f"{ready.repository}: nothing was published: {why}") from None
    return str(done.commit_url)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version() -> str:
    try:
        return version("filterscope")
    except PackageNotFoundError:
        return "(not installed)"
