"""The sets of weights in what a file holds: in containers, below prefixes, raw or averaged over the training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

State = dict[str, Tensor]

# Keys of containers: timm's and torchvision's scripts, Lightning, BasicSR, YOLO, DeepSpeed, DINO, and a run of ours
_RAW = (
    "training", "state_dict", "model", "model_state_dict", "model_state", "net", "network", "weights", "params",
    "module", "student",
)  # fmt: skip
_AVERAGED = (
    "state_dict_ema", "model_ema", "ema", "params_ema", "ema_state_dict", "model_ema_state_dict", "ema_model",
    "ema_weights", "teacher",
)  # fmt: skip
# What wrappers put before names: DistributedDataParallel, torch.compile, Lightning, and who names a network so
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "student.")
_AVERAGED_PREFIXES = ("ema_model.", "model_ema.", "ema.", "teacher.", "averaged_model.")
_DEPTH = 5


@dataclass(frozen=True)
class Candidate:
    """One set of weights."""

    state: State
    place: str  # the containers and the prefix it lies in, as "model_ema, module.*"; "" for the file itself
    averaged: bool  # over the training's steps (EMA, SWA, a teacher that follows its student)
    prefix: str = ""  # of its entries' names in the file
    left_out: tuple[str, ...] = ()  # entries beside it, outside of its prefix


def candidates(loaded: Any) -> list[Candidate]:
    """Every set of weights that a loaded file may mean, one prefix less each. Empty where it holds no tensors."""
    return list(_in_containers(loaded, "", False, _DEPTH))


def _in_containers(loaded: Any, place: str, averaged: bool, depth: int) -> Iterator[Candidate]:
    if not isinstance(loaded, dict) or depth == 0:
        return
    for keys, is_average in ((_RAW, averaged), (_AVERAGED, True)):
        for key in keys:
            inner = f"{place}, {key}" if place else key
            yield from _in_containers(loaded.get(key), inner, is_average, depth - 1)
    state = {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if state:
        yield from _below_prefixes(state, place, "", averaged, ())


def _below_prefixes(
    state: State, place: str, prefix: str, averaged: bool, left_out: tuple[str, ...]
) -> Iterator[Candidate]:
    if counter := "n_averaged" in state:  # torch.optim.swa_utils.AveragedModel
        state = {name: value for name, value in state.items() if name != "n_averaged"}
    averaged = averaged or counter
    where = ", ".join(part for part in (place, f"{prefix}*" if prefix else "") if part)
    yield Candidate(state, where, averaged, prefix, left_out)
    for words, is_average in ((_PREFIXES, averaged), (_AVERAGED_PREFIXES, True)):
        for word in words:
            below = {name.removeprefix(word): value for name, value in state.items() if name.startswith(word)}
            if below:
                outside = tuple(prefix + name for name in state if not name.startswith(word))
                yield from _below_prefixes(below, place, prefix + word, is_average, left_out + outside)
