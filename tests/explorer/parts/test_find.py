"""The box that finds a label or a filter."""

import pytest

pytest.importorskip("streamlit", reason="Streamlit is in the extra [explore]")

from explorer.parts.find import filter_of
from store.file.read import Run
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(make_run(tmp_path_factory.mktemp("run") / "run.h5"))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("10/3", ("10", 3)), (" 7 / 15 ", ("7", 15)), ("3", ("10", 3)), ("10/24", None), ("8/1", None), ("cat", None),
        ("10/", None), ("-1", None), ("/3", None), ("10/٣", None), ("9" * 12, None),
    ],
)  # fmt: skip
def test_what_is_typed_names_a_filter_of_the_run_or_none(run: Run, typed: str, found: tuple[str, int] | None) -> None:
    assert filter_of(typed, run, "10") == found
