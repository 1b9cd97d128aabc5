"""--arch hf:REPO: an image classifier of transformers', from the hub or a folder."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from precompute.messages.problem import Problem, one_line
from precompute.networks.arch import Arch, Pixels
from precompute.networks.from_elsewhere import Build, Source, tapped
from precompute.options import Options


def hub_network(options: Options) -> Arch:
    """--arch hf:REPO, transformers' AutoModelForImageClassification; REPO may be a folder. Raises Problem.

    No code of the repository is run.
    """
    try:
        from transformers import AutoConfig, AutoModelForImageClassification
    except ImportError as error:
        raise Problem(f"--arch {options.arch}: needs transformers: pip install 'filterscope[hf]'") from error
    repo = options.arch.removeprefix("hf:")
    try:
        config = AutoConfig.from_pretrained(repo)
    except Exception as error:  # there is nothing that it may not raise
        raise Problem(
            f"--arch {options.arch}: its configuration could not be had: {one_line(error)}. Name a repository of "
            "huggingface.co with an image classifier, or a folder that save_pretrained has made"
        ) from error
    if type(config) not in AutoModelForImageClassification._model_mapping:
        raise Problem(f"--arch {options.arch}: {config.model_type} is no image classifier of transformers")
    mean, std, side, crop = _seen_by(repo, config)

    def build(side: int) -> Build:
        def of_labels(n_labels: int) -> nn.Module:
            said = {key: value for key, value in config.to_dict().items() if key not in ("id2label", "label2id")}
            made = type(config).from_dict(said | {"num_labels": n_labels} | _sized(config, side))
            network: nn.Module = AutoModelForImageClassification.from_config(made)  # type: ignore[no-untyped-call]
            return _giving_logits(network)

        return of_labels

    def load(side: int, n_labels: int, outputs: tuple[str, ...]) -> nn.Module:
        network, unfit = AutoModelForImageClassification.from_pretrained(
            repo,
            num_labels=n_labels,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            dtype=torch.float32,
            **_sized(config, side),
        )
        random = [*unfit["missing_keys"], *(entry[0] for entry in unfit["mismatched_keys"])]
        if others := [name for name in random if name.rpartition(".")[0] not in outputs]:
            raise Problem(f"--arch {options.arch}: {others[0]} is not in its weights, or is of another shape")
        return _giving_logits(network)

    names = tuple(config.id2label[number] for number in sorted(config.id2label))
    are_numbers = all(re.fullmatch(r"LABEL_\d+", name) for name in names)
    source = Source(
        build=build,
        own_side=side,
        pixel_mean=mean,
        pixel_std=std,
        crop=crop,
        hub=options.arch_name.removeprefix("hf:"),
        hub_labels=len(names),
        hub_names=() if are_numbers else names,
        load=load,
    )
    return tapped(options.arch_name, source, options)


def _sized(config: Any, side: int) -> dict[str, int]:
    return {"image_size": side} if isinstance(getattr(config, "image_size", None), int) else {}


def _giving_logits(network: nn.Module) -> nn.Module:
    """By a hook, so that modules and weights keep their names."""
    network.register_forward_hook(_logits)
    return network


def _logits(_network: nn.Module, _inputs: Any, output: Any) -> Tensor:
    logits: Tensor = output if isinstance(output, Tensor) else output["logits"]
    return logits


def _seen_by(repo: str, config: Any) -> tuple[Pixels | None, Pixels | None, int, float]:
    """Mean and standard deviation of its pixels, the side of its images and the part of an image it sees."""
    from transformers import ImageProcessingMixin

    try:
        seen, _ = ImageProcessingMixin.get_image_processor_dict(repo)
    except Exception:  # it says nothing of images
        seen = {}
    size, cut = (_side(seen.get(key)) for key in ("size", "crop_size"))
    of_config = getattr(config, "image_size", None)
    side = (of_config if isinstance(of_config, int) else None) or cut or size or 224
    crop = seen.get("crop_pct") or (cut / size if cut and size and seen.get("do_center_crop") else 1.0)
    mean, std = (tuple(seen[key]) if seen.get(key) else None for key in ("image_mean", "image_std"))
    if seen.get("do_normalize") is False:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return mean, std, side, float(min(1.0, crop))


def _side(size: Any) -> int | None:
    """Pixels a side, of what an image processor says: a number, or one by name."""
    if isinstance(size, dict):
        size = next((size[key] for key in ("height", "shortest_edge") if size.get(key)), None)
    return size if isinstance(size, int) else None
