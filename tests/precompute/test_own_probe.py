"""--probe own: the classifier's weights, to the bit, and what is said where it is no probe of the data's labels."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from precompute.messages.problem import Problem
from precompute.networks.arch import Arch
from precompute.options import parse
from precompute.own_probe import own_probe
from store.file.read import Run
from tests.commands import run_here

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    image_size = 16

    def __init__(self, n_labels):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, n_labels)

    def forward(self, images):
        return self.fc(self.conv(images).mean((2, 3)))
"""
OWN = "--arch net.py:Net --data digits --labels 3 --probe own --features all --device cpu --out run.h5"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NETWORK)
    return tmp_path


def nothing(_n_labels: int) -> nn.Module:
    return nn.Identity()


def saved(n_labels: int) -> dict[str, torch.Tensor]:
    """Weights of the person's network, with a bias at its outputs."""
    names: dict[str, Any] = {}
    exec(NETWORK, names)
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = names["Net"](n_labels).state_dict()
    torch.save(state, "net.pt")
    return state


def test_the_classifier_of_a_checkpoint_is_the_probe(place, capfd):
    state = saved(3)
    status, printed, errors = run_here(f"{OWN} --checkpoint net.pt".split(), capfd)
    assert status == 0, errors
    assert "the classifier itself is the probe" in printed
    assert re.search(r"activations of \d+ images, once", printed), "of the test images alone"
    with Run("run.h5") as run:
        run.verify()
        (head,) = run.layers.values()
        np.testing.assert_array_equal(head.probe_weights[:, :, 0].T, state["fc.weight"].numpy())
        bias = state["fc.bias"].double().numpy()
        assert head.record["bias"] == pytest.approx({"least": bias.min(), "largest": bias.max(), "std": bias.std()})
        assert "train_accuracy" not in head.record and "start_share" not in head.record
        # Its accuracy is that of its outputs without the bias; the network's own is beside it
        features = torch.from_numpy(head.test_features.view(np.int16)).view(torch.bfloat16).float()[..., 0]
        answers = (features @ state["fc.weight"].T).argmax(1).numpy()
        assert head.record["test_accuracy"] == float((answers == run.label_of_test_input).mean())
        assert "test_accuracy" in run.manifest["network"]
        assert "the classifier itself as the probe" in run.manifest["recipe"]["departures"]


def test_a_network_that_is_trained_first(place, capfd):
    status, _, errors = run_here(f"{OWN} --epochs 1".split(), capfd)
    assert status == 0, errors
    with Run("run.h5") as run:
        (head,) = run.layers.values()
        assert head.record["bias"] is None, "what is trained here has none"
        assert head.record["test_accuracy"] == pytest.approx(run.manifest["network"]["test_accuracy"], abs=0.02)


def test_outputs_for_other_labels_are_refused(place, capfd):
    saved(5)
    status, _, errors = run_here(f"{OWN} --checkpoint net.pt".split(), capfd)
    assert status == 1
    assert "tells 5 labels apart, the data has 3" in errors
    status, _, errors = run_here([*OWN.replace("net.py:Net", "timm:resnet18").split(), "--epochs", "0"], capfd)
    assert status == 1
    assert "tells 1000 labels apart, the data has 3" in errors


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("--probe-epochs 3", "--probe-epochs: is about a probe that is trained"),
        ("--afcc head", "--afcc: is about a probe that is trained"),
        ("--layers 13", "--layers 13: --probe own is the probe of head alone"),
    ],
)
def test_options_that_have_no_place_are_said(options, what):
    with pytest.raises(Problem, match=what):
        parse(f"--probe own {options}".split())


def test_a_classifier_over_positions_is_no_probe_of_one():
    network = nn.Sequential(nn.Linear(4, 3))
    arch = Arch("own", nothing, {}, (), 32, ("0",), None, None)
    with pytest.raises(Problem, match="should be one linear layer from what it is given, 8 numbers, to 3 labels"):
        own_probe(network, arch, (4, 1, 2), 3)
