"""What goes into the file beside the layers' arrays."""

import datetime
import importlib.metadata
import platform
from typing import Any

import numpy as np

from precompute.images.thumbnails import thumbnails
from precompute.job import Job
from precompute.messages.problem import Problem
from precompute.stages import Recorded, Trained
from store.file.format import FormatError
from store.file.write import RunContent, write_run
from store.paper.citation import citation

_PACKAGES = ("filterscope", "torch", "torchvision", "timm", "numpy", "h5py", "numba")


def new_content(job: Job, trained: Trained, recorded: Recorded) -> RunContent:
    """The run without its layers."""
    options, recipe, data = job.options, job.recipe, job.data
    assert data is not None, "only a dry run has no data"
    versions = {name: _version(name) for name in _PACKAGES}
    manifest: dict[str, Any] = {
        "generator": f"filterscope {versions['filterscope']}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "network": {"arch": options.arch, "epochs": recipe.network.epochs, "weights": job.origin} | recorded.accuracies,
        "data": {
            "name": data.name,
            "n_labels": data.n_labels,
            "train_inputs": len(data.train),
            "test_inputs": len(data.test),
            "label_indices": data.label_indices,
            "label_seed": options.label_seed,
            **data.checksums,
            "source": data.source,
            "licence": data.licence,
        },
        "recipe": recipe.record(options),
        "planned_layers": [tap.layer for tap in job.taps],
        "software": versions | {"python": platform.python_version()},
        "device": job.device.description,
        "citation": citation(versions["filterscope"]),
        "durations": {"train_network": trained.seconds, "record_activations": recorded.seconds},
    }
    if trained.resumed_at_epoch:  # then the duration is that of the epochs since
        manifest["network"]["resumed_at_epoch"] = round(trained.resumed_at_epoch, 2)
    return RunContent(
        manifest=manifest,
        label_names=data.label_names,
        superclasses=data.superclasses,
        test_inputs=np.bincount(data.test.labels, minlength=data.n_labels),
        history=trained.history,
        thumbnails=thumbnails(data.test.images) if options.thumbnails else None,
    )


def write(job: Job, content: RunContent) -> None:
    """Replace the job's file, its layers in the network's order.

    Raises Problem where the format has no place for the content, OSError.
    """
    order = list(job.arch.taps)
    content.layers.sort(key=lambda layer: order.index(layer.name))
    planned = {tap.layer for tap in job.taps} | {layer.name for layer in content.layers}
    content.manifest["planned_layers"] = sorted(planned, key=order.index)
    try:
        write_run(job.work.out, content)
    except FormatError as error:
        raise Problem(f"{job.work.out}: the result cannot be written: {error}") from error


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
