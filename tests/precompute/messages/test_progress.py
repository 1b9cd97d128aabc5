"""What a person reads while it works."""

import io

import pytest

from precompute.messages.progress import Progress, seconds


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.26, "0.3 s"), (9.9, "9.9 s"), (10, "10 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (7200, "2.0 h")],
)
def test_durations_as_a_person_says_them(duration, text):
    assert seconds(duration) == text


def test_plain_lines_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = Progress("network", total=100)
    for done in range(1, 100):
        clock.now += 1
        shown.step(done, "epoch 1 of 2")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"network:  {done}%, {seconds(100 - done)} left; epoch 1 of 2" for done in (30, 60, 90)]


def test_a_live_line_on_a_terminal(monkeypatch):
    clock, terminal = Clock(monkeypatch), Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    shown = Progress("network", total=10)
    for done in range(1, 10):
        clock.now += 1
        shown.step(done)
    shown.finish("done")
    text = terminal.getvalue()
    assert text.count("\n") == 1
    assert text.count("\r") == 10
    assert text.endswith("network: done (9.0 s)\n")


def test_the_time_left_follows_the_speed_of_the_last_minutes(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = Progress("network", total=1000)
    for done in range(1, 500):
        clock.now += 10 if done < 100 else 1  # a slow start, then ten times faster
        shown.step(done)
    assert capsys.readouterr().err.splitlines()[-1].startswith("network:  49%, 9 min left")


def test_work_that_goes_on_does_not_count_what_was_done_before(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = Progress("network", total=100, done=50)
    clock.now += 40
    shown.step(60)
    assert capsys.readouterr().err == "network:  60%, 3 min left\n"
