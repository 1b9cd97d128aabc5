"""--activations TRAIN.npz TEST.npz: what another program has saved of a network, or of anything that has units."""

from dataclasses import fields
from typing import Any

from numpy.typing import NDArray

from precompute.images.stored.arrays import read_npz
from precompute.measuring import ProbeOptions, measure_activations
from precompute.messages.problem import Problem
from precompute.options import Options, output_path
from store.file.read import Run

Arrays = dict[str, NDArray[Any]]
_LABELS, _NAMES, _GROUPS = "labels", "label_names", "superclasses"
_FITS = {"activations", "layers", "features", "probe_epochs", "probe_decay", "probe_start", "batch_size", "seed",
         "device", "out", "fresh"}  # fmt: skip


def measure_files(options: Options) -> Run:
    """As `measure_activations`, of the files that the options name. Raises Problem, OSError."""
    assert options.activations is not None
    asked = [one.name for one in fields(Options) if getattr(options, one.name) != one.default]
    if wrong := [f"--{name.replace('_', '-')}" for name in asked if name not in _FITS]:
        raise Problem(f"{', '.join(wrong)}: --activations has neither network nor images; leave it out")
    train, test = map(read_npz, options.activations)
    for path, arrays in zip(options.activations, (train, test), strict=True):
        if _LABELS not in arrays:
            raise Problem(f"{path}: no array `{_LABELS}`; it holds {', '.join(arrays) or 'nothing'}")
    names = [name for name in train if name not in (_LABELS, _NAMES, _GROUPS)]
    if missing := [name for name in names if name not in test]:
        raise Problem(f"{options.activations[1]}: lacks {', '.join(missing)}, which {options.activations[0]} has")
    if unknown := [name for name in options.layers if name not in names]:
        raise Problem(f"--layers {' '.join(unknown)}: {options.activations[0]} has {', '.join(names) or 'no layer'}")
    layers = {name: (train[name], test[name]) for name in options.layers or names}
    features = tuple(layers) if options.features == ("all",) else options.features
    usual = ProbeOptions()
    return measure_activations(
        layers,
        train[_LABELS],
        test[_LABELS],
        out=output_path(options),
        label_names=_texts(train, test, _NAMES, options),
        superclasses=_texts(train, test, _GROUPS, options),
        features=features,
        probe=ProbeOptions(
            options.probe_epochs or usual.epochs,
            usual.decay if options.probe_decay is None else options.probe_decay,
            options.batch_size or usual.batch_size,
            options.probe_start,
            options.seed,
        ),
        data=options.activations[1].stem,
        device=options.device,
        fresh=options.fresh,
    )


def _texts(train: Arrays, test: Arrays, name: str, options: Options) -> list[str] | None:
    """Texts that either file has; of both, they must be the same."""
    found = [arrays[name] for arrays in (train, test) if name in arrays]
    if not found:
        return None
    if any(texts.dtype.kind != "U" or texts.ndim != 1 for texts in found):
        raise Problem(f"{name}: expected texts, as numpy.array(['apple', ...]) has them, not {found[0].dtype}")
    if found[0].tolist() != found[-1].tolist():
        raise Problem(f"{name}: {' and '.join(map(str, options.activations or ()))} have other ones")
    texts: list[str] = found[0].tolist()
    return texts
