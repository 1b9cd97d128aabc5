"""A network that another program has trained, probed as that program means it: the order of its labels, its weights,
and what its images are normalised by."""

import argparse
import colorsys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.dataset_factory import create_dataset
from timm.data.transforms_factory import create_transform

from store.file.read import Run
from tests.commands import run_here

N_LABELS = 12  # "10" and "11" stand before "2" where names are sorted as text
SIDE = 32
CONFIG: Any = timm.create_model("test_resnet").pretrained_cfg


def write_images(folder: Path, name) -> None:
    """A colour for each label, and noise."""
    draw = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 5)):
        for label in range(N_LABELS):
            place = folder / split / name(label)
            place.mkdir(parents=True)
            colour = np.array(colorsys.hsv_to_rgb(label / N_LABELS, 0.6, 0.7)) * 255
            for number in range(count):
                pixels = np.clip(colour + draw.normal(0, 25, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")


def tensors(folder: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """As timm's training script reads them."""
    how = {"mean": CONFIG["mean"], "std": CONFIG["std"], "crop_pct": CONFIG["crop_pct"], "interpolation": "bicubic"}
    images = create_dataset("", root=str(folder), split=split, transform=create_transform((3, SIDE, SIDE), **how))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # timm leaves files to the garbage collector
        pairs = [images[k] for k in range(len(images))]
    return torch.stack([image for image, _ in pairs]), torch.tensor([label for _, label in pairs])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """-> a folder with the images in folders 0..11, the same in 00..11, and the checkpoint; its trainer's accuracy."""
    folder = tmp_path_factory.mktemp("twelve")
    write_images(folder / "numbers", str)
    write_images(folder / "padded", lambda label: f"{label:02d}")
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=N_LABELS)
    pixels, labels = tensors(folder / "numbers", "train")
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    for _ in range(40):
        batch = torch.randint(len(labels), (48,))
        loss = torch.nn.functional.cross_entropy(network(pixels[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pixels, labels = tensors(folder / "numbers", "test")
    with torch.no_grad():
        accuracy = (network.eval()(pixels).argmax(1) == labels).double().mean().item()
    state = network.state_dict()
    average = {name: value * 0 if name.startswith("fc.") else value for name, value in state.items()}
    saved = {"epoch": 4, "arch": "test_resnet", "state_dict": state, "args": argparse.Namespace(lr=0.1)}
    torch.save(saved, folder / "best.pth.tar")
    torch.save(saved | {"state_dict_ema": average}, folder / "both.pth.tar")
    (folder / "names.txt").write_text("".join(f"{label}\n" for label in range(N_LABELS)))
    return folder, accuracy


def probed(folder: Path, images: str, capfd, *more: str, weights: str = "best.pth.tar"):
    """-> the manifest's account of the network, and what was printed."""
    out = folder / "run.h5"
    command = f"--arch timm:test_resnet --image-size {SIDE} --data folder --layers layer4 --fresh --device cpu"
    given = ["--data-dir", str(folder / images), "--checkpoint", str(folder / weights), "--out", str(out)]
    status, printed, errors = run_here([*command.split(), *given, *more], capfd)
    assert status == 0, errors
    with Run(out) as run:
        return run.manifest["network"], printed


def test_folders_of_numbers_give_the_trainers_accuracy(made, capfd):
    folder, accuracy = made
    assert accuracy > 0.6, "it has learned something"
    network, printed = probed(folder, "numbers", capfd)
    assert network["test_accuracy"] == pytest.approx(accuracy, abs=0.01)
    assert network["weights"]["class_order"] == "natural, as timm's training script sorts folders"
    assert "class order: natural, as timm's training script sorts folders" in printed
    assert "WARNING" not in printed
    twin, _ = probed(folder, "padded", capfd)
    assert twin["test_accuracy"] == pytest.approx(accuracy, abs=0.01)
    assert "class_order" not in twin["weights"], "there is only one order"


def test_the_order_that_is_asked_for_and_a_warning_of_the_wrong_one(made, capfd):
    folder, accuracy = made
    wrong, printed = probed(folder, "numbers", capfd, "--class-order", "plain")
    assert wrong["test_accuracy"] < accuracy / 2
    assert wrong["permuted_test_accuracy"] == pytest.approx(accuracy, abs=0.05)
    assert "WARNING: the network's own test accuracy is" in printed
    right, printed = probed(folder, "numbers", capfd, "--class-order", str(folder / "names.txt"))
    assert right["test_accuracy"] == pytest.approx(accuracy, abs=0.01)
    assert right["weights"]["class_order"] == "by name: --class-order names.txt"
    assert "permuted_test_accuracy" not in right


def test_images_are_normalised_as_the_networks_library_does_or_as_is_asked_for(made, capfd):
    folder, _ = made
    network, _ = probed(folder, "numbers", capfd)
    expected = {"side": SIDE, "crop": CONFIG["crop_pct"], "mean": list(CONFIG["mean"]), "std": list(CONFIG["std"])}
    assert network["preprocessing"] == expected
    asked = ["--mean", "0.1", "0.2", "0.3", "--std", "0.4", "0.5", "0.6"]
    other, _ = probed(folder, "numbers", capfd, *asked)
    assert (other["preprocessing"]["mean"], other["preprocessing"]["std"]) == ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    assert other["test_accuracy"] != network["test_accuracy"]


def test_averaged_weights_are_read_and_it_is_said(made, capfd):
    folder, accuracy = made
    network, printed = probed(folder, "numbers", capfd, weights="both.pth.tar")
    assert network["test_accuracy"] == pytest.approx(1 / N_LABELS, abs=0.01), "the average's outputs were set to zero"
    said = network["weights"]
    assert (said["set"], said["averaged"], said["not_read"]) == (
        "state_dict_ema",
        "yes (EMA)",
        "raw weights in state_dict",
    )
    assert "averaged: yes (EMA); not read: raw weights in state_dict" in printed
    network, _ = probed(folder, "numbers", capfd, "--no-ema", weights="both.pth.tar")
    assert network["test_accuracy"] == pytest.approx(accuracy, abs=0.01)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--ema", "--no-ema"], "--ema and --no-ema: give one of them"),
        (["--mean", "0", "0", "0"], "--mean and --std go together"),
        (["--mean", "0", "0", "0", "--std", "1", "1", "0"], "--std above 0"),
        (["--class-order", "upwards"], "--class-order upwards: no such file"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(more, words, made, capfd):
    folder, _ = made
    given = ["--data-dir", str(folder / "numbers"), "--checkpoint", str(folder / "best.pth.tar")]
    command = f"--arch timm:test_resnet --image-size {SIDE} --data folder --device cpu --dry-run".split()
    status, _, errors = run_here([*command, *given, *more], capfd)
    assert status != 0
    assert words in errors


def test_an_order_of_outputs_that_are_not_used_is_refused(made, capfd):
    folder, _ = made
    command = f"--arch timm:test_resnet --image-size {SIDE} --data folder --device cpu --dry-run --weights none".split()
    given = ["--data-dir", str(folder / "numbers"), "--class-order", "natural"]
    status, _, errors = run_here([*command, *given], capfd)
    assert status != 0
    assert "--class-order: is for a trained network whose own outputs are used" in errors


def test_a_network_of_ours_knows_which_labels_its_outputs_are_for(tmp_path, capfd):
    """As many labels, and others: their accuracy would be chance, and nothing would say why."""
    common = "--arch timm:test_resnet --image-size 32 --data digits --labels 5 --layers layer4 --device cpu"
    first, second = tmp_path / "first.h5", tmp_path / "second.h5"
    trained = f"{common} --label-seed 0 --weights none --epochs 1 --out {first}"
    status, _, errors = run_here(trained.split(), capfd)
    assert status == 0, errors
    network = first.with_suffix(".work") / "network.ckpt"
    status, _, errors = run_here(f"{common} --label-seed 0 --checkpoint {network} --out {second}".split(), capfd)
    assert status == 0, errors
    with Run(first) as run, Run(second) as again:
        assert again.label_names == run.label_names
        assert again.manifest["network"]["test_accuracy"] == run.manifest["network"]["test_accuracy"]
        assert again.manifest["network"]["weights"]["class_order"] == "by name: the weights' file names its outputs"
    other = f"{common} --label-seed 4 --checkpoint {network} --out {tmp_path / 'other.h5'}".split()
    status, _, errors = run_here(other, capfd)
    assert status != 0
    assert "the weights' file names its outputs: 5 labels" in errors
    status, _, errors = run_here([*other, "--class-order", "plain"], capfd)
    assert status == 0, errors


def test_outputs_that_stand_in_the_place_of_others_answer_nothing(made, capfd):
    """Pretrained on twelve labels, frozen, and shown five: its five outputs are random."""
    folder, _ = made
    out = folder / "frozen.h5"
    command = f"--arch timm:test_resnet --image-size {SIDE} --data folder --layers layer4 --device cpu --recipe frozen"
    given = ["--data-dir", str(folder / "numbers"), "--weights", str(folder / "best.pth.tar"), "--out", str(out)]
    status, _, errors = run_here([*command.split(), *given, "--labels", "5"], capfd)
    assert status == 0, errors
    with Run(out) as run:
        assert (run.n_labels, run.manifest["network"]["epochs"]) == (5, 0)
        assert "test_accuracy" not in run.manifest["network"]
        assert run.layers["layer4"].record["test_accuracy"] > 0.4, "its probe has learned"
