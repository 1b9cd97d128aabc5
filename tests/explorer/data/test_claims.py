"""The commands that make what a claim still needs."""

import shlex
from pathlib import Path

import pytest

from store.file.read import Run
from tests.explorer_runs import make_run

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.data import claims as records
from explorer.example import EXAMPLE
from tests.explorer.views.test_claims import LAYERS, RECIPE


def test_commands_quote_what_a_file_says(tmp_path: Path) -> None:
    network = {"arch": "x; rm -rf ~", "epochs": 3}
    options = {"recipe": "$(id)", "epochs": 3, "untrained": "yes", "weights": ["a"], "image_size": True}
    with Run(make_run(tmp_path / "a.h5", LAYERS, network=network, recipe={"options": options})) as run:
        words = shlex.split(records.more_labels(run))
    assert words[4:6] == ["--arch", "x; rm -rf ~"] and words[-6:-2] == ["--recipe", "$(id)", "--epochs", "3"]


def test_the_example_is_known_however_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE.parent.parent)
    for path in (EXAMPLE, EXAMPLE.relative_to(Path.cwd()), Path("explorer/../explorer/example.h5")):
        with Run(path) as run:
            assert "--out-dir" not in records.more_labels(run)


def test_the_commands_are_commands(tmp_path: Path) -> None:
    pytest.importorskip("tyro", reason="the command line is in the extra [train]")
    from precompute.sweep.options import parse

    with Run(make_run(tmp_path / "a.h5", LAYERS, recipe=RECIPE)) as run:
        commands = records.more_labels(run), records.more_seeds(run), records.with_train_clusters(run, "10")
    asked = []
    for command in commands:
        *words, first = shlex.split(command)[:4]
        assert words == ["python", "-m", "precompute.sweep"]
        asked.append(parse([first, *shlex.split(command)[4:]]))
    assert {(one.what, *one.arch, *one.data, one.recipe) for one in asked} == {("runs", "vgg16", "cifar100", "quick")}
    assert {one.out_dir for one in asked} == {tmp_path}
    assert asked[0].labels == ("10,20,40,60,100",) and asked[1].seeds == "0..4" and asked[2].afcc == ("10",)
