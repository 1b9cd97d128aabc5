"""The training loop: schedules, stopping and going on, losses that are not finite."""

import math
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from precompute.machine.stopping import Stopped, Stopping
from precompute.messages.problem import Problem
from precompute.options import parse
from precompute.recipes import Schedule, recipe_for
from precompute.training.graph import compiled
from precompute.training.loop import Training

SHORT = Schedule("test", learning_rate=0.05, momentum=0.9, weight_decay=1e-3, epochs=3, decay=0.5, batch_size=8)
N_INPUTS = 36  # 4 batches of 8, and 4 inputs left over


def training(schedule=SHORT, seed=0, **options):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(N_INPUTS, 6, generator=generator)
    labels = torch.arange(N_INPUTS) % 3
    return Training("test", model, lambda index, _: features[index], labels, schedule, seed, **options)


class StopsAfter(Stopping):
    """A person who presses Ctrl-C while step number `steps` is taken."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    @contextmanager
    def held(self):
        self.left -= 1
        if self.left == 0:
            self._asked = 2
        with super().held():
            yield


def whole():
    finished = training()
    finished.run(Stopping())
    return finished.state()


def assert_same(state, other):
    assert state["history"] == other["history"] or repr(state["history"]) == repr(other["history"])  # NaN != NaN
    assert state["step"] == other["step"]
    for key, value in state["model"].items():
        assert torch.equal(value, other["model"][key]), key
    for buffers, others in zip(state["optimizer"]["state"].values(), other["optimizer"]["state"].values(), strict=True):
        assert torch.equal(buffers["momentum_buffer"], others["momentum_buffer"])


@pytest.mark.parametrize("step", range(1, 13))
def test_going_on_after_a_stop_at_any_step_ends_with_the_same_bits(step):
    saved: list[Any] = []
    with pytest.raises(Stopped) as stopped:
        training().run(StopsAfter(step), saved.append)
    assert stopped.value.exit_status == 130
    assert saved[-1]["step"] == step
    torch.rand(100)  # another process is in another random state
    gone_on = training(seed=0)
    gone_on.restore(saved[-1])
    gone_on.run(Stopping())
    assert_same(gone_on.state(), whole())


def test_another_seed_trains_otherwise():
    other = training(seed=1)
    other.run(Stopping())
    assert not torch.equal(other.state()["model"]["0.weight"], whole()["model"]["0.weight"])


def test_a_checkpoint_after_each_epoch():
    saved: list[Any] = []
    training().run(Stopping(), lambda state: saved.append(state["step"]))
    assert saved == [4, 8, 12]


def test_the_history_has_a_row_an_epoch():
    accuracies = iter([0.5, 0.6, 0.7])
    history = training(evaluate=lambda: next(accuracies)).run(Stopping())
    assert history["learning_rate"] == [0.05, 0.025, 0.0125]
    assert history["test_accuracy"] == [0.5, 0.6, 0.7]
    assert all(0 <= value <= 1 for value in history["train_accuracy"])
    assert len(history["loss"]) == 3


def test_it_learns():
    history = training(Schedule("test", 0.05, 0.9, 0, epochs=60, batch_size=12)).run(Stopping())
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_a_loss_that_is_not_finite_stops_at_once_and_saves_nothing_after_it():
    saved: list[Any] = []
    steep = training()
    steep.schedule = Schedule("test", 1e30, 0.9, 0, epochs=3, batch_size=8)
    with pytest.raises(Problem, match=r"test: the loss is not finite any more in epoch 1"):
        steep.run(Stopping(), saved.append)
    assert steep.step < 4
    assert saved == []


def test_a_data_set_smaller_than_a_batch_is_one_batch():
    small = training(Schedule("test", 0.05, 0.9, 0, epochs=2, batch_size=1000))
    small.run(Stopping())
    assert small.step == 2


def test_the_papers_schedules_fall_by_q_every_dt_epochs():
    schedule = recipe_for(parse(["--arch", "vgg16", "--data", "cifar100"]), "none", 100).network
    rates = [schedule.rate(epoch * 500, 500) for epoch in (0, 19, 20, 39, 40, 299)]
    assert rates == pytest.approx([0.002, 0.002, 0.0013, 0.0013, 0.002 * 0.65**2, 0.002 * 0.65**14])


def test_one_cycle_rises_to_its_peak_and_ends_near_zero():
    schedule = recipe_for(parse(["--arch", "vgg16", "--data", "digits"]), "none", 10).network
    steps = schedule.epochs * 28
    rates = [schedule.rate(step, 28) for step in range(steps)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(schedule.learning_rate, rel=0.02)
    assert 0.25 < peak / steps < 0.35
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[-1] < 1e-3 * schedule.learning_rate


def test_nesterov_momentum_and_l2_are_the_textbooks():
    """Two steps by hand: v = mu v + (g + alpha w); w -= eta ((g + alpha w) + mu v)."""
    torch.manual_seed(0)
    model = nn.Linear(2, 2, bias=False)
    features, labels = torch.randn(4, 2), torch.tensor([0, 1, 0, 1])
    schedule = Schedule("test", learning_rate=0.1, momentum=0.9, weight_decay=0.01, epochs=2, batch_size=4)
    expected, velocity = model.weight.detach().clone(), torch.zeros(2, 2)
    for _ in range(2):
        weight = expected.clone().requires_grad_()
        nn.functional.cross_entropy(features @ weight.T, labels).backward()
        gradient = weight.grad + 0.01 * expected
        velocity = 0.9 * velocity + gradient
        expected = expected - 0.1 * (gradient + 0.9 * velocity)
    Training("test", model, lambda index, _: features[index], labels, schedule, 0).run(Stopping())
    torch.testing.assert_close(model.weight.detach(), expected)
    assert math.isfinite(expected.sum())


def test_without_a_compiler_of_c_a_network_is_trained_as_it_is(monkeypatch):
    model = nn.Linear(2, 2)
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: True)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert compiled(model) is model
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    made = compiled(model)
    assert made._orig_mod is model
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: False)
    assert compiled(model) is model
