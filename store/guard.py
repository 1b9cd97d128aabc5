"""A file from a stranger is opened first in a process that can be killed.

`store.file.structure` refuses what is known to harm. What is not known may still make HDF5 loop, holding the
interpreter's lock, or take all memory, and with it a server that many use: so one other process, kept for this, opens
each file first. It has limits of time and memory; where it dies, or has met a file that is refused, the next file has a
new one.

    check(Path("run.h5"))   # raises FormatError; after it `store.file.read.Run` opens the file in this process
"""

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from store.file.format import FormatError

SECONDS = 10  # what takes milliseconds on an idle machine, on one where fifty people have just opened the same page
MEGABYTES = 300

PROGRAM = (sys.executable, "-m", "store.guard", str(SECONDS), str(MEGABYTES))
_STARTING = 60.0  # seconds that Python and its imports may take before


class Guard:
    """The process that opens files first. One request at a time; safe to call from several threads."""

    def __init__(self, program: Sequence[str] = PROGRAM, patience: float = SECONDS + _STARTING) -> None:
        self._program, self._patience = program, patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: SimpleQueue[str] = SimpleQueue()

    def start(self) -> None:
        """Begin the process now, so that it is there at the first `check`; else that one begins it. Never waits."""
        if self._lock.acquire(blocking=False):
            try:
                self._running()
            finally:
                self._lock.release()

    def check(self, path: Path) -> None:
        """Raises FormatError where the file's structure is refused, or cannot be checked within the limits."""
        with self._lock:
            process = self._running()
            try:
                refusal = self._ask(process, path)
            except BaseException:  # its answer is still to come, and would be taken for that about the next file
                self._end()
                raise
            if refusal is not None:
                self._end()
        if refusal is not None:
            raise FormatError(refusal)

    def close(self) -> None:
        """End the process; a later `check` begins another."""
        with self._lock:
            self._end()

    def _ask(self, process: subprocess.Popen[str], path: Path) -> str | None:
        """Why the file is refused, None where it is not."""
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died, and says nothing either
            process.stdin.write(json.dumps(str(path)) + "\n")
            process.stdin.flush()
        try:
            answer = self._answers.get(timeout=self._patience)
        except Empty:
            return f"{path}: not checked within {self._patience:g} s; refused"
        if answer:
            refusal: str | None = json.loads(answer)
            return refusal
        status = process.wait()
        if status == -getattr(signal, "SIGALRM", 0):
            return f"{path}: not checked within {SECONDS} s; refused"
        return f"{path}: checking it ended the process that did so (exit status {status}); refused"

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self._end()  # nobody's file has done that
        if self._process is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(self._program, stdin=pipe, stdout=pipe, text=True, encoding="utf-8")
            self._answers = SimpleQueue()
            threading.Thread(target=_pass_on, args=(self._process, self._answers), daemon=True).start()
        return self._process

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):  # what was still to be written to it
            process.stdin.close()  # type: ignore[union-attr]


_GUARD = Guard()
start, check = _GUARD.start, _GUARD.check  # one for all who ask in this process


def _pass_on(process: subprocess.Popen[str], answers: "SimpleQueue[str]") -> None:
    """Each line that the process prints, and an empty one at its end."""
    assert process.stdout is not None
    with process.stdout as printed:
        for line in printed:
            answers.put(line)
    answers.put("")


def _limit_memory(megabytes: int) -> None:
    """Beyond what this process has by now. Where the system has no such limit there is none."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _serve(seconds: int, megabytes: int) -> None:
    """A path a line in, as JSON; out why it is refused, or null. Ends with its input, so with who began it, or by an
    alarm: that ends loops of HDF5 too, also where nobody waits for them any more."""
    from store.file.structure import open_checked

    alarm = getattr(signal, "alarm", lambda seconds: None)
    _limit_memory(megabytes)
    for line in sys.stdin:
        path = Path(json.loads(line))
        refusal = None
        alarm(seconds)
        try:
            file, _ = open_checked(path)
            file.close()
        except FormatError as error:
            refusal = str(error)
        except MemoryError:
            refusal = f"{path}: more than {megabytes} MB of memory are needed to check it; refused"
        except OSError:
            pass  # who asked meets it too, and knows better what to say
        alarm(0)
        print(json.dumps(refusal), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):  # Ctrl-C reaches the whole group
        _serve(*map(int, sys.argv[1:]))
