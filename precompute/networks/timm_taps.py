"""Where any network of timm's is tapped: at the ends of its stages or where a person says, and how that is laid out."""

import difflib
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from precompute.messages.problem import Problem, one_line
from precompute.networks.arch import Arch
from precompute.networks.taps import Layout, Tap, watch
from store.file.format import LAYER_NAME

MAX_SIDE = 16  # "sampled by 7x7 average pooling" leaves the paper's widest filters 16x16; others get no more either
MAX_SIDE_OF_HEADS = 4  # each position of a head holds all of its nodes


def choose(arch: Arch, modules: tuple[str, ...], unit: str | None) -> list[Tap]:
    """Taps on these modules, by default on the ends of the network's stages, pooled. Raises Problem."""
    network = _on_meta(arch)
    is_transformer = hasattr(network, "blocks") and any(
        path.endswith("attn.proj") for path, _ in network.named_modules()
    )
    name = arch.name.removeprefix("timm:")
    if unit == "head" and not is_transformer:
        raise Problem(f"--unit head: {name} is no transformer of blocks with attention")
    raw = _taps_on(arch, network, modules, unit) if modules else _default_taps(arch, network, unit)
    others = [tap.module for tap in raw if tap.unit == "filter"]
    if unit == "node" and others:
        raise Problem(f"--unit node: the units of {name} are filters in {', '.join(others)}; leave it out")
    sizes, largest = shapes(arch, raw), MAX_SIDE_OF_HEADS if unit == "head" else MAX_SIDE
    return [replace(tap, pool=_window(tap, sizes[tap.layer], largest)) for tap in raw]


def _default_taps(arch: Arch, network: nn.Module, unit: str | None) -> list[Tap]:
    """At the ends of the stages, or of a transformer's blocks, as timm tells them one way or the other."""
    refused: Problem | None = None
    for ends in (_of_feature_info, _of_intermediates):
        modules = ends(arch, network)
        if unit == "head":
            modules = tuple(f"{module}.attn.proj" for module in modules)
        if not modules:
            continue
        try:
            return _taps_on(arch, network, modules, unit)
        except Problem as problem:
            if not str(problem).startswith("--taps "):
                raise
            refused = refused or problem
    if refused is None:
        top = [path for path, _ in network.named_children()]
        raise Problem(
            f"--arch {arch.name}: timm does not say where its stages end; name modules with --taps. The uppermost are "
            f"{', '.join(top)}"
        )
    what = str(refused).removeprefix("--taps ")
    hint = "" if "--taps" in what else "; name others with --taps"
    raise Problem(f"--arch {arch.name}: of what timm says that its stages end with, {what}{hint}") from refused


def _of_feature_info(_arch: Arch, network: nn.Module) -> tuple[str, ...]:
    """The modules that `feature_info` names; none where it does not, or where they are not in the network."""
    information = getattr(network, "feature_info", None)
    entries = getattr(information, "info", information) or []
    modules = tuple(dict.fromkeys(entry["module"] for entry in entries if entry.get("module")))
    return modules if {path for path, _ in network.named_modules()}.issuperset(modules) else ()


