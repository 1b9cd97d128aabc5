"""A person's own module and loader: the same file, the network left as it was, and refusals in words."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from precompute import ProbeOptions, measure
from precompute.messages.problem import Problem
from tests import ROOT

K, SIDE = 4, 16
QUICK = ProbeOptions(epochs=4, batch_size=16)


class Small(nn.Module):
    """Two stages of grey images, dropout, and a classifier of six outputs: more than the labels."""

    def __init__(self, n_outputs: int = 6) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.stage = nn.Sequential(
            nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 12, 3, 1, 1), nn.ReLU()
        )
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(12, n_outputs)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.fc(self.drop(self.stage(self.stem(images)).mean((2, 3))))
        return found


def drawn(n: int, seed: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % K
    return torch.rand(n, 1, SIDE, SIDE, generator=draw) + labels.view(-1, 1, 1, 1) / K, labels


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Small().train()


TRAIN, TEST = drawn(64, 0), drawn(32, 1)


def test_the_file_is_a_runs_and_the_network_is_left_as_it_was(network: nn.Module, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run = measure(network, TRAIN, TEST, out=tmp_path / "run", label_names=list("abcd"), probe=QUICK, features=["stage"])
    with run:
        run.verify()
        assert list(run.layers)[-1] == "stage" and run.layers["stage"].n_filters == 12
        assert run.manifest["network"] | {"arch": "Small", "weights": {"from": "memory"}} == run.manifest["network"]
        assert "test_accuracy" not in run.manifest["network"], "its six outputs are not the four labels"
        stage = run.layers["stage"]
        network.eval()
        with torch.no_grad():
            seen = network.stage(network.stem(TEST[0])).flatten(2).bfloat16()  # type: ignore[operator]
        network.train()
        of_label = [seen[TEST[1] == label].double().mean(0) for label in range(K)]
        assert np.array_equal(stage.class_means, torch.stack(of_label, 1).float().numpy())
        assert stage.record["filter_size"] == [SIDE // 2, SIDE // 2] and stage.has_test_features
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_without_a_place_the_file_is_temporary(network: nn.Module) -> None:
    with measure(network, TRAIN, TEST, probe=QUICK) as run, measure(network, TEST, TRAIN, probe=QUICK) as other:
        run.verify()
        place = Path(run.place)
        assert place.exists() and place != Path(other.place)
        assert place.is_relative_to(tempfile.gettempdir())


def test_a_temporary_file_ends_with_its_process() -> None:
    program = """
import torch
from precompute import ProbeOptions, measure
network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(108, 2))
images, labels = torch.rand(8, 1, 8, 8), torch.arange(8) % 2
print(measure(network, (images, labels), (images, labels), probe=ProbeOptions(epochs=1, batch_size=4)).place)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    place = Path(done.stdout.split()[-1])
    assert place.name == "run.h5" and not place.parent.exists()


def test_loaders_datasets_and_arrays_give_the_same(network: nn.Module, tmp_path: Path) -> None:
    datasets = [TensorDataset(*TRAIN), TensorDataset(*TEST)]
    ways: dict[str, list[Any]] = {
        "loader": [DataLoader(one, 10) for one in datasets],
        "dataset": datasets,
        "arrays": [tuple(one.numpy() for one in pair) for pair in (TRAIN, TEST)],
        "batches": [[(images[:20], labels[:20]), (images[20:], labels[20:])] for images, labels in (TRAIN, TEST)],
    }
    found = {}
    for way, (train, test) in ways.items():
        with measure(network, train, test, out=tmp_path / way, layers=["stage"], probe=QUICK) as run:
            found[way] = run.layers["stage"].class_means
            assert list(run.layers) == ["stage"]
    for way in ("dataset", "arrays", "batches"):
        assert np.allclose(found["loader"], found[way], atol=1e-2), way  # bfloat16; how a batch is summed is torch's


def test_its_own_accuracy_is_said_where_its_outputs_are_the_labels(tmp_path: Path) -> None:
    torch.manual_seed(1)
    with measure(network := Small(K), TRAIN, TEST, out=tmp_path / "run", layers=["head"], probe=QUICK) as run:
        network.eval()
        right = (network(TEST[0]).argmax(1) == TEST[1]).double().mean().item()
        assert run.manifest["network"]["test_accuracy"] == right
        assert run.layers["head"].n_filters == 12 and run.layers["head"].positions == 1


def test_a_second_call_goes_on(network: nn.Module, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"out": tmp_path / "run.h5", "layers": ["stem", "stage"], "probe": QUICK}
    with measure(network, TRAIN, TEST, **arguments) as run:
        whole = run.content_sha256
    with measure(network, TRAIN, TEST, **arguments) as run:
        assert run.content_sha256 == whole
    with pytest.raises(Problem, match="other activations of layer"):
        measure(Small(), TRAIN, TEST, **arguments)


@pytest.mark.parametrize(
    ("train", "more", "said"),
    [
        (TRAIN, {"layers": ["stages"]}, "--taps stages: no such module; do you mean stage"),
        ((TRAIN[0], TRAIN[1][:-1]), {}, "64 images and 63 labels"),
        ((TRAIN[0].repeat(1, 3, 1, 1), TRAIN[1]), {}, r"a batch of shape \(64, 3, 16, 16\) does not pass through it"),
        ([], {}, "train: no inputs"),
        ([TRAIN[0]], {}, "expected a pair|expected a tensor of images"),
        ([(TRAIN[0], TRAIN[1].float())], {}, "whole numbers"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    network: nn.Module, tmp_path: Path, train: Any, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(Problem, match=said):
        measure(network, train, TEST, out=tmp_path / "run", probe=QUICK, **more)
    assert not list(tmp_path.iterdir())
