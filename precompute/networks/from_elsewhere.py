"""Networks from elsewhere, as a person's own file, torchvision and transformers have them.

Each is a builder from the number of labels; where it is tapped, and what gives its outputs, a pass through it shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from precompute.networks import choose
from precompute.networks.arch import Arch, Pixels
from precompute.networks.outputs import find_outputs, n_outputs, with_new_outputs, with_state, without_bias
from precompute.options import Options

Build = Callable[[int], nn.Module]  # number of labels -> network with random weights


@dataclass(frozen=True)
class Source:
    """What a library, or a file, says of its network."""

    build: Callable[[int], Build]  # side of the images -> builder
    own_side: int
    pixel_mean: Pixels | None = None
    pixel_std: Pixels | None = None
    crop: float = 1.0
    hub: str = ""
    hub_labels: int = 0
    hub_names: tuple[str, ...] = ()
    # (side, labels, paths of the classifiers) -> with the hub's weights
    load: Callable[[int, int, tuple[str, ...]], nn.Module] | None = None


def tapped(name: str, source: Source, options: Options) -> Arch:
    """The network, tapped where --taps says or at the ends of its stages. Raises Problem."""
    own_size = _arch(name, source, source.own_side)
    side = options.image_size or source.own_side
    arch = own_size if side == source.own_side else _arch(name, source, side)
    taps, layers = choose.choose(arch, own_size, options.taps, options.unit, lambda _network: ())
    return replace(arch, taps={tap.layer: tap for tap in taps}, layers=tuple(layers))


def _arch(name: str, source: Source, side: int) -> Arch:
    """Not tapped yet. Raises Problem."""
    build = source.build(side)
    raw = Arch(
        name=name,
        module=build,
        taps={},
        layers=(),
        side=side,
        output=(),
        pixel_mean=source.pixel_mean,
        pixel_std=source.pixel_std,
        crop=source.crop,
        hub_labels=source.hub_labels,
        hub_names=source.hub_names,
        hub=source.hub,
    )
    outputs = find_outputs(name, choose.look(raw).root)
    load = None if source.load is None else partial(_loaded, source.load, side, build, outputs)
    return replace(raw, module=partial(_random, build, outputs), output=outputs, pretrained=load)


def _random(build: Build, outputs: tuple[str, ...], n_labels: int) -> nn.Module:
    return without_bias(build(n_labels), outputs)


def _loaded(
    load: Callable[[int, int, tuple[str, ...]], nn.Module],
    side: int,
    build: Build,
    outputs: tuple[str, ...],
    n_labels: int,
    state: dict[str, Tensor] | None,
    as_it_is: bool,
    _n_outputs: int | None = None,
) -> nn.Module:
    """With the hub's weights, or a state dict's (see `Arch.pretrained`)."""
    if state is not None:
        return with_state(_random(build, outputs, n_labels), state, outputs, as_it_is)
    network = load(side, n_labels, outputs)
    if n_outputs(network, outputs) != n_labels:
        network = with_new_outputs(network, build(n_labels), outputs)
    return network if as_it_is else without_bias(network, outputs)
