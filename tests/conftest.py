"""Fixtures of all tests. What they build comes from `tests.builders`."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from store.file.write import write_run
from tests.builders import small_run

# The same examples every time, so that a red run can be repeated; no deadline, because the first call compiles.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

_MAIN = sys.modules["__main__"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has a browser is marked by having it, so that no test can forget to be."""
    for item in items:
        if {"browser", "chromium"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")


@pytest.fixture(autouse=True)
def own_main() -> None:
    """A page that a test opens is left as `__main__` by Streamlit, and the next process started would run it."""
    sys.modules["__main__"] = _MAIN


@pytest.fixture
def result_file(tmp_path: Path) -> Path:
    """A whole, finished result of two layers: the first with its matrices and test features, the second without."""
    path = tmp_path / "run.h5"
    write_run(path, small_run())
    return path
