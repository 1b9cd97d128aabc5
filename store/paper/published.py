"""The paper's Tables 1-6 (published.csv, 81 rows), for columns side by side with what was measured."""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Networks that are not the paper's -> the one of the paper's that they are kin of, whose rows stand beside theirs.
# EfficientNet-Lite is EfficientNet without squeeze-and-excitation and with ReLU6.
_KIN = {f"efficientnet_lite{k}": "efficientnet_b0" for k in range(3)}


def compared_with(arch: str) -> str:
    """The network of the paper's that a network is compared with: itself, or the one that it is kin of.

    >>> compared_with("efficientnet_lite0"), compared_with("vgg16")
    ('efficientnet_b0', 'vgg16')
    """
    return _KIN.get(arch, arch)


class Published(NamedTuple):
    """One row of one of the paper's tables."""

    table: int
    n_filters: int  # N_f
    filter_side: int  # F_s is side x side
    fc_size: int  # FC_s = N_f * F_s
    accuracy: float
    noise: float  # n
    n_clusters: float  # N_c
    cluster_size: float  # C_s


def published(arch: str, data: str, n_labels: int, layer: str) -> Published | None:
    """The published row for a layer (or stage) of a network, or of what it is compared with; None where there is none.

    >>> published("vgg16", "cifar100", 100, "10").noise
    16.3
    """
    return _rows().get((compared_with(arch), data, n_labels, layer))


class PublishedAFCC(NamedTuple):
    """What the paper's Discussion says of a probe that keeps the weights of its filters' clusters alone."""

    weights: int
    kept: int  # about
    accuracy: float  # after training again, about


_AFCC = {  # Discussion: "The remaining 10,800 weights", "4,900 ... non-zero weights only"
    ("vgg16", "cifar100", 100, "10"): PublishedAFCC(204_800, 10_800, 0.752),
    ("efficientnet_b0", "cifar100", 100, "9"): PublishedAFCC(128_000, 4_900, 0.873),
}


def published_afcc(arch: str, data: str, n_labels: int, layer: str) -> PublishedAFCC | None:
    """The paper's AFCC of a layer (or stage), or of what the network is compared with; None where there is none.

    >>> published_afcc("vgg16", "cifar100", 100, "10").kept
    10800
    """
    return _AFCC.get((compared_with(arch), data, n_labels, layer))


def settings(table: int) -> list[tuple[str, str, int]]:
    """What a table is of: network, data set and number of labels, each once, in the table's order.

    >>> settings(6)
    [('vgg16', 'cifar10', 3), ('vgg16', 'cifar10', 6), ('vgg16', 'cifar10', 8), ('vgg16', 'cifar10', 10)]
    """
    return list(dict.fromkeys(place[:3] for place, row in _rows().items() if row.table == table))


def layers(arch: str, data: str, n_labels: int) -> list[str]:
    """The layers (or stages) that the paper has of a setting, deepest first as in its tables.

    >>> layers("vgg16", "cifar100", 20)
    ['13', '10', '7', '4', '2']
    """
    return [place[3] for place in _rows() if place[:3] == (arch, data, n_labels)]


@cache
def _rows() -> dict[tuple[str, str, int, str], Published]:
    with Path(__file__).with_name("published.csv").open(newline="") as file:
        return {
            (row["arch"], row["data"], int(row["labels"]), row["layer"]): Published(
                *(int(row[name]) for name in ("table", "n_filters", "filter_side", "fc_size")),
                *(float(row[name]) for name in ("accuracy", "noise", "n_clusters", "cluster_size")),
            )
            for row in csv.DictReader(file)
        }
