"""Tables of the documents as rows, for tests that hold what they say."""

from tests import ROOT


def rows(document: str, first_column: str) -> list[dict[str, str]]:
    """The table of docs/DOCUMENT whose first column is called so: column -> cell, without the marks of code."""
    lines = (ROOT / "docs" / document).read_text("utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(f"| {first_column} |")]
    assert len(starts) == 1, f"{document}: {len(starts)} tables that begin with {first_column!r}"
    cells = []
    for line in lines[starts[0] :]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")])
    header, _, *body = cells
    return [dict(zip(header, row, strict=True)) for row in body]
