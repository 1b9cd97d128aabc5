"""Hyper-parameters, each with its line of the paper's supplement.

Mini-batches of 100, Nesterov momentum, L2 regularisation, learning rate times q every dt epochs ("Optimization",
"Hyper-parameters"). The supplement gives no number of epochs for the probes; what is chosen here is marked.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from precompute.options import Options


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
_PROBE_CIFAR10 = Schedule("supplement, FC layer, CIFAR-K/10", 0.02, 0.995, 1e-7, 100, 0.6, 20)

_PAPER = {"cifar10": (_VGG_CIFAR10, _PROBE_CIFAR10), "cifar100": (_VGG_CIFAR100, _PROBE_CIFAR100)}

_QUICK = Schedule("not the paper's: one cycle", 0.05, 0.9, 5e-4, 25, one_cycle=True)
_QUICK_DIGITS = replace(_QUICK, epochs=8, batch_size=50)


def recipe_for(options: Options, n_labels: int) -> Recipe:
    """The recipe that the options ask for, with what they change of it."""
    name = options.recipe or ("quick" if options.data == "digits" else "paper")
    tables, probe = _PAPER.get(options.data, _PAPER["cifar100"])
    if name == "paper":
        network = tables[min((k for k in tables if k >= n_labels), default=max(tables))]
    else:
        network = _QUICK_DIGITS if options.data == "digits" else _QUICK
        probe = replace(probe, epochs=40)
    changes = {key: getattr(options, key) for key in ("epochs", "batch_size")}
    changes = {key: value for key, value in changes.items() if value not in (None, getattr(network, key))}
    departures = tuple(f"{key} {value} instead of {getattr(network, key)}" for key, value in changes.items())
    if "batch_size" in changes:
        probe = replace(probe, batch_size=changes["batch_size"])
    return Recipe(name, replace(network, **changes), probe, departures)
