"""Other libraries' names of a network's entries, for pairs of networks that compute the same numbers.

Names and shapes do not say what a network computes: a batch norm's eps and a convolution's padding are in no state
dict. So a scheme stands here only with the networks for which `test_schemes` has compared the outputs.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Size

from precompute.networks.checkpoints.choosing import State
from precompute.networks.checkpoints.preprocessing import IMAGENET, Scaling

Names = tuple[str, ...]  # entries of the file that one entry of the network is made of, stacked where they are several


@dataclass(frozen=True)
class Scheme:
    """How a program names the entries of some of timm's networks."""

    program: str
    networks: str  # a pattern of timm's names, without their tags
    source: Callable[[str, list[int]], Names]  # an entry of timm's, blocks in each stage -> the file's entries
    mark: str  # a pattern that only this program's names of an entry fit
    spare: str = "$^"  # a pattern of entries that the network does without
    elsewhere: str = ""  # what to say where its names come for another network
    scaling: Scaling | None = None  # what its library normalises images by, where timm's network may have another

    def translated(self, state: State, shapes: Mapping[str, Size], heads: Iterable[str]) -> State | None:
        """The file's entries under the network's names, as far as they are there; None where any is left over.

        shapes: of the network's entries but its heads, which may tell other numbers of labels apart.
        """
        made, used = State(), set[str]()
        for name, parts in self.sources([*shapes, *heads]).items():
            if all(part in state for part in parts):
                value = state[parts[0]] if len(parts) == 1 else torch.cat([state[part] for part in parts])
                shape = shapes.get(name, value.shape)
                if value.numel() == shape.numel():
                    made[name] = value.reshape(shape)
                    used.update(parts)
        return made if all(re.match(self.spare, name) for name in state.keys() - used) else None

    def sources(self, names: Iterable[str]) -> dict[str, Names]:
        names = list(names)
        found: dict[int, int] = {}
        for name in names:
            if place := re.match(r"(?:blocks|stages|layer)\.?(\d+)\.(?:blocks\.)?(\d+)\.", name):
                stage, block = map(int, place.groups())
                found[stage] = max(found.get(stage, 0), block + 1)
        depths = [found[stage] for stage in sorted(found)]
        return {name: self.source(name, depths) for name in names}


