"""--arch torchvision:NAME: torchvision's classifiers, as it builds, scales and weighs them."""

import difflib
from typing import Any

from torch import nn
from torchvision import models

from precompute.messages.problem import Problem
from precompute.networks.arch import Arch
from precompute.networks.from_elsewhere import Build, Source, tapped
from precompute.options import Options


def torchvision_network(options: Options) -> Arch:
    """--arch torchvision:NAME. Raises Problem."""
    name = options.arch.removeprefix("torchvision:")
    known = models.list_models(module=models)  # without those of detection and segmentation
    if name not in known:
        close = difflib.get_close_matches(name, known, 3)
        raise Problem(
            f"--arch torchvision:{name}: torchvision has no such classifier"
            + (f"; do you mean {', '.join(close)}?" if close else "")
        )
    try:
        weights: Any = models.get_model_weights(name).DEFAULT
    except AttributeError:  # of a network without pretrained weights
        weights = None
    seen: Any = weights.transforms() if weights is not None else None
    own_side = int(seen.crop_size[0]) if seen is not None else 224
    # Heads beside the classifier, which take part in training alone, have no place here.
    fixed = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}

    def made(**more: Any) -> nn.Module:
        network: nn.Module = models.get_model(name, **fixed, **more)  # type: ignore[no-untyped-call]
        return network

    def build(side: int) -> Build:
        return lambda n_labels: made(weights=None, num_classes=n_labels, **_sized(name, side))

    def load(side: int, _n_labels: int, _outputs: tuple[str, ...]) -> nn.Module:
        return made(weights=weights, **({} if side == own_side else _sized(name, side)))

    source = Source(build, own_side)
    if weights is not None:
        source = Source(
            build=build,
            own_side=own_side,
            pixel_mean=tuple(seen.mean),
            pixel_std=tuple(seen.std),
            crop=own_side / seen.resize_size[0],
            hub=weights.url,
            hub_labels=len(weights.meta["categories"]),
            load=load,
        )
    return tapped(options.arch, source, options)


def _sized(name: str, side: int) -> dict[str, Any]:
    """What says the size of the images to those networks that are built for one."""
    of_kind: dict[str, dict[str, Any]] = {"vit": {"image_size": side}, "maxvit": {"input_size": (side, side)}}
    return of_kind.get(name.split("_")[0], {})