@torch.no_grad()
def _of_intermediates(arch: Arch, network: nn.Module) -> tuple[str, ...]:
    """The modules whose outputs are what `forward_intermediates` gives; none where one of these is no module's."""
    if not hasattr(network, "forward_intermediates"):
        return ()
    built, given = arch.build(2).eval(), list[tuple[str, Tensor]]()

    def hook(path: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: given.append((path, output.clone())) if _is_tensor(output) else None

    for path, module in built.named_modules():
        if path:
            module.register_forward_hook(hook(path))
    try:
        with warnings.catch_warnings(action="ignore"):
            image = torch.rand(1, 3, arch.side, arch.side)
            found = cast(Any, built).forward_intermediates(image, intermediates_only=True)
    except Exception:  # there is nothing that a network may not raise; then it does not say
        return ()
    ends = [[path for path, output in given if _is_tensor(one) and _is_same(output, one)] for one in found]
    return tuple(dict.fromkeys(paths[-1] for paths in ends)) if all(ends) else ()  # the outermost of each


def _is_tensor(output: object) -> bool:
    return isinstance(output, Tensor)


def _is_same(output: Tensor, intermediate: Tensor) -> bool:
    """Whether a module's output is this intermediate, which has its filters first, wherever the module has them."""
    if output.ndim == 3 and intermediate.ndim == 4:
        tokens = intermediate.flatten(2).transpose(1, 2)
        return torch.equal(output[:, -tokens.shape[1] :], tokens)  # after those of no place in the image
    if output.ndim == 4 and output.shape != intermediate.shape:
        output = output.permute(0, 3, 1, 2)
    return torch.equal(output, intermediate)


def _taps_on(arch: Arch, network: nn.Module, modules: tuple[str, ...], unit: str | None) -> list[Tap]:
    given = _given(arch, network, modules, of_heads=unit == "head")
    return [_tap(network, module, shape, unit) for module, shape in given.items()]


def _on_meta(arch: Arch) -> nn.Module:
    """Raises Problem."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return arch.on_meta()
    except Exception as error:  # there is nothing that a network may not raise
        raise Problem(
            f"--arch {arch.name}: timm cannot build it for {arch.side}x{arch.side} images: {one_line(error)}"
        ) from error


def shapes(arch: Arch, taps: list[Tap]) -> dict[str, tuple[int, int, int]]:
    """(units, height, width) of each tap, found without memory behind the weights. Raises Problem."""
    network = _on_meta(arch)
    with watch(network, taps) as seen:
        _pass_an_image(arch, network)
    return {layer: (units.shape[1], units.shape[2], units.shape[3]) for layer, units in seen.items()}


def _pass_an_image(arch: Arch, network: nn.Module) -> None:
    """For what hooks see of it. Raises Problem."""
    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            network.eval()(torch.zeros(1, 3, arch.side, arch.side, device="meta"))
    except Exception as error:  # there is nothing that a network may not raise
        raise Problem(
            f"--arch {arch.name} on {arch.side}x{arch.side} images: {one_line(error)}; "
            "another --image-size or other --taps may do"
        ) from error


def _given(arch: Arch, network: nn.Module, modules: tuple[str, ...], of_heads: bool) -> dict[str, tuple[int, ...]]:
    """Module -> the shape of what it gives for one image (`of_heads`: of what it is given), in the order they run."""
    seen: dict[str, tuple[int, ...]] = {}

    def hook(module: str) -> Callable[..., None]:
        def note(_module: nn.Module, inputs: Any, output: Any) -> None:
            looked_at = inputs[0] if of_heads else output
            seen.pop(module, None)  # of a module that runs several times the last one counts
            seen[module] = tuple(looked_at.shape) if isinstance(looked_at, torch.Tensor) else ()

        return note

    for module in modules:
        _find(network, module).register_forward_hook(hook(module))
    _pass_an_image(arch, network)
    idle = [module for module in modules if module not in seen]
    if idle:
        raise Problem(f"--taps {' '.join(idle)}: is not passed when the network runs")
    return seen


def _find(network: nn.Module, module: str) -> nn.Module:
    try:
        place = network.get_submodule(module)
    except AttributeError:
        close = difflib.get_close_matches(module, [path for path, _ in network.named_modules()], 3)
        raise Problem(
            f"--taps {module}: no such module" + (f"; do you mean {', '.join(close)}?" if close else "")
        ) from None
    if not LAYER_NAME.fullmatch(module):
        raise Problem(f"--taps {module!r}: cannot be a layer's name in a file")
    return place


def _tap(network: nn.Module, module: str, shape: tuple[int, ...], unit: str | None) -> Tap:
    """How what a module gives for one image is laid out, found out from its shape. Raises Problem."""
    if shape and shape[0] != 1:
        raise Problem(f"--taps {module}: works on parts of an image, {shape[0]} at once; name a module around it")
    if unit == "head":
        attention = network.get_submodule(module.rpartition(".")[0])
        heads = getattr(attention, "num_heads", None)
        is_projection = module.rpartition(".")[2] == "proj" and isinstance(network.get_submodule(module), nn.Linear)
        if heads is None or not is_projection or len(shape) != 3:
            raise Problem(
                f"--taps {module}: with --unit head, name projections of attention, such as blocks.0.attn.proj"
            )
        return Tap(module, module, "head", "heads", prefix=_prefix(network, shape[1]), heads=int(heads))
    if len(shape) == 3 and hasattr(network, "unroll"):  # hiera's
        raise Problem(
            f"--taps {module}: its tokens are not in the image's order, so none can be averaged with those near"
        )
    if len(shape) == 3:
        return Tap(module, module, "node", "tokens", prefix=_prefix(network, shape[1]))
    if len(shape) == 4 and (shape[1] == shape[2] or shape[2] == shape[3]):
        return Tap(module, module, "filter", _layout(network, shape))
    raise Problem(
        f"--taps {module}: gives {f'an output of shape {shape}' if shape else 'several outputs'}, neither filters nor "
        "tokens; name other modules with --taps"
    )


def _layout(network: nn.Module, shape: tuple[int, ...]) -> Layout:
    """Where the filters are. Images are square, so two sides that are equal are height and width.

    What the network says of its output does not hold for each module: ConvNeXt's layers inside a block have filters
    last, and some networks with filters last do not say so.
    """
    _, first, second, last = shape
    if first == second == last:
        return "filters last" if getattr(network, "output_fmt", None) == "NHWC" else "filters first"
    return "filters last" if first == second else "filters first"


def _prefix(network: nn.Module, tokens: int) -> int:
    """How many tokens come before those of the image's grid, which is square.

    Some networks add theirs after their blocks only, and some do not say that they have any.
    """
    own = int(getattr(network, "num_prefix_tokens", 0) or 0)
    return next((number for number in (own, 0, 1, 2) if _is_square(tokens - number)), min(own, tokens - 1))


def _is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number


def _window(tap: Tap, shape: tuple[int, int, int], largest: int) -> int:
    """The pooling window that brings a unit to at most `largest` x `largest` positions."""
    if tap.layout in ("tokens", "heads"):
        grid = (shape[1] if tap.layout == "heads" else shape[1] * shape[2]) - tap.prefix
        return math.ceil(math.isqrt(grid) / largest) if _is_square(grid) else 1
    return math.ceil(max(shape[1:]) / largest)
