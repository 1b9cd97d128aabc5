"""Benchmark: images through the frozen network by ONNX Runtime against torch's float32, and how far the two differ."""

from functools import partial

import torch

from benchmarks.timing import Row, interleaved, median_ratio
from precompute.activations import batch_of
from precompute.frozen_pass import by_torch, choose_pass
from precompute.machine.device import Device
from precompute.networks.models import choose_taps, find_arch
from precompute.options import Options

CPU = Device(torch.device("cpu"), None, "cpu")
WANTED = {"efficientnet_lite0": 2.2, "vgg16": 1.3}


def rows(rounds: int = 8) -> list[Row]:
    found = []
    for name, wanted in WANTED.items():
        arch = find_arch(Options(arch=name, data="cifar100", weights="none"))
        network, taps = arch.build(100), choose_taps(arch, ())
        images = torch.rand(min(100, batch_of(arch.side)), 3, arch.side, arch.side)
        images = images.contiguous(memory_format=torch.channels_last)
        fast = choose_pass(network, taps, CPU, "onnxruntime", len(images), images.clone)
        torchs, ours = interleaved(
            partial(by_torch(network, taps, CPU), images), partial(fast.forward, images), rounds=rounds
        )
        ratio = median_ratio(torchs, to=ours)
        what = f"frozen pass, {name}, {arch.side} px: ONNX Runtime's rate / torch's in float32"
        found.append(Row(what, ratio, "x", f">= {wanted}", ratio >= wanted))
        largest = max(fast.differences.values())
        found.append(Row(f"frozen pass, {name}: largest difference", largest, "", "<= 1e-4", largest <= 1e-4))
    return found
