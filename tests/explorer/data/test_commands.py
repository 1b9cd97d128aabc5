"""The command that makes a run again: `precompute` takes it, and it is the same run."""

import shlex
from pathlib import Path

import pytest

from store.file.read import Run
from tests.explorer_runs import make_run

pytest.importorskip("torch", reason="torch is in the extra [train]")
pytest.importorskip("streamlit", reason="Streamlit is in the extra [explore]")
from explorer.data.commands import same_run
from explorer.example import EXAMPLE
from precompute.options import parse

OPTIONS = [
    "--arch vgg16 --data cifar100 --labels 20 --recipe quick --epochs 3",
    "--arch efficientnet_b0 --data cifar10 --depths 3:1,4:1 --weights none",
    "--arch timm:resnet18 --data folder --data-dir /tmp --taps layer3 layer4 --image-size 64 --no-flip",
    "--arch vgg16 --data digits --untrained --seed 3",
]


@pytest.mark.parametrize("words", OPTIONS)
def test_it_is_the_same_run(words: str, tmp_path: Path):
    options = parse(words.split())
    recipe = {"name": "quick", "is_paper": False, "options": options.recipe_options()}
    data = {
        "name": options.data,
        "n_labels": 20,
        "test_inputs": 2000,
        "source": "/tmp" if options.data_dir else "https://x",
    }
    make_run(tmp_path / "my run.h5", network={"arch": options.arch, "epochs": 30}, data=data, recipe=recipe)
    with Run(tmp_path / "my run.h5") as run:
        command = same_run(run, "--thumbnails")
    start, *arguments = command.split(" ", 3)[2:]
    assert command.startswith("python -m precompute ") and start == "precompute" and "..." not in command
    again = parse(shlex.split(arguments[0]))
    assert again.recipe_options() == options.recipe_options()
    assert (again.thumbnails, again.out, again.data_dir) == (True, tmp_path / "my run.h5", options.data_dir)
    assert again.layers == ("4", "7", "10")


def test_the_examples_makes_a_file_of_its_own():
    with Run(EXAMPLE) as run:
        assert "--out" not in same_run(run)
