"""Activations and probes."""

import pytest
import torch

from precompute.activations import record
from precompute.disk.placement import make_room
from precompute.images.augment import Images, Preprocessing
from precompute.machine.device import choose_device
from precompute.machine.stopping import Stopping
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import tap_shapes, watch
from precompute.options import Options
from precompute.probe import probe_accuracy, probe_training, probe_weights
from precompute.recipes import Schedule

CPU = torch.device("cpu")
DEVICE = choose_device("cpu")
N_INPUTS = 70
VGG16 = find_arch(Options(arch="vgg16"))


@pytest.fixture(scope="module")
def images():
    pixels = torch.randint(0, 256, (N_INPUTS, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Images(pixels, CPU, Preprocessing(32, (0.5,) * 3, (0.5,) * 3))


@pytest.fixture(scope="module")
def network():
    return VGG16.build(4)


def room(network, taps, place_of):
    shapes = tap_shapes(network, taps, (3, 32, 32))
    return {
        layer: make_room(N_INPUTS, shape[0] * shape[1] * shape[2], place_of(layer)) for layer, shape in shapes.items()
    }


@pytest.mark.parametrize("layers", [("13",), ("2", "4", "7", "10", "13")])
def test_one_pass_of_the_network_however_many_taps(network, images, layers):
    taps = choose_taps(VGG16, layers)
    out = room(network, taps, lambda layer: CPU)
    seen = []
    hook = network.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    record("test", network, taps, images, DEVICE, out)
    hook.remove()
    assert sum(seen) == N_INPUTS


def test_what_is_kept_is_what_the_tap_saw_position_by_position(network, images):
    taps = choose_taps(VGG16, ("7",))
    out = room(network, taps, lambda layer: CPU)
    answers = record("test", network, taps, images, DEVICE, out)
    network.eval()
    autocast = torch.autocast("cpu", DEVICE.autocast, enabled=DEVICE.autocast is not None)
    with torch.no_grad(), autocast, watch(network, taps) as seen:
        outputs = network(images.plain(0, N_INPUTS))
    kept = out["7"].view(N_INPUTS, 256, 4, 4)
    assert torch.equal(kept, seen["7"].bfloat16())
    assert torch.equal(answers, outputs.argmax(1))


def test_on_disk_as_in_memory(network, images, tmp_path):
    taps = choose_taps(VGG16, ("10", "13"))
    in_memory = room(network, taps, lambda layer: CPU)
    on_disk = room(network, taps, lambda layer: tmp_path / f"{layer}.activations")
    record("test", network, taps, images, DEVICE, in_memory)
    record("test", network, taps, images, DEVICE, on_disk)
    for layer, kept in in_memory.items():
        assert torch.equal(kept, on_disk[layer])
        assert (tmp_path / f"{layer}.activations").stat().st_size == kept.numel() * 2


def separable(n_inputs=90, n_features=12, n_labels=3):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n_inputs) % n_labels
    centres = torch.randn(n_labels, n_features, generator=generator)
    return (centres[labels] + 0.1 * torch.randn(n_inputs, n_features, generator=generator)).bfloat16(), labels


def test_a_probe_learns_and_its_accuracy_is_that_of_its_largest_field():
    features, labels = separable()
    training = probe_training("10", features, labels, 3, Schedule("test", 0.05, 0.9, 0, epochs=20, batch_size=30), 0)
    before = probe_accuracy(training.model, features, labels)
    training.run(Stopping())
    fields = features.float() @ torch.from_numpy(probe_weights(training.model)).T
    expected = (fields.argmax(1) == labels).float().mean().item()
    assert probe_accuracy(training.model, features, labels) == pytest.approx(expected)
    assert before < expected > 0.95


def test_initial_weights_follow_from_seed_and_layer():
    features, labels = separable()
    schedule = Schedule("test", 0.05, 0.9, 0, epochs=1)
    weights = {
        (layer, seed): probe_weights(probe_training(layer, features, labels, 3, schedule, seed).model).tolist()
        for layer in ("7", "10") for seed in (0, 1)
    }  # fmt: skip
    assert len({str(value) for value in weights.values()}) == 4
    again = probe_training("7", features, labels, 3, schedule, 0)
    assert probe_weights(again.model).tolist() == weights["7", 0]
