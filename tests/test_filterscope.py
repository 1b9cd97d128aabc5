"""The console script: one screen of help, each command reached, and what is missing said by name."""

import importlib
import subprocess
import sys
import tomllib

import pytest

import filterscope
from tests import ROOT


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["filterscope", *words])
    return filterscope.main()


def test_help_is_one_screen_and_names_every_command(monkeypatch, capsys):
    assert run(monkeypatch) == run(monkeypatch, "--help") == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) // 2 <= 24 and max(map(len, printed.splitlines())) <= 120
    assert all(f"\n  {name} " in printed for name in filterscope.COMMANDS)


@pytest.mark.parametrize("command", filterscope.COMMANDS)
def test_every_command_answers_for_help(command: str, monkeypatch, capsys):
    pytest.importorskip("tyro", reason="tyro is in the extra [train]")
    try:
        assert run(monkeypatch, command, "--help") == 0
    except SystemExit as ended:
        assert ended.code == 0
    assert "usage: " in capsys.readouterr().out


def test_what_is_no_command_is_said(monkeypatch, capsys):
    assert run(monkeypatch, "explain") == 2
    assert "no command 'explain'" in capsys.readouterr().err


def test_a_command_gets_the_rest_of_the_line(monkeypatch, capsys):
    assert run(monkeypatch, "info", str(ROOT / "explorer" / "example.h5")) == 0
    assert "vgg16 on cifar100, 100 labels" in capsys.readouterr().out


def test_a_missing_extra_is_named(monkeypatch, capsys):
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert run(monkeypatch, "precompute") == 1
    assert "torch is missing; install the extra: pip install 'filterscope[train]'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["runs/a.h5", "--server.port", "1"], ["--server.port", "1"]])
def test_explore_starts_the_app_with_the_file(words: list[str], monkeypatch):
    cli = pytest.importorskip("streamlit.web.cli", reason="Streamlit is in the extra [explore]")
    started: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda prog_name: started.append(list(sys.argv)))
    assert run(monkeypatch, "explore", *words) == 0
    app = str(ROOT / "explorer" / "app.py")
    store = ["--store", "runs/a.h5"] if len(words) == 3 else []
    assert started == [["streamlit", "run", app, "--server.port", "1", "--", *store]]


def test_the_package_installs_it_and_its_extras_are_there():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    assert project["project"]["scripts"] == {"filterscope": "filterscope:main"}
    extras = {extra for _, _, extra, _ in filterscope.COMMANDS.values()} - {""}
    assert extras <= project["project"]["optional-dependencies"].keys()


def test_help_loads_nothing_of_the_three_buildings():
    found = "import filterscope, sys; filterscope.main(); print({'numpy', 'torch', 'streamlit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", found], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
