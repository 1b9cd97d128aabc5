"""VGG-16, its taps against the paper's tables, and tapping itself."""

import pytest
import torch

from precompute.messages.problem import Problem
from precompute.networks.models import choose_layers, choose_taps, find_arch
from precompute.networks.taps import tap_shapes, watch
from precompute.options import Options
from store.paper.published import published

VGG16 = find_arch(Options(arch="vgg16"))


@pytest.fixture(scope="module")
def network():
    return VGG16.build(100)


def test_filters_sizes_and_probe_inputs_are_those_of_the_papers_tables(network):
    shapes = tap_shapes(network, choose_taps(VGG16, ()), (3, 32, 32))
    assert list(shapes) == ["2", "4", "7", "10", "13"]
    for layer, (n_filters, height, width) in shapes.items():
        row = published("vgg16", "cifar100", 100, layer)
        assert (n_filters, height, width) == (row.n_filters, row.filter_side, row.filter_side)
        assert n_filters * height * width == row.fc_size


def test_thirteen_convolutional_layers_and_three_fully_connected_ones_the_last_without_bias(network):
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    connected = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    assert (len(convolutions), len(connected)) == (13, 3)
    assert connected[-1].bias is None
    assert connected[-1].out_features == 100


def test_every_convolutional_layer_can_be_tapped_after_its_relu_or_its_pooling(network):
    taps = choose_taps(VGG16, tuple(map(str, range(1, 14))))
    images = torch.randn(2, 3, 32, 32)
    network.eval()
    with torch.no_grad(), watch(network, taps) as seen:
        network(images)
    assert list(seen) == [tap.layer for tap in taps]
    for tap in taps:
        assert seen[tap.layer].min() >= 0, f"layer {tap.layer} is tapped before its ReLU"
    # Layer 3 is the ReLU of the third convolution; layer 2 has been pooled.
    assert seen["3"].shape == (2, 128, 16, 16)
    assert seen["2"].shape == (2, 64, 16, 16)


def test_watching_ends_with_its_block(network):
    with watch(network, choose_taps(VGG16, ("10",))) as seen:
        pass
    network(torch.zeros(2, 3, 32, 32))
    assert seen == {}


def test_layers_come_in_network_order_however_they_are_asked_for():
    assert [tap.layer for tap in choose_taps(VGG16, ("13", "2", "10"))] == ["2", "10", "13"]


def test_unknown_layers_are_named():
    with pytest.raises(Problem, match="14 x: vgg16 has layers 1, 2"):
        choose_taps(VGG16, ("14", "2", "x"))
    with pytest.raises(Problem, match="--features 7: not probed"):
        choose_layers("features", ("7",), choose_taps(VGG16, ("10", "13")))
    assert choose_layers("features", ("all",), choose_taps(VGG16, ("10", "13"))) == ("10", "13")


def test_a_seed_gives_one_network():
    first, again, other = VGG16.build(10, 3), VGG16.build(10, 3), VGG16.build(10, 4)
    weights = [next(network.parameters()) for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
