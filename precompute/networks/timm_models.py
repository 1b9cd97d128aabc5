"""timm's networks: the paper's EfficientNet-B0 with its stages, and any other by its name."""

import difflib
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

from precompute.networks.arch import Arch
from precompute.networks.taps import Layout, Tap, watch
from precompute.options import Options, Problem, one_line
from store.format import LAYER_NAME

MAX_SIDE = 16  # "sampled by 7x7 average pooling" leaves the paper's widest filters 16x16; others get no more either
MAX_SIDE_OF_HEADS = 4  # each position of a head holds all of its nodes

# The paper's stages: the stem, seven stages of blocks, the last convolution. (timm's `features_only` taps before some
# of them, where other widths are.)
_STAGES = {"1": "bn1"} | {str(k + 2): f"blocks.{k}" for k in range(7)} | {"9": "bn2"}
_STRIDE_2 = ("1", "3", "4", "5", "7", "9")  # "the end of the stages with stride-2"
_POOL = 7  # "first sampled by 7x7 average pooling as built-in in stage 9"


def efficientnet_b0(options: Options) -> Arch:
    """The paper's second network. Raises Problem."""
    if options.taps or options.unit:
        raise Problem("--taps and --unit are for --arch timm:NAME; efficientnet_b0's stages are named with --layers")
    arch = _arch("efficientnet_b0", options.image_size)
    depths = _depths(options.depths)
    if depths:
        assert arch.pretrained is not None
        arch = replace(
            arch,
            module=partial(_shallower, depths, arch.module),
            pretrained=partial(_shallower, depths, arch.pretrained),
        )
    without_9 = depths.get("9") == 0
    raw = [Tap(stage, module) for stage, module in _STAGES.items() if not (without_9 and stage == "9")]
    sides = {stage: shape[1] for stage, shape in _shapes(arch, raw).items()}
    taps = {tap.layer: replace(tap, pool=min(_POOL, sides[tap.layer])) for tap in raw}
    # "the images were normalized by subtracting the average value of each color and dividing by its standard
    # deviation. This varies by the size of the training set that was used"
    stages = (*_STRIDE_2[:-1], "8") if without_9 else _STRIDE_2
    return replace(arch, taps=taps, layers=stages, pixel_mean=None, pixel_std=None, warps=True)


def _depths(text: str | None) -> dict[str, int]:
    """ "3:1,4:1" -> how many layers are left of which stages. Raises Problem."""
    depths = {}
    for part in (text or "").split(",") if text is not None else ():
        stage, _, left = part.partition(":")
        most = dict(zip("2345678", (1, 2, 2, 3, 3, 4, 1), strict=True)).get(stage, 0)
        if not (left == "0" and stage == "9") and not (left.isascii() and left.isdigit() and 1 <= int(left) <= most):
            raise Problem(
                f"--depths {part}: expected STAGE:LAYERS, where stages 2 to 8 have 1 2 2 3 3 4 1 layers of which at "
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


def any_network(options: Options) -> Arch:
    """The network of --arch timm:NAME, tapped where --taps says or at the ends of its stages. Raises Problem."""
    name = options.arch.removeprefix("timm:")
    arch = replace(_arch(name, options.image_size), name=options.arch)
    network = _on_meta(arch)
    is_transformer = hasattr(network, "blocks") and any(
        path.endswith("attn.proj") for path, _ in network.named_modules()
    )
    if options.unit is not None and not is_transformer:
        raise Problem(
            f"--unit {options.unit}: {name} is no transformer of blocks with attention; its units are filters"
        )
    wanted = options.taps or _stage_ends(name, network)
    if options.unit == "head" and not options.taps:
        wanted = tuple(f"{module}.attn.proj" for module in wanted)
    try:
        given = _given(arch, network, wanted, of_heads=options.unit == "head")
        taps = [_tap(network, module, shape, options.unit) for module, shape in given.items()]
    except Problem as problem:
        if options.taps or not str(problem).startswith("--taps "):
            raise
        what = str(problem).removeprefix("--taps ")
        hint = "" if "--taps" in what else "; name others with --taps"
        raise Problem(f"--arch {options.arch}: of what timm says that its stages end with, {what}{hint}") from problem
    shapes = _shapes(arch, taps)
    largest = MAX_SIDE_OF_HEADS if options.unit == "head" else MAX_SIDE
    pooled = [replace(tap, pool=_window(tap, shapes[tap.layer], largest)) for tap in taps]
    return replace(arch, taps={tap.layer: tap for tap in pooled}, layers=tuple(tap.layer for tap in pooled))


def _arch(name: str, image_size: int | None) -> Arch:
    """A network of timm's that is not tapped yet."""
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), 3)
        raise Problem(
            f"--arch timm:{name}: timm {timm.__version__} has no such network"
            + (f"; do you mean {', '.join(close)}?" if close else "")
        )
    try:
        found = timm.get_pretrained_cfg(name)
    except RuntimeError:  # of a name with a tag, as resnet18.a1_in1k
        known = timm.list_pretrained(f"{name.split('.')[0]}.*")
        raise Problem(f"--arch timm:{name}: timm has weights of {', '.join(known) or 'no other name'}") from None
    config: dict[str, Any] = vars(found) if found is not None else {}
    own_side = int(config.get("input_size", (3, 224, 224))[1])
    side = image_size or own_side
    sized: dict[str, Any] = {"img_size": side} if config.get("fixed_input_size") and side != own_side else {}
    output = config.get("classifier") or ()
    paths = (output,) if isinstance(output, str) else tuple(output)
    if not paths:
        raise Problem(f"--arch timm:{name}: timm does not say which module gives its outputs")
    return Arch(
        name=name,
        module=partial(_random, name, sized, paths),
        taps={},
        layers=(),
        side=side,
        output=paths,
        pixel_mean=tuple(config.get("mean", (0.5, 0.5, 0.5))),
        pixel_std=tuple(config.get("std", (0.5, 0.5, 0.5))),
        crop=float(config.get("crop_pct") or 1.0),
        hub=str(config.get("hf_hub_id") or config.get("url") or ""),
        pretrained=partial(_pretrained, name, sized, paths),
    )


