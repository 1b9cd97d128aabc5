"""Every family of timm's, tapped at its smallest network: where, and whether that is right. Makes docs/families.md.

    python -m benchmarks.families           # without memory behind the weights, a minute or two
    python -m benchmarks.families --real    # and with random weights on the CPU, for where in an image a tap looks

A family is a file of timm's with networks in it. What holds of each is said in `Found`.
"""

import argparse
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import EllipsisType

import timm
import torch
from torch import nn

from precompute.messages.problem import Problem
from precompute.networks import choose, timm_models
from precompute.networks.arch import Arch
from precompute.networks.calls import Call
from precompute.networks.main_path import Looked
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import Tap, watch
from precompute.options import Options

DOCUMENT = Path("docs/families.md")
MAX_REAL = 200e6  # weights of a network that is run for real
_SETTLING = 8  # images
_NORMS = ("Norm", "BatchNorm", "LayerNorm", "GroupNorm", "RmsNorm", "Affine")
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.LeakyReLU, nn.PReLU)


@dataclass(frozen=True)
class Found:
    """What holds of a family's smallest network."""

    family: str
    model: str
    n_weights: int = 0
    taps: tuple[Tap, ...] = ()
    shapes: tuple[tuple[int, int, int], ...] = ()  # units, height and width of each
    otherwise: str = ""  # what timm says of where its stages end, where that is not so
    refused: str = ""
    wrong: tuple[str, ...] = ()  # what does not hold, in words
    corners: int = 0  # taps whose corner follows the image's, where it was run for real


def models() -> dict[str, str]:
    """Family -> its network with the fewest weights, as the page has it, or, for another timm, found anew."""
    page = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    named = dict(re.findall(r"^\| (\w+) \| `(\w+)` \|", page, re.MULTILINE))
    return named if f"timm {timm.__version__}:" in page and list(named) == sorted(all_names()) else smallest()


def smallest() -> dict[str, str]:
    """Family -> its network with the fewest weights."""
    found: dict[str, str] = {}
    for family, names in sorted(all_names().items()):
        sizes = []
        for name in names:
            with torch.device("meta"), warnings.catch_warnings(action="ignore"):
                sizes.append((_n_weights(timm.create_model(name)), name))
        found[family] = min(sizes)[1]
    return found


def _n_weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def all_names() -> dict[str, list[str]]:
    """Family -> its networks."""
    names = {family: timm.list_models(module=family) for family in timm.list_modules()}
    return {family: models for family, models in names.items() if models}


def check(family: str, model: str) -> Found:
    """Taps a network by default, and looks whether that is right, without memory behind its weights."""
    try:
        arch = find_arch(Options(arch=f"timm:{model}"))
    except Problem as problem:
        return Found(family, model, refused=str(problem))
    taps, looked = choose_taps(arch, ()), choose.look(arch)
    return Found(
        family,
        model,
        n_weights=_n_weights(looked.network),
        taps=tuple(taps),
        shapes=tuple(choose.shapes_in(looked, taps).values()),
        otherwise=_otherwise(looked, taps),
        wrong=tuple(wrong(arch, looked, taps)),
    )


def _otherwise(looked: Looked, taps: list[Tap]) -> str:
    """What timm says of where stages end, where the taps are not there; "" where they are."""
    said = timm_models.named_by_timm(looked.network)
    idle = [path for path in said if looked.call_of(path) is None]
    if idle:
        return f"names {idle[0]}, which does not run"
    modules = [tap.module for tap in taps if not tap.classifiers]
    others = [path for path in said if path not in modules]
    return f"names {', '.join(others)}" if others else ""


