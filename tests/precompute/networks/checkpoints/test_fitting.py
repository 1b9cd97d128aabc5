"""One small network as programs save it: each file gives the network that its program means, or says why not."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch.optim.swa_utils import AveragedModel

from precompute.messages.problem import Problem
from precompute.networks import weights
from precompute.networks.models import find_arch
from precompute.options import Options
from tests.tables_in_docs import rows

N_LABELS = 2
NETWORK: dict[str, Any] = {"arch": "timm:test_resnet", "data": "cifar10"}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=N_LABELS)


def averaged(state):
    """Other weights than the raw ones, so that one sees which were read."""
    return {name: value + 1 if value.is_floating_point() else value for name, value in state.items()}


def below(prefix: str, state):
    return {prefix + name: value for name, value in state.items()}


def as_saved(form: str, network) -> Any:
    raw = network.state_dict()
    ema = averaged(raw)
    wrapped = below("module.", ema) | {"n_averaged": torch.tensor(3)}
    forms: dict[str, Any] = {
        "a state dict: torch.save(network.state_dict(), PATH)": raw,
        "a state dict with an epoch beside it": {**raw, "epoch": 3},
        "timm's train.py": {"epoch": 1, "arch": "test_resnet", "state_dict": raw, "args": argparse.Namespace(lr=0.1)},
        "timm's train.py, --model-ema": {"state_dict": raw, "state_dict_ema": ema, "args": argparse.Namespace(lr=0.1)},
        "timm's train.py, EMA alone": {"state_dict_ema": ema, "epoch": 1},
        "torchvision's reference script, --model-ema": {"model": raw, "model_ema": wrapped},
        "a script with numbers of NumPy beside": {"state_dict": raw, "best_acc": np.float64(0.9), "epoch": np.int64(3)},
        "torch.optim.swa_utils.AveragedModel": AveragedModel(network).state_dict(),
        "Lightning": {"state_dict": below("model.", raw), "pytorch-lightning_version": "2.5"},
        "Lightning, a loss with weights": {"state_dict": below("model.", raw) | {"criterion.weight": torch.ones(2)}},
        "Lightning, compiled": {"state_dict": below("model._orig_mod.", raw)},
        "a module that calls its network net": {"state_dict": below("net.", raw)},
        "a module that calls its network backbone": {"state_dict": below("backbone.", raw)},
        "DistributedDataParallel of a compiled network": {"model": below("module._orig_mod.", raw)},
        "a compiled DistributedDataParallel": {"model": below("_orig_mod.module.", raw)},
        "a dict with net, as many CIFAR scripts": {"net": raw, "acc": 93.1, "epoch": 1},
        "a dict with weights": {"weights": raw},
        "a dict with model_state": {"model_state": raw},
        "BasicSR": {"params": raw, "params_ema": ema},
        "DINO": {"student": below("module.", raw), "teacher": ema},
        "Lightning, an average beside": {"state_dict": below("net.", raw) | below("ema_model.module.", ema)},
    }
    return forms[form]


# The table of the documents: how it was saved -> the set that is read, and the one that is not
FORMS = {row["saved by"]: (row["what is read"], row["what is not"]) for row in rows("inputs.md", "saved by")}
HOLD_AVERAGES = {
    "timm's train.py, --model-ema",
    "timm's train.py, EMA alone",
    "torchvision's reference script, --model-ema",
    "BasicSR",
    "DINO",
    "Lightning, an average beside",
}
ONLY_AVERAGES = {"timm's train.py, EMA alone", "torch.optim.swa_utils.AveragedModel"}


def saved(form: str, network, folder: Path) -> Path:
    torch.save(as_saved(form, network), folder / "best.pt")
    return folder / "best.pt"


def read(path: Path, n_labels: int = N_LABELS, **options: Any):
    """-> the network's state dict, and what a manifest says."""
    made = Options(**(NETWORK | options), checkpoint=path)
    arch = find_arch(made)
    start = weights.of_file(made, arch)
    assert start is not None
    return weights.network(made, arch, n_labels, True, start).state_dict(), start.said


def is_same(state, expected) -> bool:
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("form", FORMS)
def test_each_file_gives_the_network_that_its_program_means(form, network, tmp_path):
    state, said = read(saved(form, network, tmp_path))
    raw = network.state_dict()
    assert is_same(state, averaged(raw) if form in HOLD_AVERAGES else raw)
    place, not_read = FORMS[form]
    assert said.get("set", "the file") == place
    assert said.get("not_read", "") == not_read
    holds_average = form in HOLD_AVERAGES | ONLY_AVERAGES
    assert said.get("averaged") == ("yes (EMA)" if holds_average else None)
    assert said.get("left_out") == ("criterion.weight" if form == "Lightning, a loss with weights" else None)


@pytest.mark.parametrize("form", sorted(HOLD_AVERAGES - ONLY_AVERAGES))
def test_raw_weights_and_averaged_ones_on_request(form, network, tmp_path):
    path = saved(form, network, tmp_path)
    raw = network.state_dict()
    state, said = read(path, no_ema=True)
    assert is_same(state, raw)
    assert said["averaged"] == "no"
    assert said["not_read"].startswith("averaged (EMA) weights in ")
    assert is_same(read(path, ema=True)[0], averaged(raw))


@pytest.mark.parametrize(
    ("form", "option", "words"),
    [
        (
            "a state dict: torch.save(network.state_dict(), PATH)",
            "ema",
            "--ema: .* holds no such weights, only raw ones",
        ),
        ("timm's train.py, EMA alone", "no_ema", r"--no-ema: .* holds no such weights, only averaged \(EMA\) ones"),
    ],
)
def test_what_is_asked_for_and_not_there_is_refused(form, option, words, network, tmp_path):
    with pytest.raises(Problem, match=words):
        read(saved(form, network, tmp_path), **{option: True})


def test_transfer_reads_the_same_files(network, tmp_path):
    """--weights translates as --checkpoint does, and leaves out the outputs."""
    path = saved("DistributedDataParallel of a compiled network", network, tmp_path)
    made = Options(**NETWORK, weights=str(path))
    state = weights.network(made, find_arch(made), 5).state_dict()
    raw = network.state_dict()
    assert state["fc.weight"].shape[0] == 5
    assert all(torch.equal(state[name], raw[name]) for name in raw if not name.startswith("fc."))


def test_old_files_lack_the_counters_of_batch_normalization(network, tmp_path):
    raw = {name: value for name, value in network.state_dict().items() if "num_batches_tracked" not in name}
    assert len(raw) < len(network.state_dict())
    torch.save(raw, tmp_path / "old.pt")
    state, _ = read(tmp_path / "old.pt")
    assert all(torch.equal(state[name], raw[name]) for name in raw)
