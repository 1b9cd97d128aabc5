"""timm's networks, each by its name."""

from typing import Any

import pytest
import torch

from precompute.messages.problem import Problem
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import tap_shapes, watch
from precompute.options import Options

SMALL: dict[str, Any] = {"data": "digits", "image_size": 64, "weights": "none"}


def shapes_of(**options):
    arch = find_arch(Options(**options))
    return arch, tap_shapes(arch.build(2), choose_taps(arch, ()), (3, arch.side, arch.side))


@pytest.mark.parametrize(
    ("name", "layers", "unit"),
    [
        ("resnet18", ["act1", "layer1", "layer2", "layer3", "layer4"], "filter"),
        ("convnext_atto", ["stages.0", "stages.1", "stages.2", "stages.3", "head"], "filter"),
        ("swin_tiny_patch4_window7_224", ["layers.0", "layers.1", "layers.2", "layers.3", "head"], "filter"),
        ("vit_tiny_patch16_224", [*(f"blocks.{k}" for k in range(12)), "head"], "node"),
    ],
)
def test_a_network_is_tapped_where_its_stages_end(name, layers, unit):
    arch, shapes = shapes_of(arch=f"timm:{name}", data="cifar10")
    assert list(shapes) == layers
    assert {tap.unit for tap in arch.taps.values()} == {unit}
    for n_units, height, width in shapes.values():
        assert n_units >= 40
        assert max(height, width) <= 16 or (height, width) == (1, 197)
    assert arch.taps["head"].kind == "classifier's input"


@pytest.mark.parametrize(
    ("name", "module", "shape"),
    [
        ("volo_d1_224", "network.0", (192, 14, 14)),  # filters last, which the network does not say
        ("convnext_atto", "stages.0.blocks.0.mlp.fc1", (160, 14, 14)),  # filters last inside a block, first outside
        ("swin_tiny_patch4_window7_224", "patch_embed.proj", (96, 14, 14)),  # first, where the network's are last
    ],
)
def test_where_the_filters_are_is_seen_from_the_square_images(name, module, shape):
    _, shapes = shapes_of(arch=f"timm:{name}", taps=(module,), data="cifar10")
    assert shapes == {module: shape}


def test_tokens_that_a_network_adds_after_its_blocks_are_not_looked_for_in_them():
    arch = find_arch(Options(arch="timm:cait_xxs24_224", taps=("blocks.0",), data="cifar10"))
    assert arch.taps["blocks.0"].prefix == 0  # 14x14 tokens; the class token comes after the last block


def test_layers_are_in_the_order_in_which_they_run():
    arch = find_arch(Options(arch="timm:resnet18", taps=("layer4", "layer1", "layer4", "layer2.0"), **SMALL))
    assert list(arch.layers) == ["layer1", "layer2.0", "layer4"]
    assert list(arch.taps) == [*arch.layers, "head"]


def test_a_network_without_a_bias_at_its_outputs():
    for name in ("efficientnet_b0", "timm:resnet18", "timm:vit_tiny_patch16_224"):
        arch = find_arch(Options(arch=name, data="cifar10"))
        network = arch.build(7)
        (output,) = arch.output
        assert network.get_submodule(output).bias is None
        assert network.get_submodule(output).out_features == 7


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "gmixer_12_224"])
def test_nodes_may_be_asked_for_where_they_are_the_units_anyway(name):
    asked, plain = (shapes_of(arch=f"timm:{name}", unit=unit, **SMALL) for unit in ("node", None))
    assert asked[0].taps == plain[0].taps and asked[1] == plain[1]


