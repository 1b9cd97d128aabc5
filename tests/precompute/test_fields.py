"""Fields from class means against the definitions: silence all filters but one, sum over all filters."""

import numpy as np
import pytest
import torch

from precompute.activations import record
from precompute.disk.placement import make_room
from precompute.fields import by_filter, class_means
from precompute.frozen_pass import by_torch
from precompute.images.augment import Images, Preprocessing
from precompute.machine.device import choose_device
from precompute.machine.stopping import Stopping
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import tap_shapes
from precompute.options import Options
from precompute.probe import probe_training, probe_weights
from precompute.recipes import Schedule
from store.measure.layer import fields_from_factors

N_LABELS, N_INPUTS = 5, 60
LAYERS = ("7", "13")  # 16 positions a filter, and one


@pytest.fixture(scope="module")
def recorded():
    """Real activations of a VGG-16 with random weights: (layer -> activations, labels, layer -> number of filters)."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (N_INPUTS, 32, 32, 3), dtype=torch.uint8, generator=generator)
    labels = torch.arange(N_INPUTS) ** 2 % N_LABELS  # unequal counts
    labels[:N_LABELS] = torch.arange(N_LABELS)
    device = choose_device("cpu")
    arch = find_arch(Options(arch="vgg16"))
    network, taps = arch.build(N_LABELS), choose_taps(arch, LAYERS)
    shapes = tap_shapes(network, taps, (3, 32, 32))
    out = {layer: make_room(N_INPUTS, int(np.prod(shape)), torch.device("cpu")) for layer, shape in shapes.items()}
    images = Images(pixels, device.target, Preprocessing(32, (0.5,) * 3, (0.5,) * 3))
    record("test", by_torch(network, taps, device), taps, images, out)
    return out, labels, {layer: shape[0] for layer, shape in shapes.items()}


@pytest.fixture(scope="module", params=LAYERS)
def layer(request, recorded):
    """(activations, labels, class means, weights, trained probe) of a layer."""
    activations, labels, n_filters = recorded
    features = activations[request.param]
    schedule = Schedule("test", 0.005, 0.9, 1e-4, epochs=3, batch_size=20)
    training = probe_training(request.param, features, labels, N_LABELS, schedule, seed=0)
    training.run(Stopping())
    means = class_means(features, labels, N_LABELS, n_filters[request.param])
    weights = by_filter(probe_weights(training.model), n_filters[request.param])
    return features.double(), labels, means, weights, training.model


def test_class_means_are_means_over_the_inputs_of_a_label(layer):
    features, labels, means, *_ = layer
    for label in range(N_LABELS):
        expected = features[labels == label].mean(0).view(len(means), -1)  # (filter, position)
        np.testing.assert_allclose(means[:, label], expected, rtol=1e-6)


def test_a_field_is_what_is_left_when_all_other_filters_are_silenced(layer):
    features, labels, means, weights, probe = layer
    fields = fields_from_factors(means, weights)
    positions = means.shape[2]
    weight = probe.weight.detach().double()
    for chosen in (0, len(means) // 2, len(means) - 1):
        silenced = torch.zeros_like(weight)
        aperture = slice(chosen * positions, (chosen + 1) * positions)
        silenced[:, aperture] = weight[:, aperture]
        outputs = features @ silenced.T  # (input, output_label)
        expected = np.stack([outputs[labels == label].mean(0) for label in range(N_LABELS)])
        np.testing.assert_allclose(fields[chosen], expected, rtol=1e-5, atol=1e-8)


def test_the_fields_of_all_filters_add_up_to_the_probes_output(layer):
    features, labels, means, weights, probe = layer
    outputs = features @ probe.weight.detach().double().T
    expected = np.stack([outputs[labels == label].mean(0) for label in range(N_LABELS)])
    total = fields_from_factors(means, weights).sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-6)


def test_a_field_matrix_has_at_most_as_high_a_rank_as_its_filter_has_positions(layer):
    _, _, means, weights, _ = layer
    fields = fields_from_factors(means, weights)
    ranks = np.linalg.matrix_rank(fields.astype(np.float64), rtol=1e-5)
    assert ranks.max() <= min(means.shape[2], N_LABELS)


def test_by_filter_keeps_each_position_with_its_filter():
    per_label = np.arange(2 * 6, dtype=np.float32).reshape(2, 6)  # 3 filters of 2 positions
    assert by_filter(per_label, 3).tolist() == [[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]


def test_a_label_without_inputs_has_no_class_mean():
    with pytest.raises(ValueError, match="label 2 has no inputs"):
        class_means(torch.zeros(3, 4), torch.tensor([0, 1, 3]), 4, 2)