def _renamed(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The first pattern that fits the start of the name is replaced."""
    for pattern, instead in pairs:
        changed, times = re.subn(f"^{pattern}", instead, name)
        if times:
            return changed
    return name


# The parts of an EfficientNet's block as timm names them, in the first stage (which does not expand) and in the others
_PARTS = ("expand", "expand_norm", "depthwise", "depthwise_norm", "reduce", "enlarge", "project", "project_norm")
_TIMM_FIRST = dict(
    zip(("conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2"), _PARTS[2:], strict=True)
)
_TIMM = dict(
    zip(
        ("conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3"), _PARTS, strict=True
    )
)


def _of_block(name: str) -> tuple[int, int, str, str] | None:
    """blocks.2.0.conv_pw.weight -> 2, 0, "expand", "weight"."""
    found = re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(.+)\.(\w+)", name)
    if found is None:
        return None
    stage = int(found[1])
    part = (_TIMM_FIRST if stage == 0 else _TIMM).get(found[3], "")
    return stage, int(found[2]), part, found[4]


def _numbered(
    block: str, parts: tuple[str, ...], around: tuple[tuple[str, str], ...]
) -> Callable[[str, list[int]], Names]:
    """Names of an EfficientNet whose blocks are numbered through."""
    words = dict(zip(_PARTS, parts, strict=True))

    def source(name: str, depths: list[int]) -> Names:
        found = _of_block(name)
        if found is None:
            return (_renamed(name, around),)
        stage, number, part, kind = found
        return (f"{block}.{sum(depths[:stage]) + number}.{words.get(part, '?')}.{kind}",)

    return source


def _torchvision_efficientnet(name: str, depths: list[int]) -> Names:
    found = _of_block(name)
    if found is None:
        return (
            _renamed(
                name,
                (
                    (r"conv_stem\.", "features.0.0."),
                    (r"bn1\.", "features.0.1."),
                    (r"conv_head\.", f"features.{len(depths) + 1}.0."),
                    (r"bn2\.", f"features.{len(depths) + 1}.1."),
                    (r"classifier\.", "classifier.1."),
                ),
            ),
        )
    stage, number, part, kind = found
    first = ("0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1")
    words = dict(zip(_PARTS[2:], first, strict=True))
    if stage:
        words = dict(zip(_PARTS, ("0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1"), strict=True))
    return (f"features.{stage + 1}.{number}.block.{words.get(part, '?')}.{kind}",)


def _torchvision_vit(name: str, depths: list[int]) -> Names:
    return (
        _renamed(
            name,
            (
                (r"cls_token", "class_token"),
                (r"pos_embed", "encoder.pos_embedding"),
                (r"patch_embed\.proj\.", "conv_proj."),
                (r"blocks\.(\d+)\.norm1\.", r"encoder.layers.encoder_layer_\1.ln_1."),
                (r"blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.encoder_layer_\1.self_attention.in_proj_"),
                (r"blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.encoder_layer_\1.self_attention.out_proj."),
                (r"blocks\.(\d+)\.norm2\.", r"encoder.layers.encoder_layer_\1.ln_2."),
                (r"blocks\.(\d+)\.mlp\.fc1\.", r"encoder.layers.encoder_layer_\1.mlp.0."),
                (r"blocks\.(\d+)\.mlp\.fc2\.", r"encoder.layers.encoder_layer_\1.mlp.3."),
                (r"norm\.", "encoder.ln."),
                (r"head\.", "heads.head."),
            ),
        ),
    )


def _torchvision_convnext(name: str, depths: list[int]) -> Names:
    if found := re.fullmatch(r"stages\.(\d+)\.blocks\.(\d+)\.(.+)", name):
        pairs = ((r"gamma", "layer_scale"), (r"conv_dw\.", "block.0."), (r"norm\.", "block.2."))
        more = ((r"mlp\.fc1\.", "block.3."), (r"mlp\.fc2\.", "block.5."))
        return (f"features.{2 * int(found[1]) + 1}.{found[2]}.{_renamed(found[3], pairs + more)}",)
    if found := re.fullmatch(r"stages\.(\d+)\.downsample\.(.+)", name):
        return (f"features.{2 * int(found[1])}.{found[2]}",)
    heads = ((r"stem\.", "features.0."), (r"head\.norm\.", "classifier.0."), (r"head\.fc\.", "classifier.2."))
    return (_renamed(name, heads),)


def _transformers_resnet(name: str, depths: list[int]) -> Names:
    if found := re.fullmatch(r"layer(\d+)\.(\d+)\.(conv|bn|downsample\.)(\d+)\.(\w+)", name):
        stage, block, part, number, kind = found.groups()
        place = f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}"
        if part == "downsample.":
            return (f"{place}.shortcut.{'normalization' if number == '1' else 'convolution'}.{kind}",)
        return (f"{place}.layer.{int(number) - 1}.{'convolution' if part == 'conv' else 'normalization'}.{kind}",)
    pairs = (
        (r"conv1\.", "resnet.embedder.embedder.convolution."),
        (r"bn1\.", "resnet.embedder.embedder.normalization."),
        (r"fc\.", "classifier.1."),
    )
    return (_renamed(name, pairs),)


def _transformers_vit(
    block: str, query: tuple[str, str, str], parts: tuple[str, str, str]
) -> Callable[[str, list[int]], Names]:
    def source(name: str, depths: list[int]) -> Names:
        if found := re.fullmatch(r"blocks\.(\d+)\.attn\.qkv\.(\w+)", name):
            return tuple(f"{block}.{found[1]}.{part}.{found[2]}" for part in query)
        place = rf"{block}.\1"
        pairs = (
            (r"cls_token", "vit.embeddings.cls_token"),
            (r"pos_embed", "vit.embeddings.position_embeddings"),
            (r"patch_embed\.proj\.", "vit.embeddings.patch_embeddings.projection."),
            (r"blocks\.(\d+)\.norm1\.", f"{place}.layernorm_before."),
            (r"blocks\.(\d+)\.norm2\.", f"{place}.layernorm_after."),
            (r"blocks\.(\d+)\.attn\.proj\.", f"{place}.{parts[0]}."),
            (r"blocks\.(\d+)\.mlp\.fc1\.", f"{place}.{parts[1]}."),
            (r"blocks\.(\d+)\.mlp\.fc2\.", f"{place}.{parts[2]}."),
            (r"norm\.", "vit.layernorm."),
            (r"head\.", "classifier."),
        )
        return (_renamed(name, pairs),)

    return source


_LUKEMELAS_PARTS = (
    "_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_se_reduce", "_se_expand", "_project_conv", "_bn2",
)  # fmt: skip
_LUKEMELAS_AROUND = (
    (r"conv_stem\.", "_conv_stem."),
    (r"bn1\.", "_bn0."),
    (r"conv_head\.", "_conv_head."),
    (r"bn2\.", "_bn1."),
    (r"classifier\.", "_fc."),
)
_TRANSFORMERS_PARTS = (
    "expansion.expand_conv", "expansion.expand_bn", "depthwise_conv.depthwise_conv", "depthwise_conv.depthwise_norm",
    "squeeze_excite.reduce", "squeeze_excite.expand", "projection.project_conv", "projection.project_bn",
)  # fmt: skip
_TRANSFORMERS_AROUND = (
    (r"conv_stem\.", "efficientnet.embeddings.convolution."),
    (r"bn1\.", "efficientnet.embeddings.batchnorm."),
    (r"conv_head\.", "efficientnet.encoder.top_conv."),
    (r"bn2\.", "efficientnet.encoder.top_bn."),
)
_AS_TENSORFLOW = (
    "their network pads as TensorFlow does, with eps 0.001 in its batch norms: --arch timm:tf_{network} is that one"
)

SCHEMES = (
    Scheme(
        "lukemelas' EfficientNet-PyTorch",
        r"tf_efficientnet_b0|(tf_)?efficientnet_lite[012]",
        _numbered("_blocks", _LUKEMELAS_PARTS, _LUKEMELAS_AROUND),
        r"_blocks\.\d+\._depthwise_conv",
        elsewhere=_AS_TENSORFLOW,
    ),
    Scheme(
        "torchvision's EfficientNet",
        r"efficientnet_b0",
        _torchvision_efficientnet,
        r"features\.\d+\.\d+\.block\.\d+\.\d\.",
        scaling=IMAGENET,
    ),
    Scheme(
        "torchvision's vision transformer",
        r"vit_(base|large)_patch(16|32)_224",
        _torchvision_vit,
        r"encoder\.layers\.encoder_layer_",
        scaling=IMAGENET,
    ),
    Scheme(
        "torchvision's ConvNeXt",
        r"convnext_(tiny|small|base|large)",
        _torchvision_convnext,
        r"features\.\d+\.\d+\.layer_scale",
        scaling=IMAGENET,
    ),
    Scheme(
        "transformers' EfficientNet",
        r"tf_efficientnet_b0",
        _numbered("efficientnet.encoder.blocks", _TRANSFORMERS_PARTS, _TRANSFORMERS_AROUND),
        r"efficientnet\.encoder\.blocks",
        elsewhere=_AS_TENSORFLOW,
    ),
    Scheme(
        "transformers' ResNet",
        r"resnet(18|26|34|50|101|152)",
        _transformers_resnet,
        r"(resnet\.)?encoder\.stages\.\d+\.layers",
    ),
    Scheme(
        "transformers' vision transformer",
        r"vit_(tiny|small|base|large)_patch(16|32)_(224|384)",
        _transformers_vit(
            "vit.encoder.layer",
            ("attention.attention.query", "attention.attention.key", "attention.attention.value"),
            ("attention.output.dense", "intermediate.dense", "output.dense"),
        ),
        r"vit\.encoder\.layer\.\d+\.attention",
        spare=r"vit\.pooler\.",
    ),
    Scheme(
        "transformers' vision transformer (version 5)",
        r"vit_(tiny|small|base|large)_patch(16|32)_(224|384)",
        _transformers_vit(
            "vit.layers",
            ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
            ("attention.o_proj", "mlp.fc1", "mlp.fc2"),
        ),
        r"vit\.layers\.\d+\.attention",
        spare=r"vit\.pooler\.",
    ),
)
