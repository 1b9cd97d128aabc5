"""Hyper-parameters, each with its line of the paper's supplement.

Mini-batches of 100, Nesterov momentum, L2 regularisation, learning rate times q every dt epochs ("Optimization",
"Hyper-parameters"). The supplement gives no number of epochs for the probes; what is chosen here is marked.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from precompute.messages.problem import Problem
from precompute.options import LITE_ARCHS, Options


@dataclass(frozen=True)
class Schedule:
    """How one model is trained."""

    source: str  # where the numbers are from
    learning_rate: float  # eta; the peak of a one-cycle schedule
    momentum: float  # mu
    weight_decay: float  # alpha
    epochs: int
    decay: float = 1.0  # q
    decay_epochs: int = 1  # dt
    one_cycle: bool = False
    batch_size: int = 100
    stage_rates: tuple[tuple[str, float], ...] = ()  # (start of parameters' names, factor of their learning rate)

    def rate(self, step: int, steps_an_epoch: int) -> float:
        """The learning rate of a step, counted from the start of training."""
        if not self.one_cycle:
            return self.learning_rate * self.decay ** (step // steps_an_epoch // self.decay_epochs)
        done = (step + 1) / (self.epochs * steps_an_epoch)
        rising = 0.3
        if done < rising:
            return self.learning_rate * (0.04 + 0.96 * done / rising)
        return self.learning_rate * (0.5 + 0.5 * math.cos(math.pi * (done - rising) / (1 - rising)))


@dataclass(frozen=True)
class Recipe:
    """How a whole run is made."""

    name: str
    network: Schedule
    probe: Schedule
    departures: tuple[str, ...] = ()  # what the command line changed
    # "Random initial weights" is the supplement's letter, but its published numbers hold hardly any of them (README):
    # either start counts as the paper's recipe.
    probe_start: str = "zeros"
    probe_draws: int = 0  # of each training image, augmented; 0: the images as they are

    @property
    def is_paper(self) -> bool:
        return self.name == "paper" and not self.departures

    def record(self, options: Options) -> dict[str, Any]:
        """As it goes into the file's manifest."""
        return asdict(self) | {"is_paper": self.is_paper, "seed": options.seed, "options": options.recipe_options()}


# "VGG-16 was trained using the following hyper-parameters to reach maximal accuracies on CIFAR-K/100": a table for
# each K, (q, dt) = (0.65, 20). Of a K that has no table, the next larger one's are taken (K = 10 takes K = 20's).
_VGG_CIFAR100 = {
    20: Schedule("supplement, VGG-16, CIFAR-20/100", 0.004, 0.965, 3e-3, 300, 0.65, 20),
    40: Schedule("supplement, VGG-16, CIFAR-40/100", 0.002, 0.975, 4e-3, 300, 0.65, 20),
    60: Schedule("supplement, VGG-16, CIFAR-60/100", 0.002, 0.975, 4e-3, 300, 0.65, 20),
    100: Schedule("supplement, VGG-16, CIFAR-100", 0.002, 0.975, 4e-3, 300, 0.65, 20),
}
# "VGG-16 was trained using the following hyper-parameters ... on CIFAR-K/10", (q, dt) = (0.65, 20)
_VGG_CIFAR10 = {10: Schedule("supplement, VGG-16, CIFAR-K/10", 0.01, 0.975, 1.5e-3, 200, 0.65, 20)}

# "For the training of the FC layer, ...": eta, mu, alpha, (q, dt); 100 epochs are our choice.
_PROBE_CIFAR100 = Schedule("supplement, FC layer, CIFAR-K/100", 0.005, 0.975, 1.5e-5, 100, 0.65, 20)
PROBES_ALONE = _PROBE_CIFAR100  # of activations whose network is somebody else's
_PROBE_CIFAR10 = Schedule("supplement, FC layer, CIFAR-K/10", 0.02, 0.995, 1e-7, 100, 0.6, 20)

