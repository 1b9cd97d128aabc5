"""What a sweep says while it runs."""

import pytest

from precompute.sweep.plan import Estimate
from precompute.sweep.pools import Ended
from precompute.sweep.progress import SweepProgress
from precompute.sweep.runs import Standing
from tests.precompute.sweep.test_runs import runs_of


def test_the_time_left_is_the_estimates_corrected_by_what_runs_took(capsys):
    runs = runs_of("runs --seeds 0..3")
    progress = SweepProgress(4, runs, {run: Estimate(100.0, 0, 0) for run in runs})
    assert progress.time_left(slots=2) == 200
    for run in runs:
        progress.started(run, slots=2)  # two of them wait their turn
    assert progress.time_left(slots=2) == pytest.approx(200, abs=1)
    progress.ended(runs[0], Ended(0, 50.0, ()), Standing("done"), slots=2)
    assert progress.time_left(slots=2) == pytest.approx(75, abs=1)  # three of 50 s, two at a time
    assert capsys.readouterr().out == "vgg16-digits: made in 50 s (1 of 4 there, about 75 s left)\n"


def test_a_run_that_takes_longer_than_was_estimated_makes_the_others_longer_too(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    runs = runs_of("runs --seeds 0..2")
    progress = SweepProgress(3, runs, {run: Estimate(100.0, 0, 0) for run in runs})
    progress.started(runs[0], slots=1)
    now = 90.0
    assert progress.time_left(slots=1) == 210
    now = 150.0
    assert progress.time_left(slots=1) == 300  # two more of 150 s


def test_without_estimates_the_runs_that_ended_are_the_measure(capsys):
    runs = runs_of("runs --seeds 0..2")
    progress = SweepProgress(3, runs, {})
    progress.started(runs[0], slots=1)
    assert progress.time_left(slots=1) is None
    progress.ended(runs[0], Ended(0, 30.0, ()), Standing("done"), slots=1)
    assert progress.time_left(slots=1) == pytest.approx(60, abs=1)


def test_a_run_that_a_signal_ended_says_so(capsys):
    (run,) = runs_of("runs")
    progress = SweepProgress(1, [run], {})
    progress.ended(run, Ended(-9, 1.0, ("the last words",)), Standing("to do"), slots=1)
    printed = capsys.readouterr().out
    assert "FAILED (ended by signal 9, as the system does when memory runs out)" in printed
    assert "    the last words\n" in printed
