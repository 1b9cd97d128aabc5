"""The set of weights in a file that fits a network, under the network's own names."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from precompute.messages.problem import Problem, one_line
from precompute.messages.wording import some
from precompute.networks.arch import Arch
from precompute.networks.checkpoints.choosing import Candidate, State
from precompute.networks.checkpoints.misfit import COUNTER, misfit
from precompute.networks.checkpoints.preprocessing import Scaling
from precompute.networks.checkpoints.schemes import SCHEMES

_HEADS = re.compile(r"(.*\.)?(head|fc|_fc|heads\.head|classifier|classifier\.\d|head\.fc|linear|output)\.weight")


@dataclass(frozen=True)
class Fitted:
    """A set of weights under the network's own names."""

    state: State
    candidate: Candidate
    program: str  # whose names it had; "" for the network's own
    scaling: Scaling | None = None  # what that program normalises images by
    not_read: tuple[Candidate, ...] = ()  # those that fit too: raw ones where these are averaged, or the other way


def fit(path: Path, found: list[Candidate], arch: Arch, outputs: bool, averaged: bool | None) -> Fitted:
    """The set that fits the network, with its outputs or without: the averaged one where there is one, unless asked.

    averaged: what --ema or --no-ema ask for. Raises Problem.
    """
    fits = [one for candidate in found if (one := _fitted(candidate, arch, outputs)) is not None]
    if not fits:
        raise Problem(misfit(path, found, arch))
    asked = [one for one in fits if averaged is None or one.candidate.averaged is averaged]
    if not asked:
        there, option = ("raw", "--ema") if averaged else ("averaged (EMA)", "--no-ema")
        raise Problem(f"{option}: {path} holds no such weights, only {there} ones; leave the option out")
    best = max(asked, key=lambda one: (one.candidate.averaged, not one.program))
    others = tuple(one.candidate for one in fits if one.candidate.averaged is not best.candidate.averaged)
    return replace(best, not_read=others)


def said_of(fitted: Fitted) -> dict[str, str]:
    """What a manifest says of the set that was read."""
    candidate, said = fitted.candidate, dict[str, str]()
    if candidate.place:
        said["set"] = candidate.place
    if candidate.averaged or fitted.not_read:
        said["averaged"] = "yes (EMA)" if candidate.averaged else "no"
    if fitted.not_read:
        places = [one.place or "the file itself" for one in fitted.not_read]
        said["not_read"] = f"{'raw' if candidate.averaged else 'averaged (EMA)'} weights in {some(places)}"
    if fitted.program:
        said["names"] = fitted.program
    beside = tuple(one.prefix for one in fitted.not_read if one.prefix)
    left_out = [name for name in candidate.left_out if not name.startswith(beside)]
    if left_out:
        said["left_out"] = some(left_out)
    return said


def _fitted(candidate: Candidate, arch: Arch, outputs: bool) -> Fitted | None:
    targets = arch.on_meta().state_dict()
    heads = {name for name in targets if name.rpartition(".")[0] in arch.output}
    biases = {f"{name}.bias" for name in arch.output}
    needed = {name for name in targets if not name.endswith(COUNTER) and (outputs or name not in heads)}
    state = candidate.state
    own_names = needed <= state.keys() and (not outputs or state.keys() <= targets.keys() | biases)
    if own_names and (not outputs or all(state[name].shape == targets[name].shape for name in needed - heads)):
        return Fitted(state, candidate, "")
    network = arch.name.removeprefix("timm:").split(".")[0]
    for scheme in SCHEMES:
        if not re.fullmatch(scheme.networks, network) or not any(re.match(scheme.mark, name) for name in state):
            continue
        made = scheme.translated(state, {name: targets[name].shape for name in targets.keys() - heads}, heads | biases)
        if made is not None and needed <= made.keys():
            return Fitted(made, candidate, scheme.program, scheme.scaling)
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


def load_into(built: torch.nn.Module, state: State, path: Path) -> None:
    """Raises Problem where an entry is missing, left over or of another shape."""
    try:
        built.load_state_dict(state)
    except RuntimeError as error:
        raise Problem(f"{path}: these weights do not fit the network: {one_line(error)}") from error
