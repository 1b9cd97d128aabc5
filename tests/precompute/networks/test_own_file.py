"""--arch FILE.py:NAME: a person's own network, tapped as any other is."""

from pathlib import Path
from typing import Any

import pytest
import torch

from precompute.messages.problem import Problem
from precompute.networks.models import choose_taps, find_arch
from precompute.options import Options

NETWORK = '''
import torch
from beside import WIDTH  # a file in the same folder
from torch import nn


class Net(nn.Module):
    """Two stages and a classifier with a bias."""

    image_size = 16
    pixel_mean, pixel_std = [0.5, 0.4, 0.3], [0.2, 0.2, 0.2]

    def __init__(self, n_labels):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, WIDTH, 3, 2, 1), nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(WIDTH, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU())
        self.hidden, self.fc = nn.Linear(12, 20), nn.Linear(20, n_labels)

    def forward(self, images):
        return self.fc(self.hidden(self.second(self.first(images)).mean((2, 3))).relu())


def with_values(n_labels):  # asks for a value, which the meta device has not
    network = Net(n_labels)
    network.scale = network.fc.weight.detach().max().item()
    return network


def no_module(n_labels):
    return n_labels


def fails(n_labels):
    raise ValueError("no weights for\\ntwo labels")


def blind(n_labels):
    network = Net(n_labels)
    network.pixel_mean = 0.5
    return network


some_value = 3
'''


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WIDTH = 8\n")
    path = tmp_path / "net.py"
    path.write_text(NETWORK)
    return path


def options(file: Path, name: str, **more) -> Options:
    return Options(arch=f"{file}:{name}", **more)


@pytest.mark.parametrize("name", ["Net", "with_values"])
def test_a_persons_own_network(file, name):
    arch = find_arch(options(file, name))
    assert arch.name == f"net.py:{name}", "where the file lay is nobody's business"
    assert arch.output == ("fc",)
    assert (arch.side, arch.pixel_mean) == (16, (0.5, 0.4, 0.3))
    assert [tap.module for tap in choose_taps(arch, ())] == ["first", "second", "fc"]
    network: Any = arch.build(5)
    assert network.fc.bias is None
    assert network.eval()(torch.rand(2, 3, 16, 16)).shape == (2, 5)


def test_other_taps_and_another_size(file):
    arch = find_arch(options(file, "Net", taps=("hidden", "second.0"), image_size=24))
    assert (arch.side, list(arch.taps)) == (24, ["second.0", "hidden", "head"])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("net", "no such name in it; there are Net"),
        ("some_value", "no function or class"),
        ("no_module", "gives a int, not a torch.nn.Module"),
        ("fails", "for 2 labels, fails: no weights for"),
        ("blind", "its pixel_mean is 0.5, expected three numbers"),
    ],
)
def test_what_is_wrong_is_named(file, name, what):
    with pytest.raises(Problem, match=what):
        find_arch(options(file, name))


def test_a_file_that_is_none_or_fails(file):
    with pytest.raises(Problem, match="no such file"):
        find_arch(options(file.with_name("other.py"), "Net"))
    file.write_text("import nowhere_at_all\n")
    with pytest.raises(Problem, match="the file fails: ModuleNotFoundError: No module named 'nowhere_at_all'"):
        find_arch(options(file, "Net"))
