"""The paper's EfficientNet-B0 and its kin whose ImageNet weights come as packages, each with the paper's stages."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, cast

from torch import nn

from precompute.messages.problem import Problem
from precompute.networks import choose
from precompute.networks.arch import Arch
from precompute.networks.packages import LITE, Package
from precompute.networks.taps import HEAD, Tap
from precompute.networks.timm_models import timm_arch
from precompute.options import Options


class Kin(NamedTuple):
    """A network of the family: its name in timm, and the package that its weights come in."""

    timm: str
    package: Package | None = None


# EfficientNet-Lite is EfficientNet without squeeze-and-excitation, with ReLU6, and with the same stages.
FAMILY = {
    "efficientnet_b0": Kin("efficientnet_b0"),
    **{f"efficientnet_lite{k}": Kin(f"tf_efficientnet_lite{k}", package) for k, package in enumerate(LITE)},
}

# The paper's stages: the stem, seven stages of blocks, the last convolution. (timm's `features_only` taps before some
# of them, where other widths are.)
_STAGES = {"1": "bn1"} | {str(k + 2): f"blocks.{k}" for k in range(7)} | {"9": "bn2"}
_STRIDE_2 = ("1", "3", "4", "5", "7", "9")  # "the end of the stages with stride-2"
_POOL = 7  # "first sampled by 7x7 average pooling as built-in in stage 9"


def efficientnet(options: Options) -> Arch:
    """The paper's second network, or one of its kin. Raises Problem."""
    kin = FAMILY[options.arch]
    if options.taps or options.unit:
        raise Problem(f"--taps and --unit: {options.arch}'s stages are named with --layers; or --arch timm:{kin.timm}")
    arch = replace(timm_arch(kin.timm, options.image_size), name=options.arch, package=kin.package)
    depths = _depths(options.depths, arch)
    if depths:
        assert arch.pretrained is not None
        arch = replace(
            arch,
            module=partial(_shallower, depths, arch.module),
            pretrained=partial(_shallower, depths, arch.pretrained),
        )
    without_9 = depths.get("9") == 0
    raw = [
        Tap(stage, module, kind="stage end", why=f"the paper's stage {stage}")
        for stage, module in _STAGES.items()
        if not (without_9 and stage == "9")
    ]
    sides = {stage: shape[1] for stage, shape in choose.tap_shapes_of(arch, raw).items()}
    taps = {tap.layer: replace(tap, pool=min(_POOL, sides[tap.layer])) for tap in raw}
    taps[HEAD] = choose.classifier_input(choose.look(arch), "filter")
    # "the images were normalized by subtracting the average value of each color and dividing by its standard
    # deviation. This varies by the size of the training set that was used"
    stages = (*_STRIDE_2[:-1], "8") if without_9 else _STRIDE_2
    assert arch.pixel_mean is not None and arch.pixel_std is not None, "timm says them of every network"
    own = (arch.pixel_mean, arch.pixel_std)
    return replace(arch, taps=taps, layers=stages, pixel_mean=None, pixel_std=None, own_scaling=own, warps=True)


def _depths(text: str | None, arch: Arch) -> dict[str, int]:
    """ "3:1,4:1" -> how many layers are left of which stages. Raises Problem."""
    if text is None:
        return {}
    there = {str(k + 2): len(stage) for k, stage in enumerate(cast(Any, arch.on_meta()).blocks)}
    lengths = " ".join(map(str, there.values()))
    depths = {}
    for part in text.split(","):
        stage, _, left = part.partition(":")
        most = there.get(stage, 0)
        if not (left == "0" and stage == "9") and not (left.isascii() and left.isdigit() and 1 <= int(left) <= most):
            raise Problem(
                f"--depths {part}: expected STAGE:LAYERS, where stages 2 to 8 have {lengths} layers of which at "
                "least one stays, or 9:0, which leaves out stage 9"
            )
        if stage in depths:
            raise Problem(f"--depths {text}: stage {stage} is named twice")
        depths[stage] = int(left)
    return depths


def _shallower(depths: dict[str, int], build: Callable[..., nn.Module], n_labels: int, *more: Any) -> nn.Module:
    """The network with so many layers left in a stage, whatever the first ones' weights are ("Discussion")."""
    network: Any = build(n_labels, *more)
    for stage, left in depths.items():
        if stage == "9":
            network.classifier = nn.Linear(network.conv_head.in_channels, n_labels, bias=False)
            network.conv_head, network.bn2 = nn.Identity(), nn.Identity()
        else:
            network.blocks[int(stage) - 2] = nn.Sequential(*list(network.blocks[int(stage) - 2])[:left])
    return cast(nn.Module, network)
