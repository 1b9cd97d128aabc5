"""Arrows only as drawn: precompute -> store <- explorer. In a fresh interpreter, and in every line of the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

TRAINING = {"torch", "torchvision", "timm"}
FORBIDDEN = {
    "store": {*TRAINING, "sklearn", "tyro", "PIL", "polars", "streamlit", "altair", "precompute", "explorer"},
    "precompute": {"streamlit", "altair", "explorer"},
    "explorer": {*TRAINING, "sklearn", "tyro", "precompute"},
}


def modules(folder: Path) -> list[str]:
    """Every module of a package, found in its folder, so that a new file is covered by being there."""
    names = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def loaded_by(folder: Path) -> set[str]:
    """The top-level names in sys.modules after a fresh interpreter has imported every module of a package."""
    program = f"""
import importlib, sys
sys.path.insert(0, {str(folder.parent)!r})
for name in {modules(folder)!r}:
    importlib.import_module(name)
print("LOADED", *sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    command = [sys.executable, "-B", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


def named_in(folder: Path) -> set[str]:
    """The top-level names in all import statements of a package: those inside functions, which run later, as well."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).partition(".")[0])
    return names


def crossed(folder: Path, forbidden: set[str]) -> set[str]:
    """The forbidden names that a package imports, itself or through others, at once or later."""
    return (loaded_by(folder) | named_in(folder)) & forbidden


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    assert modules(ROOT / package), f"{package} has no module"
    assert crossed(ROOT / package, FORBIDDEN[package]) == set()


def test_every_module_of_store_is_covered() -> None:
    found = modules(ROOT / "store")
    rooms = {
        "store.file.read",
        "store.file.write",
        "store.measure.kernels",
        "store.paper.claims",
        "store.tables.layers",
    }
    assert {"store", "store.__main__"} | rooms <= set(found)
    assert len(found) == len(list((ROOT / "store").rglob("*.py")))


@pytest.mark.parametrize("package", ["store", "precompute", "explorer"])
def test_no_package_imports_tests_or_benchmarks(package: str) -> None:
    assert not named_in(ROOT / package) & {"tests", "benchmarks"}


@pytest.mark.parametrize(
    "source",
    [
        "import torch",
        "import torch.nn as nn",
        "from torch import nn",
        "import between",  # which imports torch
        "def later():\n    import torch",
        "if False:\n    from torch.nn import functional",
    ],
)
def test_the_test_can_fail(source: str, tmp_path: Path) -> None:
    """A package with a forbidden import planted deep in it, and a stand-in for torch."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "torch" / "nn.py").touch()
    (tmp_path / "between.py").write_text("import torch\n")  # not of the package itself: only the interpreter sees it
    deep = tmp_path / "planted" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "planted" / "__init__.py").touch()
    (deep / "__init__.py").touch()
    (deep / "module.py").write_text("import json\n")
    assert crossed(tmp_path / "planted", FORBIDDEN["store"]) == set()
    (deep / "module.py").write_text(source + "\n")
    assert crossed(tmp_path / "planted", FORBIDDEN["store"]) == {"torch"}


def test_a_module_that_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text("import a_module_that_is_nowhere\n")
    with pytest.raises(AssertionError, match="a_module_that_is_nowhere"):
        crossed(tmp_path / "planted", set())
