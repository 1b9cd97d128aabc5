"""What only an NVIDIA GPU can show: captured steps train as steps on a processor do; a run from images to the file."""

from typing import Any

import pytest
import torch
from torch import nn

from precompute.afcc import hold_zero
from precompute.disk.placement import make_room
from precompute.images.augment import Images, Preprocessing
from precompute.machine.stopping import Stopped, Stopping
from precompute.probe import probe_answers, probe_training
from precompute.recipes import Schedule
from precompute.training.loop import Training
from store.file.read import Run
from tests.commands import run_here
from tests.precompute.training.test_loop import StopsAfter

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

STEPPED = Schedule("test", learning_rate=0.05, momentum=0.9, weight_decay=1e-3, epochs=4, decay=0.5, batch_size=16)
ONE_CYCLE = Schedule("test", learning_rate=0.05, momentum=0.9, weight_decay=1e-3, epochs=4, one_cycle=True)
N_INPUTS, N_LABELS = 100, 4


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


def training(kind, schedule=STEPPED, model=None, warps=False):
    """A small convolutional network on augmented images, on a device of that kind, from the same start on each."""
    device = torch.device(kind)
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (N_INPUTS, 32, 32, 3), dtype=torch.uint8, generator=generator)
    images = Images(pixels.to(device), device, Preprocessing(32, (0.5,) * 3, (0.25,) * 3, warps=warps))
    torch.manual_seed(0)
    if model is None:
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
            nn.Linear(8 * 7 * 7, N_LABELS, bias=False),
        )  # fmt: skip
    model = model.to(device, memory_format=torch.channels_last)
    labels = (torch.arange(N_INPUTS) % N_LABELS).to(device)
    return Training("test", model, images.augmented, labels, schedule, 0, on_device=images.on_device)


def is_captured(of):
    return of._graphed is not None and of._graphed.is_captured


def assert_close(one, other, tolerance=2e-3):
    for column, values in one["history"].items():
        assert values == pytest.approx(other["history"][column], rel=tolerance, abs=tolerance, nan_ok=True), column
    for name, value in one["model"].items():
        assert torch.allclose(value.cpu().float(), other["model"][name].cpu().float(), tolerance, tolerance), name


@pytest.mark.parametrize("warps", [False, True])
@pytest.mark.parametrize("schedule", [STEPPED, ONE_CYCLE], ids=["stepped rate", "one cycle"])
def test_captured_steps_train_as_a_processor_does(schedule, warps):
    """Other inputs, other draws and another learning rate in each: nothing of the recorded step is in the others."""
    graphed, plain = training("cuda", schedule, warps=warps), training("cpu", schedule, warps=warps)
    for one in (graphed, plain):
        one.run(Stopping())
    assert is_captured(graphed)
    assert_close(graphed.state(), plain.state())


def test_a_compiled_network_trains_as_a_processor_does(monkeypatch):
    monkeypatch.setattr("precompute.training.loop._WORTH_COMPILING", 1)
    made, plain = training("cuda"), training("cpu")
    for one in (made, plain):
        one.run(Stopping())
    assert is_captured(made)
    assert made._trained is not made.model
    assert_close(made.state(), plain.state())


def test_going_on_takes_the_captured_steps_that_were_left():
    whole = training("cuda")
    whole.run(Stopping())
    for stop in (2, 9, 13):  # before a step is captured, and after; within an epoch and in another
        saved: list[Any] = []
        with pytest.raises(Stopped):
            training("cuda").run(StopsAfter(stop), saved.append)
        assert saved[-1]["step"] == stop
        gone_on = training("cuda")
        gone_on.restore(saved[-1])
        gone_on.run(Stopping())
        assert is_captured(gone_on)
        assert_close(gone_on.state(), whole.state(), 1e-4)


def of_features(model, schedule=STEPPED):
    """Inputs as they are: what differs between two epochs differs by the model's own draws."""
    device = torch.device("cuda")
    features = torch.randn(N_INPUTS, 64, generator=torch.Generator().manual_seed(1)).to(device)
    labels = (torch.arange(N_INPUTS) % N_LABELS).to(device)
    torch.manual_seed(0)
    layers = nn.Sequential(model, nn.Linear(64, N_LABELS)).to(device)
    return Training("test", layers, lambda index, _: features[index], labels, schedule, 0, on_device=True)


