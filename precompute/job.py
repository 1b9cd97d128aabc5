"""What was asked for, made definite: which data, network, layers, recipe and device, and where the result goes."""

from dataclasses import dataclass

from precompute import data, weights
from precompute.data import DataSet, Sizes
from precompute.device import Device, choose_device
from precompute.models import Arch, choose_features, choose_taps, find_arch
from precompute.options import Options, output_path
from precompute.recipes import Recipe, recipe_for
from precompute.stopping import Stopping
from precompute.taps import Tap
from precompute.workspace import Workspace


@dataclass(frozen=True)
class Job:
    """All that the stages share."""

    options: Options
    device: Device
    arch: Arch
    taps: list[Tap]
    features: tuple[str, ...]  # layers whose test activations go into the file
    origin: dict[str, str]  # of the weights that the network starts with
    sizes: Sizes
    recipe: Recipe
    work: Workspace
    stopping: Stopping
    data: DataSet | None  # None in a dry run that would have to download it

    @property
    def title(self) -> str:
        what = f"{self.options.arch} on {self.options.data}, {self.sizes.n_labels} labels"
        source = "still to be downloaded" if self.data is None else f"read from {self.data.source}"
        return f"{what} -> {self.work.out} ({self.device.description}; images {source})"


def prepare(options: Options, stopping: Stopping) -> Job:
    """Settle everything that can be wrong before work begins. Raises Problem, OSError."""
    arch = find_arch(options)
    origin = weights.origin(options, arch)
    taps = choose_taps(arch, options.layers)
    features = choose_features(options.features, taps)
    device = choose_device(options.device)
    images = None if options.dry_run and not data.is_here(options) else data.load(options, arch.side, arch.crop)
    sizes = images.sizes if images is not None else data.sizes_before_download(options)
    recipe = recipe_for(options, origin["from"], sizes.n_labels)
    return Job(
        options=options,
        device=device,
        arch=arch,
        taps=taps,
        features=features,
        origin=origin,
        sizes=sizes,
        recipe=recipe,
        work=Workspace(output_path(options), recipe.record(options), images.checksums if images is not None else None),
        stopping=stopping,
        data=images,
    )