def _random(name: str, sized: dict[str, Any], output: tuple[str, ...], n_labels: int) -> nn.Module:
    return _without_bias(timm.create_model(name, num_classes=n_labels, **sized), output)


def _pretrained(
    name: str,
    sized: dict[str, Any],
    output: tuple[str, ...],
    n_labels: int,
    state: dict[str, Tensor] | None,
    as_it_is: bool,
) -> nn.Module:
    """With the hub's weights, or those of a state dict; timm brings both into its network's form."""
    if state is None:
        network = timm.create_model(name, num_classes=n_labels, pretrained=True, **sized)
    else:  # without outputs, timm wants every weight to be there; with others than the state's, it is content with none
        keeps = as_it_is and all(len(state.get(f"{path}.weight", ())) == n_labels for path in output)
        n_outputs = n_labels if keeps else 0
        inner = {key: value for key, value in state.items() if keeps or key.rpartition(".")[0] not in output}
        given = {"state_dict": inner, "num_classes": n_outputs, "source": ""}
        network = timm.create_model(name, num_classes=n_outputs, pretrained=True, pretrained_cfg_overlay=given, **sized)
        if not keeps:
            cast(Any, network).reset_classifier(n_labels)
    if not as_it_is:
        network = _without_bias(network, output)
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-any-return]


def _without_bias(network: nn.Module, output: tuple[str, ...]) -> nn.Module:
    """ "Both architectures were trained with no biases on the output units" (supplement)."""
    for path in output:
        network.get_submodule(path).bias = None  # type: ignore[assignment]
    return network


def _on_meta(arch: Arch) -> nn.Module:
    """Raises Problem."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return arch.on_meta()
    except Exception as error:  # there is nothing that a network may not raise
        raise Problem(
            f"--arch {arch.name}: timm cannot build it for {arch.side}x{arch.side} images: {one_line(error)}"
        ) from error


def _shapes(arch: Arch, taps: list[Tap]) -> dict[str, tuple[int, int, int]]:
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


def _stage_ends(name: str, network: nn.Module) -> tuple[str, ...]:
    """The modules that timm says its stages, or a transformer's blocks, end with."""
    information = getattr(network, "feature_info", None)
    entries = getattr(information, "info", information) or []
    modules = tuple(dict.fromkeys(entry["module"] for entry in entries if entry.get("module")))
    paths = {path for path, _ in network.named_modules()}
    if not modules or not paths.issuperset(modules):
        top = [path for path, _ in network.named_children()]
        raise Problem(
            f"--arch timm:{name}: timm does not say where its stages end; name modules with --taps. The uppermost are "
            f"{', '.join(top)}"
        )
    return modules


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
    """How many tokens come before those of the image's grid; some networks add them after their blocks only."""
    own = int(getattr(network, "num_prefix_tokens", 0) or 0)
    is_beside = _is_square(tokens - own) or not _is_square(tokens)
    return own if is_beside and own < tokens else 0


def _is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number


def _window(tap: Tap, shape: tuple[int, int, int], largest: int) -> int:
    """The pooling window that brings a unit to at most `largest` x `largest` positions."""
    if tap.layout in ("tokens", "heads"):
        grid = (shape[1] if tap.layout == "heads" else shape[1] * shape[2]) - tap.prefix
        return math.ceil(math.isqrt(grid) / largest) if _is_square(grid) else 1
    return math.ceil(max(shape[1:]) / largest)
