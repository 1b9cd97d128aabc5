"""The set of weights in a file that fits a network, under the network's own names."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from precompute.messages.problem import Problem, one_line
from precompute.messages.wording import some
from precompute.networks.arch import Arch
from precompute.networks.checkpoints.choosing import Candidate, State
from precompute.networks.checkpoints.schemes import SCHEMES, guess

_HEADS = re.compile(r"(.*\.)?(head|fc|_fc|heads\.head|classifier|classifier\.\d|head\.fc|linear|output)\.weight")
_COUNTER = "num_batches_tracked"  # which old files lack, and no output depends on


@dataclass(frozen=True)
class Fitted:
    """A set of weights under the network's own names."""

    state: State
    candidate: Candidate
    program: str  # whose names it had; "" for the network's own


def fit(path: Path, found: list[Candidate], arch: Arch, outputs: bool, averaged: bool | None) -> Fitted:
    """The set that fits the network, with its outputs or without: the averaged one where there is one, unless asked.

    averaged: what --ema or --no-ema ask for. Raises Problem.
    """
    fits = [one for candidate in found if (one := _fitted(candidate, arch, outputs)) is not None]
    if not fits:
        raise Problem(_misfit(path, found, arch))
    asked = [one for one in fits if averaged is None or one.candidate.averaged is averaged]
    if not asked:
        there, option = ("raw", "--ema") if averaged else ("averaged (EMA)", "--no-ema")
        raise Problem(f"{option}: {path} holds no such weights, only {there} ones; leave the option out")
    return max(asked, key=lambda one: (one.candidate.averaged, not one.program))


def said_of(fitted: Fitted, found: list[Candidate]) -> dict[str, str]:
    """What a manifest says of the set that was read."""
    candidate, said = fitted.candidate, dict[str, str]()
    if candidate.place:
        said["set"] = candidate.place
    if candidate.averaged:
        said["averaged"] = "yes (EMA)"
    others = sorted({one.place or "the file itself" for one in found if one.averaged is not candidate.averaged})
    if others and any(one.averaged for one in (candidate, *found)):
        said["averaged"] = "yes (EMA)" if candidate.averaged else "no"
        said["not_read"] = f"{'raw' if candidate.averaged else 'averaged (EMA)'} weights in {some(others)}"
    if fitted.program:
        said["names"] = fitted.program
    if candidate.left_out:
        said["left_out"] = some(list(candidate.left_out))
    return said


def _fitted(candidate: Candidate, arch: Arch, outputs: bool) -> Fitted | None:
    targets = arch.on_meta().state_dict()
    heads = {name for name in targets if name.rpartition(".")[0] in arch.output}
    biases = {f"{name}.bias" for name in arch.output}
    needed = {name for name in targets if not name.endswith(_COUNTER) and (outputs or name not in heads)}
    state = candidate.state
    own_names = needed <= state.keys() and (not outputs or state.keys() <= targets.keys() | biases)
    if own_names and (not outputs or all(state[name].shape == targets[name].shape for name in needed - heads)):
        return Fitted(state, candidate, "")
    network = arch.name.removeprefix("timm:").split(".")[0]
    for scheme in SCHEMES:
        if not re.fullmatch(scheme.networks, network) or not any(re.match(scheme.mark, name) for name in state):
            continue
        sources = scheme.sources(targets.keys() | biases)
        made, used = State(), set[str]()
        for name, parts in sources.items():
            if all(part in state for part in parts):
                value = state[parts[0]] if len(parts) == 1 else torch.cat([state[part] for part in parts])
                shape = targets[name].shape if name in targets and name not in heads else value.shape
                if value.numel() == shape.numel():
                    made[name] = value.reshape(shape)
                    used.update(parts)
        left = [name for name in state.keys() - used if not re.match(scheme.spare, name)]
        if needed <= made.keys() and not left:
            return Fitted(made, candidate, scheme.program)
    return _by_timm(candidate, arch, outputs)


def _by_timm(candidate: Candidate, arch: Arch, outputs: bool) -> Fitted | None:
    """By timm's own translation of this network's weights, which wants every entry to be there and none beside."""
    if arch.pretrained is None:
        return None
    state = candidate.state
    counts = {len(value) for name, value in state.items() if value.dim() in (2, 4) and _HEADS.fullmatch(name)}
    for n_labels in sorted(counts):
        try:
            network = arch.pretrained(n_labels, dict(state), True, n_labels)
        except Exception:  # there is nothing that a network may not raise; the caller says what does not fit
            continue
        return Fitted(network.state_dict(), candidate, "a program that timm translates")
    if outputs:
        return None
    try:
        arch.pretrained(2, dict(state), False)
    except Exception:
        return None
    return Fitted(state, candidate, "")


def _misfit(path: Path, found: list[Candidate], arch: Arch) -> str:
    """Why none fits: both sides' first names, and whose names the file's look like."""
    network = arch.name.removeprefix("timm:").split(".")[0]
    targets = arch.on_meta().state_dict()
    best = max(found, key=lambda one: (len(one.state.keys() & targets.keys()), len(one.state)))
    text = f"{path}: these weights do not fit the network"
    shared = [name for name in targets if name in best.state]
    odd = [name for name in shared if name.rpartition(".")[0] not in arch.output]
    odd = [name for name in odd if best.state[name].shape != targets[name].shape]
    if shared and odd:
        theirs, ours = (tuple(one[odd[0]].shape) for one in (best.state, targets))
        text += f": {odd[0]} is {theirs} in the file and {ours} in {arch.name}"
    elif len(shared) > len(targets) // 2:
        lacking = [name for name in targets if name not in best.state and not name.endswith(_COUNTER)]
        beside = [name for name in best.state if name not in targets]
        text += f" {arch.name}" + (f": the file lacks {some(lacking)}" if lacking else "")
        text += f"; it has {some(beside)}, which the network has not" if beside else ""
    text += f". {arch.name} has {_first(targets)}; the file has {_first(best.state)}"
    whose = guess(best.state, network)
    return text + (f" ({whose})" if whose else "")


def _first(names: State) -> str:
    return f"{', '.join(list(names)[:3])}, ... ({len(names)} entries)"


def load_into(built: torch.nn.Module, state: State, path: Path) -> None:
    """Raises Problem where an entry is missing, left over or of another shape."""
    try:
        built.load_state_dict(state)
    except RuntimeError as error:
        raise Problem(f"{path}: these weights do not fit the network: {one_line(error)}") from error
