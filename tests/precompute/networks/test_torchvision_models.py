"""--arch torchvision:NAME."""

from typing import Any

import pytest
import torch
from torchvision import models

from precompute.messages.problem import Problem
from precompute.networks.models import choose_taps, find_arch
from precompute.options import Options

TAPPED = {  # name -> units of the last tap, path of the classifier
    "resnet18": (512, "fc"),
    "vgg11": (4096, "classifier.6"),
    "squeezenet1_1": (512, "classifier.1"),
    "vit_b_16": (768, "heads.head"),
    "googlenet": (1024, "fc"),
    "maxvit_t": (512, "classifier.5"),
}


@pytest.mark.parametrize("name", TAPPED)
def test_torchvisions_networks_are_tapped_up_to_what_the_classifier_reads(name):
    from precompute.networks import choose

    arch = find_arch(Options(arch=f"torchvision:{name}"))
    taps = choose_taps(arch, ())
    n_units = choose.tap_shapes_of(arch, taps)[taps[-1].layer][0]
    assert (n_units, *arch.output) == TAPPED[name]
    assert len(taps) > 2
    assert arch.hub.startswith("https://download.pytorch.org/models/")
    assert arch.pixel_mean == (0.485, 0.456, 0.406)


def test_an_image_size_reaches_the_network_that_needs_it():
    arch = find_arch(Options(arch="torchvision:vit_b_32", image_size=64))
    with torch.device("meta"):
        network = arch.module(3)
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_what_there_is_not_is_said():
    with pytest.raises(Problem, match="no such classifier; do you mean resnet18"):
        find_arch(Options(arch="torchvision:resnet17"))
    with pytest.raises(Problem, match="no such classifier"):  # finds objects, and classifies no image
        find_arch(Options(arch="torchvision:fasterrcnn_resnet50_fpn"))


@pytest.mark.parametrize(("n_labels", "as_it_is"), [(1000, True), (1000, False), (3, True), (3, False)])
def test_pretrained_weights_and_their_outputs(monkeypatch, n_labels, as_it_is):
    published = models.resnet18(num_classes=1000)
    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", lambda *_, **__: published.state_dict())
    arch = find_arch(Options(arch="torchvision:resnet18"))
    network: Any = arch.pretrained(n_labels, None, as_it_is)
    assert torch.equal(network.conv1.weight, published.conv1.weight)
    assert network.fc.weight.shape == (n_labels, 512)
    assert (network.fc.bias is not None) is as_it_is
    assert torch.equal(network.fc.weight, published.fc.weight) is (n_labels == 1000)
