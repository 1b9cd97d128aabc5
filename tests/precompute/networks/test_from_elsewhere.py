"""A network from elsewhere is a builder from the number of labels: the rest is found by a pass."""

from typing import Any

import torch
from torch import nn

from precompute.networks.from_elsewhere import Source, tapped
from precompute.options import Options


def build(n_labels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, n_labels)
    )


def test_what_loads_weights_gives_outputs_for_as_many_labels_as_there_are():
    published = build(10)
    source = Source(lambda _side: build, 16, load=lambda _side, _n_labels, _outputs: published)
    arch = tapped("own", source, Options())
    assert arch.pretrained is not None
    network: Any = arch.pretrained(4, None, False)
    assert network(torch.rand(2, 3, 16, 16)).shape == (2, 4)
    assert network[0] is published[0]
    assert network[4].bias is None


def test_a_state_dict_takes_the_place_of_the_hubs_weights():
    published = build(4)
    source = Source(lambda _side: build, 16, load=lambda *_: None)
    network = tapped("own", source, Options()).pretrained(4, published.state_dict(), True)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in published.state_dict().items())
