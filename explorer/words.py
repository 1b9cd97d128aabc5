"""Words that depend on the file or the view, alike on every page."""

from collections.abc import Iterable

from store.file.manifest import mapping
from store.file.read import Layer, Run
from store.measure.summary import Average
from store.paper.published import compared_with

_UNITS = ("filter", "node", "head")  # as `precompute` names what a field matrix is of


def unit_of(layer: Layer) -> str:
    """What a layer is made of; "unit" where the file says something else, which may be anything."""
    said = layer.record.get("unit", "filter")
    return said if isinstance(said, str) and said in _UNITS else "unit"


def unit_of_all(layers: Iterable[Layer]) -> str:
    """The same of several layers; "unit" where they differ."""
    found = set(map(unit_of, layers))
    return found.pop() if len(found) == 1 else "unit"


def averaged(average: Average, unit: str) -> str:
    """Over what means of n and N_c are."""
    return f"all {unit}s" if average == "all" else f"{unit}s with clusters"


_PRINTED = {  # names as the paper prints them
    "vgg16": "VGG-16", "efficientnet_b0": "EfficientNet-B0", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100",
    "imagenet": "ImageNet",
} | {f"efficientnet_lite{k}": f"EfficientNet-Lite{k}" for k in range(3)}  # fmt: skip


def printed(name: object) -> str:
    """A network's or data set's name as it is printed; a name of the file's where the paper has none."""
    return _PRINTED.get(str(name), str(name))


def not_the_papers(run: Run) -> str:
    """What to say wherever a network or a recipe is not the paper's, "" where both are; holds words of the file."""
    arch = str(mapping(run.manifest.get("network")).get("arch"))
    if (papers := compared_with(arch)) != arch:
        name = mapping(run.manifest.get("recipe")).get("name")
        how = " Its pretrained weights are as they were." if name == "frozen" else ""
        return (
            f"{printed(arch)} is not the paper's network: the paper's numbers beside it are {printed(papers)}'s.{how}"
        )
    recipe = mapping(run.manifest.get("recipe"))
    if recipe.get("is_paper") is True:
        return ""
    name, departures = recipe.get("name", "unknown"), recipe.get("departures")
    changed = " with " + "; ".join(map(str, departures)) if isinstance(departures, list) and departures else ""
    return f"Not the paper's recipe, but {'that' if name == 'paper' else f'the {name} one'}{changed}."


def positions(layer: Layer) -> str:
    """What a field is a sum over."""
    return "the one position" if layer.positions == 1 else f"the {layer.positions} positions"


# ---- The glossary: each symbol once, in a line and a formula. What stands on a page is explained from here. ----------

_GLOSSARY = {
    "layer": ("The layer after which the network was frozen and a probe trained.", ""),
    "accuracy": ("The part of the test inputs whose label the layer's probe finds.", ""),
    "N_f": ("Filters of the layer.", ""),
    "F_s": ("Size of one filter's output: its positions, height times width.", ""),
    "FC_s": ("Inputs of the probe: all positions of all filters.", "FC_s = N_f F_s."),
    "n": (
        "Noise of a filter: elements above the threshold that are in no cluster, as a mean over filters.",
        "n = elements above - the sum of c² over clusters of c labels.",
    ),
    "N_c": ("Clusters of a filter, as a mean over filters.", ""),
    "C_s": ("Labels in a cluster, as a mean over all clusters.", ""),
    "silent": ("Filters without a finite field above zero: they have no cluster and no noise.", ""),
    "signal": (
        "How many clusters, over all filters, hold a label.",
        "Eq. (1), from the layer means: signal = N_f N_c C_s / K.",
    ),
    "noise_I": (
        "Internal noise: elements of a label's row inside its clusters, off the diagonal, for a mean other label.",
        "Eq. (2), from the layer means: noise_I = signal (C_s - 1) / (K - 1).",
    ),
    "noise_E": (
        "External noise: elements of a label's row above the threshold and outside clusters, for a mean other label.",
        "Eq. (3), from the layer means: noise_E = N_f n / K².",
    ),
    "noise_I + noise_E": ("Internal and external noise of a label together, for a mean other label.", ""),
    "SNR": ("Signal-to-noise ratio: the mean signal over the mean noise.", ""),
    "SNR_I": ("Signal to internal noise.", "SNR_I = signal / noise_I, as means over the labels."),
    "weights kept": ("Of the probe's weights, those from a filter to the labels of its clusters.", ""),
    "share kept": ("Weights kept, of all weights of the probe.", ""),
    "N_f F_s C_s N_c": ("How many weights the layer means let expect to be kept.", ""),
    "labels lost": ("Labels none of whose test inputs is recognised.", ""),
    "unconnected": ("Labels in no cluster, so that their logit is always zero.", ""),
    "SNR_E": ("Signal to external noise.", "SNR_E = signal / noise_E; Eq. (4), from the layer means: N_c C_s K / n."),
}


def meaning(name: str) -> str | None:
    """What a symbol stands for, in a line and its formula; None where it is none. Also of columns such as "n, paper".

    >>> meaning("FC_s, paper")
    'Inputs of the probe: all positions of all filters. FC_s = N_f F_s.'
    """
    symbol = name.partition(", ")[0].removesuffix(" A").removesuffix(" B")
    return " ".join(part for part in _GLOSSARY[symbol] if part) if symbol in _GLOSSARY else None


def meanings(*names: str) -> str:
    """The same of the axes of a chart, a paragraph each."""
    return "\n\n".join(f"**{name}**: {said}" for name in names if (said := meaning(name)))
