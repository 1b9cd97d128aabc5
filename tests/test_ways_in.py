"""docs/ways-in.md: every line of its table is run and prints what it says; its programs run too."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from store.file.read import Run
from tests import ROOT
from tests.commands import run_here

PAGE = (ROOT / "docs" / "ways-in.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| `(python -m precompute [^`|]+)` \| `([^`|]+)` \|$", PAGE, re.MULTILINE)
LABELS = np.arange(60) % 3

NETWORK = """
from torch import nn


class Net(nn.Module):
    def __init__(self, n_labels):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(6, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, n_labels)

    def forward(self, images):
        return self.fc(self.second(self.first(images)).mean((2, 3)))
"""


def network(n_labels: int) -> Any:
    names: dict[str, Any] = {}
    exec(NETWORK, names)
    torch.manual_seed(0)
    return names["Net"](n_labels)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the page names."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)
    torch.save(network(3).state_dict(), "net.pt")
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        v1, v4 = random.random((60, 5)), random.random((60, 4, 2, 2))
        np.savez(f"{split}.npz", v1=v1, v4=v4, labels=LABELS)
    return tmp_path


def save_vit() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        image_size=32, patch_size=8, num_labels=3,
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained("my-vit")


def test_the_table_has_every_way_in():
    commands = " ".join(command for _, command, _ in ROWS)
    for way in ("vgg16", "timm:", "torchvision:", "hf:", "net.py:Net", "--checkpoint", "--probe own", ".npz"):
        assert way in commands
    assert len(ROWS) == PAGE.count("| `python -m precompute")


@pytest.mark.parametrize(("way", "command", "printed"), ROWS, ids=[way for way, _, _ in ROWS])
def test_each_way_in_prints_what_the_page_says(place, capfd, way, command, printed):
    if "hf:" in command:
        save_vit()
    arguments = shlex.split(command.removeprefix("python -m precompute "))
    status, out, errors = run_here([*arguments, "--device", "cpu", "--probe-epochs", "1"], capfd)
    if "--probe own" in command:  # whose probe is not trained
        status, out, errors = run_here([*arguments, "--device", "cpu"], capfd)
    assert status == 0, errors
    titles = [re.sub(r"\d\.\d{3}$", "0.000", line) for line in out.splitlines()]
    assert printed in titles
    (file,) = Path("runs").glob("*.h5")
    with Run(file) as run:
        run.verify()
