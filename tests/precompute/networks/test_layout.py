"""Where a tensor has its units and positions, from its shape."""

import pytest
from torch import nn

from precompute.networks.layout import Grid, grid_of


@pytest.mark.parametrize(
    ("shape", "grid"),
    [
        ((2, 64, 7, 7), Grid("filters first", 64, 7)),
        ((2, 7, 7, 64), Grid("filters last", 64, 7)),
        ((2, 64, 1, 1), Grid("filters first", 64, 1)),
        ((2, 7, 7, 7), Grid("filters first", 7, 7)),
        ((2, 49, 64), Grid("tokens", 64, 7)),
        ((2, 50, 64), Grid("tokens", 64, 7, 1)),
        ((2, 51, 64), Grid("tokens", 64, 7, 2)),
        ((2, 30, 64), Grid("tokens", 64, 0)),  # in no square
        ((2, 64), Grid("vector", 64, 1)),
        ((8, 49, 64), None),  # four windows of each image
        ((2, 16, 49, 64), None),
        ((), None),
    ],
)
def test_a_shape_tells_the_layout(shape, grid):
    assert grid_of(shape, nn.Identity(), 2) == grid


def test_a_network_that_says_how_many_tokens_come_first_is_believed():
    network = nn.Identity()
    setattr(network, "num_prefix_tokens", 5)  # noqa: B010  (an attribute that nn.Module does not declare)
    assert grid_of((2, 5 + 256, 8), network, 2) == Grid("tokens", 8, 16, 5)
    assert grid_of((2, 256, 8), network, 2) == Grid("tokens", 8, 16)  # before they are added
