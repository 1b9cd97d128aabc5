"""What a run will do, how long it should take and how much it will need, before it does it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from precompute.activations import KEPT, batch_of, passes
from precompute.frozen_pass import by_torch
from precompute.images.augment import Images, Preprocessing
from precompute.images.image_files import ImageFiles
from precompute.images.thumbnails import thumbnail_bytes
from precompute.job import Job, Todo
from precompute.machine.device import Device, free_on_device, peak_memory, to_device
from precompute.machine.memory import Costs, Place, free_memory, places
from precompute.messages.progress import seconds
from precompute.messages.wording import counted, megabytes
from precompute.networks.arch import Arch
from precompute.networks.taps import tap_shapes
from precompute.probe import probe_training
from precompute.recipes import Schedule
from precompute.timing import Batch, batch_cost, decoding_rate, step_cost
from precompute.training.loop import Training
from store.file.write import stores_fields
from store.measure.top_inputs import MOST, RANKINGS

_MEMORY_OF: dict[str, tuple[Place, ...]] = {  # the places that are the device's own memory
    "cpu": ("memory",),
    "cuda": ("device",),
    "mps": ("device", "memory"),
}

# Bytes that HDF5 needs around what is stored, and the manifest, as measured of small files.
_AROUND_A_FILE, _AROUND_A_LAYER, _AROUND_A_MATRIX = 30_000, 63_000, 80


@dataclass(frozen=True)
class Plan:
    """Sizes and times of what is left of a job."""

    job: Job
    todo: Todo
    steps_done: int  # of the network's training
    shapes: dict[str, tuple[int, int, int]]  # layer -> (filters, height, width)
    places: dict[str, Place]  # where what is kept lies: images as "train" and "test", and "activations"
    train_step: float  # seconds
    pass_rate: float  # images a second
    probe_step: dict[str, float]  # layer -> seconds
    network_bytes: int  # of its weights
    peak_bytes: int  # the most memory that the measured steps took, of the device that computes

    def n_features(self, layer: str) -> int:
        """Inputs of the layer's probe, FC_s in the paper's tables."""
        return math.prod(self.shapes[layer])

    @property
    def activation_bytes(self) -> int:
        """The most at one time: each epoch's go before the next one's come."""
        earlier = (self.todo.at_epoch(epoch) for epoch in self.todo.epochs)
        return max(self._activation_bytes(todo) for todo in (self.todo, *earlier))

    def _activation_bytes(self, todo: Todo) -> int:
        of_train, of_test = (
            sum(self.n_features(tap.layer) for tap in todo.recorded(split)) for split in ("train", "test")
        )
        return (of_train * self.recorded_train + of_test * self.job.sizes.test) * KEPT.itemsize

    @property
    def recorded_train(self) -> int:
        """Training images that pass through the frozen network: each as often as it is drawn."""
        return self.job.sizes.train * max(1, self.job.recipe.probe_draws)

    @property
    def passed(self) -> list[int]:
        """How many images of each split pass through the network, to be recorded."""
        return self._passed(self.todo)

    def _passed(self, todo: Todo) -> list[int]:
        sizes = self.job.sizes
        return [n for split, n in (("train", self.recorded_train), ("test", sizes.test)) if todo.recorded(split)]

    @property
    def _steps_left(self) -> int:
        return _steps(self.job.recipe.network, self.job.sizes.train) - self.steps_done

    @property
    def memory_bytes(self) -> int:
        """The most that the device needs: while it computes, and for what is kept there."""
        return self.peak_bytes + sum(self._kept(place) for place in _MEMORY_OF[self.job.device.target.type])

    def _kept(self, place: Place, *names: str) -> int:
        """Bytes of what is kept in a place: of the names, or of all that it is."""
        needs = _needs(self.job, self.activation_bytes)
        return sum(needs[name][place] for name in names or self.places if self.places.get(name) == place)

    def _memory_line(self) -> str:
        whose = ", for the first process" if self.job.world.several else ""
        line = f"memory: about {self.memory_bytes / 1e9:.1f} GB on {self.job.device.target}{whose}"
        images = sum(self._kept(place, "train", "test") for place in _MEMORY_OF[self.job.device.target.type])
        line += f"; {megabytes(images)} of it for images" if images else ""
        if self.job.device.target.type == "cuda" and (kept := self._kept("memory")):
            line += f"; {megabytes(kept)} of main memory"
        n_bytes = math.prod(self.job.sizes.image_shape)
        on_disk = sum(
            n_bytes * n_inputs
            for name, n_inputs in (("train", self.job.sizes.train), ("test", self.job.sizes.test))
            if self.places.get(name) == "disk"
        )
        return line + (f"; {megabytes(on_disk)} of images on disk" if on_disk else "")

    @property
    def _times(self) -> tuple[float, float, float]:
        """Seconds for the network, the activations and the probes."""
        return (self._steps_left * self.train_step, *self._times_of(self.todo))

    def _times_of(self, todo: Todo) -> tuple[float, float]:
        """Seconds for the activations and the probes of a network."""
        a_probe = _steps(self.job.recipe.probe, self.recorded_train)
        probe_steps = sum(self.probe_step[tap.layer] for tap in todo.probed if todo.trains)
        return sum(self._passed(todo)) / self.pass_rate, a_probe * probe_steps

    @property
    def _epochs_time(self) -> float:
        """Seconds for stages 2 and 3 at earlier epochs."""
        return sum(sum(self._times_of(self.todo.at_epoch(epoch))) for epoch in self.todo.epochs)

    @property
    def duration(self) -> float:
        """Seconds in all, without AFCC."""
        return sum(self._times) + self._epochs_time

    def _epochs_line(self) -> str:
        epochs = " ".join(map(str, self.todo.epochs))
        n_bytes = sum(self._factor_bytes(tap.layer) for taps in self.todo.epochs.values() for tap in taps)
        until = self.network_bytes * sum(epoch > 0 for epoch in self.todo.epochs)
        return (
            f"   2 and 3 again at epochs {epochs}: about {seconds(self._epochs_time)} and {megabytes(n_bytes, 1)} of "
            f"the file; {megabytes(until)} on disk until the run is finished"
        )

    def _training_line(self, train_time: float) -> str:
        schedule = self.job.recipe.network
        if not schedule.epochs:
            return "1. the network is probed as it is, without training"
        if not self._steps_left:
            return f"1. the network is trained already ({counted(schedule.epochs, 'epoch')})"
        whole = counted(schedule.epochs, "epoch")
        left = self._steps_left * schedule.epochs / _steps(schedule, self.job.sizes.train)
        what = f"the {left:.4g} epochs that are left of {schedule.epochs}," if self.steps_done else f"{whole} of"
        return (
            f"1. train the network: {what} {self.job.sizes.train} images, batches of "
            f"{schedule.batch_size}, {schedule.batch_size / self.train_step:.0f} images/s: about {seconds(train_time)}"
        )

    @property
    def file_bytes(self) -> int:
        layers = _AROUND_A_FILE + sum(self._layer_bytes(layer) for layer in self.shapes)
        layers += len(self.job.epochs) * sum(self._factor_bytes(layer) for layer in self.shapes)
        return layers + (thumbnail_bytes(self.job.sizes) if self.job.options.thumbnails else 0)

    def _factor_bytes(self, layer: str) -> int:
        """Class means and weights, all that is kept of a layer at an earlier epoch."""
        return 2 * self.n_features(layer) * self.job.sizes.n_labels * 4

    def _layer_bytes(self, layer: str) -> int:
        n_filters, n_labels = self.shapes[layer][0], self.job.sizes.n_labels
        positions = math.prod(self.shapes[layer][1:])
        floats = 3 * n_filters * n_labels * positions  # class means, their first half, probe weights
        dense = stores_fields(n_filters, n_labels)
        floats += n_filters * n_labels**2 if dense else 0
        features = self.job.sizes.test * n_filters * positions * 2 if layer in self.job.features else 0
        top_inputs = n_filters * len(RANKINGS) * min(MOST, self.job.sizes.test) * 12  # number, position and value
        return floats * 4 + features + top_inputs + _AROUND_A_LAYER + dense * n_filters * _AROUND_A_MATRIX

    def text(self) -> str:
        """The plan as lines for a person."""
        recipe, sizes = self.job.recipe, self.job.sizes
        probe = recipe.probe
        train_time, pass_time, probe_time = self._times
        where = "on disk" if self.places["activations"] == "disk" else "in memory"
        there = [tap.layer for tap in self.job.taps if tap not in self.todo.probed]
        kept = f"{megabytes(self.activation_bytes)} {where}"
        note = "" if recipe.is_paper else ", NOT THE PAPER'S"
        changes = f" ({'; '.join(recipe.departures)})" if recipe.departures else ""
        lines = [
            f"recipe {recipe.name}{changes}{note}",
            f"weights to start with: {_words(self.job.origin)}; images of {self.job.arch.side}x{self.job.arch.side}, "
            f"normalised by {_scaling(self.job.arch)}",
            self._training_line(train_time),
        ]
        if self.passed:
            images = " + ".join(map(str, self.passed))
            lines.append(f"2. activations of {images} images, once for all layers, {kept}: about {seconds(pass_time)}")
        if there:
            lines.append(f"   probed already: {', '.join(there)}")
        if self.todo.probed and not self.todo.trains:
            lines.append("3. the classifier itself is the probe: nothing is trained, and its bias is left aside")
        elif self.todo.probed:
            start = f", from {recipe.probe_start}" if recipe.probe_start == "zeros" else ", from random weights"
            lines.append(
                f"3. a probe a layer: {counted(probe.epochs, 'epoch')} each{start}: about {seconds(probe_time)}"
            )
        for tap in self.todo.probed:
            n_filters, height, width = self.shapes[tap.layer]
            lines.append(
                f"   layer {tap.layer:>2}: {n_filters} {tap.unit}s of {height}x{width}, "
                f"{n_filters * height * width} weights an output"
            )
        lines.append(
            f"4. field matrices of {sum(shape[0] for shape in self.shapes.values())} filters, {sizes.n_labels} x "
            f"{sizes.n_labels} each: a file of about {megabytes(self.file_bytes, 1)}"
        )
        lines += [self._epochs_line()] if self.todo.epochs else []
        if self.todo.pruned or self.todo.between:
            places = [f"layer {tap.layer}" for tap in self.todo.pruned]
            places += [f"between {' '.join(self.job.options.afcc_between)}"] if self.todo.between else []
            lines.append(f"5. AFCC ({', '.join(places)}), whose time is not in the sum below")
        lines.append(self._memory_line())
        lines.append(f"in all about {seconds(self.duration)}")
        return "\n".join(lines)


def make_plan(job: Job, todo: Todo, saved: dict[str, Any] | None = None) -> Plan:
    """Measure a little of each stage that is left on random images (see `timing`), and extrapolate.

    saved: the state of the network's training that the run goes on from.

    Of several processes one measures its part of a batch, so what they tell each other is left out.
    """
    recipe, sizes, target = job.recipe, job.sizes, job.device.target
    network = to_device(job.arch.build(sizes.n_labels), job.device)
    side = job.arch.side
    shapes = tap_shapes(network, job.taps, (3, side, side))
    channels, height, width = sizes.image_shape
    batch = min(recipe.network.batch_size, sizes.train) if recipe.network.epochs else batch_of(side)
    if job.world.several and recipe.network.epochs:
        batch = max(2, -(-batch // job.world.size))  # of one input, batch normalization may have no variance
    pixels = torch.randint(0, 256, (batch, height, width, channels), dtype=torch.uint8).to(target)
    images = Images(pixels, target, Preprocessing(side, (0.5,) * 3, (0.5,) * 3, warps=job.arch.warps))
    labels = torch.arange(max(batch, min(recipe.probe.batch_size, sizes.train)), device=target) % sizes.n_labels
    forward = by_torch(network, job.taps, job.device)

    def passed(n: int) -> Callable[[], object]:
        some = Images(pixels[:n], target, images.preprocessing)
        return lambda: list(passes(forward, some))

    def probed(layer: str, n: int) -> Training:
        random = torch.rand(n, math.prod(shapes[layer])).to(KEPT).to(target)
        return probe_training(layer, random, labels[:n], sizes.n_labels, recipe.probe, 0)

    def trained(n: int) -> Training:
        return Training(
            name="",
            model=network,
            inputs=images.augmented,
            labels=labels[:n],
            schedule=replace(recipe.network, batch_size=n),
            seed=0,
            autocast=job.device.autocast,
            on_device=True,
        )

    of_pass = batch_cost(passed, batch, job.device)
    n_probed = min(recipe.probe.batch_size, sizes.train)
    at_any_epoch = {tap.layer for taps in (todo.probed, *todo.epochs.values()) for tap in taps if todo.trains}
    layers = [layer for layer in shapes if layer in at_any_epoch]
    probe_step = {layer: step_cost(partial(probed, layer), n_probed, job.device).seconds for layer in layers}
    steps_done = saved["step"] if saved is not None else 0
    trains = steps_done < _steps(recipe.network, sizes.train)
    of_step = step_cost(trained, batch, job.device) if trains else Batch(0.0)
    decoding = decoding_rate(job.data.train.images if job.data is not None else None)
    plan = Plan(
        job=job,
        todo=todo,
        steps_done=steps_done,
        shapes=shapes,
        places={},
        train_step=of_step.seconds,
        pass_rate=min(batch / of_pass.seconds * job.world.size, decoding),
        probe_step=probe_step,
        network_bytes=sum(value.nbytes for value in network.state_dict().values()),
        peak_bytes=peak_memory(job.device) + max(of_pass.more_bytes, of_step.more_bytes),
    )
    return replace(plan, places=places(_needs(job, plan.activation_bytes), _free(job.device)))


def _needs(job: Job, activation_bytes: int) -> dict[str, Costs]:
    """What a run keeps of its data, and the bytes that it takes of each place that it may lie in, the quickest first.

    Arrays are in main memory from the start; files are decoded once where a network is trained on them, by several
    processes into one file; for a single pass, as it comes to them, and nothing is kept.
    """
    device, needs = job.device.target.type, dict[str, Costs]()
    for name, n_inputs in (("train", job.sizes.train), ("test", job.sizes.test)):
        n_bytes = n_inputs * math.prod(job.sizes.image_shape)
        main: dict[Place, int] = {"memory": n_bytes if job.data is None else 0}
        if job.data is not None and isinstance(job.data.train.images, ImageFiles):
            if not job.trains_network:
                continue
            main = {"disk": 0} if job.world.several else {"memory": n_bytes, "disk": 0}
        own: dict[Place, int] = {} if device == "cpu" else {"device": n_bytes}
        needs[name] = own | main
    own = {"device": activation_bytes} if device == "cuda" else {}
    main = {"memory": activation_bytes, "disk": 0}
    needs["activations"] = own | main
    return needs


def _free(device: Device) -> dict[Place, int]:
    main = free_memory()
    if device.target.type == "mps":  # whose memory is the main memory
        return {"device": main // 2, "memory": main // 2}
    return {"device": free_on_device(device), "memory": main}


def _words(origin: dict[str, str]) -> str:
    kind, name = origin["from"], origin.get("name", "")
    words = {"none": "random", "hub": f"pretrained, {name}"}.get(kind, f"{kind} {name}")
    told = (
        ("set", "read from {}"),
        ("averaged", "averaged: {}"),
        ("not_read", "not read: {}"),
        ("names", "names: {}"),
        ("left_out", "left out: {}"),
        ("class_order", "class order: {}"),
    )
    return "; ".join([words, *(how.format(origin[key]) for key, how in told if key in origin)])


def _scaling(arch: Arch) -> str:
    if arch.pixel_mean is None or arch.pixel_std is None:
        return "the training images' mean and std"
    mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (arch.pixel_mean, arch.pixel_std))
    return f"mean {mean} and std {std}"


def _steps(schedule: Schedule, n_inputs: int) -> int:
    return schedule.epochs * (n_inputs // min(schedule.batch_size, n_inputs))
