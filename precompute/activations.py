"""The frozen network's activations: one pass through the network serves all layers.

"For each examined layer, m, the output of the training set for the mth layer was used as a preprocessed dataset to
train the FC layer" (supplement).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from precompute.frozen_pass import Forward
from precompute.images.augment import DrawnImages, Images
from precompute.machine.distributed import ALONE, World
from precompute.messages.progress import Progress
from precompute.messages.wording import counted
from precompute.networks.taps import Tap

KEPT = torch.bfloat16  # activations are kept so; where the network computes in bfloat16, as they come
_BATCH = 500  # images of 32x32 at once; fewer where they are larger

Activations = dict[str, Tensor]  # layer -> (inputs, filters * positions), position by position within a filter


def batch_of(side: int) -> int:
    """How many images of side x side pass through the network at once: their activations must fit into memory."""
    return max(16, min(_BATCH, _BATCH * 4 * 32**2 // side**2))


def passes(forward: Forward, images: Images | DrawnImages) -> Iterator[tuple[slice, Tensor, dict[str, Tensor]]]:
    """The frozen network, batch by batch: (which inputs, fields of the output units, layer -> what its tap saw)."""
    for batch, pixels in images.batches(batch_of(images.preprocessing.side)):
        yield batch, *forward(pixels)


def record(
    split: str,
    forward: Forward,
    taps: list[Tap],
    images: Images | DrawnImages,
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
    for batch, outputs, seen in passes(forward, images.part(shards[world.rank])):
        starts = [min(shard.start + batch.start, shard.stop) for shard in shards]
        rows = [slice(start, min(start + size, shard.stop)) for start, shard in zip(starts, shards, strict=True)]
        world.collect(outputs.argmax(1), answers, rows)
        for tap in taps:  # (batch, filter, height, width) -> (batch, filter * position)
            world.collect(seen[tap.layer].flatten(1).to(KEPT), out.get(tap.layer), rows)
        done += sum(of.stop - of.start for of in rows)
        progress.step(done)
    progress.finish(f"{len(images)} images, {counted(len(taps), 'layer')}{' at once' if len(taps) > 1 else ''}")
    return answers
