"""Activations and probes."""

import numpy as np
import pytest
import torch

from precompute.activations import record
from precompute.disk.placement import make_room
from precompute.frozen_pass import by_torch
from precompute.images.augment import Draws, Images, Preprocessing
from precompute.machine.device import choose_device
from precompute.machine.stopping import Stopping
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import tap_shapes, watch
from precompute.options import Options
from precompute.probe import initial_probe, probe_accuracy, probe_training, probe_weights, start_share
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
    record("test", by_torch(network, taps, DEVICE), taps, images, out)
    hook.remove()
    assert sum(seen) == N_INPUTS


def test_what_is_kept_is_what_the_tap_saw_position_by_position(network, images):
    taps = choose_taps(VGG16, ("7",))
    out = room(network, taps, lambda layer: CPU)
    answers = record("test", by_torch(network, taps, DEVICE), taps, images, out)
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
    record("test", by_torch(network, taps, DEVICE), taps, images, in_memory)
    record("test", by_torch(network, taps, DEVICE), taps, images, on_disk)
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


def test_random_initial_weights_follow_from_seed_and_layer():
    features, labels = separable()
    weights = {
        (layer, seed): probe_weights(initial_probe(layer, features.shape[1], 3, seed, "random")).tolist()
        for layer in ("7", "10") for seed in (0, 1)
    }  # fmt: skip
    assert len({str(value) for value in weights.values()}) == 4
    again = probe_training("7", features, labels, 3, Schedule("test", 0.05, 0.9, 0, epochs=1), 0, "random")
    assert probe_weights(again.model).tolist() == weights["7", 0]


# ---- What a probe starts from


def trained(start: str, epochs: int = 30, decay: float = 0.0) -> tuple[torch.nn.Module, dict[str, list[float]]]:
    random = torch.Generator().manual_seed(0)
    features, labels = torch.rand(90, 12, generator=random), torch.arange(90) % 3
    features[torch.arange(90), labels] += 1
    training = probe_training(
        "10", features, labels, 3, Schedule("", 0.05, 0.9, decay, epochs, batch_size=30), 0, start
    )
    training.evaluate = lambda: probe_accuracy(training.model, features, labels)
    training.evaluations = epochs
    with Stopping() as stopping:
        return training.model, training.run(stopping)


def test_from_zeros_the_weights_add_up_to_zero_over_the_outputs_and_no_seed_is_needed():
    """The gradients of a softmax add up to zero over the outputs, so the gauge is fixed by the start."""
    for seed in (0, 1):
        assert not initial_probe("10", 12, 3, seed, "zeros").weight.any()
    weights = probe_weights(trained("zeros")[0])
    assert np.abs(weights).max() > 0.1 and np.abs(weights.sum(axis=0)).max() < 1e-5
    assert np.abs(probe_weights(trained("random")[0]).sum(axis=0)).max() > 0.1


def test_the_loss_is_convex_so_that_a_long_training_with_decay_forgets_its_start():
    zeros, random = (probe_weights(trained(start, 60, 0.2)[0]) for start in ("zeros", "random"))
    assert np.linalg.norm(random - zeros) < 1e-2 * np.linalg.norm(zeros)
    zeros, random = (probe_weights(trained(start, 60, 0.0)[0]) for start in ("zeros", "random"))
    assert np.linalg.norm(random - zeros) > 0.05 * np.linalg.norm(zeros)  # as with the supplement's decay


def test_the_share_of_the_start_is_its_projection():
    start = np.array([[3.0, 0.0], [0.0, 4.0]], np.float32)
    other = np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)  # at right angles
    assert start_share(start, 2 * start) == pytest.approx(1)
    assert start_share(start, other) == 0
    assert start_share(start, 0.9 * start + 6 * other) == pytest.approx(4.5 / np.hypot(4.5, 6))
    assert start_share(np.zeros((2, 2), np.float32), start) == 0


def test_the_test_accuracy_of_every_epoch_is_kept():
    assert len(history := trained("zeros", 7)[1]["test_accuracy"]) == 7 and np.isfinite(history).all()


def test_drawn_images_are_those_of_the_first_epochs_round_by_round(images):
    drawn = images.drawn(3, seed=5)
    assert len(drawn) == 3 * N_INPUTS
    found = torch.cat([pixels for _, pixels in drawn.batches(32)])
    for epoch in range(3):
        draws = Draws.of_epoch(N_INPUTS, 5, epoch, CPU)
        wanted = images.augmented(torch.arange(N_INPUTS), draws)
        assert torch.equal(found[epoch * N_INPUTS : (epoch + 1) * N_INPUTS], wanted)
    part = torch.cat([pixels for _, pixels in drawn.part(slice(60, 150)).batches(50)])
    assert torch.equal(part, found[60:150])
