"""What a task does on a worker of Ray, without Ray."""

import _thread
import sys
import threading
import time
from pathlib import Path

import pytest

from precompute.sweep import cluster, pools

# In place of a run: it takes a while to save, and says in its log that it could.
SLOW_TO_STOP = """#!/bin/sh
trap 'sleep 0.5; echo saved; exit 143' TERM
echo ready
while :; do sleep 0.02; done
"""


def test_a_run_that_is_stopped_has_its_time_however_often_ray_interrupts_the_task(tmp_path, monkeypatch):
    program = tmp_path / "program"
    program.write_text(SLOW_TO_STOP)
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    log = tmp_path / "run.log"
    over = threading.Event()

    def interrupt() -> None:
        """As Ray does: first while the run works, then again and again."""
        while not log.exists() or not log.read_text():
            time.sleep(0.01)
        _thread.interrupt_main()
        while not over.wait(0.1):
            if log.read_text() == "ready\n" and stopping.is_set():
                _thread.interrupt_main()

    stopping = threading.Event()
    asked = pools.Child.ask_to_stop
    monkeypatch.setattr(pools.Child, "ask_to_stop", lambda child: (stopping.set(), asked(child)))
    ray = threading.Thread(target=interrupt)
    ray.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            cluster._attempt((), Path(tmp_path / "run.h5"), 1)
    finally:
        over.set()
        ray.join()
    assert log.read_text() == "ready\nsaved\n"
