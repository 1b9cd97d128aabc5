"""Why no set of weights in a file fits a network: both sides' first names, and whose names the file's look like."""

import re
from collections.abc import Iterable
from pathlib import Path

from precompute.messages.wording import some
from precompute.networks.arch import Arch
from precompute.networks.checkpoints.choosing import Candidate, State
from precompute.networks.checkpoints.schemes import SCHEMES

COUNTER = "num_batches_tracked"  # which old files lack, and no output depends on

_OTHERS = (  # programs whose names are known, and not read for want of a pair that agrees
    (r"downsample_layers\.\d", "Facebook's ConvNeXt"),
    (r"features\.\d+\.\d", "torchvision"),
    (r"(\w+\.)?encoder\.layers?\.\d", "transformers"),
    (r"trunk_output\.", "torchvision's RegNet"),
    (r"layer\d\.\d+\.conv\d", "timm's and torchvision's ResNet"),
    (r"(stages|blocks|layers)\.\d", "timm, or a library that names alike"),
)
_EPS = (
    "torchvision's mobilenet_v3 has eps 0.001 in its batch norms and timm's 0.00001, so the same weights give other "
    "numbers"
)


def guess(names: Iterable[str], network: str) -> str:
    """Whose names these look like, and what then is to be done, in words; "" where nothing tells."""
    names = list(names)
    known = [(scheme.mark, scheme.program, scheme.elsewhere) for scheme in SCHEMES]
    known += [(mark, program, "") for mark, program in _OTHERS]
    for mark, program, elsewhere in known:
        if any(re.match(mark, name) for name in names):
            if "mobilenetv3" in network and "torchvision" in program:
                elsewhere = _EPS
            more = f": {elsewhere.format(network=network)}" if elsewhere and not network.startswith("tf_") else ""
            return f"names as {program} gives them{more}"
    return ""


def misfit(path: Path, found: list[Candidate], arch: Arch) -> str:
    """Why none fits: both sides' first names, and whose names the file's look like."""
    network = arch.name.removeprefix("timm:").split(".")[0]
    targets = arch.on_meta().state_dict()
    best = max(found, key=lambda one: (len(one.state.keys() & targets.keys()), len(one.state)))
    text = f"{path}: these weights do not fit the network"
    shared = [name for name in targets if name in best.state]
    odd = [name for name in shared if name.rpartition(".")[0] not in arch.output]
    odd = [name for name in odd if best.state[name].shape != targets[name].shape]
    if shared and odd:
        theirs, ours = (tuple(one[odd[0]].shape) for one in (best.state, targets))
        text += f": {odd[0]} is {theirs} in the file and {ours} in {arch.name}"
    elif len(shared) > len(targets) // 2:
        lacking = [name for name in targets if name not in best.state and not name.endswith(COUNTER)]
        beside = [name for name in best.state if name not in targets]
        text += f" {arch.name}" + (f": the file lacks {some(lacking)}" if lacking else "")
        text += f"; it has {some(beside)}, which the network has not" if beside else ""
    text += f". {arch.name} has {_first(targets)}; the file has {_first(best.state)}"
    whose = guess(best.state, network)
    return text + (f" ({whose})" if whose else "")


def _first(names: State) -> str:
    return f"{', '.join(list(names)[:3])}, ... ({len(names)} entries)"
