"""Which device computes, and in which precision."""

import platform
from dataclasses import dataclass, replace

import torch
from torch import nn

from precompute.machine.distributed import ALONE, World
from precompute.messages.problem import Problem


@dataclass(frozen=True)
class Device:
    """A device and the precision in which networks pass through it; weights are float32 everywhere."""

    target: torch.device
    autocast: torch.dtype | None  # None: float32
    description: str


def choose_device(wanted: str, world: World = ALONE) -> Device:
    """The device of --device, each process's own. Raises Problem where this machine has none of that kind."""
    if not world.several:
        return _choose(wanted)
    if wanted == "auto" and not torch.cuda.is_available():
        wanted = "cpu"  # gloo reaches nothing on an Apple GPU
    if wanted == "mps":
        raise Problem("--device mps: is for one process, without torchrun; several share a CPU, or have a GPU each")
    if wanted != "cpu" and torch.cuda.is_available():
        if world.local_size > torch.cuda.device_count():
            raise Problem(
                f"torchrun started {world.local_size} processes on a machine with {torch.cuda.device_count()} GPUs: "
                "at most one a GPU, or --device cpu"
            )
        torch.cuda.set_device(world.local_rank)
    device = _choose(wanted)
    if device.target.type == "cuda":
        device = replace(device, target=torch.device("cuda", world.local_rank))
    return replace(device, description=f"{world.size} processes, each on {device.description}")


def _choose(wanted: str) -> Device:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    kind = next(kind for kind, is_there in there.items() if is_there) if wanted == "auto" else wanted
    if not there[kind]:
        raise Problem(f"--device {kind}: this machine, or this build of torch, has none; there is --device cpu")
    device = torch.device(kind)
    if kind == "cuda":
        torch.backends.cudnn.benchmark = True  # the quickest algorithm for the sizes at hand, by trying
        low = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
        return Device(device, low, f"{torch.cuda.get_device_name()}, {_precision(low)}")
    if kind == "mps":
        return Device(device, None, f"Apple GPU, {_precision(None)}")
    low = torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() and _has_fast_bfloat16() else None
    name = str(torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine())
    return Device(device, low, f"{name}, {torch.get_num_threads()} threads, {_precision(low)}")


def to_device(network: nn.Module, device: Device) -> nn.Module:
    """The network on the device; on a GPU with the channels last in memory, as the images have them."""
    if device.target.type == "cuda":
        return network.to(device.target, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return network.to(device.target)


def free_on_device(device: Device) -> int:
    """Bytes of a GPU's memory that are free beside what torch holds already; none where it computes in main memory."""
    return int(torch.cuda.mem_get_info(device.target)[0]) if device.target.type == "cuda" else 0


def peak_memory(device: Device) -> int:
    """Bytes that this process has taken at most: of the GPU's memory where it computes there, else of main memory."""
    if device.target.type == "cuda":
        return torch.cuda.max_memory_reserved(device.target)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def _has_fast_bfloat16() -> bool:
    """Emulated bfloat16 is slower than float32."""
    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def _precision(low: torch.dtype | None) -> str:
    return "float32" if low is None else "bfloat16"
