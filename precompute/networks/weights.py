"""What weights a network starts with: random ones, the hub's, or a file's. Nothing falls back to others silently."""

import argparse
import codecs
import hashlib
import re
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from precompute.messages.problem import Problem, one_line
from precompute.networks.arch import Arch
from precompute.options import WEIGHTS, Options

State = dict[str, Tensor]
_BEGINNING = 200  # bytes that tell what a file is


def wanted(options: Options, arch: Arch) -> str:
    """`hub`, `none`, `file` or `checkpoint`: what --weights and --checkpoint ask for. Raises Problem."""
    if options.checkpoint is not None:
        if options.weights is not None:
            raise Problem("--checkpoint probes a network as it is, --weights is what training starts from: give one")
        return "checkpoint"
    if options.weights is None:
        return "hub" if arch.hub else "none"
    if options.weights == "hub" and not arch.hub:
        raise Problem(f"--weights hub: there are no pretrained weights of {arch.name}; leave it out")
    return options.weights if options.weights in WEIGHTS else "file"


def origin(options: Options, arch: Arch) -> dict[str, str]:
    """Where the weights come from, as a result's manifest says it. Raises Problem, OSError."""
    kind = wanted(options, arch)
    path = _path(options, kind)
    if path is None:
        return {"from": kind} | ({"name": arch.hub} if kind == "hub" else {})
    if not path.is_file():
        what = "is a folder; name the file in it" if path.is_dir() else "no such file"
        raise Problem(f"--{'checkpoint' if kind == 'checkpoint' else 'weights'} {path}: {what}")
    with path.open("rb") as stream:
        return {"from": kind, "name": path.name, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def of_file(options: Options, arch: Arch) -> State | None:
    """What the file that the network starts from holds; None where it starts from none. Raises Problem, OSError."""
    path = _path(options, wanted(options, arch))
    return None if path is None else read(path)


def network(
    options: Options, arch: Arch, n_labels: int, as_it_is: bool = False, state: State | None = None
) -> nn.Module:
    """The network as training starts; `as_it_is`, or of a checkpoint, as it is probed. Raises Problem, OSError.

    state: what `of_file` gave, so that a file is read once.
    """
    kind = wanted(options, arch)
    path = _path(options, kind)
    if path is not None:
        state = read(path) if state is None else state
        if kind == "checkpoint":
            return _as_it_is(arch, path, state, n_labels, options.seed)
        return _transferred(arch, path, state, n_labels, options.seed, as_it_is)
    return arch.build(n_labels, options.seed) if kind == "none" else _from_hub(arch, n_labels, options.seed, as_it_is)


def _path(options: Options, kind: str) -> Path | None:
    return options.checkpoint if kind == "checkpoint" else Path(options.weights or "") if kind == "file" else None


def read(path: Path) -> State:
    """A state dict from a safetensors file, torch.save's, or a run's own network.ckpt. Runs no code from it.

    Raises Problem, OSError.
    """
    from precompute.disk import checkpoint

    try:
        with path.open("rb") as stream:
            start = stream.read(_BEGINNING)
        if start.startswith(checkpoint.MAGIC):
            loaded: Any = checkpoint.load(path)
        elif text := _text(start):  # a pointer to a large file, or a page that says why there is no download
            raise Problem(f"{path}: no weights that can be read safely: {text}")
        elif path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded = load_file(path)
        else:
            with torch.serialization.safe_globals([argparse.Namespace]):  # a record: timm's training script keeps one
                loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError, Problem):
        raise
    except Exception as error:  # there is nothing that a damaged file may not raise
        raise Problem(f"{path}: no weights that can be read safely: {_reason(error)}") from error
    for key in ("training", "state_dict", "model", "model_state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not loaded or not all(map(_is_named_tensor, loaded.items())):
        raise Problem(f"{path}: holds no state dict (names of parameters and their tensors)")
    for name, value in loaded.items():
        if value.is_complex():
            raise Problem(f"{path}: {name} holds complex numbers, which no network here has")
        if value.is_floating_point() and not value.float().isfinite().all():
            raise Problem(f"{path}: {name} holds numbers that are not finite: it is damaged, or its training failed")
    # DistributedDataParallel and torch.compile put something before names, and so does who names a network `model`
    for prefix in ("module.", "_orig_mod.", "model."):
        if all(name.startswith(prefix) for name in loaded):
            loaded = {name.removeprefix(prefix): value for name, value in loaded.items()}
    return cast(State, loaded)


def _is_named_tensor(entry: tuple[Any, Any]) -> bool:
    return isinstance(entry[0], str) and isinstance(entry[1], Tensor)


def _text(start: bytes) -> str:
    """What to say of a file that begins so; "" where it may be weights, which are never text."""
    if not start:
        return "it is empty"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # the end may be half a letter
    except UnicodeDecodeError:
        return ""
    if not all(letter.isprintable() or letter.isspace() for letter in text):
        return ""
    return f"it is text, which begins with {' '.join(text.split())[:60]!r}"


def _reason(error: Exception) -> str:
    """Torch says in words what it refuses; what it stumbles over has to be said for it."""
    refused = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
    if refused:
        return (
            f"it holds an object of {refused[1]}, which could run code; where it was trained, save the state dict "
            "alone: torch.save(network.state_dict(), PATH)"
        )
    if isinstance(error, (LookupError, AttributeError, TypeError, AssertionError)):
        return f"it is neither safetensors nor what torch.save writes ({type(error).__name__}: {one_line(error)})"
    return "it is cut off or damaged, or neither safetensors nor what torch.save writes; get it again"


def _as_it_is(arch: Arch, path: Path, state: State, n_labels: int, seed: int) -> nn.Module:
    """The network of a checkpoint, its outputs and their biases included."""
    built = arch.build(_outputs_of(arch, state) or n_labels, seed)
    for name in arch.output:
        bias = state.get(f"{name}.bias")
        if bias is not None:
            outputs = len(built.get_submodule(name).get_parameter("weight"))
            built.get_submodule(name).bias = nn.Parameter(torch.zeros(outputs))
    _load(built, state, path)
    return built


def _transferred(arch: Arch, path: Path, state: State, n_labels: int, seed: int, as_it_is: bool) -> nn.Module:
    """Transfer learning: the weights of a file, but those of the outputs, which start at random."""
    if arch.pretrained is not None:
        torch.manual_seed(seed)
        try:
            return arch.pretrained(n_labels, state, as_it_is)
        except Exception as error:  # there is nothing that a network may not raise
            raise Problem(f"{path}: these weights do not fit {arch.name}: {one_line(error)}") from error
    built = arch.build(n_labels, seed)
    own = built.state_dict()
    outputs = {name: own[name] for name in own if name.rpartition(".")[0] in arch.output}
    _load(built, state | outputs, path)
    return built


def _from_hub(arch: Arch, n_labels: int, seed: int, as_it_is: bool) -> nn.Module:
    assert arch.pretrained is not None, "`wanted` gives no hub where there is none"
    torch.manual_seed(seed)
    try:
        return arch.pretrained(n_labels, None, as_it_is)
    except Exception as error:  # there is nothing that a network may not raise
        raise Problem(
            f"the pretrained weights of {arch.name} could not be had from the hub: {one_line(error)}. Without a "
            f"network, get model.safetensors of {arch.hub} from huggingface.co and name it with --weights PATH; "
            "--weights none starts from random ones"
        ) from error


def _outputs_of(arch: Arch, state: State) -> int | None:
    """How many labels the state's network tells apart, None where it has no outputs."""
    weight = state.get(f"{arch.output[0]}.weight")
    return len(weight) if weight is not None and weight.dim() else None


def _load(built: nn.Module, state: State, path: Path) -> None:
    try:
        built.load_state_dict(state)
    except RuntimeError as error:
        raise Problem(f"{path}: these weights do not fit the network: {one_line(error)}") from error