@pytest.mark.parametrize(
    ("name", "layer", "shape"),  # heads; positions (a class token and at most 4x4); nodes of a head
    [
        ("vit_tiny_patch16_224", "blocks.0.attn.proj", (3, 17, 64)),
        ("pvt_v2_b0", "stages.1.blocks.1.attn.proj", (2, 16, 32)),
        ("levit_128s", "stages.1.blocks.2.attn.proj", (6, 16, 32)),
        ("pit_ti_224", "transformers.0.blocks.1.attn.proj", (2, 17, 32)),
        ("swin_tiny_patch4_window7_224", "layers.0.blocks.1.attn.proj", (3, 16, 32)),
        ("maxvit_tiny_tf_224", "stages.1.blocks.1.attn_grid.attn.proj", (4, 16, 32)),
    ],
)
def test_heads_of_attention_are_units_where_asked_for(name, layer, shape):
    _, shapes = shapes_of(arch=f"timm:{name}", unit="head", data="digits", weights="none")
    assert shapes[layer] == shape
    assert list(shapes)[-1] == "head"  # the classifier's input


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("selecsls42", {"stem.2": (32, 16, 16), "features.1": (128, 16, 16), "features.3": (288, 8, 8),
                        "from_seq": (480, 4, 4), "head.1": (1024, 2, 2), "head.3": (1280, 1, 1)}),
        ("hrnet_w18_small", {"act1": (64, 16, 16), "incre_modules.0": (128, 16, 16), "incre_modules.1": (256, 8, 8),
                             "incre_modules.2": (512, 4, 4), "incre_modules.3": (1024, 2, 2), "head": (2048, 1, 1)}),
        ("coat_lite_tiny", {"serial_blocks1.1": (64, 1, 257), "serial_blocks2.1": (128, 1, 65),
                            "serial_blocks3.1": (256, 1, 17), "serial_blocks4.1": (320, 1, 5), "head": (320, 1, 1)}),
        ("ghostnet_050", {"blocks.0": (8, 16, 16), "blocks.2": (12, 16, 16), "blocks.4": (20, 8, 8),
                          "blocks.6": (56, 4, 4), "blocks.8": (80, 2, 2), "head": (1280, 1, 1)}),
        ("mvitv2_tiny", {"stages.0": (96, 16, 16), "stages.1": (192, 8, 8), "stages.2": (384, 4, 4),
                         "stages.3": (768, 2, 2), "head": (768, 1, 1)}),
    ],
)  # fmt: skip
def test_stages_are_found_where_timm_names_other_modules_or_none(name, expected):
    _, shapes = shapes_of(arch=f"timm:{name}", **SMALL)
    assert shapes == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg11", {"features.2": (64, 16, 16), "features.5": (128, 14, 14), "features.10": (256, 14, 14),
                   "features.15": (512, 14, 14), "features.20": (512, 7, 7), "head": (4096, 1, 1)}),  # after pooling
        ("crossvit_9_240", {"blocks.0": (128, 1, 101), "blocks.0-2": (256, 1, 197), "blocks.1": (128, 1, 101),
                            "blocks.1-2": (256, 1, 197), "blocks.2": (128, 1, 101), "blocks.2-2": (256, 1, 197),
                            "head": (384, 1, 1)}),  # both branches, after the cross-attention
        ("efficientvim_m1", {"stages.0": (128, 14, 14), "stages.1": (192, 7, 7), "stages.2": (320, 4, 4),
                             "head": (960, 1, 1)}),  # the first tensor, before it is made smaller
        ("hiera_tiny_224", {"blocks.0": (96, 14, 14), "blocks.2": (192, 14, 14), "blocks.9": (384, 14, 14),
                            "blocks.11": (768, 7, 7), "head": (768, 1, 1)}),
        ("cait_xxs24_224", {**{f"blocks.{k}": (192, 14, 14) for k in range(24)}, "head": (192, 1, 1)}),
        ("tnt_s_legacy_patch16_224", {**{f"blocks.{k}": (384, 1, 197) for k in range(12)}, "head": (384, 1, 1)}),
        ("deit_tiny_distilled_patch16_224", {**{f"blocks.{k}": (192, 1, 198) for k in range(12)}, "head": (192, 1, 2)}),
    ],
)  # fmt: skip
def test_networks_that_are_not_a_row_of_tensors(name, expected):
    _, shapes = shapes_of(arch=f"timm:{name}", data="digits", weights="none")
    assert shapes == expected


@pytest.mark.parametrize(
    ("name", "units"),
    [("rexnet_100", 1280), ("mnasnet_small", 1280), ("fastvit_t8", 768), ("mobilenetv4_conv_small_035", 1280)],
)
def test_the_last_layer_is_what_the_classifier_reads(name, units):
    arch, shapes = shapes_of(arch=f"timm:{name}", data="digits", weights="none")
    assert (list(shapes)[-1], shapes["head"]) == ("head", (units, 1, 1))
    network, images = arch.build(2).eval(), torch.randn(2, 3, arch.side, arch.side)
    with torch.no_grad(), watch(network, [arch.taps["head"]]) as seen:
        outputs = network(images)
        classifier = network.get_submodule(arch.output[0])
        torch.testing.assert_close(classifier(seen["head"].flatten(1)), outputs)


def test_images_of_another_size_are_tapped_at_the_same_places():
    small, large = (find_arch(Options(arch="timm:resnet18", data="digits", image_size=size)) for size in (8, 224))
    assert list(small.taps) == list(large.taps)
    assert small.layers == large.layers


def test_taps_can_be_named():
    _, shapes = shapes_of(arch="timm:resnet18", taps=("layer2.0.conv1", "layer4"), **SMALL)
    assert shapes == {"layer2.0.conv1": (128, 8, 8), "layer4": (512, 2, 2)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arch": "timm:resnet81"}, "no such network; do you mean resnet18"),
        ({"arch": "timm:resnet18.nonsense"}, "timm has weights of resnet18.a1_in1k"),
        ({"arch": "timm:resnet18", "taps": ("layer9",)}, "--taps layer9: no such module; do you mean layer"),
        ({"arch": "timm:resnet18", "taps": ("fc",)}, "--taps fc: gives the network's outputs; what it is given is the"),
        ({"arch": "timm:swin_tiny_patch4_window7_224", "taps": ("layers.0.blocks.0.attn",)}, "parts of an image"),
        ({"arch": "timm:nest_tiny", "taps": ("levels.0.transformer_encoder.0",)}, "neither filters nor tokens"),
        ({"arch": "timm:resnet18", "unit": "head"}, "no attention whose heads can be told apart; heads are supported"),
        ({"arch": "timm:resnet18", "unit": "node"}, "the units of timm:resnet18 are filters in act1, layer1"),
        ({"arch": "timm:vit_tiny_patch16_224", "unit": "head", "taps": ("blocks.0",)}, "blocks.0.attn.proj"),
        ({"arch": "timm:inception_v3", "image_size": 16}, "another --image-size"),
        ({"arch": "vgg16", "image_size": 64}, "vgg16 is for 32"),
        ({"arch": "vgg16", "taps": ("features.relu1",)}, "--layers"),
        ({"arch": "timm:coat_lite_tiny", "taps": ("serial_blocks1",)}, "--taps serial_blocks1: is not passed"),
    ],
)
def test_what_cannot_be_tapped_is_refused_in_words(options, words):
    with pytest.raises(Problem) as problem:
        find_arch(Options(**{"data": "cifar10", **options}))
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)
