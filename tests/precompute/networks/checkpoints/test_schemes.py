"""Other libraries' names: only for pairs of networks whose outputs are the same numbers, which is compared here.

Each network is made by its own library, with weights at random and batch statistics that go with them: a batch norm's
eps of 0.001 in place of 0.00001, or a padding as TensorFlow has it, then shows in the outputs.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision

from precompute.messages.problem import Problem
from precompute.networks import weights
from precompute.networks.checkpoints.preprocessing import IMAGENET
from precompute.networks.checkpoints.schemes import SCHEMES
from precompute.networks.models import find_arch
from precompute.options import Options
from tests.tables_in_docs import rows

N_LABELS = 3
IN_DOCS = [(row["names of"], row["--arch"], row["read"]) for row in rows("inputs.md", "names of")]


def at_random(network):
    """Biases and scales at random, and the batch statistics of images at random."""
    torch.manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith(("gamma", "layer_scale")):
            value.uniform_(0.5, 1.5)
        elif name.endswith("bias"):
            value.normal_(0, 0.1)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    network.eval()
    for norm in norms:  # these alone: what is left out at random in training would change the statistics
        norm.momentum = 1.0
        norm.train()
    if norms:
        with torch.no_grad():
            network(torch.randn(4, 3, 64, 64))
    return network.eval()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)  # of the weights that each library draws


def assert_same(found, expected, rtol: float = 1e-4):
    torch.testing.assert_close(found, expected, rtol=rtol, atol=rtol * float(expected.abs().max()))


def answers(network, side: int):
    """Outputs for the same images, (images, outputs)."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        found = network.eval()(torch.randn(2, 3, side, side, generator=generator))
    return found if isinstance(found, torch.Tensor) else found.logits


def saved(network, folder: Path) -> Path:
    torch.save(network.state_dict(), folder / "theirs.pt")
    return folder / "theirs.pt"


def read(path: Path, arch: str, **options: Any):
    made = Options(arch=arch, data="cifar10", checkpoint=path, **options)
    found = find_arch(made)
    start = weights.of_file(made, found)
    assert start is not None
    return weights.network(made, found, N_LABELS, True, start), start.said


def transformers():
    return pytest.importorskip("transformers")


def transformers_resnet(kind: str):
    library = transformers()
    sizes = {"basic": [64, 128, 256, 512], "bottleneck": [256, 512, 1024, 2048]}[kind]
    depths = {"basic": [2, 2, 2, 2], "bottleneck": [3, 4, 6, 3]}[kind]
    config = library.ResNetConfig(layer_type=kind, hidden_sizes=sizes, depths=depths, num_labels=N_LABELS)
    return library.ResNetForImageClassification(config)


def transformers_efficientnet():
    library = transformers()
    config = library.EfficientNetConfig(
        image_size=224, width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, num_labels=N_LABELS
    )
    return library.EfficientNetForImageClassification(config)


def lukemelas_efficientnet():
    library = pytest.importorskip("efficientnet_pytorch")
    return library.EfficientNet.from_name("efficientnet-b0", num_classes=N_LABELS)


def lukemelas_lite():
    library = pytest.importorskip("efficientnet_lite_pytorch")
    network = library.EfficientNet.from_name("efficientnet-lite0")  # which takes no number of labels
    network._fc = torch.nn.Linear(network._fc.in_features, N_LABELS)
    return network


PAIRS = {  # whose names -> their network, ours
    "torchvision's EfficientNet": (lambda: torchvision.models.efficientnet_b0(num_classes=N_LABELS), "efficientnet_b0"),
    "torchvision's ConvNeXt": (lambda: torchvision.models.convnext_tiny(num_classes=N_LABELS), "convnext_tiny"),
    "lukemelas' EfficientNet-PyTorch": (lukemelas_efficientnet, "tf_efficientnet_b0"),
    "lukemelas' EfficientNet-PyTorch, lite": (lukemelas_lite, "tf_efficientnet_lite0"),
    "transformers' EfficientNet": (transformers_efficientnet, "tf_efficientnet_b0"),
    "transformers' ResNet": (lambda: transformers_resnet("basic"), "resnet18"),
    "transformers' ResNet, wide": (lambda: transformers_resnet("bottleneck"), "resnet50"),
}


