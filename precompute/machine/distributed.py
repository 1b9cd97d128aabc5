"""Several processes that make one run together, as torchrun starts them; alone, a process does the same without them.

A batch of the training, and the passes over the data, are divided among them. The first process has the say: it alone
prints, holds the lock, writes files, and trains the probes when the others have ended.

What is agreed on and what is gathered travels through gloo, from main memory, on every device; only the gradients and
the statistics of batches go from GPU to GPU, through NCCL. Imports torch late, so that `--help` answers at once.
"""

import contextlib
import datetime
import gc
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from precompute.messages.problem import Problem, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.distributed import Store  # type: ignore[attr-defined]

    from precompute.images.image_files import ImageFiles

_PATIENCE = datetime.timedelta(hours=2)  # with a process that downloads, or measures its plan, while the others wait
_LAST_WORD = datetime.timedelta(seconds=5)
_DECODED_AT_ONCE = 256  # images
_SIGNS_OF_LOSS = ("gloo", "NCCL", "Connection closed", "Connection reset")  # in what torch says of a peer that is gone

T = TypeVar("T")


class World:
    """The processes of one run, and which of them this one is. Whatever several must do together says so."""

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank, self.size = rank, size
        self.local_rank, self.local_size = local_rank, local_size  # on this machine
        self._store: Store | None = None

    @classmethod
    def of_environment(cls) -> "World":
        """As torchrun says it; alone where it says nothing."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        values = [os.environ.get(name, "") for name in (*names, "MASTER_ADDR")]
        return cls(*map(int, values[:4])) if all(values) else cls()

    @property
    def several(self) -> bool:
        return self.size > 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def command(self) -> list[str]:
        """What a person starts the run with."""
        if not self.several:
            return ["python", "-m", "precompute"]
        machines = self.size // self.local_size
        nodes = ["--nnodes", str(machines)] if machines > 1 else []
        return ["torchrun", *nodes, "--nproc-per-node", str(self.local_size), "-m", "precompute"]

    # Beginning and end

    @contextlib.contextmanager
    def quiet(self, errors: bool = False) -> Iterator[None]:
        """Only the first process prints, with `errors` also to stderr: the others would say the same once more."""
        with contextlib.ExitStack() as stack:
            if not self.is_first:
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(contextlib.redirect_stdout(nowhere))
                if errors:
                    stack.enter_context(contextlib.redirect_stderr(nowhere))
            yield

    @contextlib.contextmanager
    def connected(self, device: str) -> Iterator[None]:
        """Inside, the processes reach each other, until they `part`. device: that of --device. Raises Problem."""
        if not self.several:
            yield
            return
        import torch
        import torch.distributed.nn.functional  # its default arguments would keep a group that is there already alive
        from torch import distributed

        uses_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        backend = "cpu:gloo,cuda:nccl" if uses_gpu else "gloo"
        try:
            self._store = next(distributed.rendezvous("env://"))[0]  # type: ignore[attr-defined]
            store = distributed.PrefixStore("run", self._store)  # type: ignore[attr-defined]
            distributed.init_process_group(
                backend, timeout=_PATIENCE, world_size=self.size, rank=self.rank, store=store
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise Problem(f"torchrun's {self.size} processes cannot reach each other: {one_line(error)}") from error
        yield
        self.part()  # not after an error: who waits for this process finds out by its end

    def part(self) -> None:
        """All together: from here on each process is by itself."""
        if self.several and self._store is not None:
            from torch import distributed

            self.barrier()
            self._store = None
            self.size, self.local_size = 1, 1
            distributed.destroy_process_group()
            gc.collect()  # what refers to the group in a circle keeps its threads, which must not outlive Python

    @contextlib.contextmanager
    def last_word(self) -> Iterator[bool]:
        """Whether it is on this process to say why the run ends. The first that gets here says it.

        The others stay until it has, since torchrun ends all that are left as soon as one has gone.
        """
        if self._store is None:
            yield self.is_first
            return
        try:
            is_mine = self._store.add("last word", 1) == 1
        except RuntimeError:  # torchrun itself is gone
            is_mine = self.is_first
        yield is_mine
        with contextlib.suppress(RuntimeError):
            if is_mine:
                self._store.set("said", "")
            else:
                self._store.wait(["said"], _LAST_WORD)

    def is_loss(self, error: RuntimeError) -> bool:
        """Whether this is what remains to be said when another process has left."""
        return self._store is not None and any(sign in str(error) for sign in _SIGNS_OF_LOSS)

    # Who does what

    def share(self, n_inputs: int) -> slice:
        """This process's part of a batch: the parts follow one another and differ by at most one input."""
        return slice(self.rank * n_inputs // self.size, (self.rank + 1) * n_inputs // self.size)

    def shards(self, n_inputs: int, batch: int) -> list[slice]:
        """Each process's part of a pass: whole batches, so that every input passes in the company that it has alone.

        The earlier processes get more batches, the last ones none where there are few.
        """
        each, more = divmod(-(-n_inputs // batch), self.size)
        ends = [min(n_inputs, (rank * each + min(rank, more)) * batch) for rank in range(self.size + 1)]
        return [slice(first, last) for first, last in itertools.pairwise(ends)]

    # All together

    def largest(self, value: float) -> float:
        if not self.several:
            return value
        import torch
        from torch import distributed

        all_of_them = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(all_of_them, distributed.ReduceOp.MAX)
        return all_of_them.item()

    def any(self, flag: bool) -> bool:
        return self.largest(flag) > 0

    def barrier(self) -> None:
        self.largest(0)

    def total(self, values: "Tensor") -> "Tensor":
        """The sum over the processes, where the values are."""
        if not self.several:
            return values
        from torch import distributed

        there = values.detach().cpu().clone()
        distributed.all_reduce(there)
        return there.to(values.device)

    def from_first(self, value: T) -> T:
        """The first process's value, which travels as a pickle."""
        if not self.several:
            return value
        import torch
        from torch import distributed

        values = [value]
        distributed.broadcast_object_list(values, 0, device=torch.device("cpu"))
        return values[0]

    @contextlib.contextmanager
    def in_turn(self, needed: bool) -> Iterator[None]:
        """The first process alone, then the others: for what it downloads and they find. `needed` is alike for all."""
        if needed and not self.is_first:
            self.barrier()
        yield
        if needed and self.is_first:
            self.barrier()

    def collect(self, part: "Tensor", into: "Tensor | None", rows: list[slice]) -> None:
        """`part` of each process into its rows of a tensor that the first process has; rows may be none."""
        if self.is_first:
            assert into is not None, "the first process has room for what all have made"
            into[rows[0]] = part
        if not self.several:
            return
        import torch
        from torch import distributed

        if not self.is_first:
            distributed.send(_bytes(part.cpu()), 0)
            return
        assert into is not None
        for rank, (first, last) in enumerate((of.start, of.stop) for of in rows):
            if rank and last > first:
                received = torch.empty(last - first, *part.shape[1:], dtype=part.dtype)
                distributed.recv(_bytes(received), rank)
                into[first:last] = received

    def decode(self, images: "ImageFiles", place: Path) -> "NDArray[np.uint8]":
        """All images in one file that each process maps into its memory, having decoded its part. Raises OSError."""
        import numpy as np

        from precompute.images.image_files import allocate

        if self.is_first:
            allocate(place, images.nbytes)
        self.barrier()
        whole = np.memmap(place, np.uint8, "r+", shape=images.shape)
        mine = self.share(len(images))
        first = mine.start
        for batch in images.select(mine).batches(_DECODED_AT_ONCE):
            whole[first : first + len(batch)] = batch
            first += len(batch)
        self.barrier()
        return whole


ALONE = World()


def say(message: str, world: World = ALONE) -> None:
    """A last word, once for all processes, on a line of its own also where a line of progress is being shown."""
    with world.last_word() as is_mine:
        if is_mine:
            print(f"\r\x1b[K{message}" if sys.stderr.isatty() else message, file=sys.stderr, flush=True)


def _bytes(tensor: "Tensor") -> "Tensor":
    """What gloo carries, whatever the type."""
    import torch

    return tensor.contiguous().view(torch.uint8)
