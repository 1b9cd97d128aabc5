"""--pool, on any network."""

from typing import Any

import pytest

from precompute.messages.problem import Problem
from precompute.networks.choose import tap_shapes_of
from precompute.networks.models import find_arch
from precompute.networks.pooling import parse_pool
from precompute.options import Options, output_path, parse


def shapes(arch: str, pool: str | None, **more: Any) -> dict[str, tuple[int, int, int]]:
    found = find_arch(Options(arch=arch, data="digits", pool=pool, **more))
    return tap_shapes_of(found, list(found.taps.values()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7x7", ("average", 7)), ("avg:3", ("average", 3)), ("max:2", ("maximum", 2)), ("none", ("average", 1))],
)
def test_what_pool_takes(text, expected):
    assert parse_pool(text) == expected


@pytest.mark.parametrize("text", ["", "5x5", "avg", "avg:0", "max:-1", "min:2", "7"])
def test_other_pooling_is_refused(text):
    with pytest.raises(Problem, match=r"--pool .*(expected 7x7|leave the option out)"):
        parse(["--arch", "vgg16", "--pool", text])


def test_the_papers_pooling_on_any_network():
    """Sides as the paper's EfficientNet-B0 has them; what the classifier reads stays as it reads it."""
    found = shapes("timm:resnet18", "7x7")
    assert list(found.values()) == [
        (64, 16, 16), (64, 8, 8), (128, 4, 4), (256, 2, 2), (512, 1, 1), (512, 1, 1)
    ]  # fmt: skip
    assert shapes("vgg16", "7x7")["10"] == (512, 1, 1)  # a window is never larger than what there is


def test_no_pooling_and_windows_of_ones_own():
    assert shapes("timm:resnet18", "none", image_size=64)["act1"] == (64, 32, 32)
    assert shapes("efficientnet_b0", "none", image_size=64)["3"] == (24, 16, 16)
    assert shapes("timm:vit_tiny_patch16_224", "max:2", image_size=64)["blocks.3"] == (192, 1, 5)
    taps = find_arch(Options(arch="timm:resnet18", pool="max:3", image_size=64)).taps
    assert {tap.pooling for layer, tap in taps.items() if layer != "head"} == {"maximum"}


def test_more_positions_than_a_file_holds_are_refused_before_the_run():
    with pytest.raises(Problem, match="--pool none: leaves 300x300 positions in act1"):
        find_arch(Options(arch="timm:resnet18", pool="none", image_size=600))


def test_a_result_with_other_pooling_has_another_name():
    assert output_path(Options(pool="avg:2")) != output_path(Options())
    assert Options(pool="7x7").recipe_options()["pool"] == "7x7"
