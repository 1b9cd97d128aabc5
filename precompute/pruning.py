"""The stages after the paper's three: AFCC on what they made, with accuracies before and after training again."""

import copy
import hashlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from precompute import afcc
from precompute.activations import passes
from precompute.fields import class_means
from precompute.frozen_pass import by_torch
from precompute.job import Job
from precompute.networks.taps import Tap
from precompute.probe import accuracy_of, probe_accuracy, probe_training
from precompute.recipes import Schedule, afcc_recipe
from precompute.stages import DataOnDevice, Recorded
from precompute.training.loop import Training
from store.file.write import LayerContent, RunContent
from store.measure.afcc import afcc_mask
from store.measure.layer import THRESHOLD, LayerMeasure, measure_factored

BASELINES = ("clusters", afcc.AS_MANY, f"{afcc.RANDOM_LABELS} random labels", "random weights", "largest weights")


def prune_probe(
    job: Job, data: DataOnDevice, network: nn.Module, recorded: Recorded, tap: Tap, layer: LayerContent
) -> dict[str, Any]:
    """One layer's probe cut down to its filters' clusters: accuracies before and after, costs, and baselines."""
    assert layer.class_means is not None and layer.probe_weights is not None, "a run that trains its probes has both"
    recipe = afcc_recipe(job.options, job.recipe)
    train, test = recorded.train[tap.layer], recorded.test[tap.layer]
    n_filters, n_labels, _ = layer.probe_weights.shape
    of_test = measure_factored(layer.class_means, layer.probe_weights, THRESHOLD)
    train_means = class_means(train, recorded.train_labels, n_labels, n_filters)
    of_train = measure_factored(train_means, layer.probe_weights, THRESHOLD)

    found: dict[str, Any] = {
        "threshold": THRESHOLD,
        "weights": layer.probe_weights.size,
        "accuracy": layer.record["test_accuracy"],
        "train_clusters": _numbers(of_train) | {"alike": afcc.likeness(of_test.cluster_of, of_train.cluster_of)},
        "probe_recipe": recipe.probe.source,
        "network_recipe": recipe.network.source,
        "masks": {},
    }
    weights = layer.probe_weights.transpose(1, 0, 2).reshape(n_labels, -1)
    masks = afcc.probe_masks(of_test.cluster_of, of_train.cluster_of, layer.probe_weights, job.options.seed)
    for name, mask in masks.items():
        title = f"afcc of layer {tap.layer}, {name}"
        training = probe_training(tap.layer, train, recorded.train_labels, n_labels, recipe.probe, job.options.seed)
        probe = training.model
        with torch.no_grad():
            probe.get_parameter("weight").copy_(torch.from_numpy(weights))
        afcc.hold_zero(probe.get_parameter("weight"), mask.to(data.test_labels.device))
        pruned = copy.deepcopy(probe)
        before = probe_accuracy(probe, test, data.test_labels)
        training.name, training.evaluations = title, recipe.probe.epochs
        training.evaluate = lambda probe=probe: probe_accuracy(probe, test, data.test_labels)  # type: ignore[misc]
        history = _trained(job, training, f"afcc-{tap.layer}-{name}")
        found["masks"][name] = {
            "kept": int(mask.sum()),
            "before": before,
            "probe_trained": history["test_accuracy"],
        }
        if name == "clusters":
            found["costs"] = afcc.costs(pruned.get_parameter("weight").detach())
            history = _train_with_network(job, data, network, tap, pruned, mask, recipe.network)
            found["masks"][name]["network_trained"] = history["test_accuracy"]
    return found


