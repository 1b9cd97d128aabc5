"""The taps of any network: at the ends of its stages and before its classifier, or where a person says."""

import difflib
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from precompute.messages.problem import Problem, one_line
from precompute.networks import attention
from precompute.networks.arch import Arch
from precompute.networks.calls import Call, trace
from precompute.networks.main_path import Looked, Place
from precompute.networks.stages import End, stage_ends
from precompute.networks.taps import HEAD, Tap, tap_shapes
from store.file.format import LAYER_NAME

_T = TypeVar("_T")
MAX_SIDE = 16  # "sampled by 7x7 average pooling" leaves the paper's widest filters 16x16; others get no more either
MAX_SIDE_OF_HEADS = 4  # each position of a head holds all of its nodes


def choose(
    arch: Arch,
    own_size: Arch,
    modules: tuple[str, ...],
    unit: str | None,
    hints: Callable[[nn.Module], tuple[str, ...]],
) -> tuple[list[Tap], list[str]]:
    """All taps, from input to output, pooled, and the layers that are probed by default. Raises Problem.

    By default they are the stages' ends, looked for in images of the size that the network is for (`own_size`), so
    that they do not depend on the images; hints: the modules that its library says its stages end with.
    """
    at_own_size = look(own_size)
    looked = at_own_size if arch.side == own_size.side else look(arch)
    return in_a_pass(arch.name, looked, at_own_size, modules, unit, hints(at_own_size.network))


def in_a_pass(
    name: str, looked: Looked, at_own_size: Looked, modules: tuple[str, ...], unit: str | None, hints: tuple[str, ...]
) -> tuple[list[Tap], list[str]]:
    """The same, of a network that a pass has gone through. Raises Problem."""
    ends = stage_ends(at_own_size, hints)
    if modules:
        taps = [_named(looked, path, unit) for path in dict.fromkeys(modules) if path != HEAD]
    else:
        found = _head_ends(name, at_own_size, ends) if unit == "head" else ends
        taps = [_tap(looked, end) for end in found]
    taps.sort(key=lambda tap: _ended(looked, tap))
    filters = [tap.module for tap in taps if tap.unit == "filter"]
    if unit == "node" and filters:
        raise Problem(f"--unit node: the units of {name} are filters in {', '.join(filters)}; leave it out")
    last = taps[-1].unit if taps else "node"
    taps.append(classifier_input(looked, "filter" if last == "filter" else "node"))
    default = [tap.layer for tap in taps[:-1]]
    is_read = bool(ends) and unit != "head" and reads(at_own_size, ends[-1].place)
    if HEAD in modules or not (modules or is_read):
        default.append(HEAD)
    sizes, largest = shapes_in(looked, taps), MAX_SIDE_OF_HEADS if unit == "head" else MAX_SIDE
    return [replace(tap, pool=_window(tap, sizes[tap.layer], largest)) for tap in taps], default


def shapes_in(looked: Looked, taps: list[Tap]) -> dict[str, tuple[int, int, int]]:
    """(units, height, width) of each tap, from what a pass left."""
    shapes = {}
    for tap in taps:
        calls = [looked.ran(path) for path in tap.classifiers or (tap.module,)]
        if tap.classifiers:
            units = tap.read_by_classifiers([call.inputs[0] for call in calls])
        else:
            units = tap.units(calls[0].inputs[0] if tap.heads else calls[0].outputs[tap.part])
        shapes[tap.layer] = (units.shape[1], units.shape[2], units.shape[3])
    return shapes


# ---- Looking ---------------------------------------------------------------------------------------------------------


def look(arch: Arch) -> Looked:
    """One pass: without memory behind the weights where the network allows it, else on the CPU. Raises Problem."""
    network = on_meta(arch)
    try:
        return Looked(network, trace(network, arch.side), arch.output)
    except Exception:  # there is nothing that a network may not raise; some ask for values, which are not there
        pass
    return _run(arch, lambda: Looked(built := arch.build(2), trace(built, arch.side), arch.output))


