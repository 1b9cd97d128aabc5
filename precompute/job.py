"""What was asked for, made definite: which data, network, layers, recipe and device, and where the result goes."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from precompute.afcc import connection
from precompute.disk.workspace import NETWORK, Workspace, is_begun
from precompute.images import data
from precompute.images.data import DataSet
from precompute.images.outline import Outline, Sizes, is_here, missing_images, outline
from precompute.machine.device import Device, choose_device
from precompute.machine.distributed import ALONE, World
from precompute.machine.stopping import Stopping
from precompute.messages.problem import Problem
from precompute.networks import weights
from precompute.networks.arch import Arch
from precompute.networks.class_order import HeadOrder
from precompute.networks.models import choose_layers, choose_taps, find_arch
from precompute.networks.taps import HEAD, Tap
from precompute.options import Options, output_path
from precompute.own_probe import check_outputs
from precompute.recipes import Recipe, recipe_for, snapshot_epochs
from store.file.format import CLASS_MEANS, TEST_FEATURES, TOP_INPUTS
from store.file.write import RunContent

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Todo:
    """What of a job is not in the file yet."""

    probed: list[Tap]  # layers whose probes are still to be trained
    kept: list[Tap]  # layers that are probed, and whose test activations are still to be kept
    driven: list[Tap]  # layers that are probed, and of which nobody knows yet which images drive their filters
    pruned: list[Tap]  # layers whose probes AFCC is still to cut down
    between: bool  # whether AFCC between layers is still to come
    trains: bool = True  # whether probes are trained, which takes the training images
    epochs: dict[int, list[Tap]] = field(default_factory=dict)  # earlier epoch -> layers that wait

    @classmethod
    def of(
        cls,
        taps: list[Tap],
        options: Options,
        features: tuple[str, ...],
        pruned: tuple[str, ...],
        there: Manifest,
        epochs: tuple[int, ...] = (),
    ) -> "Todo":
        """What is left to do, of a file with this manifest."""
        at = {record["epoch"]: {layer["name"] for layer in record["layers"]} for record in there.get("epochs", [])}
        waiting = {epoch: [tap for tap in taps if tap.layer not in at.get(epoch, ())] for epoch in epochs}
        records = {record["name"]: record for record in there.get("layers", [])}
        without_top = {
            name
            for name, record in records.items()
            if CLASS_MEANS in (datasets := record.get("datasets", ())) and TOP_INPUTS not in datasets
        }
        with_features = {name for name, record in records.items() if TEST_FEATURES in record.get("datasets", ())}
        return cls(
            probed=[tap for tap in taps if tap.layer not in records],
            kept=[tap for tap in taps if tap.layer in features and tap.layer in records.keys() - with_features],
            driven=[tap for tap in taps if options.thumbnails and tap.layer in without_top],
            pruned=[tap for tap in taps if tap.layer in pruned and "afcc" not in records.get(tap.layer, {})],
            trains=options.probe == "trained",
            between=bool(options.afcc_between) and _pruned_between(there) != list(options.afcc_between),
            epochs={epoch: waits for epoch, waits in waiting.items() if waits},
        )

    def __bool__(self) -> bool:
        return bool(self.probed or self.kept or self.driven or self.pruned or self.between or self.epochs)

    def at_epoch(self, epoch: int) -> "Todo":
        """What is left to do at an earlier epoch: stages 2 and 3, and no more."""
        return Todo(self.epochs[epoch], [], [], [], between=False, trains=self.trains)

    def recorded(self, split: str) -> list[Tap]:
        """Layers whose activations on the train or test images are needed."""
        if split == "train" and not self.trains:
            return []
        of_both = self.probed + [tap for tap in self.pruned if tap not in self.probed]
        of_test = self.kept + [tap for tap in self.driven if tap not in self.kept]
        return of_both + [tap for tap in of_test if split == "test" and tap not in of_both]


def _pruned_between(there: Manifest) -> Any:
    found = there.get("afcc_between")
    return found.get("layers") if isinstance(found, dict) else None


@dataclass(frozen=True)
class Job:
    """All that the stages share."""

    options: Options
    device: Device
    arch: Arch
    taps: list[Tap]
    features: tuple[str, ...]  # layers whose test activations go into the file
    pruned: tuple[str, ...]  # layers whose probes AFCC cuts down
    epochs: tuple[int, ...]  # of the network's training, before the last, at which layers are measured too
    origin: dict[str, str]  # of the weights that the network starts with
    sizes: Sizes
    recipe: Recipe
    work: Workspace
    stopping: Stopping
    data: DataSet | None  # None in a dry run that can do without pixels
    source: str  # where the images are, in words
    world: World
    start: weights.Start | None  # of the file that the network starts from; None where it starts from none
    head: HeadOrder | None  # which outputs are which labels', where they were trained elsewhere and are used

    def todo(self, earlier: RunContent | None) -> Todo:
        """What is left to do, with a file that holds so much."""
        there: Manifest = {}
        if earlier is not None:
            there = earlier.manifest | {"layers": [layer.record | {"name": layer.name} for layer in earlier.layers]}
            names = {at.epoch: [{"name": layer.name} for layer in at.layers] for at in earlier.epochs}
            there["epochs"] = [{"epoch": epoch, "layers": layers} for epoch, layers in names.items()]
        return Todo.of(self.taps, self.options, self.features, self.pruned, there, self.epochs)

    def what_is_left(self) -> tuple[RunContent | None, Todo]:
        """What stands at the output's place, None for --fresh, and what is left to do. Raises Problem, OSError."""
        earlier = None if self.options.fresh else self.work.earlier_result()
        todo = self.todo(earlier)
        if todo and earlier is not None and self.recipe.network.epochs and not self.work.has_network():
            raise Problem(
                f"{self.work.out} is there, but the network that was trained for it is not; --fresh makes both"
            )
        return earlier, todo

    def checkpoint(self, todo: Todo) -> dict[str, Any] | None:
        """The state of the network's training that the run goes on from, None where it starts.

        Raises Problem, also where it has passed an epoch at which layers are to be measured and that was not kept.
        """
        if not self.recipe.network.epochs or self.options.fresh:
            return None
        saved = self.work.load_training(NETWORK)
        steps = self.sizes.train // min(self.recipe.network.batch_size, self.sizes.train)  # an epoch
        gone = [
            str(epoch)
            for epoch in todo.epochs
            if epoch and saved is not None and saved["step"] >= epoch * steps and not self.work.has_snapshot(epoch)
        ]
        if gone:
            raise Problem(
                f"--at-epochs {' '.join(gone)}: the network was trained past that without keeping it; leave these out, "
                "or train again with --fresh"
            )
        return saved

    @property
    def trains_network(self) -> bool:
        """Whether training images are seen many times: by a network that learns, be it only after AFCC, or by one that
        passes augmented ones."""
        return bool(self.recipe.network.epochs or self.pruned or self.options.afcc_between or self.recipe.probe_draws)

    @property
    def title(self) -> str:
        what = f"{self.arch.name} on {self.options.data}, {self.sizes.n_labels} labels"
        return f"{what} -> {self.work.out} ({self.device.description}; images {self.source})"

    def network(self) -> nn.Module:
        """The network that the run starts with, made anew. Raises Problem, OSError."""
        as_it_is, n_labels = self.recipe.network.epochs == 0, self.sizes.n_labels
        network = weights.network(self.options, self.arch, n_labels, as_it_is, self.start)
        if self.head is not None:
            weights.reorder_outputs(network, self.arch, self.head.outputs)
        if self.options.afcc_between and self.n_outputs(network) != n_labels:
            raise Problem(
                f"--afcc-between trains the network's own outputs: it has {self.n_outputs(network)}, the data "
                f"{n_labels} labels"
            )
        return network

    @property
    def has_own_answers(self) -> bool:
        """Whether the network's own outputs are for these labels. Those of pretrained weights that are not trained on
        are put in the place of others, and are random."""
        known = weights.trained_outputs(self.options, self.arch, self.start)
        return bool(self.recipe.network.epochs) or known in (None, self.sizes.n_labels)

    def n_outputs(self, network: nn.Module) -> int:
        return len(network.get_submodule(self.arch.output[0]).get_parameter("weight"))


