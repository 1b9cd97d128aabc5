"""Arrows only as drawn: precompute -> store <- explorer. In a fresh interpreter, and in every line of the source."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import ROOT

TRAINING = {"torch", "torchvision", "timm", "transformers"}
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


# The rooms of a building, each with those below it that it may use; what stands at the root is by name.
ROOMS: dict[str, dict[str, set[str]]] = {
    "store": {
        "measure": set(),
        "file": {"measure"},
        "paper": {"measure", "file"},
        "tables": {"measure", "file", "paper"},
    },
    "explorer": {
        "words": set(),
        "example": set(),
        "state": set(),
        "server": set(),
        "frames": {"words", "state"},
        "charts": {"frames", "state"},
        "matrix": {"words"},
        "data": {"frames", "matrix", "state", "example"},
        "capsule": {"matrix", "words"},
        "parts": {"capsule", "charts", "data", "example", "frames", "matrix", "state", "words"},
        "views": {"capsule", "charts", "data", "frames", "matrix", "parts", "state", "words"},
        "report": {"charts", "frames", "words"},
        "notebook": {"charts", "frames", "matrix", "report", "state", "words"},
    },
}


def imports_within(building: Path) -> dict[str, set[str]]:
    """Module -> modules of the same building that it names in import statements, at once or later."""
    known = set(modules(building))
    found: dict[str, set[str]] = {}
    for path in sorted(building.rglob("*.py")):
        name = ".".join(path.relative_to(building.parent).with_suffix("").parts).removesuffix(".__init__")
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names} & known
            elif isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= names & known or {str(node.module)} & known
    return found


def circles(imports: dict[str, set[str]]) -> set[str]:
    """The modules that import themselves through others."""

    def reached(name: str) -> set[str]:
        seen, left = set[str](), [name]
        while left:
            new = imports[left.pop()] - seen
            seen |= new
            left += new
        return seen

    return {name for name in imports if name in reached(name)}


def upward(imports: dict[str, set[str]], rooms: dict[str, set[str]]) -> set[tuple[str, str]]:
    """(module, what it imports): from a room into one that it may not use, or up to the root."""

    def room(module: str) -> str:
        return module.split(".")[1] if "." in module else ""

    named = {(module, other) for module, others in imports.items() for other in others if room(module) in rooms}
    return {(module, other) for module, other in named if room(other) not in rooms[room(module)] | {room(module)}}


@pytest.mark.parametrize("building", FORBIDDEN)
def test_no_module_imports_itself_through_others(building: str) -> None:
    assert circles(imports_within(ROOT / building)) == set()


@pytest.mark.parametrize("building", ROOMS)
def test_no_room_imports_what_stands_above_it(building: str) -> None:
    imports = imports_within(ROOT / building)
    folders = {path.name for path in (ROOT / building).iterdir() if (path / "__init__.py").exists()}
    assert folders <= set(ROOMS[building])
    assert upward(imports, ROOMS[building]) == set()


def test_circles_and_imports_upward_are_found() -> None:
    imports = {
        "house": {"house.cellar.wine"},
        "house.__main__": {"house.attic.roof"},
        "house.attic.roof": {"house.cellar.wine", "house.attic.beam"},
        "house.attic.beam": set[str](),
        "house.cellar.wine": {"house.attic.beam", "house"},
    }
    rooms = {"cellar": set[str](), "attic": {"cellar"}}
    assert upward(imports, rooms) == {("house.cellar.wine", "house.attic.beam"), ("house.cellar.wine", "house")}
    assert circles(imports) == {"house", "house.cellar.wine"}
    assert circles(imports | {"house.cellar.wine": {"house.attic.beam"}}) == set()


def test_store_needs_no_other_package_than_pyproject_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base, remote = project["dependencies"], project["optional-dependencies"]["remote"]
    allowed = {re.split("[>=]", line)[0] for line in base + remote}
    assert named_in(ROOT / "store") - sys.stdlib_module_names - {"store"} <= allowed
    assert {re.split("[>=]", line)[0] for line in base} <= named_in(ROOT / "store")


@pytest.mark.parametrize(
    ("start", "late"),
    [
        ("store.__main__", {"numba", "numpy", "h5py", "scipy"}),
        ("store.guard", {"numba", "scipy"}),
        ("store.measure.scaling", {"scipy.stats"}),
        ("explorer.report.__main__", {"streamlit", "polars", "numba"}),
        ("explorer.report.page", {"streamlit"}),
        ("explorer.frames.afcc", {"streamlit"}),
        ("explorer.charts.layer", {"streamlit"}),
        ("explorer.notebook.live", {"streamlit", "torch", "altair", "polars", "vl_convert"}),
        ("explorer.notebook.tiles", {"streamlit", "torch"}),
        ("explorer.notebook.charts", {"streamlit", "torch"}),
    ],
)
def test_what_is_slow_to_load_is_loaded_late(start: str, late: set[str]) -> None:
    program = f"import sys, {start}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert late & set(done.stdout.split()) == set()


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
