"""EfficientNets with the paper's stages: B0 against the paper's tables, and those whose weights come as packages."""

from dataclasses import replace

import pytest
import torch

from precompute.messages.problem import Problem
from precompute.networks import weights
from precompute.networks.models import choose_taps, find_arch
from precompute.networks.taps import tap_shapes
from precompute.options import LITE_ARCHS, Options
from store.file.write import stores_fields
from store.paper.published import published


def shapes_of(**options):
    arch = find_arch(Options(**options))
    return arch, tap_shapes(arch.build(2), choose_taps(arch, ()), (3, arch.side, arch.side))


@pytest.mark.parametrize(("data", "n_labels"), [("cifar100", 100), ("imagenet", 1000)])
def test_efficientnets_filters_sizes_and_probe_inputs_are_those_of_the_papers_tables(data, n_labels):
    arch, shapes = shapes_of(arch="efficientnet_b0", data=data)
    assert (arch.side, list(shapes)) == (224, ["1", "3", "4", "5", "7", "9"])
    for stage, (n_filters, height, width) in shapes.items():
        row = published("efficientnet_b0", data, n_labels, stage)
        assert (n_filters, height, width) == (row.n_filters, row.filter_side, row.filter_side)
        assert n_filters * height * width == row.fc_size


def test_each_parameter_of_efficientnet_has_a_rate_of_its_stage():
    from precompute.recipes import recipe_for
    from precompute.training.loop import Training

    options = Options(arch="efficientnet_b0", data="cifar100")
    network = find_arch(options).build(100)
    schedule = recipe_for(options, "hub", 100).network
    training = Training("", network, lambda index, draws: index, torch.zeros(4, dtype=torch.int64), schedule, 0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    factors = {
        names[id(parameter)]: group["factor"]
        for group in training.optimizer.param_groups
        for parameter in group["params"]
    }
    assert factors.keys() == dict(network.named_parameters()).keys()
    assert {name for name, factor in factors.items() if factor == 1.0} == {"classifier.weight"}
    for start, factor in {"conv_stem": 0.1, "bn1": 0.1, "blocks.5.": 0.1, "blocks.6.": 0.2, "conv_head": 0.2}.items():
        assert {value for name, value in factors.items() if name.startswith(start)} == {factor}


@pytest.mark.parametrize(
    ("depths", "blocks", "last"),
    [("3:1,4:1", [1, 1, 1, 3, 3, 4, 1], "9"), ("5:2", [1, 2, 2, 2, 3, 4, 1], "9"), ("9:0", [1, 2, 2, 3, 3, 4, 1], "8")],
)
def test_the_papers_simpler_efficientnets(depths, blocks, last):
    arch, shapes = shapes_of(arch="efficientnet_b0", data="cifar100", depths=depths)
    network = arch.build(100)
    assert [len(stage) for stage in network.blocks] == blocks
    assert list(shapes) == ["1", "3", "4", "5", "7", last]
    assert shapes[last] == ((1280, 1, 1) if last == "9" else (320, 1, 1))
    assert network.classifier.weight.shape == (100, shapes[last][0])
    assert network.classifier.bias is None
    assert network.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 100)


@pytest.mark.parametrize("depths", ["", "3", "3:0", "5:4", "1:1", "10:1", "9:1", "3:1;4:1", "x:1", "3:1,3:2"])
def test_depths_that_it_has_not_are_refused(depths):
    with pytest.raises(Problem, match=r"expected STAGE:LAYERS|stage 3 is named twice"):
        find_arch(Options(arch="efficientnet_b0", data="cifar100", depths=depths))


def test_a_file_of_imagenet_holds_factors_instead_of_matrices():
    """All six stages with 1,000 labels: at most 120 MB, where the matrices would take 6.6 GB."""
    _, shapes = shapes_of(arch="efficientnet_b0", data="imagenet")
    assert not any(stores_fields(n_filters, 1000) for n_filters, _, _ in shapes.values())
    factors = sum(2 * 4 * n_filters * 1000 * height * width for n_filters, height, width in shapes.values())
    matrices = sum(4 * n_filters * 1000**2 for n_filters, _, _ in shapes.values())
    assert factors < 120e6
    assert matrices > 6.5e9


def test_stages_have_no_other_units():
    with pytest.raises(Problem, match="stages are named with --layers; or --arch timm:efficientnet_b0"):
        find_arch(Options(arch="efficientnet_b0", data="cifar10", unit="node"))


def test_lite0_has_b0s_stages_filters_and_sizes():
    of_lite, of_b0 = (shapes_of(arch=f"efficientnet_{kin}", data="cifar100")[1] for kin in ("lite0", "b0"))
    assert of_lite == of_b0


def test_larger_ones_have_more_layers_a_stage():
    arch, _ = shapes_of(arch="efficientnet_lite2", data="cifar100", image_size=64)
    assert [len(stage) for stage in arch.build(2).blocks] == [1, 3, 3, 4, 4, 5, 1]
    with pytest.raises(Problem, match="stages 2 to 8 have 1 3 3 4 4 5 1 layers"):
        find_arch(Options(arch="efficientnet_lite2", data="cifar100", depths="3:4"))


@pytest.mark.parametrize("name", LITE_ARCHS)
def test_the_weights_of_a_package_are_those_of_its_own_network(name):
    """Its own library's network and ours, on the same images: the same outputs but for the order of sums."""
    options = Options(arch=name, data="cifar100")
    arch = find_arch(options)
    assert arch.package is not None
    file = arch.package.find()
    if file is None:
        pytest.skip(f"{arch.package.name} is not installed")
    library = pytest.importorskip("efficientnet_lite_pytorch")
    theirs = library.EfficientNet.from_name(name.replace("_", "-"))
    theirs.load_state_dict(torch.load(file, weights_only=True))
    start = weights.of_file(options, arch)
    ours = weights.network(options, arch, 1000, True, start).eval()
    images = torch.rand(1, 3, arch.side, arch.side)  # their padding is fixed for this size
    with torch.no_grad():
        expected, found = theirs.eval()(images), ours(images)
    assert torch.allclose(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert weights.origin(options, arch) == {
        "from": "package", "name": arch.package.name, "sha256": arch.package.sha256,
    }  # fmt: skip
    assert weights.scaled(options, arch, start, 0).pixel_mean == (0.5, 0.5, 0.5)


def test_without_its_package_the_hub_is_asked():
    options = Options(arch="efficientnet_lite0", data="cifar100")
    arch = find_arch(options)
    assert arch.package is not None
    without = replace(arch, package=replace(arch.package, name="efficientnet-lite0-not-installed"))
    assert weights.wanted(options, without) == "hub"
    assert weights.wanted(replace(options, weights="none"), arch) == "none"
