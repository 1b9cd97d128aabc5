"""The trust programme in its short form; `make trust` runs it at full length and writes docs/trust.md."""

from pathlib import Path

import pytest

from tests.trust.__main__ import section, write_section
from tests.trust.finding import Finding
from tests.trust.parts import PARTS, Part


@pytest.mark.trust
@pytest.mark.parametrize("number", PARTS)
def test_every_finding_holds(number: int, tmp_path: Path) -> None:
    findings = PARTS[number].run(False, tmp_path)
    assert findings
    assert [finding for finding in findings if not finding.holds] == []


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    document = tmp_path / "trust.md"
    part = Part("Damage", lambda full, folder: [], "What\n is done.")
    for number, measured in ((10, "a"), (2, "b"), (10, "c")):
        found = [Finding("files", "0", measured, measured != "c", "too slow" if measured == "c" else "")]
        write_section(document, number, section(number, part, found, 1.0))
    text = document.read_text()
    assert [line for line in text.splitlines() if line.startswith(("#", "| files", "files"))] == [
        "# Trust",
        "## 2. Damage",
        "| files | 0 | b | yes |",
        "## 10. Damage",
        "| files | 0 | c | NO |",
        "files: too slow",
    ]
