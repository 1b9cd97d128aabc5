"""Benchmarks 4 and 5: the training loop and the probes against the arithmetic that they cannot do without."""

from functools import partial

import torch
from torch.nn.functional import cross_entropy

from benchmarks.timing import Row, interleaved, median_ratio
from precompute.activations import KEPT
from precompute.images.augment import Draws, Images, Preprocessing
from precompute.machine.device import Device, choose_device, to_device
from precompute.networks.models import find_arch
from precompute.options import Options, parse
from precompute.probe import probe_training
from precompute.recipes import recipe_for
from precompute.training.loop import Training

DEVICE = choose_device("cpu")
N_LABELS, BATCH = 100, 100
PROBED = {"2": 16384, "4": 8192, "7": 4096, "10": 2048, "13": 512}  # layer -> inputs of its probe
RECIPE = recipe_for(parse(["--arch", "vgg16", "--data", "cifar100"]), "none", N_LABELS)


def network_training(n_inputs: int, device: Device = DEVICE) -> Training:
    arch = find_arch(Options(arch="vgg16"))
    pixels = torch.randint(0, 256, (n_inputs, 32, 32, 3), dtype=torch.uint8, device=device.target)
    images = Images(pixels, device.target, Preprocessing(arch.side, (0.5,) * 3, (0.5,) * 3))
    labels = torch.arange(n_inputs, device=device.target) % N_LABELS
    network = to_device(arch.build(N_LABELS), device).train()
    return Training(
        "", network, images.augmented, labels, RECIPE.network, 0, device.autocast, on_device=images.on_device
    )


def network_rows() -> list[Row]:
    """Benchmark 4: steps with cutting, augmenting and counting, against steps on one fixed batch.

    What is drawn is drawn once an epoch, before its steps.
    """
    ours, bare = network_training(5_000), network_training(BATCH)
    draws = Draws.of_epoch(5_000, 0, 0, DEVICE.target)
    fixed = bare.inputs(torch.arange(BATCH), Draws.of_epoch(BATCH, 0, 0, DEVICE.target))

    def bare_step() -> None:
        with torch.autocast("cpu", DEVICE.autocast, enabled=DEVICE.autocast is not None):
            fields = bare.model(fixed)
        loss = cross_entropy(fields.float(), bare.labels)
        bare.optimizer.zero_grad()
        loss.backward()
        bare.optimizer.step()

    bare_times, our_times = interleaved(bare_step, partial(ours.take_step, draws, 7), rounds=12)
    share = median_ratio(bare_times, to=our_times)
    return [Row("training VGG-16: rate / a bare loop's over one fixed batch", share, "", ">= 0.9", share >= 0.9)]


def probe_rows(n_inputs: int = 10_000) -> list[Row]:
    """Benchmark 5: a step of all five probes, against the two matrix products that each has to make."""
    labels = torch.arange(n_inputs) % N_LABELS
    draws = Draws.of_epoch(n_inputs, 0, 0, DEVICE.target)
    probes = [
        probe_training(layer, torch.rand(n_inputs, n_features).to(KEPT), labels, N_LABELS, RECIPE.probe, 0)
        for layer, n_features in PROBED.items()
    ]
    products = [(torch.rand(BATCH, n), torch.rand(N_LABELS, n), torch.rand(BATCH, N_LABELS)) for n in PROBED.values()]
    batches = iter(range(1_000_000))

    def step() -> None:
        batch = next(batches) % (n_inputs // BATCH)
        for probe in probes:
            probe.take_step(draws, batch)

    def bare() -> None:
        for inputs, weights, errors in products:
            torch.mm(inputs, weights.T)
            torch.mm(errors.T, inputs)

    bare_times, our_times = interleaved(bare, step, rounds=41)
    share = median_ratio(bare_times, to=our_times)
    return [Row("training five probes: rate / bare matrix products of the shapes", share, "", ">= 0.6", share >= 0.6)]


def rows() -> list[Row]:
    return [*network_rows(), *probe_rows()]
