"""Where the stages of a network end, found by looking at a pass through it."""

import pytest
import torch
from torch import Tensor, nn

from precompute.networks.calls import trace
from precompute.networks.main_path import Looked
from precompute.networks.stages import stage_ends


def layer(ins: int, outs: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(ins, outs, 3, stride, 1), nn.BatchNorm2d(outs), nn.ReLU()]


class Block(nn.Module):
    """Two convolutions and a sum, as a ResNet's; the first one widens, as an inverted bottleneck's."""

    def __init__(self, ins: int, outs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(ins, 4 * ins, 1), nn.ReLU(inplace=True)
        self.conv2, self.bn2 = nn.Conv2d(4 * ins, outs, 3, stride, 1), nn.BatchNorm2d(outs)
        self.shortcut = nn.Conv2d(ins, outs, 1, stride) if stride > 1 or ins != outs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn2(self.conv2(self.act1(self.conv1(x)))) + self.shortcut(x)
        return y


class Residual(nn.Module):
    """A stem with pooling, and two stages of two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.act = layer(3, 8, 2)
        self.pool = nn.MaxPool2d(2)
        self.stages = nn.Sequential(
            nn.Sequential(Block(8, 8), Block(8, 8)), nn.Sequential(Block(8, 12, 2), Block(12, 12))
        )
        self.fc = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.pool(self.act(self.bn(self.conv(x)))))
        fields: Tensor = self.fc(x.mean((2, 3)))
        return fields


class Flat(nn.Sequential):
    """The same blocks in one row, the classifier behind another layer."""

    def __init__(self) -> None:
        blocks = [Block(8, 8, 2), Block(8, 8), Block(8, 12, 2), Block(12, 12)]
        super().__init__(*layer(3, 8), *blocks, *layer(12, 20), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 2))


class Plain(nn.Sequential):
    """A VGG: convolutions, activations and pooling."""

    def __init__(self) -> None:
        layers = [*layer(3, 8), nn.MaxPool2d(2), *layer(8, 8), *layer(8, 12), nn.MaxPool2d(2)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(12 * 16, 16), nn.ReLU(), nn.Linear(16, 2))


class FallsLate(nn.Module):
    """Stages that end with what makes them smaller, as some have it."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(Block(3, 8), Block(8, 8), nn.Conv2d(8, 12, 2, 2))
        self.stage2 = nn.Sequential(Block(12, 12), Block(12, 12))
        self.fc = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        fields: Tensor = self.fc(self.stage2(self.stage1(x)).mean((2, 3)))
        return fields


class TokenBlock(nn.Module):
    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(nodes), nn.Linear(nodes, 2 * nodes), nn.Linear(2 * nodes, nodes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.down(self.up(self.norm(x)).relu())
        return y


class Transformer(nn.Module):
    """Patches, blocks of one size, a final norm."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, 4)
        self.blocks = nn.Sequential(*(TokenBlock(6) for _ in range(3)))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.blocks(self.patches(x).flatten(2).transpose(1, 2)))
        fields: Tensor = self.head(x.mean(1))
        return fields


class TwoGrids(nn.Module):
    """Two grids through the same blocks; one of them the last block hands through."""

    class Both(nn.Module):
        def __init__(self, changes_first: bool) -> None:
            super().__init__()
            self.one = Block(4, 4) if changes_first else nn.Identity()
            self.other = Block(4, 4)

        def forward(self, x: list[Tensor]) -> list[Tensor]:
            return [self.one(x[0]), self.other(x[1])]

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small = nn.Conv2d(3, 4, 2, 2), nn.Conv2d(3, 4, 4, 4)
        self.a, self.b = self.Both(True), self.Both(False)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        grids = self.b(self.a([self.large(x), self.small(x)]))
        fields: Tensor = self.fc(torch.cat([grid.mean((2, 3)) for grid in grids], 1))
        return fields


def look(network: type[nn.Module], output: str) -> Looked:
    with torch.device("meta"):
        built = network()
    return Looked(built, trace(built, 16), (output,))


@pytest.mark.parametrize(
    ("network", "output", "expected"),
    [
        (Residual, "fc", [("act", "before pooling"), ("stages.0", "stage end"), ("stages.1", "stage end")]),
        (Flat, "12", [("2", "stage end"), ("4", "stage end"), ("6", "stage end")]),
        (Plain, "14", [("3", "after pooling"), ("10", "after pooling")]),
        (FallsLate, "fc", [("stage1.1", "stage end"), ("stage2", "stage end")]),
        (Transformer, "head", [("blocks.0", "block"), ("blocks.1", "block"), ("blocks.2", "block")]),
        (TwoGrids, "fc", [("a", "stage end"), ("b", "stage end")]),
    ],
)
def test_stages_end_where_the_size_falls_or_their_container_ends(network, output, expected):
    ends = stage_ends(look(network, output), ())
    assert [(end.place.call.path, end.kind) for end in ends] == expected


def test_of_two_grids_each_has_its_own_end_and_what_is_handed_through_is_none():
    first, second = stage_ends(look(TwoGrids, "fc"), ())
    assert (first.place.part, first.place.grid.side, second.place.part, second.place.grid.side) == (0, 8, 1, 4)


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (("act", "stages.0", "stages.1"), ["act", "stages.0", "stages.1"]),
        (("stages.0", "stages.1"), ["stages.0", "stages.1"]),  # without its stem
        (("stem", "stages.0"), ["act", "stages.0", "stages.1"]),  # names what does not exist: says nothing of a stem
        (("conv", "stages.0.0", "stages.1.0"), ["act", "stages.0", "stages.1"]),  # before norm and act; first blocks
        (("act", "stages.0.1.conv1"), ["act", "stages.0", "stages.1"]),  # inside of a block
        (("stages.0.1", "stages.1.1"), ["stages.0.1", "stages.1.1"]),  # what ends with its container
    ],
)
def test_a_hint_is_taken_where_it_is_right(hints, expected):
    assert [end.place.call.path for end in stage_ends(look(Residual, "fc"), hints)] == expected


def test_a_layer_between_the_last_stage_and_the_classifier_is_seen():
    flat, residual = look(Flat, "12"), look(Residual, "fc")
    assert flat.learns_after(stage_ends(flat, ())[-1].place.call)
    assert not residual.learns_after(stage_ends(residual, ())[-1].place.call)


def test_why_a_place_was_chosen_is_said():
    ends = stage_ends(look(Residual, "fc"), ("conv", "stages.0"))
    assert [end.why for end in ends] == [
        "the last layer of 8x8 positions; timm names conv",
        "the last stage of 4x4 positions, as timm says",
        "the last block of 2x2 positions",
    ]
