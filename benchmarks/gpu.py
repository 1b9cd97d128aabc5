"""python -m benchmarks.gpu: a step of the paper's training on a GPU beside the arithmetic, and where its time goes."""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.training import BATCH, N_LABELS, PROBED, RECIPE, network_training
from precompute.activations import KEPT
from precompute.images.augment import Draws
from precompute.machine.device import choose_device
from precompute.probe import probe_training
from precompute.training.graph import STEPS_BEFORE
from precompute.training.loop import Training

N_INPUTS = 50_000
STEPS = 200
KINDS = {  # of kernels, by what stands in their names; the first that fits
    "what the compiler has joined": ("triton",),
    "batch normalization": ("batch_norm", "bn_fw", "bn_bw", "batchnorm"),
    "SGD": ("sgd", "multi_tensor"),
    "convolutions and products": ("conv", "xmma", "cutlass", "gemm", "wgrad", "dgrad", "fprop", "splitk", "gemv"),
    "layouts for convolutions": ("nchwtonhwc", "nhwctonchw", "transpose"),
    "pooling": ("pool",),
    "ReLU": ("clamp_min", "threshold", "relu"),
    "copies, casts and fills": ("copy", "fill", "memset", "memcpy"),
    "cutting, mirroring and scaling images": ("index", "gather", "scatter", "where", "arange"),
}


def milliseconds(step: Callable[[int], object], steps: int = STEPS, rounds: int = 5) -> float:
    """The median over rounds of many steps in a row, after one round that is not counted."""
    taken = []
    for _ in range(rounds + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for k in range(steps):
            step(k)
        torch.cuda.synchronize()
        taken.append((time.perf_counter() - start) / steps * 1e3)
    return statistics.median(taken[1:])


def product_rate() -> float:
    """FLOP/s of one large bfloat16 matrix product: what the chip can do."""
    side = 8192
    one, other = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return float(2 * side**3 / (milliseconds(lambda _: one @ other, steps=10) / 1e3))


def flops(training: Training) -> float:
    """Multiplications and additions of a step: forward once, and backward twice as many."""
    total = 0.0

    def count(module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        weight = module.get_parameter("weight")
        positions = output.numel() / output.shape[0] / output.shape[1]
        total += 6 * weight.numel() * positions * BATCH

    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    hooks = [module.register_forward_hook(count) for module in training.model.modules() if isinstance(module, kinds)]
    with torch.no_grad():
        training.model.eval()(training.inputs(torch.arange(2, device=training.device), _draws(training)))
    for hook in hooks:
        hook.remove()
    training.model.train()
    return total


def where_the_time_goes(step: Callable[[int], object], steps: int = 50) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds a step of the kernels of each kind, and of each kernel."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for k in range(steps):
            step(k)
        torch.cuda.synchronize()
    kinds: dict[str, float] = defaultdict(float)
    names: dict[str, float] = {}
    for event in profiler.key_averages():
        spent = event.self_device_time_total / 1e3 / steps
        if spent <= 0:
            continue
        name = event.key.lower()
        kinds[next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "other")] += spent
        names[f"{event.key[:110]} x{event.count / steps:.1f}"] = spent
    return dict(kinds), names


def _draws(training: Training) -> Draws:
    return Draws.of_epoch(len(training.labels), 0, 0, training.device)


def main() -> int:
    if not torch.cuda.is_available():
        print("there is no NVIDIA GPU on this machine", file=sys.stderr)
        return 1
    device = choose_device("cuda")
    peak = product_rate()
    print(f"{device.description}, torch {torch.__version__}; large products {peak / 1e12:.0f} TFLOP/s\n")
    training = network_training(N_INPUTS, device)
    draws = _draws(training)
    index = [draws.order[k * BATCH : (k + 1) * BATCH] for k in range(STEPS)]
    plain = milliseconds(lambda k: training._compute(index[k], draws), rounds=2)
    captured = milliseconds(lambda k: training.take_step(draws, k))
    floor = flops(training) / peak * 1e3
    compiled = network_training(N_INPUTS, device)
    compiled.compile()
    start = time.perf_counter()
    for k in range(STEPS_BEFORE + 1):
        compiled.take_step(draws, k)
    torch.cuda.synchronize()
    compiling = time.perf_counter() - start
    fastest = milliseconds(lambda k: compiled.take_step(draws, k))
    print("| a step of VGG-16, 100 images | ms | images/s | share of large products |")
    print("|---|---:|---:|---:|")
    for name, taken in (
        ("kernel after kernel", plain),
        ("captured in a graph", captured),
        (f"compiled (once, {compiling:.0f} s) and captured", fastest),
        ("the arithmetic", floor),
    ):
        print(f"| {name} | {taken:.3f} | {BATCH / taken * 1e3:,.0f} | {floor / taken:.0%} |")
    for what, step in (("captured", training.take_step), ("compiled", compiled.take_step)):
        kinds, names = where_the_time_goes(lambda k, step=step: step(draws, k))  # type: ignore[misc]
        busy = sum(kinds.values())
        print(f"\n| kernels of a {what} step | ms | share |\n|---|---:|---:|")
        for kind, spent in sorted(kinds.items(), key=lambda item: -item[1]):
            print(f"| {kind} | {spent:.3f} | {spent / busy:.0%} |")
        print(f"| all | {busy:.3f} | |\n")
        if "--kernels" in sys.argv:
            for name, spent in sorted(names.items(), key=lambda item: -item[1])[:40]:
                print(f"{spent:8.4f} {name}")
    print("| a step of a probe, 100 inputs | inputs | ms |\n|---|---:|---:|")
    for layer, n_features in PROBED.items():
        features = torch.rand(N_INPUTS, n_features, device=device.target).to(KEPT)
        probe = probe_training(layer, features, training.labels, N_LABELS, RECIPE.probe, 0)
        taken = milliseconds(lambda k, probe=probe: probe.take_step(draws, k))  # type: ignore[misc]
        print(f"| layer {layer} | {n_features} | {taken:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
