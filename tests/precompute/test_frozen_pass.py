"""Images pass by ONNX Runtime as by torch, or by torch where they cannot, and it is said why."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from precompute import frozen_pass
from precompute.frozen_pass import TOLERANCE, by_torch, choose_pass
from precompute.machine.device import Device
from precompute.messages.problem import Problem
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import Tap
from precompute.options import Options
from tests.commands import run_here

CPU = Device(torch.device("cpu"), None, "cpu")
IN_BFLOAT16 = Device(torch.device("cpu"), torch.bfloat16, "cpu")
MANY = 10**6  # images
needs_onnxruntime = pytest.mark.skipif(
    bool(frozen_pass._why_not(CPU, "onnxruntime", MANY)), reason="onnxruntime or onnxscript is not installed"
)


def network_of(arch: str, side: int, **options: Any):
    found = find_arch(Options(arch=arch, data="digits", weights="none", image_size=side, **options))
    torch.manual_seed(0)
    return found.build(3).eval(), choose_taps(found, ()), torch.rand(5, 3, found.side, found.side)


@needs_onnxruntime
@pytest.mark.parametrize(
    ("arch", "side", "options"),
    [
        ("vgg16", 32, {}),
        ("efficientnet_lite0", 48, {}),
        ("timm:deit_tiny_distilled_patch16_224", 32, {"unit": "head"}),
        ("timm:convnext_atto", 32, {"pool": "max:2"}),
    ],
)
def test_every_layer_is_as_torch_has_it_for_batches_of_any_size(arch, side, options):
    network, taps, images = network_of(arch, side, **options)
    found = choose_pass(network, taps, CPU, "auto", MANY, lambda: images)
    assert found.by.startswith("onnxruntime "), found.why
    assert found.differences.keys() == {*(tap.layer for tap in taps), "outputs"}
    in_torch = by_torch(network, taps, CPU)
    for batch in (torch.rand(1, *images.shape[1:]), torch.rand(7, *images.shape[1:])):
        expected, of_torch = in_torch(batch)
        outputs, seen = found.forward(batch)
        assert seen.keys() == of_torch.keys()
        for value, right in [(outputs, expected), *((seen[layer], right) for layer, right in of_torch.items())]:
            assert value.shape == right.shape
            assert (value - right).abs().max() <= TOLERANCE * right.abs().max()
    assert not network.training


class Drawing(nn.Module):
    """What it gives is partly drawn, in evaluation too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = self.layer(images + torch.rand_like(images))
        return seen.mean((2, 3))


class Undecided(nn.Module):
    """Its way depends on the values that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = self.layer(images)
        return seen.mean((2, 3)) if seen.sum().item() > 0 else seen.amax((2, 3))


@needs_onnxruntime
@pytest.mark.parametrize("network", [Drawing(), Undecided()])
def test_what_an_export_cannot_hold_goes_through_torch(network):
    images = torch.rand(4, 3, 8, 8)
    found = choose_pass(network, [Tap("layer", "layer")], CPU, "auto", MANY, lambda: images)
    assert found.by == f"torch {torch.__version__}"
    assert "differs from torch" in found.why or "cannot be exported" in found.why
    assert found.said("layer") == {"by": found.by, "why": found.why}
    assert found.forward(images)[1]["layer"].shape == (4, 4, 8, 8)
    with pytest.raises(Problem, match=r"--frozen-pass onnxruntime: .*; leave it out to pass images by torch"):
        choose_pass(network, [Tap("layer", "layer")], CPU, "onnxruntime", MANY, lambda: images)


@pytest.mark.parametrize(
    ("device", "wanted", "n_images", "why"),
    [
        (CPU, "torch", MANY, "asked for"),
        (CPU, "auto", 100, "too few images"),
        (IN_BFLOAT16, "auto", MANY, "bfloat16"),
        (Device(torch.device("cuda"), None, "gpu"), "auto", MANY, "the network is on cuda"),
    ],
)
def test_where_it_would_gain_nothing_nothing_is_exported(device, wanted, n_images, why):
    network = nn.Conv2d(3, 4, 1)

    def first() -> torch.Tensor:
        raise AssertionError("a batch is decoded for nothing")

    found = choose_pass(network, [], device, wanted, n_images, first)
    assert why in found.why
    assert found.by.startswith("torch ")


@needs_onnxruntime
def test_a_whole_file_of_both_ways(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """Class means of the two agree to bfloat16's rounding, in which activations are kept."""
    files = {}
    for way in ("torch", "onnxruntime"):
        files[way] = tmp_path / f"{way}.h5"
        arguments = ["--arch", "vgg16", "--data", "digits", "--untrained", "--probe-epochs", "1", "--layers", "4", "13"]
        more = ["--frozen-pass", way, "--device", "cpu", "--out", str(files[way])]
        status, _, errors = run_here(arguments + more, capfd)
        assert status == 0, errors
    with h5py.File(files["torch"]) as one, h5py.File(files["onnxruntime"]) as other:
        for layer in ("4", "13"):
            means, others = (np.asarray(file[f"layers/{layer}/class_means"]) for file in (one, other))
            assert np.abs(means - others).max() < 0.01 * np.abs(means).max()
        layers = json.loads(bytes(other["manifest"][()]))["layers"]
    assert all(layer["frozen_pass"]["by"].startswith("onnxruntime ") for layer in layers)
    assert all(layer["frozen_pass"]["difference"] <= TOLERANCE for layer in layers)
