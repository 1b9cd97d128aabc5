"""The frozen network's activations, and the linear probes that are trained on them.

"For each examined layer, m, the output of the training set for the mth layer was used as a preprocessed dataset to
train the FC layer" (supplement): no augmentation, and one pass through the network serves all layers.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from precompute.images.augment import Images
from precompute.images.image_files import allocate
from precompute.machine.device import Device
from precompute.machine.distributed import ALONE, World
from precompute.messages.progress import Progress
from precompute.messages.wording import counted
from precompute.networks.taps import Tap, watch
from precompute.recipes import Schedule
from precompute.training.loop import Training

KEPT = torch.bfloat16  # activations are kept so; where the network computes in bfloat16, as they come
_BATCH = 500  # images of 32x32 at once; fewer where they are larger

Activations = dict[str, Tensor]  # layer -> (inputs, filters * positions), position by position within a filter


def make_room(n_inputs: int, n_features: int, place: torch.device | Path) -> Tensor:
    """Room for one layer's activations (inputs, features) on a device, or in a file. Raises OSError."""
    if isinstance(place, torch.device):
        return torch.empty(n_inputs, n_features, dtype=KEPT, device=place)
    size = n_inputs * n_features
    allocate(place, size * KEPT.itemsize)
    return torch.from_file(str(place), shared=True, size=size, dtype=KEPT).view(n_inputs, n_features)


def batch_of(side: int) -> int:
    """How many images of side x side pass through the network at once: their activations must fit into memory."""
    return max(16, min(_BATCH, _BATCH * 4 * 32**2 // side**2))


@torch.no_grad()
def passes(
    network: nn.Module, taps: list[Tap], images: Images, device: Device
) -> Iterator[tuple[slice, Tensor, dict[str, Tensor]]]:
    """The frozen network, batch by batch: (which inputs, fields of the output units, layer -> what its tap saw)."""
    network.eval()
    with watch(network, taps) as seen:
        for batch, pixels in images.batches(batch_of(images.preprocessing.side)):
            with torch.autocast(device.target.type, device.autocast, enabled=device.autocast is not None):
                outputs = network(pixels)
            yield batch, outputs, seen


def record(
    split: str,
    network: nn.Module,
    taps: list[Tap],
    images: Images,
    device: Device,
    out: Activations,
    world: World = ALONE,
) -> Tensor:
    """Pass all images once through the frozen network; fills out[layer] for every tap.

    Several processes pass a shard each; batch by batch the first process, which alone has an `out`, collects what
    they saw, so that none holds more than a batch of it.

    Returns the label that the whole network gives each input: (inputs,) int64 on the CPU, for the first process.
    """
    progress = Progress(f"activations of the {split} images", len(images), shown=world.is_first)
    answers = torch.empty(len(images), dtype=torch.int64)
    size = batch_of(images.preprocessing.side)
    shards = world.shards(len(images), size)
    done = 0
    for batch, outputs, seen in passes(network, taps, images.part(shards[world.rank]), device):
        starts = [min(shard.start + batch.start, shard.stop) for shard in shards]
        rows = [slice(start, min(start + size, shard.stop)) for start, shard in zip(starts, shards, strict=True)]
        world.collect(outputs.argmax(1), answers, rows)
        for tap in taps:  # (batch, filter, height, width) -> (batch, filter * position)
            world.collect(seen[tap.layer].flatten(1).to(KEPT), out.get(tap.layer), rows)
        done += sum(of.stop - of.start for of in rows)
        progress.step(done)
    progress.finish(f"{len(images)} images, {counted(len(taps), 'layer')}{' at once' if len(taps) > 1 else ''}")
    return answers


def probe_training(
    layer: str, features: Tensor, labels: Tensor, n_labels: int, schedule: Schedule, seed: int
) -> Training:
    """The training of a layer's probe: fields = features @ weights.T, no bias.

    features (inputs, filters * positions) may lie elsewhere than labels, where the probe is trained.
    """
    torch.manual_seed(seed ^ zlib.crc32(layer.encode()))  # random initial weights, others for each layer
    probe = nn.Linear(features.shape[1], n_labels, bias=False).to(labels.device)

    def inputs(index: Tensor, _draws: object) -> Tensor:
        return features.index_select(0, index.to(features.device)).to(labels.device).float()

    on_device = features.device == labels.device
    return Training(f"probe of layer {layer}", probe, inputs, labels, schedule, seed, on_device=on_device)


def probe_weights(probe: nn.Module) -> NDArray[np.float32]:
    """(labels, filters * positions)"""
    weights: NDArray[np.float32] = probe.get_parameter("weight").detach().cpu().numpy()
    return weights


@torch.no_grad()
def probe_answers(probe: nn.Module, features: Tensor) -> Tensor:
    """(inputs,) int64 on the probe's device: the label with the largest field."""
    device = next(probe.parameters()).device
    batches = (features[first : first + _BATCH] for first in range(0, len(features), _BATCH))
    return torch.cat([probe(batch.to(device).float()).argmax(1) for batch in batches])


def accuracy_of(answers: Tensor, labels: Tensor) -> float:
    return (answers == labels).cpu().double().mean().item()


def probe_accuracy(probe: nn.Module, features: Tensor, labels: Tensor) -> float:
    """The share of inputs whose label has the largest field."""
    return accuracy_of(probe_answers(probe, features), labels)
