"""--probe own: the network's classifier as the probe of what it reads. Nothing is trained."""

import math
from typing import Any

import torch
from torch import nn

from precompute.messages.problem import Problem
from precompute.networks.arch import Arch
from precompute.one_layer import Probed
from store.file.format import HISTORY


def check_outputs(arch: Arch, has: int | None, n_labels: int) -> None:
    """Whether a network that is not trained here has outputs for the data's labels. Raises Problem.

    has: how many labels its weights tell apart, None for random weights. What a library makes for others is random.
    """
    if has is not None and has != n_labels:
        raise Problem(
            f"--probe own: the classifier of {arch.name} tells {has} labels apart, the data has {n_labels}; leave it "
            "out, or train the network on these"
        )


def own_probe(
    network: nn.Module, arch: Arch, size: tuple[int, int, int], n_labels: int
) -> tuple[Probed, dict[str, Any]]:
    """The classifier as a linear probe without bias, and what is said of it in the layer's record. Raises Problem.

    size: (units, height, width) of what it reads. Its history is one row, in which nothing is measured.
    """
    paths = ", ".join(arch.output)
    classifier = network.get_submodule(arch.output[0])
    weight = classifier.get_parameter("weight").detach().flatten(1).float()
    if len(arch.output) > 1 or (len(weight), weight.shape[1]) != (n_labels, math.prod(size)):
        raise Problem(
            f"--probe own: {paths} should be one linear layer from what it is given, {math.prod(size)} numbers, to "
            f"{n_labels} labels; its weights are {' x '.join(map(str, weight.shape))}"
        )
    probe = nn.Linear(weight.shape[1], len(weight), bias=False, device="meta").to_empty(device=weight.device)
    with torch.no_grad():
        probe.weight.copy_(weight)
    history = {column: [math.nan] for column in HISTORY} | {"learning_rate": [0.0]}
    return Probed(probe.requires_grad_(False), history, 0.0, None), {"probe": "own", "bias": _bias(classifier)}


def _bias(classifier: nn.Module) -> dict[str, float] | None:
    """Of the bias that is left aside: it adds the same to an output whatever the input, so no unit has a part in it."""
    bias = getattr(classifier, "bias", None)
    if bias is None:
        return None
    values = bias.detach().double().cpu()
    return {"least": float(values.min()), "largest": float(values.max()), "std": float(values.std(correction=0))}
