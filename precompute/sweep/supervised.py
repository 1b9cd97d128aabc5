"""python -m precompute.sweep.supervised PARENT ARGUMENTS: `python -m precompute ARGUMENTS`, which ends with its parent.

A sweep that is killed tells its runs nothing; a run that outlived it would keep its lock, and the processors.
"""

import os
import signal
import sys
import threading
import time

_EVERY = 0.5  # seconds


def stop_with(parent: int) -> None:
    """Ask this process for its end, as Ctrl-C does, once its parent is another one."""
    while os.getppid() == parent:
        time.sleep(_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    parent = int(sys.argv.pop(1))
    threading.Thread(target=stop_with, args=(parent,), daemon=True).start()
    from precompute.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
