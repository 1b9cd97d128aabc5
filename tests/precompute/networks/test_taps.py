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
    units = Tap("x", "x", "head", "tokens", heads=3).units(seen)
    assert units.shape == (2, 3, 9, 4)
    assert torch.equal(units[1, 2], seen[1, :, 8:12])


def test_heads_of_filters_and_of_windows_come_in_the_images_order():
    tokens = torch.randn(2, 16, 6)  # 4x4 positions; 2 heads of 3 nodes
    expected = Tap("x", "x", "head", "tokens", heads=2).units(tokens)
    images = tokens.transpose(1, 2).reshape(2, 6, 4, 4)
    assert torch.equal(Tap("x", "x", "head", "filters first", heads=2).units(images), expected)
    assert torch.equal(Tap("x", "x", "head", "filters last", heads=2).units(images.permute(0, 2, 3, 1)), expected)
    windows = images.reshape(2, 6, 2, 2, 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(8, 4, 6)  # four of 2x2 an image
    order = (0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15)
    tap = Tap("x", "x", "head", "tokens", heads=2, windows=4, order=order)
    assert torch.equal(tap.units(windows), expected)


def test_tokens_in_another_order_are_brought_into_the_images():
    seen = torch.randn(2, 4, 3)
    units = Tap("x", "x", "node", "tokens", order=(0, 2, 1, 3)).units(seen)
    assert torch.equal(units.flatten(2), seen[:, [0, 2, 1, 3]].transpose(1, 2))


def test_the_largest_of_a_window_may_be_taken():
    seen = torch.arange(32.0).view(1, 2, 4, 4)
    assert Tap("x", "x", pool=2, pooling="maximum").units(seen).tolist() == [[[[5, 7], [13, 15]], [[21, 23], [29, 31]]]]


def test_a_vector_has_one_position():
    seen = torch.randn(2, 5)
    assert torch.equal(Tap("x", "x", "node", "vector").units(seen)[:, :, 0, 0], seen)


class Classified(nn.Module):
    """Two classifiers, the outputs' mean; what they read is of several kinds."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(first, 2), nn.Linear(second, 2)

    def forward(self, inputs: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (self.first(inputs[0]) + self.second(inputs[1]).mean(tuple(range(1, inputs[1].ndim - 1)))) / 2


@pytest.mark.parametrize(
    ("first", "second", "shape"),
    [
        ((3, 4), (3, 4), (3, 4, 1, 2)),  # as a distilled transformer's: two positions of the same units
        ((3, 4), (3, 9, 4), (3, 4, 1, 10)),  # a class token and tokens
        ((3, 4), (3, 6), (3, 10, 1, 1)),  # units of their own
    ],
)
def test_what_several_classifiers_read_is_put_together(first, second, shape):
    inputs = torch.randn(first), torch.randn(second)
    network = Classified(first[-1], second[-1])
    tap = Tap("head", "first", "node", "filters last", classifiers=("first", "second"))
    with torch.no_grad(), watch(network, [tap]) as seen:
        network(inputs)
    assert seen["head"].shape == shape
    everything = torch.cat([one.flatten() for one in inputs])
    assert torch.equal(seen["head"].flatten().sort().values, everything.sort().values)
    assert torch.equal(seen["head"][:, : first[1], 0, 0], inputs[0])


def test_of_a_module_that_gives_several_tensors_one_is_tapped():
    class Both(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            return images + 1, {"more": images + 2}

    images = torch.zeros(1, 3, 2, 2)
    with watch(network := nn.Sequential(Both()), [Tap("a", "0"), Tap("b", "0", part=1)]) as seen:
        network(images)
    assert torch.equal(seen["a"], images + 1)
    assert torch.equal(seen["b"], images + 2)


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


@pytest.mark.parametrize(
    ("layout", "heads", "shape"),
    [
        ("filters first", 0, (2, 4, 4, 4)), ("filters last", 0, (2, 4, 4, 4)), ("tokens", 0, (2, 4, 4)),
        ("tokens", 2, (2, 4, 4)), ("vector", 0, (2, 4)),
    ],
)  # fmt: skip
def test_a_tap_never_aliases_the_networks_memory(layout, heads, shape):
    seen = torch.randn(shape)
    units = Tap("x", "x", layout=layout, heads=heads).units(seen)
    before = units.clone()
    seen.zero_()
    assert torch.equal(units, before)