def wrong(arch: Arch, looked: Looked, taps: list[Tap]) -> Iterator[str]:
    """What does not hold of these taps, as far as shapes and the order of modules tell."""
    shapes = choose.shapes_in(looked, taps)
    read = {path: _n_inputs(looked.network.get_submodule(path)) for path in arch.output}
    wanted = next(iter(read.values())) if len(set(read.values())) == 1 else sum(read.values())
    if shapes[taps[-1].layer][0] != wanted:
        yield f"the last tap has {shapes[taps[-1].layer][0]} units, the classifier reads {wanted}"
    ends = [(tap, _ended(looked, tap)) for tap in taps]
    for (before, earlier), (after, later) in pairwise(ends):
        if before.module == after.module:
            continue  # other tensors of one module
        if not any(call.end <= later for call in _weights_after(looked, earlier)):
            yield f"{before.layer} and {after.layer} are the same units: nothing with weights is between them"
    between = [call.path for call in _weights_after(looked, ends[-1][1]) if call.path not in arch.output]
    if between:
        yield f"between the last tap and the classifier is {between[0]}"
    for tap in taps:
        if not tap.classifiers and (name := _norm_after(looked, tap)):
            yield f"{tap.layer} is tapped before {name}"


def _n_inputs(classifier: nn.Module) -> int:
    return int(classifier.get_parameter("weight").shape[1])


def _ended(looked: Looked, tap: Tap) -> int:
    call = looked.ran(tap.classifiers[-1] if tap.classifiers else tap.module)
    return call.end - 1 if tap.classifiers else call.end


def _weights_after(looked: Looked, end: int) -> Iterator[Call]:
    """The calls of modules with weights of their own that began after another call's end."""
    for call in looked.root.walk():
        began_after = all(inside.end > end for inside in call.walk())
        if began_after and next(call.module.parameters(recurse=False), None) is not None:
            yield call


def _norm_after(looked: Looked, tap: Tap) -> str:
    """The norm or activation that is given just what a convolution or linear layer gives at a tap; "" for none."""
    call = looked.ran(tap.module)
    output = call.outputs[tap.part]
    leaves = [one for one in looked.root.walk() if not one.inside and any(output is gave for gave in one.outputs)]
    last = max(leaves, key=lambda one: one.end, default=None)
    if last is None or not isinstance(last.module, nn.Conv2d | nn.Linear):
        return ""
    for after in looked.root.walk():
        is_one = isinstance(after.module, _ACTIVATIONS) or any(name in type(after.module).__name__ for name in _NORMS)
        if is_one and any(output is given for given in after.inputs) and _beside(looked, call, after):
            return after.path
    return ""


def _beside(looked: Looked, call: Call, other: Call) -> bool:
    return any(call in one.inside and other in one.inside for one in looked.root.walk())


def with_corners(found: Found) -> Found:
    """The same after real passes: do the corners of the taps follow the image's?"""
    if found.refused or found.n_weights > MAX_REAL:
        return found
    arch = find_arch(Options(arch=f"timm:{found.model}"))
    strayed = corners_that_stray(arch, list(found.taps))
    with_places = [tap for tap in found.taps if not tap.classifiers]
    wrong = tuple(f"{layer} does not follow the image's corner" for layer in strayed)
    return replace(found, wrong=found.wrong + wrong, corners=len(with_places) - len(strayed))


