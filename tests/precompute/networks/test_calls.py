"""What a pass through a network calls."""

import torch
from torch import nn

from precompute.networks.calls import trace


def network() -> nn.Module:
    return nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.Flatten(), nn.Linear(4 * 36, 2))


def test_calls_are_nested_as_the_modules_call_each_other():
    root = trace(network(), 8)
    assert [call.path for call in root.walk()] == ["", "0", "0.0", "0.1", "1", "2"]
    assert [call.path for call in sorted(root.walk(), key=lambda call: call.end)] == ["0.0", "0.1", "0", "1", "2", ""]
    assert [call.n_mixing for call in root.walk()] == [2, 1, 1, 0, 0, 1]


def test_what_one_module_gives_is_known_in_what_the_next_is_given():
    calls = {call.path: call for call in trace(network(), 8).walk()}
    assert calls["0.1"].inputs[0] is calls["0.0"].outputs[0]
    assert calls["0"].outputs[0] is calls["0.1"].outputs[0]


def test_a_pass_leaves_the_network_as_it_was():
    built = network()
    state = {name: value.clone() for name, value in built.state_dict().items()}
    trace(built, 8)
    assert built.training
    assert all(torch.equal(value, state[name]) for name, value in built.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in built.modules())


def test_tensors_are_found_in_tuples_lists_and_dicts():
    class Several(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, object]:
            return {"a": (x, [x + 1]), "size": 3}

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.fc = Several(), nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            given = self.inner(x=x)
            return self.fc(given["a"][1][0])

    call = trace(Outer(), 8).inside[0]
    assert len(call.inputs) == 1  # given by its name
    assert len(call.outputs) == 2
    assert call.outputs[0] is call.inputs[0]
