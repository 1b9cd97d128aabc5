"""timm's networks, each by its name."""

import difflib
from dataclasses import replace
from functools import partial
from typing import Any

import timm
import torch
from torch import Tensor, nn

from precompute.messages.problem import Problem
from precompute.networks import choose
from precompute.networks.arch import Arch
from precompute.networks.outputs import without_bias
from precompute.options import Options


def any_network(options: Options) -> Arch:
    """The network of --arch timm:NAME, tapped where --taps says or at the ends of its stages. Raises Problem."""
    name = options.arch.removeprefix("timm:")
    own_size = replace(timm_arch(name, None), name=options.arch)
    arch = own_size
    if options.image_size is not None and options.image_size != own_size.side:
        arch = replace(timm_arch(name, options.image_size), name=options.arch)
    taps, layers = choose.choose(arch, own_size, options.taps, options.unit, named_by_timm)
    return replace(arch, taps={tap.layer: tap for tap in taps}, layers=tuple(layers))


def named_by_timm(network: nn.Module) -> tuple[str, ...]:
    """The modules that timm's `feature_info` names, which are not always in the network, or where its stages end."""
    information = getattr(network, "feature_info", None)
    entries = getattr(information, "info", information) or []
    return tuple(dict.fromkeys(str(entry["module"]) for entry in entries if entry.get("module")))


def timm_arch(name: str, image_size: int | None) -> Arch:
    """A network of timm's that is not tapped yet. Raises Problem."""
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
        hub_labels=int(config.get("num_classes") or 0),
        pretrained=partial(_pretrained, name, sized, paths),
    )


def _random(name: str, sized: dict[str, Any], output: tuple[str, ...], n_labels: int) -> nn.Module:
    return without_bias(timm.create_model(name, num_classes=n_labels, **sized), output)


def _pretrained(
    name: str,
    sized: dict[str, Any],
    output: tuple[str, ...],
    n_labels: int,
    state: dict[str, Tensor] | None,
    as_it_is: bool,
    n_outputs_there: int | None = None,
) -> nn.Module:
    """With the hub's weights, or those of a state dict; timm brings both into its network's form.

    n_outputs_there: how many outputs the state dict has under whatever names, where they are to be read too.
    """
    if state is None:
        network = timm.create_model(name, num_classes=n_labels, pretrained=True, **sized)
    else:  # without outputs, timm wants every weight to be there; with others than the state's, it is content with none
        named = all(len(state.get(f"{path}.weight", ())) == n_labels for path in output)
        keeps = n_outputs_there == n_labels or (as_it_is and named)
        n_outputs = n_labels if keeps else 0
        inner = state if keeps else _without_outputs(state, name, sized, output)
        given = {"state_dict": inner, "num_classes": n_outputs, "source": ""}
        network = timm.create_model(name, num_classes=n_outputs, pretrained=True, pretrained_cfg_overlay=given, **sized)
        if not keeps:  # the outputs of a network made so: what `reset_classifier` leaves out, some forget to put back
            inner, network = network.state_dict(), timm.create_model(name, num_classes=n_labels, **sized)
            unfit = network.load_state_dict(inner, strict=False)  # timm took care that nothing was missing
            assert not unfit.unexpected_keys, unfit.unexpected_keys
    if not as_it_is:
        network = without_bias(network, output)
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-any-return]


def _without_outputs(
    state: dict[str, Tensor], name: str, sized: dict[str, Any], output: tuple[str, ...]
) -> dict[str, Tensor]:
    """A state dict without the outputs, and without what of a head goes with them, such as its normalization."""
    with torch.device("meta"):
        stays = timm.create_model(name, num_classes=0, **sized).state_dict()
    around = tuple(f"{path.rpartition('.')[0]}." for path in output if "." in path)
    goes = {key for key in state if key.startswith(around) and key not in stays} if around else set()
    return {key: value for key, value in state.items() if key not in goes and key.rpartition(".")[0] not in output}