@pytest.mark.parametrize("program", PAIRS)
def test_the_other_librarys_network_gives_the_same_outputs(program, tmp_path):
    build, ours = PAIRS[program]
    theirs = at_random(build())
    network, said = read(saved(theirs, tmp_path), f"timm:{ours}")
    assert said["names"] == program.split(",")[0]
    expected = answers(theirs, 224)
    assert expected.std() > 1e-3
    assert_same(answers(network, 224), expected)


def test_torchvisions_efficientnet_is_the_papers_to_the_bit(tmp_path):
    theirs = at_random(torchvision.models.efficientnet_b0(num_classes=N_LABELS))
    network, _ = read(saved(theirs, tmp_path), "efficientnet_b0")
    plain = network.to(memory_format=torch.contiguous_format)
    assert torch.equal(answers(plain, 64), answers(theirs, 64))


def translated(program: str, theirs, ours):
    """The network of timm's with the other's weights: for networks that are made smaller than any that has a name."""
    (scheme,) = [one for one in SCHEMES if one.program == program]
    own = ours.state_dict()
    heads = {"head.weight", "head.bias"}
    state = theirs if isinstance(theirs, dict) else theirs.state_dict()
    assert any(re.match(scheme.mark, name) for name in state)
    made = scheme.translated(state, {name: own[name].shape for name in own.keys() - heads}, heads)
    assert made is not None
    ours.load_state_dict(made)
    return ours


def small_vit():
    return timm.create_model("vit_base_patch16_224", depth=2, num_classes=N_LABELS)


def transformers_vit():
    library = transformers()
    return library.ViTForImageClassification(library.ViTConfig(num_hidden_layers=2, num_labels=N_LABELS))


def test_torchvisions_vision_transformer():
    theirs = torchvision.models.VisionTransformer(224, 16, 2, 12, 768, 3072, num_classes=N_LABELS)
    torch.nn.init.normal_(theirs.heads.head.weight, 0, 0.02)
    theirs = at_random(theirs)
    network = translated("torchvision's vision transformer", theirs, small_vit())
    assert_same(answers(network, 224), answers(theirs, 224))


def test_a_vision_transformer_of_transformers_as_it_is_in_memory_and_as_it_is_saved(tmp_path):
    """In memory its names are version 5's; its files keep those of the versions before."""
    from safetensors.torch import load_file

    build = transformers_vit
    theirs = at_random(build())
    expected = answers(theirs, 224)
    network = translated("transformers' vision transformer (version 5)", theirs, small_vit())
    assert_same(answers(network, 224), expected, rtol=1e-3)
    theirs.save_pretrained(tmp_path)
    network = translated("transformers' vision transformer", load_file(tmp_path / "model.safetensors"), small_vit())
    assert_same(answers(network, 224), expected, rtol=1e-3)


def test_what_an_entry_is_made_of_must_all_be_there():
    theirs = torchvision.models.VisionTransformer(224, 16, 2, 12, 768, 3072, num_classes=N_LABELS).state_dict()
    own = small_vit().state_dict()
    (scheme,) = [one for one in SCHEMES if one.program == "torchvision's vision transformer"]
    shapes = {name: value.shape for name, value in own.items() if not name.startswith("head.")}
    assert scheme.translated(theirs | {"somebody.else": torch.zeros(1)}, shapes, ["head.weight", "head.bias"]) is None


# Those that look alike and compute other numbers: refused, with both sides' names and what to do.