def prepare(options: Options, stopping: Stopping, world: World = ALONE) -> Job:
    """Settle everything that can be wrong before work begins. Raises Problem, OSError.

    But for weights of the hub: a dry run does not download, and a run that is done needs none.
    """
    arch = find_arch(options)
    origin = weights.origin(options, arch)
    taps = choose_taps(arch, (HEAD,) if options.probe == "own" else options.layers)
    features = choose_layers("features", options.features, taps)
    pruned = choose_layers("afcc", options.afcc, taps)
    choose_layers("afcc-between", options.afcc_between, taps)
    _check_between(arch, taps, options.afcc_between)
    device = choose_device(options.device, world)
    out = output_path(options)
    compares = world.from_first(not options.dry_run or (not options.fresh and is_begun(out)))  # with what is there
    (sizes, labels, source), images = _data(options, arch, world, compares)
    recipe = recipe_for(options, origin["from"], sizes.n_labels, missing_images(options, sizes))
    batch = min(recipe.network.batch_size, sizes.train)
    if recipe.network.epochs and batch < world.size:
        raise Problem(f"a batch of {batch} for {world.size} processes: each needs one input at least; start fewer")
    start = weights.of_file(options, arch)
    arch = weights.scaled(options, arch, start, recipe.network.epochs)
    if options.probe == "own" and not recipe.network.epochs:
        check_outputs(arch, weights.trained_outputs(options, arch, start), sizes.n_labels)
    sorted_folders = images is not None and images.sorted_folders
    head = weights.head_order(options, arch, start, recipe.network.epochs, labels, sorted_folders)
    said = (start.said if start is not None else {}) | ({"class_order": head.said} if head and head.said else {})
    job = Job(
        options=options,
        device=device,
        arch=arch,
        taps=taps,
        features=features,
        pruned=pruned,
        epochs=snapshot_epochs(options, recipe.network),
        origin=origin | said,
        sizes=sizes,
        recipe=recipe,
        work=Workspace(
            out,
            recipe.record(options),
            images.checksums if images is not None and compares and world.is_first else None,  # which alone compares
            origin.get("sha256"),
            labels,
        ),
        stopping=stopping,
        data=images,
        source=source,
        world=world,
        start=start,
        head=head,
    )
    if job.start is not None:
        job.network()  # whether the file's weights fit
    return job


def _data(options: Options, arch: Arch, world: World, compares: bool) -> tuple[Outline, DataSet | None]:
    """The data set; without it where a dry run needs no pixels, or would have to download them."""
    here = world.from_first(is_here(options))
    if options.dry_run and not (compares and here) and (known := outline(options)) is not None:
        return known, None
    with world.in_turn(not here):
        images = data.load(options, arch.side, arch.crop)
    return Outline(images.sizes, images.label_names, f"read from {images.source}"), images


def _check_between(arch: Arch, taps: list[Tap], layers: tuple[str, ...]) -> None:
    """Whether a convolution leads from each of the layers to the next. Raises Problem."""
    if not layers:
        return
    if len(layers) == 1:
        raise Problem("--afcc-between: takes two layers or more that follow one another, such as 9 10")
    place = {tap.layer: tap for tap in taps}
    network, images = arch.on_meta(), torch.zeros(1, 3, arch.side, arch.side, device="meta")
    for before, after in pairwise(layers):
        connection(network, place[before], place[after], images)
