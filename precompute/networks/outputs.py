"""The modules that give a network's outputs: found by a pass, given no bias, or new ones in their place."""

import torch
from torch import Tensor, nn

from precompute.messages.problem import Problem
from precompute.networks.calls import Call

N_LABELS = 2  # of a network that is only looked at


def find_outputs(name: str, root: Call, n_labels: int | None = N_LABELS) -> tuple[str, ...]:
    """The path of a network's classifier, from a pass through it. Raises Problem.

    It is the last linear layer or convolution of a pass. n_labels: how many outputs it must have, None for any.
    """
    layers = [call for call in root.walk() if isinstance(call.module, nn.Linear | nn.Conv2d)]
    last = max(layers, key=lambda call: call.end, default=None)
    if last is None:
        raise Problem(f"--arch {name}: has no linear layer or convolution that could be its classifier")
    n_outputs = last.module.get_parameter("weight").shape[0]
    if n_labels is not None and n_outputs != n_labels:
        raise Problem(
            f"--arch {name}: its last layer, {last.path}, has {n_outputs} outputs where it was made for {n_labels} "
            "labels; take the number of labels, and end with a layer that has as many outputs"
        )
    return (last.path,)


def without_bias(network: nn.Module, outputs: tuple[str, ...]) -> nn.Module:
    """ "Both architectures were trained with no biases on the output units" (supplement)."""
    for path in outputs:
        network.get_submodule(path).bias = None  # type: ignore[assignment]
    return network


def n_outputs(network: nn.Module, outputs: tuple[str, ...]) -> int:
    return len(network.get_submodule(outputs[0]).get_parameter("weight"))


def with_new_outputs(network: nn.Module, other: nn.Module, outputs: tuple[str, ...]) -> nn.Module:
    """The network with another one's classifiers in place of its own: for another number of labels."""
    for path in outputs:
        network.set_submodule(path, other.get_submodule(path))
    return network


def with_state(network: nn.Module, state: dict[str, Tensor], outputs: tuple[str, ...], as_it_is: bool) -> nn.Module:
    """The network with a state dict's weights but the classifiers', which stay; `as_it_is` theirs too, where they fit.

    Raises RuntimeError where another weight is missing, unknown or of another shape.
    """
    own = network.state_dict()
    stay = {name: value for name, value in own.items() if _is_of(name, outputs)}
    if as_it_is and all(name in state and state[name].shape == value.shape for name, value in stay.items()):
        for path in outputs:  # its bias is its own, too
            if f"{path}.bias" in state:
                network.get_submodule(path).bias = nn.Parameter(torch.zeros(n_outputs(network, outputs)))
        network.load_state_dict(state)
        return network
    network.load_state_dict({name: value for name, value in state.items() if not _is_of(name, outputs)} | stay)
    return network


def _is_of(name: str, outputs: tuple[str, ...]) -> bool:
    return name.rpartition(".")[0] in outputs
