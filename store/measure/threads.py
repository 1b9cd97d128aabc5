"""Work on the cores: shares of filters, or of test inputs, each to a thread.

Plain threads over kernels that release the interpreter lock: numba's own pool may not be entered twice, and a server
measures for several people at once.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def n_shares(n_items: int) -> int:
    """Into how many shares so many items are divided at most: one a core."""
    return min(os.cpu_count() or 1, n_items, 16)


def parallel_ranges(task: Callable[[int, int, int], None], n_items: int, work: int) -> None:
    """Run task(share, first, last) over all items, in shares on the cores when there is work enough for that to pay."""
    shares = n_shares(n_items) if work > 500_000 else 1
    edges = [n_items * share // shares for share in range(shares + 1)]
    others = [_pool(os.getpid()).submit(task, share, edges[share], edges[share + 1]) for share in range(1, shares)]
    task(0, edges[0], edges[1])
    for other in others:
        other.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """One pool a process: a forked child has none of its parent's threads, so it needs its own."""
    return ThreadPoolExecutor(thread_name_prefix="measure")
