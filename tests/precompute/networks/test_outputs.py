"""Classifiers are found by a pass, and exchanged by their paths."""

from typing import Any

import pytest
import torch
from torch import nn

from precompute.messages.problem import Problem
from precompute.networks.calls import trace
from precompute.networks.outputs import find_outputs, n_outputs, with_new_outputs, with_state, without_bias


class Backwards(nn.Module):
    """Its classifier is defined first and runs last."""

    def __init__(self, n_labels: int, width: int = 4) -> None:
        super().__init__()
        self.classifier = nn.Linear(width, n_labels)
        self.conv = nn.Conv2d(3, width, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        fields: torch.Tensor = self.classifier(self.conv(images).mean((2, 3)))
        return fields.softmax(1)


def test_the_classifier_is_the_last_layer_that_runs():
    assert find_outputs("own", trace(Backwards(2), 8)) == ("classifier",)


@pytest.mark.parametrize(
    ("network", "what"),
    [
        (Backwards(7), "classifier, has 7 outputs where it was made for 2"),
        (nn.BatchNorm2d(3), "no linear layer or convolution"),
    ],
)
def test_what_is_no_classifier_is_said(network, what):
    with pytest.raises(Problem, match=what):
        find_outputs("own", trace(network, 8))


def test_outputs_of_another_number_of_labels():
    network: Any = with_new_outputs(Backwards(5), Backwards(3), ("classifier",))
    assert n_outputs(network, ("classifier",)) == 3
    assert network.eval()(torch.rand(1, 3, 8, 8)).shape == (1, 3)


def test_a_state_brings_all_but_the_classifier():
    source, own = Backwards(5), Backwards(3)
    classifier = own.classifier.weight.clone()
    network: Any = with_state(own, source.state_dict(), ("classifier",), as_it_is=True)
    assert torch.equal(network.conv.weight, source.conv.weight)
    assert torch.equal(network.classifier.weight, classifier), "5 outputs have no place among 3"


@pytest.mark.parametrize("as_it_is", [True, False])
def test_a_state_brings_the_classifier_and_its_bias_where_the_network_is_taken_as_it_is(as_it_is):
    source = Backwards(3)
    network: Any = with_state(
        without_bias(Backwards(3), ("classifier",)), source.state_dict(), ("classifier",), as_it_is
    )
    assert torch.equal(network.classifier.weight, source.classifier.weight) is as_it_is
    assert (network.classifier.bias is not None) is as_it_is


def test_a_state_that_lacks_a_weight_is_refused():
    state = {name: value for name, value in Backwards(3).state_dict().items() if name != "conv.bias"}
    with pytest.raises(RuntimeError, match=r"conv\.bias"):
        with_state(Backwards(3), state, ("classifier",), as_it_is=False)
