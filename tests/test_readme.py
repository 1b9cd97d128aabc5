"""The commands of the README and of docs/: each one is taken from the text, and works."""

import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from precompute.options import Options, parse
from precompute.sweep.options import parse as parse_sweep
from precompute.sweep.runs import expand
from store.file.read import Run
from store.file.write import write_run
from store.paper.published import published
from tests import ROOT
from tests.builders import small_run, with_epochs
from tests.commands import run_here
from tests.explorer_runs import make_run

README = (ROOT / "README.md").read_text()
DOCUMENTS = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]


def commands_of(text: str) -> list[str]:
    return [
        line.strip()
        for block in re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
        for line in block.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]


COMMANDS = [command for text in (README, *DOCUMENTS) for command in commands_of(text)]


def commands(start: str) -> list[str]:
    return [command for command in COMMANDS if command.startswith(start)]


def test_the_readme_has_its_commands():
    assert {"make explore", "make demo", "make test", "filterscope explore"} <= set(COMMANDS)
    assert "python -m precompute --arch vgg16 --data cifar100" in COMMANDS
    assert commands("python -m store info")
    known = (
        "make ",
        "python -m precompute",
        "python -m store",
        "python -m explorer.capsule",
        "python -m explorer.report",
        "filterscope explore",
    )
    assert [command for command in commands_of(README) if not command.startswith(known)] == []


@pytest.mark.parametrize("command", commands("make "))
def test_make_knows_every_target(command):
    answer = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("command", commands("python -m precompute.sweep "))
def test_every_sweep_is_understood(command):
    assert expand(parse_sweep(shlex.split(command)[3:]))


@pytest.mark.parametrize("command", commands("python -m precompute ") + commands("torchrun "))
def test_every_precompute_command_is_understood(command):
    words = shlex.split(command)
    assert isinstance(parse(words[words.index("precompute") + 1 :]), Options)


def test_a_plan_is_printed_without_downloading_anything(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    # A small batch, since what a plan takes is the measuring of steps.
    asked = "--arch vgg16 --data cifar100 --labels 20 --batch-size 10 --dry-run"
    status, printed, errors = run_here(asked.split(), capfd)
    assert status == 0, errors
    for part in ("recipe paper", "300 epochs of 10000 images", "layer 10: 512 filters of 2x2", "in all about"):
        assert part in printed
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A folder with the file that the README's commands name."""
    make_run(tmp_path / "runs" / "vgg16-digits.h5", {"10": (20, 4), "13": (20, 1)})
    monkeypatch.chdir(tmp_path)


def test_the_program_in_the_readme_runs(digits, capsys):
    (program,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    with Run("runs/vgg16-digits.h5") as run:
        measured = run.layers["10"].measure(threshold=0.3)
    exec(program, {})
    assert capsys.readouterr().out.split()[0] == str(measured.mean_noise)


def test_the_program_of_the_gauge_runs(digits, capsys):
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "gauge.md").read_text(), flags=re.DOTALL)
    with Run("runs/vgg16-digits.h5") as run:
        layer = run.layers["13"]
        wanted = f"{layer.measure(0.3, gauge='zero-sum').mean_noise} {layer.common_part}"
    exec(program, {})
    assert capsys.readouterr().out.strip() == wanted


def status_of(command, monkeypatch):
    """The exit status of `python -m MODULE ...`, run in this process: it has what each would load for itself."""
    module, *words = shlex.split(command, comments=True)[2:]
    monkeypatch.setattr(sys, "argv", [module, *words])
    return import_module(f"{module}.__main__").main()


@pytest.mark.parametrize("command", commands("python -m explorer."))
def test_every_command_of_the_explorer_works(command, digits, monkeypatch):
    assert status_of(command, monkeypatch) == 0
    words = shlex.split(command, comments=True)
    made = Path(words[words.index("--out") + 1])
    assert (made if made.suffix else made / "index.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("command", commands("python -m store"))
def test_every_store_command_is_understood(command, result_file, monkeypatch):
    monkeypatch.chdir(result_file.parent)
    if "--at-epoch" in command:
        write_run(result_file, with_epochs(small_run(), [2]))
    words = [
        str(result_file) if re.search(r"\.h5$|^FILE$", word) else word for word in shlex.split(command, comments=True)
    ]
    assert str(result_file) in words
    assert status_of(shlex.join(words), monkeypatch) == 0


PLACES = re.findall(r"^\| ([^|]+) \| `([\w.]+)` \| \[(\w+)\]\(explorer/views/(\w+)\.py\) \|$", README, re.MULTILINE)


def test_each_equation_figure_and_afcc_has_its_line():
    named = " ".join(what for what, *_ in PLACES)
    for what in (
        "Figure 1",
        "Figure 2",
        "Figures 3 to 5",
        *(f"Eq. ({n})" for n in range(1, 5)),
        "Tables 1 to 6",
        "AFCC",
    ):
        assert what in named
    assert len(PLACES) == 10


@pytest.mark.parametrize(("what", "function", "page", "view"), PLACES)
def test_what_the_readme_names_computes_it_and_is_shown_there(what, function, page, view):
    """The function exists, and its module cites the equation; the page is in the app under that name."""
    computes = pkgutil.resolve_name(function)
    assert callable(computes)
    for equation in re.findall(r"Eq\. \(\d\)", what):
        assert equation in inspect.getsource(sys.modules[computes.__module__])
    assert f'st.Page("views/{view}.py", title="{page}"' in (ROOT / "explorer" / "app.py").read_text()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/README.md", "docs/design.md"])
def test_links_and_places_in_the_code_are_there(document):
    """Every relative link, and every path of a package, a test or a target of make that a document names."""
    path = ROOT / document
    text = path.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]*[/.][^)#]*)\)", text) if "://" not in link]
    assert links and [link for link in links if not (path.parent / link).exists()] == []
    found = re.findall(r"`((?:store|precompute|explorer|tests|benchmarks)/[\w./]*)`", text)
    assert [place for place in found if not (ROOT / place).exists()] == []
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([\w-]+)", text)) <= set(targets)


@pytest.mark.parametrize(("page", "n_labels"), [("README.md", 100), ("docs/results.md", 40), ("docs/results.md", 20)])
def test_the_published_rows_that_the_docs_show_are_the_papers(page, n_labels):
    text = (ROOT / page).read_text("utf-8")
    shown = re.findall(rf"^vgg16 on cifar100, {n_labels} labels; recipe paper.*?^```", text, re.MULTILINE | re.DOTALL)[
        0
    ]
    rows = re.findall(
        r"^ *paper +(\d+) +\d+x\d+ +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) *$", shown, re.MULTILINE
    )
    for (n_filters, fc_size, *numbers), layer in zip(rows, ("13", "10", "7", "4", "2"), strict=True):
        row = published("vgg16", "cifar100", n_labels, layer)
        assert (int(n_filters), int(fc_size)) == (row.n_filters, row.fc_size)
        assert list(map(float, numbers)) == [row.accuracy, row.noise, row.n_clusters, row.cluster_size]


def test_the_index_names_every_document():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    documents = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in documents if f"]({name})" not in index} == set()
