"""The sets of weights in what a file holds: below every container and prefix that programs are known to use."""

import torch

from precompute.networks.checkpoints.choosing import candidates

RAW = {"conv.weight": torch.zeros(2), "fc.bias": torch.ones(1)}
AVERAGE = {name: value + 1 for name, value in RAW.items()}


def below(prefix: str, state=RAW):
    return {prefix + name: value for name, value in state.items()}


def places(loaded) -> dict[str, bool]:
    """Place -> whether it is averaged, of the sets that hold the network's own names."""
    return {one.place: one.averaged for one in candidates(loaded) if RAW.keys() <= one.state.keys()}


def test_containers_and_prefixes_in_one_another():
    assert places(RAW) == {"": False}
    assert places({"model": below("module._orig_mod."), "epoch": 3}) == {"model, module._orig_mod.*": False}
    assert places({"state_dict": {"model": below("module.module.")}}) == {"state_dict, model, module.module.*": False}
    assert places({"student": below("backbone."), "teacher": below("backbone.", AVERAGE)}) == {
        "student, backbone.*": False,
        "teacher, backbone.*": True,
    }


def test_an_average_below_a_prefix_beside_the_raw_weights():
    """As Lightning keeps both in one state dict."""
    both = {
        "state_dict": below("net.") | below("ema_model.module.", AVERAGE) | {"ema_model.n_averaged": torch.tensor(2)}
    }
    assert places(both) == {"state_dict, net.*": False, "state_dict, ema_model.module.*": True}
    raw, averaged = sorted(
        (one for one in candidates(both) if RAW.keys() <= one.state.keys()), key=lambda one: one.averaged
    )
    assert torch.equal(raw.state["fc.bias"], RAW["fc.bias"])
    assert torch.equal(averaged.state["fc.bias"], AVERAGE["fc.bias"])


def test_what_lies_outside_of_a_prefix_is_told():
    found = candidates(below("model.") | {"criterion.weight": torch.ones(2)})
    told = {one.place: one.left_out for one in found}
    assert told == {"": (), "model.*": ("criterion.weight",)}


def test_what_averaged_model_counts_marks_an_average():
    network = torch.nn.Linear(2, 1)
    state = torch.optim.swa_utils.AveragedModel(network).state_dict()
    (inner,) = [one for one in candidates(state) if one.place == "module.*"]
    assert inner.averaged
    assert inner.state.keys() == network.state_dict().keys()


def test_no_tensors_no_sets_and_no_end_without_end():
    endless: dict = {}
    endless["model"] = endless
    for loaded in ([1], "text", {}, {"epoch": 3}, {3: torch.zeros(1)}, endless, None):
        assert candidates(loaded) == []
