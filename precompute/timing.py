"""How long the parts of a run take on this machine: a few of each, measured before anything is made."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from precompute.images.augment import Draws
from precompute.images.image_files import ImageFiles
from precompute.machine.device import Device, peak_memory
from precompute.training.loop import Training

_GPU_STEPS = 20  # as many in a row, since Python is ahead of a GPU
_LONG = 5.0  # seconds; what takes longer is measured less often
_SHORT = 0.3  # seconds; a batch that takes less is measured as it is
_PARTS = (4, 16)  # inputs of a batch that takes longer
_DECODED = 64  # images


class Batch(NamedTuple):
    """What a batch takes."""

    seconds: float
    more_bytes: int = 0  # of main memory, beyond the most that this process has taken by now


def batch_cost(of: Callable[[int], Callable[[], object]], n: int, device: Device, in_a_row: int = 1) -> Batch:
    """What a batch of n inputs takes. of(k): the work on k of them, to be done as often as it is called.

    On a CPU a batch may take seconds. Beyond what each costs, whatever its size (the optimizer's step), the time grows
    with the inputs: of VGG-16 the line through batches of 4 and of 16 meets one of 100 to within a tenth.
    in_a_row: how often the work is done before a GPU is waited for.
    """
    few, some = _PARTS
    if device.target.type != "cpu" or n <= some:
        return Batch(_seconds(of(n), device, in_a_row=in_a_row))
    of_few = _seconds(of(few), device, 2, min)  # what else the machine does only adds
    if of_few * n / few < _SHORT:
        return Batch(_seconds(of(n), device))
    bytes_of_few = peak_memory(device)
    of_some = _seconds(of(some), device, 2, min)
    more = (n - some) / (some - few)
    seconds = of_some + max(of_some - of_few, 0.0) * more
    return Batch(seconds, int((peak_memory(device) - bytes_of_few) * more))


def step_cost(training: Callable[[int], Training], n: int, device: Device) -> Batch:
    """What a step of a training takes. training(k): the one whose batches have k inputs."""

    def step(k: int) -> Callable[[], object]:
        of_k = training(k)
        of_k.model.train()
        draws = Draws.of_epoch(len(of_k.labels), 0, 0, device.target)
        return lambda: of_k.take_step(draws, 0)

    return batch_cost(step, n, device, in_a_row=_GPU_STEPS)


def decoding_rate(images: object) -> float:
    """Images a second that are decoded from files, while others pass through the network; no limit for arrays."""
    if not isinstance(images, ImageFiles):
        return float("inf")
    some = images.select(slice(0, _DECODED))
    start = time.perf_counter()
    some.batch(slice(None))
    return len(some) / (time.perf_counter() - start)


def _seconds(
    task: Callable[[], object],
    device: Device,
    times: int = 4,
    typical: Callable[[list[float]], float] = statistics.median,
    in_a_row: int = 1,
) -> float:
    """What is typical of so many, after one that is not counted, unless it took very long: then it has to do."""
    is_gpu = device.target.type == "cuda"
    repeats = in_a_row if is_gpu else 1
    durations: list[float] = []
    while len(durations) <= times and sum(durations[:1]) < 4 * _LONG and sum(durations[1:]) < _LONG:
        start = time.perf_counter()
        for _ in range(repeats):
            task()
        if is_gpu:
            torch.cuda.synchronize()
        durations.append(time.perf_counter() - start)
    return typical(durations[1:] or durations) / repeats
