"""Tests, room by room as the packages have them. What they build with is here at the root."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
