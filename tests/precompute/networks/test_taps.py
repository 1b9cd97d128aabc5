"""Reading a module's output as units with positions."""

import pytest
import torch
from torch import nn

from precompute.networks.taps import Tap, tap_shapes, watch


def test_filters_are_pooled_by_averages():
    seen = torch.arange(32.0).view(1, 2, 4, 4)
    units = Tap("x", "x", pool=2).units(seen)
    assert units.tolist() == [[[[2.5, 4.5], [10.5, 12.5]], [[18.5, 20.5], [26.5, 28.5]]]]


def test_a_window_that_does_not_divide_the_side_averages_what_there_is():
    assert Tap("x", "x", pool=2).units(torch.arange(9.0).view(1, 1, 3, 3)).tolist() == [[[[2, 3.5], [6.5, 8]]]]


def test_filters_that_come_last_are_moved_to_the_front():
    seen = torch.randn(2, 4, 6, 3)
    assert torch.equal(Tap("x", "x", layout="filters last").units(seen), seen.permute(0, 3, 1, 2))


def test_a_node_has_a_position_for_each_token():
    seen = torch.randn(2, 9, 5)  # 3x3 tokens, 5 nodes
    units = Tap("x", "x", "node", "tokens").units(seen)
    assert units.shape == (2, 5, 3, 3)
    assert torch.equal(units[1, 4].flatten(), seen[1, :, 4])


def test_a_class_token_stays_beside_the_pooled_grid():
    seen = torch.randn(2, 17, 5)  # a class token and 4x4 tokens
    units = Tap("x", "x", "node", "tokens", pool=2, prefix=1).units(seen)
    assert units.shape == (2, 5, 1, 5)
    assert torch.equal(units[:, :, 0, 0], seen[:, 0])
    first = seen[0, 1:, 2].view(4, 4)[:2, :2].mean()
    torch.testing.assert_close(units[0, 2, 0, 1], first)


def test_tokens_without_a_grid_are_not_pooled():
    assert Tap("x", "x", "node", "tokens", pool=2).units(torch.randn(1, 7, 4)).shape == (1, 4, 1, 7)


def test_a_head_has_its_nodes_at_each_token():
    seen = torch.randn(2, 9, 12)  # 3x3 tokens; 3 heads of 4 nodes
    units = Tap("x", "x", "head", "heads", heads=3).units(seen)
    assert units.shape == (2, 3, 9, 4)
    assert torch.equal(units[1, 2], seen[1, :, 8:12])


class InPlace(nn.Module):
    """What is tapped is overwritten before the pass ends."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.relu(self.conv(images)).mean((2, 3))


def test_a_tap_sees_what_its_module_gave_not_what_became_of_it():
    network = InPlace().eval()
    images = torch.randn(2, 3, 5, 5)
    with torch.no_grad(), watch(network, [Tap("conv", "conv")]) as seen:
        network(images)
        assert torch.equal(seen["conv"], network.conv(images))
    assert seen["conv"].min() < 0


def test_shapes_are_taken_in_evaluation_and_leave_the_mode_as_it_was():
    network = InPlace()
    assert tap_shapes(network, [Tap("conv", "conv", pool=2)], (3, 6, 6)) == {"conv": (4, 3, 3)}
    assert network.training
    assert network.conv.weight.grad is None


@pytest.mark.parametrize("layout", ["filters first", "tokens", "heads"])
def test_a_tap_never_aliases_the_networks_memory(layout):
    seen = torch.randn(2, 4, 4) if layout != "filters first" else torch.randn(2, 4, 4, 4)
    units = Tap("x", "x", layout=layout, heads=2).units(seen)
    before = units.clone()
    seen.zero_()
    assert torch.equal(units, before)
