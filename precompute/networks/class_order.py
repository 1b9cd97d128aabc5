"""Which label each output of a trained network is for.

The order of a data set's labels and that of a head's outputs are two things. Readers of image folders sort them
differently: torchvision by code point ("10" before "2"), timm naturally ("2" before "10").
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from precompute.messages.problem import Problem
from precompute.messages.wording import some

_IMAGENET = 1000  # outputs of heads whose labels are ImageNet's, by number
_CONFIG = 10_000_000  # bytes; ImageNet's 21,843 names take a tenth
_DRAWS = 20
_SEED = 0


@dataclass(frozen=True)
class HeadOrder:
    """For each label of the data its output."""

    outputs: tuple[int, ...]
    said: str  # which order it is and who says so; "" where there is only one


def labels_of(loaded: Any) -> tuple[str, ...]:
    """The outputs' labels in their order, as a training checkpoint tells them; none where it does not."""
    if not isinstance(loaded, dict):
        return ()
    places = [loaded, *(loaded.get(key) for key in ("args", "hyper_parameters", "config", "meta"))]
    for place in places:
        entries = vars(place) if isinstance(place, argparse.Namespace) else place
        if not isinstance(entries, dict):
            continue
        for key in ("class_to_idx", "label2id", "label_names", "class_names", "classes", "id2label", "idx_to_class"):
            if names := _listed(entries.get(key)):
                return names
    return ()


def labels_beside(path: Path) -> tuple[str, ...]:
    """The outputs' labels, as a config.json beside the weights tells them (transformers, and timm on the hub).

    None where it is missing, or names them LABEL_0, LABEL_1 for want of names.
    """
    try:
        found = json.loads((path.parent / "config.json").read_bytes()[:_CONFIG])
    except (OSError, ValueError):
        return ()
    config = found.get("pretrained_cfg") if isinstance(found, dict) else None
    names = labels_of(found) or labels_of(config)
    return () if all(re.fullmatch(r"LABEL_\d+", name) for name in names) else names


def _listed(found: Any) -> tuple[str, ...]:
    """A list of names, name -> output or output -> name, as names in the order of the outputs."""
    if isinstance(found, (list, tuple)):
        return tuple(found) if all(isinstance(name, str) for name in found) else ()
    if not isinstance(found, dict):
        return ()
    try:
        if all(isinstance(value, int) for value in found.values()):
            pairs = sorted((int(value), str(key)) for key, value in found.items())
        else:
            pairs = sorted((int(key), str(value)) for key, value in found.items())
    except (TypeError, ValueError):
        return ()
    return tuple(name for _, name in pairs) if [k for k, _ in pairs] == list(range(len(pairs))) else ()


def trainer_of(loaded: Any) -> str:
    """What has made a training checkpoint, by its entries."""
    if not isinstance(loaded, dict):
        return ""
    if "training" in loaded and "recipe" in loaded:
        return "filterscope"
    timms = {"arch", "state_dict", "epoch"} <= loaded.keys() and bool({"args", "version"} & loaded.keys())
    return "timm" if timms or "state_dict_ema" in loaded else ""


def natural_key(name: str) -> list[int | str]:
    """As timm's reader of folders sorts."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.lower())]


def head_order(
    asked: str | None, labels: Sequence[str], named: Sequence[str], trainer: str, folders: bool
) -> HeadOrder:
    """Which output is which label's, of a head with as many outputs as there are labels. Raises Problem, OSError.

    asked: --class-order. labels: the data's. named: what the weights' file says of its outputs. folders: whether the
    labels are names of folders, which readers sort; those of a data set have its own order.
    """
    if asked not in (None, "natural", "plain"):
        return _by_name(labels, read_names(Path(str(asked))), f"--class-order {Path(str(asked)).name}", asked=True)
    if named and asked is None:
        return _by_name(labels, named, "the weights' file names its outputs", asked=False)
    plain, natural = sorted(labels), sorted(labels, key=natural_key)
    if asked is not None:
        return _positions(labels, natural if asked == "natural" else plain, f"{asked}, as asked for")
    if not folders or plain == natural:
        return HeadOrder(tuple(range(len(labels))), "")
    if trainer == "timm":
        return _positions(labels, natural, "natural, as timm's training script sorts folders")
    if len(labels) == _IMAGENET and all(label.isdecimal() for label in labels):
        return _positions(labels, natural, "natural: ImageNet's numbers")
    who = "as this program sorts folders" if trainer == "filterscope" else "as torchvision sorts folders"
    return _positions(labels, plain, f"plain, {who}; --class-order natural where its trainer sorted as timm does")


def read_names(path: Path) -> tuple[str, ...]:
    """One name a line, or JSON: a list, name -> output, or output -> name. Raises Problem, OSError."""
    if not path.is_file():
        raise Problem(f"--class-order {path}: no such file; there are natural, plain, or a file of names, one a line")
    try:
        text = path.read_text("utf-8-sig")
        names = _listed(json.loads(text)) if text.lstrip()[:1] in ("[", "{") else tuple(text.split("\n"))
    except ValueError as error:
        raise Problem(f"--class-order {path}: neither names, one a line, nor JSON") from error
    names = tuple(name.strip() for name in names if name.strip())
    if len(set(names)) < max(2, len(names)):
        raise Problem(f"--class-order {path}: expected at least 2 names, each once")
    return names


def _positions(labels: Sequence[str], order: Sequence[str], said: str) -> HeadOrder:
    place = {name: k for k, name in enumerate(order)}
    return HeadOrder(tuple(place[label] for label in labels), said)


def _by_name(labels: Sequence[str], names: Sequence[str], who: str, asked: bool) -> HeadOrder:
    missing = [label for label in labels if label not in set(names)]
    if missing or len(names) != len(labels):
        way = "" if asked else "; --class-order natural, plain or FILE says what they are"
        raise Problem(
            f"{who}: {len(names)} labels ({some(list(names))}), the data has {len(labels)}"
            + (f", of which {some(missing)} is none of them" if missing else "")
            + way
        )
    return _positions(labels, names, f"by name: {who}")


def permuted_accuracy(labels: NDArray[np.int64], answers: NDArray[np.int64], n_labels: int) -> float | None:
    """The test accuracy under the best permutation of the outputs, where it is more than twice the accuracy as it is.

    None elsewhere, and where as much is had from answers that are dealt out at random: of few images a permutation is
    found that lifts anything.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    def best(given: NDArray[np.int64]) -> float:
        counts = np.zeros((n_labels, n_labels), np.int64)  # (label, answer)
        np.add.at(counts, (labels, given), 1)
        return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))

    lifted = best(answers)
    if lifted <= 2 * float((labels == answers).mean()):
        return None
    draws = np.random.default_rng(_SEED)
    return lifted if lifted > max(best(draws.permutation(answers)) for _ in range(_DRAWS)) else None


def permuted(labels: NDArray[np.int64], answers: NDArray[np.int64], n_labels: int) -> dict[str, float]:
    """For the manifest what `permuted_accuracy` gives, after it was called out; nothing where that gives None."""
    lifted = permuted_accuracy(labels, answers, n_labels)
    if lifted is None:
        return {}
    accuracy = float((labels == answers).mean())
    print(
        f"WARNING: the network's own test accuracy is {accuracy:.3f}, and {lifted:.3f} with its outputs in another "
        "order: they are probably not for these labels in this order. --class-order natural, plain or FILE",
        flush=True,
    )
    return {"permuted_test_accuracy": lifted}