# "EfficientNet-B0 was trained on CIFAR-K/100 and ImageNet datasets using transfer learning ... For the first seven
# stages, the learning rate was multiplied by a factor of 0.1, and for the last stage by 0.2." Nothing is said of the
# eighth of the nine; it goes with the last.
_STAGE_RATES = (
    *((name, 0.1) for name in ("conv_stem", "bn1", *(f"blocks.{k}." for k in range(6)))),
    *((name, 0.2) for name in ("blocks.6.", "conv_head", "bn2")),
)
_EFFICIENTNET = Schedule(
    "supplement, EfficientNet-B0, CIFAR-K/100", 0.01, 0.9, 1e-3, 200, 0.975, 1, stage_rates=_STAGE_RATES
)
# "with reduced number of layers in stages 3 and 4 to 1 ... eta = 0.002, mu = 0.98, alpha = 1e-4"; "in stage 5, from 3
# to 2 ... eta = 0.01, mu = 0.965, alpha = 5e-4". Of stage 9 left out nothing is said.
_SHALLOWER = {
    "3:1,4:1": replace(
        _EFFICIENTNET,
        source="supplement, EfficientNet-B0 with reduced stages 3 and 4",
        learning_rate=0.002,
        momentum=0.98,
        weight_decay=1e-4,
    ),
    "5:2": replace(
        _EFFICIENTNET,
        source="supplement, EfficientNet-B0 with reduced stage 5",
        learning_rate=0.01,
        momentum=0.965,
        weight_decay=5e-4,
    ),
    "9:0": _EFFICIENTNET,
}
# "eta = 0.005, mu = 0.975, alpha = 1.5e-5, with a learning rate scheduler of q = 0.975 every epoch"
_PROBE_EFFICIENTNET = Schedule("supplement, FC layer, EfficientNet-B0", 0.005, 0.975, 1.5e-5, 100, 0.975, 1)

PROBE_DRAWS = 4  # of each training image, where probes are trained on augmented ones

_LIKE = dict.fromkeys(LITE_ARCHS, "efficientnet_b0")  # whose recipes they take

_AS_IT_IS = Schedule("not trained here: probed as it is", 0.0, 0.0, 0.0, 0)
_PAPER: dict[tuple[str, str], tuple[dict[int, Schedule], Schedule]] = {
    ("vgg16", "cifar10"): (_VGG_CIFAR10, _PROBE_CIFAR10),
    ("vgg16", "cifar100"): (_VGG_CIFAR100, _PROBE_CIFAR100),
    ("efficientnet_b0", "cifar100"): ({100: _EFFICIENTNET}, _PROBE_EFFICIENTNET),
    # "with all remaining weights of the trained EfficientNet-B0 kept fixed"
    ("efficientnet_b0", "imagenet"): ({1000: _AS_IT_IS}, _PROBE_EFFICIENTNET),
}

_QUICK = Schedule("not the paper's: one cycle", 0.05, 0.9, 5e-4, 25, one_cycle=True)
_QUICK_DIGITS = replace(_QUICK, epochs=8, batch_size=50)
_QUICK_TRANSFER = replace(_QUICK, learning_rate=0.02, epochs=5)  # from pretrained weights


def snapshot_epochs(options: Options, schedule: Schedule) -> tuple[int, ...]:
    """The epochs before the last after which layers are measured too, in order; 0 is before the first step.

    >>> snapshot_epochs(Options(snapshots=10), replace(_QUICK, epochs=25))  # and then 25
    (0, 1, 2, 3, 4, 5, 7, 11, 17)
    """
    last, wanted = schedule.epochs, set(options.at_epochs)
    if (wanted or options.snapshots) and not last:
        raise Problem("--at-epochs and --snapshots look at a network while it is trained; this one is probed as it is")
    if wanted and max(wanted) > last:
        raise Problem(f"--at-epochs {max(wanted)}: the network is trained for {last} epochs")
    if options.snapshots is not None:
        n_trained = min(options.snapshots - 1, last)
        before = 0
        wanted = {0}
        for k in range(n_trained - 1):
            before = max(before + 1, round(last ** (k / (n_trained - 1))))  # no epoch twice
            wanted.add(before)
    return tuple(sorted(wanted - {last}))


@dataclass(frozen=True)
class AfccRecipe:
    """How what AFCC leaves is trained again."""

    probe: Schedule  # the masked probe alone
    network: Schedule  # the supplement's: the probe and the layer before it, or, with stage_rates, the whole network
    between: Schedule  # the whole network, after each layer that is cut down


# "a short training section of a few epoch ~ 10 ... only the FC and 10th convolution layer are trained. ... eta =
# 0.00001, mu = 0.9, alpha = 1.5e-2"
_AFCC_VGG = Schedule("supplement, AFCC, VGG-16", 1e-5, 0.9, 1.5e-2, 10)
# "the entire network was further trained ... eta = 0.005, mu = 0.975, alpha = 1e-4", rates by stage, "(0.975, 1)"; 10
# epochs are our choice.
_AFCC_EFFICIENTNET = Schedule(
    "supplement, AFCC, EfficientNet-B0", 0.005, 0.975, 1e-4, 10, 0.975, 1, stage_rates=_STAGE_RATES
)
_AFCC_BETWEEN = Schedule("ours: one cycle of one epoch", 0.01, 0.9, 5e-4, 1, one_cycle=True)


