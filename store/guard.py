"""A file from a stranger is opened first in a process that can be killed.

`store.structure` refuses what is known to harm. What is not known may still make HDF5 loop, holding the interpreter's
lock, or take all memory, and with it a server that many use: so one other process, kept for this, opens each file
first. It has a limit of memory, and is killed and begun anew where it takes too long or dies.

    check(Path("run.h5"))   # raises FormatError; after it `store.read.Run` opens the file in this process
"""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from store.format import FormatError

SECONDS = 10.0  # what takes milliseconds on an idle machine, on one where fifty people have just opened the same page
MEGABYTES = 300

PROGRAM = (sys.executable, "-m", "store.guard", str(MEGABYTES))


class Guard:
    """The process that opens files first. One request at a time; safe to call from several threads."""

    def __init__(self, program: Sequence[str] = PROGRAM, seconds: float = SECONDS) -> None:
        self._program, self._seconds = program, seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: SimpleQueue[str] = SimpleQueue()

    def start(self) -> None:
        """Begin the process now, so that it is there at the first `check`; else that one begins it."""
        with self._lock:
            self._running()

    def check(self, path: Path) -> None:
        """Raises FormatError where the file's structure is refused, or cannot be checked within the limits."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it has died, and says nothing either
                process.stdin.write(json.dumps(str(path)) + "\n")
                process.stdin.flush()
            try:
                answer = self._answers.get(timeout=self._seconds)
            except Empty:
                self._end()
                raise FormatError(f"{path}: not checked within {self._seconds:g} s; refused") from None
            if not answer:
                status = process.wait()
                self._end()
                raise FormatError(f"{path}: checking it ended the process that did so (exit status {status}); refused")
        refusal: str | None = json.loads(answer)
        if refusal is not None:
            raise FormatError(refusal)

    def close(self) -> None:
        """End the process; a later `check` begins another."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
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


def _serve() -> None:
    """A path a line in, as JSON; out why it is refused, or null. Ends with its input, so with who began it."""
    from store.structure import open_checked

    _limit_memory(int(sys.argv[1]))
    for line in sys.stdin:
        path = Path(json.loads(line))
        refusal = None
        try:
            file, _ = open_checked(path)
            file.close()
        except FormatError as error:
            refusal = str(error)
        except MemoryError:
            refusal = f"{path}: more than {sys.argv[1]} MB of memory are needed to check it; refused"
        except OSError:
            pass  # who asked meets it too, and knows better what to say
        print(json.dumps(refusal), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):  # Ctrl-C reaches the whole group
        _serve()