@torch.no_grad()
def corners_that_stray(arch: Arch, taps: list[Tap]) -> list[str]:
    """The taps of which some quarter is not changed most by what changes that corner of the image.

    Each corner is changed in turn; a tap's quarters are compared by their part of its whole change, since a network may
    mix all positions, and at random one quarter more than another.
    """
    raw = [replace(tap, pool=1) for tap in taps if not tap.classifiers]
    draw = torch.Generator().manual_seed(0)
    with warnings.catch_warnings(action="ignore"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _settled(arch.build(2), torch.randn(_SETTLING, 3, arch.side, arch.side, generator=draw))
        image, other = torch.randn(2, 3, arch.side, arch.side, generator=draw)
        images = image.repeat(5, 1, 1, 1)
        for changed, place in zip(images[1:], _corners(arch.side // 4), strict=True):
            changed[place] = other[place]
        with watch(network, raw) as seen:
            network(images)
    return [tap.layer for tap in raw if not _follows(tap, seen[tap.layer])]


def _settled(network: nn.Module, images: torch.Tensor) -> nn.Module:
    """With batch norm's means and variances from images: with those of none, deep networks say the same everywhere."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None  # then they are plain averages
        norm.reset_running_stats()
    if norms:
        network.train()(images)
    return network.eval()


def _corners(side: int) -> list[tuple[EllipsisType, slice, slice]]:
    """The four corners of side x side, as places in (..., height, width)."""
    starts, ends = slice(None, side), slice(-side, None)
    return [(..., rows, columns) for rows in (starts, ends) for columns in (starts, ends)]


def _follows(tap: Tap, units: torch.Tensor) -> bool:
    changes = (units[1:].double() - units[:1].double()).abs()  # (corner, unit, height, width)
    at = changes.mean((1, 3)) if tap.heads else changes.mean(1).flatten(1)
    at = at[:, tap.prefix :]
    side = round(at.shape[1] ** 0.5)
    if side < 2:
        return True
    grids = at.view(4, side, side)
    parts = torch.stack([grids[place].mean((1, 2)) for place in _corners(side // 2)], 1)  # (image's corner, tap's)
    parts = parts / parts.sum(1, keepdim=True)
    return parts.argmax(0).tolist() == [0, 1, 2, 3]


def table(found: list[Found], real: bool) -> str:
    """docs/families.md."""
    right = [one for one in found if not one.refused and not one.wrong]
    refused = [one for one in found if one.refused]
    looked = sum(one.corners for one in found)
    lines = [
        "# Every family of timm's",
        "",
        "`python -m benchmarks.families --real` makes this page: each family of timm's at its smallest network, and",
        "where that is tapped by default. A family is a file of timm's. What must hold: the last tap has as many units",
        "as the classifier reads; between two taps something with weights lies, so that no two are the same units; no",
        "tap comes before the norm or activation of its layer; and each quarter of a tap is changed most by a change",
        f"in that corner of the image (at random weights, of networks with at most {MAX_REAL / 1e6:.0f} million).",
        "",
        f"timm {timm.__version__}: of {len(found)} families {len(right)} are tapped rightly, {len(refused)} refused, "
        f"{len(found) - len(right) - len(refused)} wrong" + (f"; {looked} corners were followed." if real else "."),
        "",
        f"In {sum(bool(one.otherwise) for one in found)} families timm's `feature_info` names other modules.",
        "",
        "| family | network | tapped by default, with units x positions | units at the end | timm | holds |",
        "|---|---|---|---:|---|---|",
    ]
    return "\n".join([*lines, *(row(one) for one in found)]) + "\n"


def row(found: Found) -> str:
    """A line of the page."""
    if found.refused:
        return f"| {found.family} | `{found.model}` | | | | refused: {found.refused} |"
    places = [f"`{tap.layer}` {n}x{h * w}" for tap, (n, h, w) in zip(found.taps, found.shapes, strict=True)]
    shown = [*places[:2], f"... {len(places) - 4} more ...", *places[-2:]] if len(places) > 8 else places
    holds = "yes" if not found.wrong else f"NO: {'; '.join(found.wrong)}"
    cells = (found.family, f"`{found.model}`", ", ".join(shown), str(found.shapes[-1][0]), found.otherwise, holds)
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="families, or all, which also writes the page")
    parser.add_argument("--real", action="store_true", help="run each network with random weights, too")
    options = parser.parse_args()
    found = []
    for family, model in models().items():
        if options.families and family not in options.families:
            continue
        one = check(family, model)
        one = with_corners(one) if options.real else one
        print(row(one), flush=True)
        found.append(one)
    if not options.families:
        DOCUMENT.write_text(table(found, options.real))
    return 1 if any(one.wrong for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