def tap_shapes_of(arch: Arch, taps: list[Tap]) -> dict[str, tuple[int, int, int]]:
    """(units, height, width) of each tap, found without memory behind the weights where that goes. Raises Problem."""
    shape = (3, arch.side, arch.side)
    try:
        return tap_shapes(on_meta(arch), taps, shape)
    except Problem:
        raise
    except Exception:  # as above
        return _run(arch, lambda: tap_shapes(arch.build(2), taps, shape))


def on_meta(arch: Arch) -> nn.Module:
    """Raises Problem."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return arch.on_meta()
    except Exception as error:  # there is nothing that a network may not raise
        raise Problem(
            f"--arch {arch.name}: cannot be built for {arch.side}x{arch.side} images: {one_line(error)}"
        ) from error


def _run(arch: Arch, task: Callable[[], _T]) -> _T:
    try:
        with warnings.catch_warnings(action="ignore"):
            return task()
    except Exception as error:  # there is nothing that a network may not raise
        raise Problem(
            f"--arch {arch.name} on {arch.side}x{arch.side} images: {one_line(error)}; "
            "another --image-size or other --taps may do"
        ) from error


# ---- The classifier's input ------------------------------------------------------------------------------------------


def classifier_input(looked: Looked, unit: str) -> Tap:
    """The layer `head`: what the classifiers are given, each tensor once. Raises Problem."""
    given: dict[str, torch.Tensor] = {}
    for path in looked.outputs:
        call = looked.call_of(path)
        if call is None or not call.inputs:
            raise Problem(f"{path} should give the network's outputs, but no pass goes through it")
        if not any(call.inputs[0] is one for one in given.values()):
            given[path] = call.inputs[0]
    first = next(iter(given))
    is_convolution = isinstance(looked.network.get_submodule(first), nn.Conv2d)
    return Tap(
        HEAD,
        first,
        unit,
        "filters first" if is_convolution else "filters last",
        classifiers=tuple(given),
        kind="classifier's input",
        why=f"what {', '.join(given)} {'reads' if len(given) == 1 else 'read'}",
    )


def reads(looked: Looked, last: Place) -> bool:
    """Whether the classifier reads the units of this place, with nothing but pooling between them."""
    return not looked.learns_after(last.call)


# ---- One tap ---------------------------------------------------------------------------------------------------------


def _tap(looked: Looked, end: End) -> Tap:
    """A tap at an end, which was perhaps found in images of another size."""
    call = looked.ran(end.place.call.path)  # the same modules run, whatever the images' size
    if end.kind == "heads":
        return _of_heads(looked, call, end.why)
    layer = f"{call.path}-{end.place.number + 1}" if end.place.number else call.path
    tap = _laid_out(looked, call, end.place.part, call.path)
    return replace(tap, layer=_layer_name(layer), kind=end.kind, why=end.why)


def _laid_out(looked: Looked, call: Call, part: int, path: str) -> Tap:
    shape = tuple(call.outputs[part].shape)
    grid = looked.grid(shape)
    assert grid is not None, "only what has a grid is chosen"
    unit = "filter" if grid.layout.startswith("filters") else "node"
    order = _order(looked.network, shape[1]) if grid.layout == "tokens" else ()
    return Tap(path, path, unit, grid.layout, prefix=grid.prefix, part=part, order=order)


def _order(network: Any, tokens: int) -> tuple[int, ...]:
    """Place in the image -> token, where a network has its tokens in another order, as Hiera does; else nothing."""
    reroll = getattr(network, "reroll", None)
    for block, (_, size) in getattr(reroll, "schedule", {}).items():
        if math.prod(size) == tokens:
            rolled = network.reroll(torch.arange(tokens, device="cpu").view(1, -1, 1), block)
            return tuple(rolled.flatten().tolist())
    return ()


def _named(looked: Looked, path: str, unit: str | None) -> Tap:
    """A tap on a module that a person names. Raises Problem."""
    call = _find(looked, path)
    if unit == "head":
        return _of_heads(looked, call, "named with --taps")
    if path in looked.outputs:
        raise Problem(f"--taps {path}: gives the network's outputs; what it is given is the layer {HEAD}")
    part = looked.first_part(call)
    if part is None:
        raise Problem(f"--taps {path}: {_why_not(looked, call)}")
    return replace(_laid_out(looked, call, part, path), layer=_layer_name(path), kind="named", why="named with --taps")


def _why_not(looked: Looked, call: Call) -> str:
    if not call.outputs:
        return "gives no tensor; name another module"
    shape = tuple(call.outputs[0].shape)
    if shape and shape[0] % looked.batch == 0 and shape[0] > looked.batch:
        return f"works on parts of an image, {shape[0] // looked.batch} at once; name a module around it"
    return f"gives an output of shape {shape}, neither filters nor tokens of a batch of images; name another module"


def _find(looked: Looked, path: str) -> Call:
    """The call of a module that a person names. Raises Problem."""
    paths = [name for name, _ in looked.network.named_modules()]
    if path not in paths:
        close = difflib.get_close_matches(path, paths, 3)
        raise Problem(f"--taps {path}: no such module" + (f"; do you mean {', '.join(close)}?" if close else ""))
    call = looked.call_of(path)
    if call is None:
        raise Problem(f"--taps {path}: is not passed when the network runs")
    return call


def _layer_name(layer: str) -> str:
    if not LAYER_NAME.fullmatch(layer):
        raise Problem(f"--taps {layer!r}: cannot be a layer's name in a file")
    return layer


def _ended(looked: Looked, tap: Tap) -> tuple[int, int]:
    call = looked.call_of(tap.module)
    return (call.end if call is not None else 0, tap.part)


# ---- Heads and pooling -----------------------------------------------------------------------------------------------


def _head_ends(name: str, looked: Looked, ends: list[End]) -> list[End]:
    """Raises Problem where no attention's heads can be told apart."""
    found = attention.head_ends(looked, ends)
    if not found:
        what = f"{name} has no attention whose heads can be told apart"
        raise Problem(f"--unit head: {what}; {attention.SUPPORTED}. Leave it out")
    return found


