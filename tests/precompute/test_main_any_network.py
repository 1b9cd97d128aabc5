"""Any network, from the command line to the file: its units' fields add up to its probe's outputs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from store.file.read import Run
from store.measure.layer import fields_from_factors
from tests.commands import run_here
from tests.image_folders import tiny, write_image_folder

QUICK = "--data digits --labels 3 --weights none --epochs 1 --image-size 32 --features all --out run.h5"

NETWORKS = {
    "timm:resnet18": ("filter", {"act1": (64, 256), "layer4": (512, 1)}),
    "timm:convnext_atto": ("filter", {"stages.0": (40, 64), "stages.3": (320, 1)}),
    "timm:mobilenetv3_small_100": ("filter", {"bn1": (16, 256), "blocks.5": (576, 1)}),
    "timm:vit_tiny_patch16_224": ("node", {"blocks.0": (192, 5), "blocks.11": (192, 5)}),
    "timm:vit_tiny_patch16_224 --unit head": ("head", {"blocks.0.attn.proj": (3, 5 * 64)}),
    "timm:ghostnet_050 --pool max:2": ("filter", {"blocks.0": (8, 64), "head": (1280, 1)}),
    "efficientnet_b0": ("filter", {"1": (32, 9), "9": (1280, 1)}),  # pooling by at most 7x7: 16 -> 3, 1 -> 1
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_fields_of_all_units_add_up_to_the_probes_outputs(network, capfd):
    unit, shapes = NETWORKS[network]
    layers = " ".join(shapes)
    status, printed, errors = run_here(f"{QUICK} --arch {network} --layers {layers}".split(), capfd)
    assert status == 0, errors
    with Run("run.h5") as run:
        run.verify()
        assert run.manifest["network"]["weights"] == {"from": "none"}
        labels = run.label_of_test_input
        assert labels is not None
        for name, (n_units, positions) in shapes.items():
            layer = run.layers[name]
            assert (layer.record["unit"], layer.n_filters, layer.positions) == (unit, n_units, positions)
            assert f"{n_units} {unit}s of" in printed
            # What the probe answers to each test input, from the inputs' own activations and its weights...
            features = torch.from_numpy(layer.test_features.view(np.int16)).view(torch.bfloat16).double()
            outputs = torch.einsum("nfs,fjs->nj", features, torch.from_numpy(layer.probe_weights).double()).numpy()
            means = np.stack([outputs[labels == label].mean(0) for label in range(run.n_labels)])
            # ... is what the units' fields add up to, label by label
            fields = fields_from_factors(layer.class_means, layer.probe_weights)
            np.testing.assert_allclose(fields.sum(0, dtype=np.float64), means, rtol=1e-4, atol=1e-4)
            accuracy = (outputs.argmax(1) == labels).mean()
            assert accuracy == pytest.approx(layer.record["test_accuracy"], abs=1.5 / len(labels))


def test_a_network_that_was_trained_is_probed_as_it_is(capfd):
    """What a person has trained elsewhere: here our own run's, whose network is kept beside its file."""
    same = "--data digits --labels 3 --arch timm:test_resnet --image-size 32 --layers layer4"
    train = f"{same} --weights none --epochs 1 --out trained.h5"
    assert run_here(train.split(), capfd)[0] == 0
    probe = f"{same} --checkpoint trained.work/network.ckpt --out probed.h5"
    status, printed, errors = run_here(probe.split(), capfd)
    assert status == 0, errors
    assert "probed as it is, without training" in printed
    with Run("trained.h5") as trained, Run("probed.h5") as probed:
        assert probed.manifest["network"]["epochs"] == 0
        assert probed.manifest["network"]["weights"]["name"] == "network.ckpt"
        assert probed.manifest["network"]["test_accuracy"] == trained.manifest["network"]["test_accuracy"]
        assert all(len(column) == 0 for column in probed.history().values())
        assert np.array_equal(probed.layers["layer4"].class_means, trained.layers["layer4"].class_means)
        assert np.array_equal(probed.layers["layer4"].probe_weights, trained.layers["layer4"].probe_weights)


def test_anybodys_images_in_class_folders(capfd, place):
    """Decoded once where a network is trained on them, be it only after AFCC, else on their way."""
    folder = write_image_folder(place / "images", "cifar10", tiny("cifar10", 4, 2))
    shutil.rmtree(folder / "test")
    here = ["--data", "folder", "--data-dir", str(folder / "train"), "--layers", "layer4", "--image-size", "32"]
    for epochs, more in (("1", ""), ("0", ""), ("0", "--afcc layer4")):
        command = f"--arch timm:resnet18 --weights none --epochs {epochs} --out {epochs}.h5 {more}"
        status, _, errors = run_here([*here, *command.split()], capfd)
        assert status == 0, errors
        with Run(f"{epochs}.h5") as run:
            assert run.n_labels == 10
            assert list(run.label_names) == sorted(run.label_names)
            assert run.test_inputs.tolist() == [1] * 10  # a fifth of four, rounded
            assert run.manifest["data"]["train_inputs"] == 30
            assert (run.manifest["network"]["epochs"], run.unfinished) == (int(epochs), [])
            assert ("afcc" in run.layers["layer4"].record) == bool(more)
