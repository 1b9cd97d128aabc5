"""Ctrl-C and SIGTERM reach the program wherever Python is."""

import contextlib
import signal
import sys
import time
import weakref
from typing import Any

import pytest

from precompute.machine.stopping import Stopped, Stopping
from tests.commands import run_here

SIGNALS = [signal.SIGINT, signal.SIGTERM]


class Thing:
    pass


def lose(number: signal.Signals) -> None:
    """A signal in a callback of a weak reference, out of which no exception comes: imports are full of them."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
    del thing
    assert reference() is None


def wait() -> None:
    until = time.monotonic() + 200
    while time.monotonic() < until:
        time.sleep(0.001)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_python_loses_arrives_a_moment_later(number: signal.Signals) -> None:
    before = sys.unraisablehook
    asked = time.process_time()
    with pytest.raises(Stopped) as stopped, Stopping():
        lose(number)
        wait()
    assert time.process_time() - asked < 10  # of the processor: another program may have it meanwhile
    assert stopped.value.exit_status == 128 + number
    assert sys.unraisablehook is before


def test_a_signal_that_comes_out_as_another_error_is_a_stop_all_the_same() -> None:
    with pytest.raises(Stopped), Stopping():
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as stopped:  # as Python 3.11 does where a class is being made
            raise RuntimeError("Error calling __set_name__") from stopped
    with pytest.raises(ZeroDivisionError), Stopping():
        _ = 1 / 0


def test_a_lost_signal_is_held_back_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("precompute.machine.stopping._SOON", 1.0)  # it comes when the block below has long begun
    steps = []
    with pytest.raises(Stopped), Stopping() as stopping:
        lose(signal.SIGTERM)
        with stopping.held():
            time.sleep(2.0)
            steps.append("whole")
        steps.append("one more")
    assert steps == ["whole"]


def test_a_signal_that_was_lost_without_a_trace_ends_the_next_step() -> None:
    with pytest.raises(Stopped), Stopping() as stopping:
        with contextlib.suppress(BaseException):  # as compiled code does
            signal.raise_signal(signal.SIGINT)
        with stopping.held():
            pass
        wait()


def test_a_second_signal_is_never_held_back() -> None:
    with pytest.raises(Stopped), Stopping() as stopping, stopping.held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        wait()


def test_a_signal_before_the_options_are_read_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("precompute.options.parse", lambda _: signal.raise_signal(signal.SIGTERM))
    status, printed, errors = run_here(["--data", "digits", "--out", "my run.h5"], capfd)
    assert (status, printed) == (143, "")
    assert errors.splitlines()[0] == "stopped (SIGTERM). What is done is kept; the same command goes on:"
    assert errors.splitlines()[1] == "  python -m precompute --data digits --out 'my run.h5'"


def test_a_signal_that_is_lost_on_the_last_steps_is_a_stop_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("precompute.cli.run", lambda *_: lose(signal.SIGTERM))
    status, _, errors = run_here(["--data", "digits"], capfd)
    assert (status, errors.splitlines()[0][:18]) == (143, "stopped (SIGTERM).")


def test_a_stop_that_comes_out_as_an_error_is_a_stop_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped as stopped:
            raise OSError("a library's own") from stopped

    monkeypatch.setattr("precompute.cli.run", run)
    status, _, errors = run_here(["--data", "digits"], capfd)
    assert (status, errors.splitlines()[0][:18]) == (143, "stopped (SIGTERM).")


def test_what_else_is_lost_is_said_as_before() -> None:
    said: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, said.append
    try:
        with Stopping():
            thing = Thing()
            reference = weakref.ref(thing, lambda _: 1 / 0)
            del thing
    finally:
        sys.unraisablehook = before
    assert reference() is None
    assert isinstance(said[0].exc_value, ZeroDivisionError)


@pytest.mark.parametrize("words", [["--dry-run"], ["--plan"], ["--list-taps"]])
def test_a_plan_that_is_stopped_has_kept_nothing(words: list[str]) -> None:
    told = Stopped(signal.SIGINT).words("python -m precompute --plan", words)
    assert told == "stopped (SIGINT). Nothing was made; the same command starts again:\n  python -m precompute --plan"


def test_a_dry_run_that_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("precompute.cli.run", lambda *_: signal.raise_signal(signal.SIGTERM))
    status, _, errors = run_here(["--data", "digits", "--dry-run"], capfd)
    assert status == 143 and "kept" not in errors and "starts again" in errors
