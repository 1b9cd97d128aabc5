"""Every version of the file that there has ever been is kept in tests/data, written by the first program that knew it.
Each is opened, checked to the last byte, measured, packed and unpacked again, and shown on every page."""

import asyncio
import shutil
from pathlib import Path

from store.file import format as fmt
from store.file.pack import packed, unpacked
from store.file.read import Run
from store.file.write import write_run
from store.tables.layers import table
from tests import DATA
from tests.trust.edges import PAGES, visit
from tests.trust.finding import Finding


def findings(full: bool, folder: Path) -> list[Finding]:
    """Each version; on all pages (on one in the short form)."""
    folder = folder / "runs"
    folder.mkdir()
    pages = PAGES if full else PAGES[:1]
    names = [f"format-{version}.h5" for version in range(1, fmt.VERSION + 1)]
    for name in names:
        shutil.copy(DATA / name, folder / name)
    shown, problems, bad = asyncio.run(visit(folder, names, pages))
    found = []
    for version, name in enumerate(names, 1):
        with Run(folder / name) as run:
            run.verify()
            matrices = {layer.name: layer.fields().matrices().tobytes() for layer in run.layers.values()}
            rows = len(table(run).splitlines())
            write_run(folder / "again.h5", unpacked(packed(run.content())))
            is_version = run.manifest["version"] == version
        with Run(folder / "again.h5") as again:
            same = matrices == {layer.name: layer.fields().matrices().tobytes() for layer in again.layers.values()}
        measured = f"{len(matrices)} layers, table of {rows} lines, {'the same' if same else 'OTHER'} matrices again"
        found.append(Finding(f"version {version}", "all of it", measured, is_version and same and len(matrices) > 0))
    told = f"{shown - len(problems)} of {shown} {'; '.join([*problems, *bad])}".strip()
    return [*found, Finding("pages of the explorer", "all", told, not problems and not bad)]