def afcc_recipe(options: Options, recipe: Recipe) -> AfccRecipe:
    """Of the probe alone: its own recipe for 10 epochs, which is our choice."""
    network = _AFCC_EFFICIENTNET if options.arch.startswith("efficientnet") else _AFCC_VGG
    batch = recipe.network.batch_size
    return AfccRecipe(
        probe=replace(recipe.probe, source=f"{recipe.probe.source}, 10 epochs", epochs=10),
        network=replace(network, batch_size=batch),
        between=replace(_AFCC_BETWEEN, batch_size=batch),
    )


def _default(options: Options, weights: str, on_paper: bool) -> str:
    """The name of the recipe that is taken where none is asked for."""
    if options.arch in _LIKE:
        return "frozen" if weights in ("package", "hub", "file") and not options.epochs else "quick"
    return "paper" if on_paper else "quick"


def recipe_for(options: Options, weights: str, n_labels: int, lacking: str = "") -> Recipe:
    """The recipe that the options ask for, with what they change of it.

    weights: see `weights.wanted`. lacking: what the images lack of the paper's, see `outline.missing_images`.
    """
    arch = _LIKE.get(options.arch, options.arch)  # whose hyper-parameters these are
    on_paper = (arch, options.data) in _PAPER
    name = options.recipe or _default(options, weights, on_paper)
    if name == "paper" and not on_paper:
        papers = ", ".join(f"{arch} on {data}" for arch, data in _PAPER)
        raise Problem(f"--recipe paper: the paper has no recipe for {options.arch} on {options.data}, but for {papers}")
    if name == "frozen" and weights == "none":
        raise Problem("--recipe frozen: is for pretrained weights; name some with --weights, or see --untrained")
    tables, probe = _PAPER.get((arch, options.data if on_paper else "cifar100"), _PAPER["vgg16", "cifar100"])
    if name == "frozen":
        network = _AS_IT_IS
    elif name == "paper":
        network = tables[min((k for k in tables if k >= n_labels), default=max(tables))]
        if network.epochs:
            network = _SHALLOWER.get(options.depths or "", network)
    else:
        network = _QUICK_DIGITS if options.data == "digits" else _QUICK if weights == "none" else _QUICK_TRANSFER
        probe = replace(probe, epochs=40)
    if weights == "checkpoint":
        network = replace(_AS_IT_IS, batch_size=network.batch_size)
    if options.epochs and not network.epochs:
        instead = "leave out --checkpoint" if weights == "checkpoint" else "--recipe quick trains it"
        raise Problem(f"--epochs {options.epochs}: this network is probed as it is, without training; {instead}")
    changes = {key: getattr(options, key) for key in ("epochs", "batch_size")}
    changes = {key: value for key, value in changes.items() if value not in (None, getattr(network, key))}
    departures = [f"{key} {value} instead of {getattr(network, key)}" for key, value in changes.items()]
    usual = ("none",) if options.arch == "vgg16" or options.arch_kind == "file" else ("hub", "package")
    departures += [f"weights: {weights} instead of {usual[0]}"] if weights not in usual else []
    departures += [f"{options.arch} instead of {arch}"] if name == "paper" and arch != options.arch else []
    departures += [f"depths {options.depths}"] if options.depths not in (None, *_SHALLOWER) else []
    departures += ["no mirrored images"] if options.no_flip else []
    departures += [f"images of {options.image_size} pixels a side"] if options.image_size is not None else []
    departures += ["pixels normalised by --mean and --std"] if options.mean else []
    departures += [lacking] if lacking else []
    if "batch_size" in changes:
        probe = replace(probe, batch_size=changes["batch_size"])
    of_probe: dict[str, Any] = {"epochs": options.probe_epochs, "weight_decay": options.probe_decay}
    of_probe = {key: value for key, value in of_probe.items() if value not in (None, getattr(probe, key))}
    departures += [f"probe {key} {value:g} instead of {getattr(probe, key):g}" for key, value in of_probe.items()]
    draws = (options.probe_draws or PROBE_DRAWS) if options.probe_inputs == "augmented" else 0
    departures += ["the classifier itself as the probe"] if options.probe == "own" else []
    departures += [f"probes on augmented images, {draws} draws"] if draws else []
    probe = replace(probe, **of_probe)
    return Recipe(name, replace(network, **changes), probe, tuple(departures), options.probe_start, draws)