@pytest.mark.parametrize(
    ("build", "ours", "words"),
    [
        (
            lambda: torchvision.models.mobilenet_v3_large(num_classes=N_LABELS),
            "timm:mobilenetv3_large_100",
            r"names as torchvision gives them: torchvision's mobilenet_v3 has eps 0.001 .* give other numbers\)$",
        ),
        (
            lukemelas_efficientnet,
            "efficientnet_b0",
            r"lukemelas' EfficientNet-PyTorch .* --arch timm:tf_efficientnet_b0 is that one\)$",
        ),
        (
            transformers_efficientnet,
            "timm:efficientnet_b0",
            r"transformers' EfficientNet .* --arch timm:tf_efficientnet_b0 is that one\)$",
        ),
    ],
)
def test_pairs_that_compute_other_numbers_are_refused(build, ours, words, tmp_path):
    theirs = build()
    path = saved(theirs, tmp_path)
    with pytest.raises(Problem, match=words) as problem:
        read(path, ours)
    said = str(problem.value)
    assert said.startswith(f"{path}: these weights do not fit")
    assert ", ".join(list(theirs.state_dict())[:3]) in said
    assert "conv_stem.weight" in said


def test_the_paddings_and_eps_that_schemes_keep_apart_do_change_the_numbers(tmp_path):
    """Else the refusals above would be for nothing."""
    theirs = at_random(timm.create_model("tf_efficientnet_b0", num_classes=N_LABELS))
    other = timm.create_model("efficientnet_b0", num_classes=N_LABELS)
    other.load_state_dict(theirs.state_dict())
    difference = (answers(other, 64) - answers(theirs, 64)).abs().max()
    assert difference > 0.01 * answers(theirs, 64).abs().max()


def test_facebooks_convnext_is_translated_by_timm(tmp_path):
    """By timm's own function for it. Its names, as in facebookresearch/ConvNeXt, are made here from timm's."""
    theirs = at_random(timm.create_model("convnext_atto", num_classes=N_LABELS))
    pairs = (
        (r"stem\.", "downsample_layers.0."),
        (r"stages\.(\d+)\.downsample\.", r"downsample_layers.\1."),
        (r"stages\.(\d+)\.blocks\.(\d+)\.", r"stages.\1.\2."),
        (r"conv_dw", "dwconv"),
        (r"mlp\.fc1", "pwconv1"),
        (r"mlp\.fc2", "pwconv2"),
        (r"head\.norm\.", "norm."),
        (r"head\.fc\.", "head."),
    )
    state = {}
    for name, value in theirs.state_dict().items():
        for pattern, instead in pairs:
            name = re.sub(pattern, instead, name)
        state[name] = value
    torch.save({"model": state}, tmp_path / "theirs.pt")
    network, said = read(tmp_path / "theirs.pt", "timm:convnext_atto")
    assert said["names"] == "a program that timm translates"
    assert_same(answers(network, 64), answers(theirs, 64))


def test_the_documents_tell_what_is_read_and_nothing_else():
    """Every scheme and every refusal above has its row, and each row says what the tests above hold."""
    read = {names for names, _, read in IN_DOCS if not read.startswith(("refused", "by timm"))}
    assert read == {scheme.program.partition(" (")[0] for scheme in SCHEMES}
    for names, arch, told in IN_DOCS:
        schemes = [scheme for scheme in SCHEMES if scheme.program.partition(" (")[0] == names]
        fits = any(re.fullmatch(scheme.networks, arch.removeprefix("timm:")) for scheme in schemes)
        assert fits == (names in read and not told.startswith("refused")), (names, arch)
    assert [arch for _, arch, told in IN_DOCS if told.startswith("refused")] == [
        "timm:efficientnet_b0",
        "timm:efficientnet_b0",
        "timm:mobilenetv3_large_100",
    ]


def test_torchvisions_networks_see_images_as_torchvision_normalises_them(tmp_path):
    """timm's vision transformer of the same names wants a mean of 0.5."""
    models = torchvision.models
    for kind in (models.ViT_B_16_Weights, models.ConvNeXt_Tiny_Weights, models.EfficientNet_B0_Weights):
        shown = kind.DEFAULT.transforms()
        assert (tuple(shown.mean), tuple(shown.std)) == IMAGENET
    assert all((scheme.scaling == IMAGENET) == ("torchvision" in scheme.program) for scheme in SCHEMES)
    path = saved(torchvision.models.convnext_tiny(num_classes=N_LABELS), tmp_path)
    made = Options(arch="timm:convnext_tiny", data="cifar10", checkpoint=path)
    start = weights.of_file(made, find_arch(made))
    assert start is not None and start.scaling == IMAGENET
