"""What goes into the file beside the layers' arrays."""

from typing import Any

import numpy as np

from precompute.job import Job
from precompute.messages.problem import Problem
from precompute.pictures import add_pictures
from precompute.provenance import provenance
from precompute.stages import Recorded, Trained
from store.file.format import FormatError
from store.file.write import RunContent, write_run

_PACKAGES = ("torch", "torchvision", "timm", "numpy", "h5py", "numba")


def new_content(job: Job, trained: Trained, recorded: Recorded) -> RunContent:
    """The run without its layers."""
    options, recipe, data = job.options, job.recipe, job.data
    assert data is not None, "only a dry run has no data"
    manifest: dict[str, Any] = provenance(job.device, _PACKAGES) | {
        "network": {
            "arch": job.arch.name,
            "epochs": recipe.network.epochs,
            "weights": job.origin,
            "preprocessing": _preprocessing(job),
        }
        | recorded.accuracies,
        "data": {
            "name": data.name,
            "n_labels": data.n_labels,
            "train_inputs": len(data.train),
            "test_inputs": len(data.test),
            "label_indices": data.label_indices,
            "label_seed": options.label_seed,
            **data.checksums,
            **({"unreadable_inputs": data.unreadable} if data.unreadable else {}),
            "source": data.source,
            "licence": data.licence,
        },
        "recipe": recipe.record(options),
        "planned_layers": [tap.layer for tap in job.taps],
        "durations": {"train_network": trained.seconds, "record_activations": recorded.seconds},
    }
    if data.digests is not None:
        data.digests.save()
    if trained.resumed_at_epoch:  # then the duration is that of the epochs since
        manifest["network"]["resumed_at_epoch"] = round(trained.resumed_at_epoch, 2)
    return RunContent(
        manifest=manifest,
        label_names=data.label_names,
        superclasses=data.superclasses,
        test_inputs=np.bincount(data.test.labels, minlength=data.n_labels),
        history=trained.history,
    )


def write(job: Job, content: RunContent) -> None:
    """Replace the job's file, its layers in the network's order, with pictures where these are asked for.

    Raises Problem where the format has no place for the content, OSError.
    """
    order = list(job.arch.taps)
    if job.options.thumbnails:
        add_pictures(job, content)
    for layers in (content.layers, *(at.layers for at in content.epochs)):
        layers.sort(key=lambda layer: order.index(layer.name))
    planned = {tap.layer for tap in job.taps} | {layer.name for layer in content.layers}
    content.manifest["planned_layers"] = sorted(planned, key=order.index)
    try:
        write_run(job.work.out, content)
    except FormatError as error:
        raise Problem(f"{job.work.out}: the result cannot be written: {error}") from error


def _preprocessing(job: Job) -> dict[str, Any]:
    """What lies between an image and the network: sides, crop, and normalisation of pixels in [0, 1]."""
    assert job.data is not None, "only a dry run has no data"
    mean, std = job.arch.scaling(job.data)
    return {"side": job.arch.side, "crop": job.arch.crop, "mean": list(mean), "std": list(std)}