def _of_heads(looked: Looked, call: Call, why: str) -> Tap:
    found = attention.heads_of(looked, call)
    if found is None:
        near = [one.path for one in looked.root.walk() if attention.heads_of(looked, one)]
        raise Problem(
            f"--taps {call.path}: with --unit head, name projections of attention"
            + (f", such as {near[0]}" if near else f"; {attention.SUPPORTED}")
        )
    shape, path = tuple(call.inputs[0].shape), _layer_name(call.path)
    order = found.order or (_order(looked.network, shape[1]) if found.layout == "tokens" else ())
    tap = Tap(path, path, "head", found.layout, prefix=found.prefix, heads=found.number, order=order)
    return replace(tap, windows=found.windows, kind="heads", why=why)


def _window(tap: Tap, shape: tuple[int, int, int], largest: int) -> int:
    """The pooling window that brings a unit to at most `largest` x `largest` positions."""
    side = grid_side(tap, shape)
    return math.ceil(side / largest) if side else 1


def grid_side(tap: Tap, shape: tuple[int, int, int]) -> int:
    """The side of the grid of a unit of this shape, which is not pooled yet; 0 where it has none to pool over."""
    if tap.classifiers or tap.layout == "vector":
        return 0
    if not tap.heads and tap.layout != "tokens":
        return max(shape[1:])
    tokens = (shape[1] if tap.heads else shape[1] * shape[2]) - tap.prefix
    side = math.isqrt(max(tokens, 0))
    return side if side**2 == tokens else 0
