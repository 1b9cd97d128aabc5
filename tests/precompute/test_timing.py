"""What a batch takes, found out from parts of it."""

import time
from collections import Counter

import pytest

from precompute import timing
from precompute.machine.device import choose_device
from precompute.machine.distributed import ALONE
from precompute.timing import batch_cost

CPU = choose_device("cpu", ALONE)


@pytest.fixture
def machine(monkeypatch):
    """A clock, and memory, that only the work moves: so much for a batch, and so much for each of its inputs."""

    class Machine:
        now, most, of_batch, of_input = 0.0, 1000, 0.0, 0.0

        def __init__(self):
            self.done: Counter[int] = Counter()

        def work(self, n):
            def task():
                self.now += self.of_batch + self.of_input * n
                self.most = max(self.most, 1000 + 100 * n)
                self.done[n] += 1

            return task

    machine = Machine()
    monkeypatch.setattr(time, "perf_counter", lambda: machine.now)
    monkeypatch.setattr(timing, "peak_memory", lambda _: machine.most)
    return machine


def test_a_long_batch_is_known_from_two_small_ones(machine):
    machine.of_batch, machine.of_input = 0.5, 0.125
    found = batch_cost(machine.work, 100, CPU)
    assert found.seconds == pytest.approx(0.5 + 100 * 0.125)
    assert machine.most + found.more_bytes == 1000 + 100 * 100
    assert max(machine.done) == 16


@pytest.mark.parametrize(("n", "of_input"), [(100, 1e-3), (16, 1.0), (3, 1.0)])
def test_a_short_or_small_one_is_taken_as_it_is(n, of_input, machine):
    machine.of_input = of_input
    assert batch_cost(machine.work, n, CPU).seconds == pytest.approx(n * of_input)
    assert machine.done[n] >= 2


def test_another_programs_moment_does_not_make_it_negative(machine):
    machine.of_batch, machine.of_input = 1.0, -0.01  # the larger batch happened to be the quicker one
    assert batch_cost(machine.work, 100, CPU).seconds > 0
