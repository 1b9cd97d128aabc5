"""--arch FILE.py:NAME: a network that a person's own file makes."""

import difflib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from precompute.messages.problem import Problem, one_line
from precompute.networks.arch import Arch, Pixels
from precompute.networks.from_elsewhere import Source, tapped
from precompute.networks.outputs import N_LABELS
from precompute.options import Options


def own_file(options: Options) -> Arch:
    """--arch FILE.py:NAME: a function or class that makes a network for a number of labels. Raises Problem.

    The network may say for which images it is: `image_size`, and `pixel_mean` and `pixel_std`, a value a colour, of
    pixels in [0, 1].
    """
    file, _, name = options.arch.rpartition(":")
    make = _named_in(Path(file), name)

    def build(n_labels: int) -> nn.Module:
        network = make(n_labels)
        if not isinstance(network, nn.Module):
            raise Problem(
                f"--arch {options.arch}: {name}({n_labels}) gives a {type(network).__name__}, not a torch.nn.Module"
            )
        return network

    try:
        network = build(N_LABELS)
    except Problem:
        raise
    except Exception as error:  # there is nothing that a person's code may not raise
        raise Problem(
            f"--arch {options.arch}: {name}({N_LABELS}), for {N_LABELS} labels, fails: {one_line(error)}"
        ) from error
    own_side = getattr(network, "image_size", None) or (32 if options.data in _OF_32 else 224)
    mean, std = (_pixels(options.arch, network, name) for name in ("pixel_mean", "pixel_std"))
    if not isinstance(own_side, int):
        raise Problem(f"--arch {options.arch}: its image_size is {own_side!r}, expected a number of pixels")
    return tapped(options.arch_name, Source(lambda _side: build, own_side, mean, std), options)


_OF_32 = ("digits", "cifar10", "cifar100")  # data sets whose images have 32 pixels a side


def _named_in(file: Path, name: str) -> Callable[[int], Any]:
    """What a Python file holds under a name, after it has been run. Raises Problem."""
    if not file.is_file():
        raise Problem(f"--arch {file}:{name}: {'is a folder' if file.is_dir() else 'no such file'}")
    spec = importlib.util.spec_from_file_location(f"_arch_{file.stem}", file)
    assert spec is not None and spec.loader is not None, "options take nothing but .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as dataclasses and pickles in it need it
    folder = str(file.parent.resolve())
    if folder not in sys.path:  # so that the file finds those beside it, as where it is run itself
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # there is nothing that a person's code may not raise
        raise Problem(f"--arch {file}:{name}: the file fails: {type(error).__name__}: {one_line(error)}") from error
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    if found is not None:
        raise Problem(f"--arch {file}:{name}: is no function or class that takes the number of labels")
    there = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    close = difflib.get_close_matches(name, there, 3) or there[:5]
    raise Problem(f"--arch {file}:{name}: no such name in it" + (f"; there are {', '.join(close)}" if close else ""))


def _pixels(arch: str, network: nn.Module, name: str) -> Pixels | None:
    value = getattr(network, name, None)
    if value is None:
        return None
    try:
        pixels = tuple(float(one) for one in value)
    except (TypeError, ValueError):
        pixels = ()
    if len(pixels) != 3:
        raise Problem(f"--arch {arch}: its {name} is {value!r}, expected three numbers, one a colour")
    return pixels
