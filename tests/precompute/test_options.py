"""What is asked for on the command line: understood, or refused in words before any work begins."""

import subprocess
import sys
from pathlib import Path

import pytest

from precompute.messages.problem import Problem
from precompute.options import ARCHS, DATA_SETS, NOT_RECIPE, Options, output_path, parse
from store.file.format import MAX_EPOCHS
from tests import ROOT

BASIC = ("--arch", "vgg16", "--data", "cifar10")


def parsed(*arguments: str) -> Options:
    return parse([*BASIC, *arguments])


def test_every_option_is_understood():
    text = """
        --arch vgg16 --data cifar100 --data-dir some/where --labels 20 --label-seed 3 --seed 4 --recipe quick --epochs 5
        --batch-size 6 --layers 2 10 --device cpu --out here.h5 --resume --features 10 --dry-run
    """
    options = parse(text.split())
    assert options == Options(
        arch="vgg16",
        data="cifar100",
        data_dir=Path("some/where"),
        labels=20,
        label_seed=3,
        seed=4,
        recipe="quick",
        epochs=5,
        batch_size=6,
        layers=("2", "10"),
        device="cpu",
        out=Path("here.h5"),
        resume=True,
        features=("10",),
        dry_run=True,
    )
    assert parsed("--fresh").fresh


def test_every_option_has_a_line_of_help(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for name in Options.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in text
    for word in (*ARCHS, *DATA_SETS, "super-classes", "pickles", "ReLU"):
        assert word in text


def test_help_waits_for_nothing_that_it_does_not_need():
    """Half a second is what it may take: benchmarks/commands.py measures it; torch alone takes three."""
    program = (
        "import runpy, sys; sys.argv = ['precompute', '--help']\n"
        "try: runpy.run_module('precompute', run_name='__main__')\n"
        "except SystemExit: print(sorted({'torch', 'numpy', 'h5py', 'numba', 'timm'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)
    assert answer.stdout.endswith("[]\n"), answer.stdout[-200:] + answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--arch", "vgg17"],
            "--arch vgg17: unknown network; there are vgg16, efficientnet_b0, efficientnet_lite0, "
            "efficientnet_lite1, efficientnet_lite2, timm:NAME, torchvision:NAME, hf:REPO and",
        ),
        (["--data", "mnist"], "--data mnist: unknown data set; there are digits, cifar10, cifar100"),
        (["--labels", "0"], "--labels 0: a network needs at least 2 labels"),
        (["--labels", "1"], "--labels 1: a network needs at least 2 labels"),
        (["--labels", "-3"], "--labels -3: a network needs at least 2 labels"),
        (["--epochs", "-1"], "--epochs -1: must be at least 0"),
        (["--epochs", str(MAX_EPOCHS + 1)], f"--epochs {MAX_EPOCHS + 1}: at most {MAX_EPOCHS}"),
        (["--image-size", "4"], "--image-size 4: must be at least 8"),
        (["--image-size", "100000"], "--image-size 100000: at most 2048"),
        (["--batch-size", "0"], "--batch-size 0: must be at least 2"),
        (["--batch-size", "1"], "--batch-size 1: must be at least 2"),  # of one input there is no variance
        (["--seed", "-1"], "--seed -1: must be from 0 to 4294967295"),
        (["--label-seed", "-1"], "--label-seed -1: must be from 0 to 4294967295"),
        (["--seed", str(10**30)], "must be from 0 to 4294967295"),
        (["--resume", "--fresh"], "--resume goes on with what is there and --fresh throws it away: give one of them"),
        (["--data", "digits", "--recipe", "paper"], "--recipe paper: the paper has no recipe for digits"),
        (["--data", "digits", "--data-dir", "x"], "--data-dir: digits come with the program"),
        (["--out", ""], "is a folder; name a file in it"),
        (["--out", "/"], "--out /: is a folder; name a file in it"),
        (["--out", ".."], "--out ..: is a folder; name a file in it"),
        (["--out", "store"], "--out store: is a folder; name a file in it"),
        (["--out", "None"], "--out None: leave the option out"),
        (["--weights", "None"], "--weights None: leave the option out"),
        (["--weights", ""], "--weights '': leave the option out"),
        (["--checkpoint", ""], "--checkpoint '': leave the option out"),
        (["--layers"], "--layers: names nothing"),
        (["--afcc-between", ","], "--afcc-between: names nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(arguments, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(Problem) as problem:
        parsed(*arguments)
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    "arguments",
    [["--epochs", "many"], ["--labels", "2.5"], ["--recipe", "slow"], ["--device", "tpu"], ["--nonsense"], ["stray"]],
)
def test_what_is_of_the_wrong_kind_ends_with_status_2_and_a_message(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        parsed(*arguments)
    assert stop.value.code == 2
    assert arguments[0] in "".join(capsys.readouterr())


def test_without_any_option_it_does_what_downloads_nothing():
    options = parse([])
    assert (options.arch, options.data) == ("vgg16", "digits")
    assert options == Options()


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ("", "runs/vgg16-cifar10.h5"),
        ("--data digits", "runs/vgg16-digits.h5"),
        ("--labels 3 --recipe quick", "runs/vgg16-cifar10-3-quick.h5"),
        ("--recipe paper --seed 2 --label-seed 1", "runs/vgg16-cifar10-labels1-seed2.h5"),
        ("--arch timm:resnet18 --weights none", "runs/timm-resnet18-cifar10-none.h5"),
        ("--arch timm:vit_tiny_patch16_224 --unit head", "runs/timm-vit_tiny_patch16_224-cifar10-head.h5"),
        ("--checkpoint my/best.pt", "runs/vgg16-cifar10-best.h5"),
        ("--out somewhere/else.h5", "somewhere/else.h5"),
        ("--out somewhere/else", "somewhere/else.h5"),
        ("--out a.b", "a.b.h5"),
        ("--out run.hdf5", "run.hdf5.h5"),
    ],
)
def test_where_the_file_goes(arguments, path):
    assert output_path(parsed(*arguments.split())) == Path(path)


def test_names_can_be_given_one_by_one_or_with_commas():
    assert parsed("--layers", "2", "4").layers == parsed("--layers", "2,4").layers == ("2", "4")
    assert parsed("--layers", "2, 4", " 7 10,").layers == ("2", "4", "7", "10")
    assert parsed("--arch", "timm:x", "--taps", "layer1,layer2").taps == ("layer1", "layer2")


def test_a_files_place_stays_private():
    for option in ("checkpoint", "weights"):
        assert parsed(f"--{option}", "/home/somebody/secret/best.pt").recipe_options()[option] == "best.pt"
    for weights in ("hub", "none"):
        assert parsed("--weights", weights).recipe_options()["weights"] == weights
    assert parsed().recipe_options()["weights"] is None


def test_a_network_with_fewer_layers_has_one_name():
    asked = [parsed("--arch", "efficientnet_b0", "--depths", depths) for depths in ("3:1,4:1", "4:1, 3:1")]
    assert asked[0] == asked[1]


def test_different_seeds_and_labels_go_to_different_files():
    asked = ["", "--labels 3", "--labels 4", "--seed 1", "--label-seed 1", "--recipe quick", "--data digits"]
    assert len({output_path(parsed(*arguments.split())) for arguments in asked}) == len(asked)


def test_the_recipe_holds_every_option_but_those_that_change_no_number():
    options = parsed("--arch", "timm:resnet18", "--taps", "layer4", "layer3")
    assert options.recipe_options().keys() == Options.__dataclass_fields__.keys() - set(NOT_RECIPE)
    assert options.recipe_options()["taps"] == ["layer4", "layer3"]  # as JSON has it
