"""Networks, and the table: the paper's layer -> the module that is tapped.

The paper's VGG-16 is ours (`vgg16`); its EfficientNet-B0 is timm's (`efficientnets`), as are those of
timm:NAME; torchvision:NAME, hf:REPO and FILE.py:NAME have a module each.
"""

from precompute.messages.problem import Problem
from precompute.networks import vgg16
from precompute.networks.arch import Arch
from precompute.networks.pooling import with_pool
from precompute.networks.taps import Tap
from precompute.options import Options


def find_arch(options: Options) -> Arch:
    """The network of --arch, its taps pooled as asked for. Raises Problem."""
    return with_pool(_find(options), options.pool)


def _find(options: Options) -> Arch:
    if options.arch == "vgg16":
        if options.image_size not in (None, vgg16.SIDE):
            raise Problem(
                f"--image-size {options.image_size}: vgg16 is for {vgg16.SIDE}; --arch timm:vgg16_bn takes more"
            )
        if options.taps or options.unit:
            raise Problem(
                "--taps and --unit are for networks such as timm:vgg16_bn; vgg16's layers are named with --layers"
            )
        # "divided by the maximal pixel value, 255, multiplied by 2, and subtracted by 1" (supplement)
        half = (0.5, 0.5, 0.5)
        return Arch("vgg16", vgg16.VGG16, vgg16.taps(), vgg16.PAPER_LAYERS, vgg16.SIDE, ("output",), half, half)
    # Late: the libraries take seconds to import.
    if options.arch_kind == "file":
        from precompute.networks.own_file import own_file

        return own_file(options)
    if options.arch_kind == "torchvision":
        from precompute.networks.torchvision_models import torchvision_network

        return torchvision_network(options)
    if options.arch_kind == "hf":
        from precompute.networks.hf_models import hub_network

        return hub_network(options)
    if options.arch_kind == "timm":
        from precompute.networks.timm_models import any_network

        return any_network(options)
    from precompute.networks.efficientnets import efficientnet

    return efficientnet(options)


def choose_taps(arch: Arch, layers: tuple[str, ...]) -> list[Tap]:
    """The taps of the layers asked for (none: the arch's), from input to output. Raises Problem."""
    wanted = layers or arch.layers
    unknown = [layer for layer in wanted if layer not in arch.taps]
    if unknown:
        raise Problem(
            f"--layers {' '.join(unknown)}: {arch.name} has layers {', '.join(arch.taps)}; "
            f"taken by default are {', '.join(arch.layers)}"
        )
    return [tap for layer, tap in arch.taps.items() if layer in wanted]


def choose_layers(option: str, layers: tuple[str, ...], taps: list[Tap]) -> tuple[str, ...]:
    """The layers that an option names, `all` standing for every one that is probed. Raises Problem."""
    probed = tuple(tap.layer for tap in taps)
    if layers == ("all",):
        return probed
    unknown = [layer for layer in layers if layer not in probed]
    if unknown:
        raise Problem(f"--{option} {' '.join(unknown)}: not probed in this run; its layers are {', '.join(probed)}")
    return layers