def _train_with_network(
    job: Job, data: DataOnDevice, network: nn.Module, tap: Tap, probe: nn.Module, mask: torch.Tensor, schedule: Schedule
) -> dict[str, list[float]]:
    """The supplement's retraining: "only the FC and 10th convolution layer"; of EfficientNet "the entire network"."""
    own = copy.deepcopy(network)
    whole = bool(schedule.stage_rates)
    trained = None
    if not whole:
        images = torch.zeros(1, 3, job.arch.side, job.arch.side, device=data.test_labels.device)
        trained = [f"{afcc.last_convolution(own, tap, images)}.weight"]
    # masks are hooks on a parameter, which a copy does not take with it
    copied = nn.Linear(mask.shape[1], mask.shape[0], bias=False).to(data.test_labels.device)
    copied.load_state_dict(probe.state_dict())
    afcc.hold_zero(copied.weight, mask.to(copied.weight.device))
    model = afcc.Pruned(own, tap, copied, trained)
    rates = tuple((f"network.{start}", factor) for start, factor in schedule.stage_rates)
    training = Training(
        name=f"afcc of layer {tap.layer}, with {'the network' if whole else 'its convolution'}",
        model=model,
        inputs=data.train.augmented,
        labels=data.train_labels,
        schedule=replace(schedule, stage_rates=rates),
        seed=job.options.seed,
        autocast=job.device.autocast,
        evaluate=lambda: _accuracy(job, data, model),
        evaluations=schedule.epochs,
        on_device=data.train.on_device,
    )
    return _trained(job, training, f"afcc-{tap.layer}-network")


def prune_between(job: Job, data: DataOnDevice, network: nn.Module, content: RunContent) -> dict[str, Any]:
    """Convolutions keep the weights between filters whose clusters share a label, one layer after another.

    After each the whole network is trained briefly. Raises Problem.
    """
    schedule = afcc_recipe(job.options, job.recipe).between
    layers = {layer.name: layer for layer in content.layers}
    taps = {tap.layer: tap for tap in job.taps}
    names = job.options.afcc_between
    held = {name: _held(layers[name]) for name in names}
    images = torch.zeros(1, 3, job.arch.side, job.arch.side, device=data.test_labels.device)
    found: dict[str, Any] = {
        "threshold": THRESHOLD,
        "layers": list(names),
        "recipe": schedule.source,
        "accuracy": _accuracy(job, data, network),
        "masks": {},
    }
    for kind in BASELINES:
        own = copy.deepcopy(network).requires_grad_(True)
        steps = []
        for before, after in pairwise(names):
            path = afcc.connection(own, taps[before], taps[after], images)
            weight = own.get_submodule(path).get_parameter("weight")
            mask = afcc.layer_mask(kind, (held[before], held[after]), weight, job.options.seed)
            afcc.hold_zero(weight, mask)
            pruned = _accuracy(job, data, own)
            training = Training(
                name=f"afcc between layers {before} and {after}, {kind}",
                model=own,
                inputs=data.train.augmented,
                labels=data.train_labels,
                schedule=schedule,
                seed=job.options.seed,
                autocast=job.device.autocast,
                evaluate=lambda own=own: _accuracy(job, data, own),  # type: ignore[misc]
                on_device=data.train.on_device,
            )
            so_far = hashlib.sha256(" ".join(names[: names.index(after) + 1]).encode()).hexdigest()[:12]
            history = _trained(job, training, f"between-{so_far}-{kind}")
            steps.append(
                {
                    "layers": [before, after],
                    "weights": weight.numel(),
                    "kept": int(mask.sum()),
                    "before": pruned,
                    "trained": history["test_accuracy"][-1],
                }
            )
        found["masks"][kind] = steps
    return found


def _trained(job: Job, training: Training, name: str) -> dict[str, list[float]]:
    """Train to the end, from where an earlier process got to."""
    place = name.replace(" ", "-")
    state = job.work.load_training(place)
    if state is not None:
        training.restore(state)
    return training.run(job.stopping, lambda state: job.work.save_training(place, state))


def _accuracy(job: Job, data: DataOnDevice, model: nn.Module) -> float:
    answers = [outputs.argmax(1) for _, outputs, _ in passes(by_torch(model, [], job.device), data.test)]
    return accuracy_of(torch.cat(answers), data.test_labels)


def _held(layer: LayerContent) -> np.ndarray[Any, np.dtype[np.bool_]]:
    assert layer.class_means is not None and layer.probe_weights is not None
    return afcc_mask(measure_factored(layer.class_means, layer.probe_weights, THRESHOLD).cluster_of)


def _numbers(measured: LayerMeasure) -> dict[str, float | None]:
    values = {"n": measured.mean_noise, "N_c": measured.mean_clusters, "C_s": measured.mean_cluster_size}
    return {name: float(value) if value is not None and np.isfinite(value) else None for name, value in values.items()}