def test_every_captured_step_draws_anew():
    """Nothing is learnt, and every epoch is one step on all inputs."""
    still = Schedule("test", learning_rate=0.0, momentum=0.9, weight_decay=0.0, epochs=8, batch_size=N_INPUTS)
    steady, drops = of_features(nn.Identity(), still), of_features(nn.Dropout(0.5), still)
    for one in (steady, drops):
        one.run(Stopping())
    assert is_captured(drops)
    assert len({round(loss, 5) for loss in steady.history["loss"]}) == 1
    assert len({round(loss, 5) for loss in drops.history["loss"]}) == 8


def test_going_on_drops_what_would_have_been_dropped():
    whole = of_features(nn.Dropout(0.5))
    saved: list[Any] = []
    whole.run(Stopping())
    with pytest.raises(Stopped):
        of_features(nn.Dropout(0.5)).run(StopsAfter(9), saved.append)
    torch.cuda.manual_seed(5)
    gone_on = of_features(nn.Dropout(0.5))
    gone_on.restore(saved[-1])
    gone_on.run(Stopping())
    assert_close(gone_on.state(), whole.state(), 1e-4)


class AsksTheDevice(nn.Module):
    def forward(self, values):
        return values * (2.0 if values.sum().item() > -1e9 else 0.0)


def test_a_step_that_cannot_be_captured_is_taken_as_it_is(capfd):
    def asking():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), AsksTheDevice(), nn.Linear(3 * 32 * 32, N_LABELS, bias=False))

    gentle = Schedule("test", learning_rate=1e-4, momentum=0.9, weight_decay=1e-3, epochs=3, batch_size=16)
    stubborn, plain = training("cuda", gentle, asking()), training("cpu", gentle, asking())
    for one in (stubborn, plain):
        one.run(Stopping())
    assert not is_captured(stubborn)
    assert "not captured in a CUDA graph" in capfd.readouterr().out
    assert_close(stubborn.state(), plain.state())
    after = of_features(nn.Dropout(0.5))  # and the next training is none the worse for it
    after.run(Stopping())
    assert is_captured(after)


def test_images_that_stay_in_main_memory_are_trained_on_as_well():
    device = torch.device("cuda")
    images = Images(torch.zeros(32, 32, 32, 3, dtype=torch.uint8), device, Preprocessing(32, (0.5,) * 3, (0.25,) * 3))
    assert not images.on_device
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2)).to(device)
    labels = (torch.arange(32) % 2).to(device)
    plain = Training("test", model, images.augmented, labels, STEPPED, 0, on_device=images.on_device)
    assert len(plain.run(Stopping())["loss"]) == STEPPED.epochs
    assert not is_captured(plain)


@pytest.mark.parametrize("masked", [False, True])
def test_a_probe_on_the_device_is_the_processors(masked):
    generator = torch.Generator().manual_seed(0)
    given = torch.rand(600, 256, generator=generator)
    labels = torch.arange(600) % 5
    given[torch.arange(600), labels * 7] += 1
    mask = torch.rand(5, 256, generator=generator) < 0.5
    trained = {}
    for kind in ("cuda", "cpu"):
        features = make_room(600, 256, torch.device(kind))
        features.copy_(given)
        schedule = Schedule("test", 0.05, 0.9, 1e-4, epochs=5, batch_size=50)
        probing = probe_training("7", features, labels.to(kind), 5, schedule, seed=3)
        if masked:
            hold_zero(probing.model.get_parameter("weight"), mask.to(kind))
        probing.run(Stopping())
        trained[kind] = probing, probe_answers(probing.model, features).cpu()
    assert is_captured(trained["cuda"][0])
    weights = trained["cuda"][0].model.get_parameter("weight").detach().cpu()
    assert torch.allclose(weights, trained["cpu"][0].model.get_parameter("weight"), rtol=1e-3, atol=1e-4)
    assert (trained["cuda"][1] == trained["cpu"][1]).double().mean() > 0.99
    assert not masked or bool((weights[~mask] == 0).all())


def test_a_run_from_images_to_the_file(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = ["--arch", "vgg16", "--data", "digits", "--device", "cuda", "--out", "run.h5", "--afcc", "10"]
    status, out, err = run_here(command, capfd)
    assert status == 0, err
    assert "not captured" not in out
    with Run(tmp_path / "run.h5") as run:
        assert run.manifest["network"]["test_accuracy"] >= 0.98
        assert list(run.layers) == ["2", "4", "7", "10", "13"]
        assert run.layers["10"].measure().n_clusters.sum() > 0
    status, out, _ = run_here(command, capfd)
    assert status == 0
    assert "it is there already" in out
