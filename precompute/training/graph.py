"""A training's step on a GPU as one CUDA graph: recorded once, then started as a whole.

A step of VGG-16 is some 300 kernels of a few microseconds each, which Python cannot start as fast as the GPU ends
them. What changes from step to step lies on the device at a fixed address, where the graph reads it: which inputs, the
draws of the epoch, the learning rates; the state of the device's random numbers goes on by itself.
"""

import os
import shutil
import warnings
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from precompute.images.augment import Draws

Compute = Callable[[Tensor, Draws], None]  # all that the device does in a step, for the inputs of an index (batch,)

# Steps that are taken one kernel after another first: they choose algorithms and make the momentum, which a recording
# may not; and one that fails in them fails with an error that names its place.
STEPS_BEFORE = 3


class GraphedSteps:
    """Takes the steps of one training; the first few as they are, the others by replaying the graph of one.

    A network that asks its device for a number, and waits for it, cannot be captured: its steps stay as they are.
    """

    def __init__(self, compute: Compute, n_inputs: int, batch_size: int, device: torch.device) -> None:
        self._compute = compute
        self._index = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self._draws = Draws.empty(n_inputs, device)
        self._given: Draws | None = None
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0
        self._waits = False  # for the device, within a step

    @property
    def is_captured(self) -> bool:
        return self._graph is not None

    def take(self, index: Tensor, draws: Draws) -> None:
        """The step on the inputs of index (batch,), augmented by the draws."""
        if draws is not self._given:
            self._draws.copy_(draws)
            self._given = draws
        self._index.copy_(index)
        if self._taken == STEPS_BEFORE and not self._waits:
            self._graph = self._captured()
        self._taken += 1
        if self._graph is not None:
            self._graph.replay()
        else:
            self._as_it_is()

    def _as_it_is(self) -> None:
        now = torch.cuda.current_stream()
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            if self._taken == STEPS_BEFORE:  # the last one before
                self._waits = _waits_for_device(self._step)
                if self._waits:
                    print("this network waits for the GPU within a step: its steps are not captured in a CUDA graph")
            else:
                self._step()
        now.wait_stream(self._stream)

    def _step(self) -> None:
        self._compute(self._index, self._draws)

    def _captured(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            self._step()
        return graph


def _waits_for_device(step: Callable[[], None]) -> bool:
    """Take the step, and tell. Found out before a capture, since one that fails leaves the random numbers of the
    device in a state that nothing can be drawn from."""
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    return any("synchronizing CUDA operation" in str(warning.message) for warning in raised)


def compiled(model: nn.Module) -> nn.Module:
    """The model with kernels of its own for what follows one another, such as batch normalization, ReLU and pooling.

    As it is where the machine has not what torch's compiler needs, or where that fails.
    """
    from torch.utils._triton import has_triton  # which takes with it much that other runs do not need

    compilers = [os.environ.get("CC", "gcc"), "gcc", "clang"]
    if not has_triton() or not any(map(shutil.which, compilers)):
        return model
    import torch._dynamo

    torch._dynamo.config.suppress_errors = True
    warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")  # float32 is meant, where it is float32
    return cast(nn.Module, torch.compile(model))
