"""AFCC: masks are the clusters, and zeros stay zero."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from precompute import afcc
from precompute.disk import checkpoint
from precompute.job import Todo
from precompute.machine.stopping import Stopping
from precompute.messages.problem import Problem
from precompute.networks.models import find_arch
from precompute.networks.taps import Tap
from precompute.options import Options
from precompute.probe import probe_training
from precompute.pruning import BASELINES
from precompute.recipes import Schedule
from precompute.training.loop import Training
from store.measure.layer import fields_from_factors, measure_layer

N_FILTERS, N_LABELS, POSITIONS = 12, 8, 3


@pytest.fixture
def layer():
    """(weights (N_f, K, S), what was measured) of a random layer with clusters."""
    random = np.random.default_rng(0)
    means = random.exponential(size=(N_FILTERS, N_LABELS, POSITIONS)).astype(np.float32)
    weights = random.standard_normal((N_FILTERS, N_LABELS, POSITIONS)).astype(np.float32)
    return weights, measure_layer(fields_from_factors(means, weights), 0.3)


def test_a_weight_is_kept_if_and_only_if_its_label_is_in_a_cluster_of_its_filter(layer):
    weights, measured = layer
    mask = afcc.probe_masks(measured.cluster_of, measured.cluster_of, weights, 0)["clusters"]
    assert mask.shape == (N_LABELS, N_FILTERS * POSITIONS)
    for label in range(N_LABELS):
        for column in range(N_FILTERS * POSITIONS):
            assert mask[label, column] == (measured.cluster_of[column // POSITIONS, label] >= 0)
    assert 0 < mask.sum() < mask.numel()


def test_baselines_keep_as_many_weights(layer):
    weights, measured = layer
    masks = afcc.probe_masks(measured.cluster_of, measured.cluster_of, weights, 0)
    kept = int(masks["clusters"].sum())
    for name in ("as many random labels", "random weights", "largest weights"):
        assert int(masks[name].sum()) == kept
        assert not torch.equal(masks[name], masks["clusters"])
    assert int(masks["5 random labels"].sum()) == N_FILTERS * 5 * POSITIONS
    assert torch.equal(masks["training clusters"], masks["clusters"]) and masks["all weights"].all()
    by_filter = [mask.view(N_LABELS, N_FILTERS, POSITIONS) for mask in masks.values()]
    assert torch.equal(by_filter[0].sum((0, 2)), by_filter[1].sum((0, 2)))  # as many labels, filter by filter
    lying = torch.from_numpy(weights.transpose(1, 0, 2).reshape(N_LABELS, -1)).abs()
    assert lying[masks["largest weights"]].min() >= lying[~masks["largest weights"]].max()


def test_masks_follow_from_the_seed(layer):
    weights, measured = layer
    first, again, other = (
        afcc.probe_masks(measured.cluster_of, measured.cluster_of, weights, seed) for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["random weights"], other["random weights"])


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_zeros_stay_exactly_zero_and_the_rest_learns(layer, weight_decay):
    weights, measured = layer
    mask = afcc.probe_masks(measured.cluster_of, measured.cluster_of, weights, 0)["clusters"]
    features = torch.randn(50, N_FILTERS * POSITIONS).to(torch.bfloat16)
    labels = torch.arange(50) % N_LABELS
    schedule = Schedule("test", 0.1, 0.9, weight_decay, epochs=3, batch_size=10)
    training = probe_training("x", features, labels, N_LABELS, schedule, 0)
    parameter = training.model.get_parameter("weight")
    afcc.hold_zero(parameter, mask)
    before = parameter.detach().clone()
    training.run(Stopping())
    assert (parameter[~mask] == 0).all()
    assert (parameter[mask] != before[mask]).all()


def test_a_masked_training_goes_on_as_if_never_stopped(layer, tmp_path):
    weights, measured = layer
    mask = afcc.probe_masks(measured.cluster_of, measured.cluster_of, weights, 0)["clusters"]
    features = torch.randn(50, N_FILTERS * POSITIONS, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    labels = torch.arange(50) % N_LABELS
    schedule = Schedule("test", 0.1, 0.9, 0.01, epochs=2, batch_size=10)

    def training():
        made = probe_training("x", features, labels, N_LABELS, schedule, 0)
        afcc.hold_zero(made.model.get_parameter("weight"), mask)
        return made

    place = tmp_path / "state"
    kept: list[Any] = []

    def keep_first(state):
        if not kept:
            checkpoint.save(place, state)
            kept.append(state["step"])

    whole, resumed = training(), training()
    whole.run(Stopping(), keep_first)
    resumed.restore(checkpoint.load(place))
    assert resumed.step == kept[0] == 5
    resumed.run(Stopping())
    assert torch.equal(resumed.model.get_parameter("weight"), whole.model.get_parameter("weight"))
    assert (resumed.model.get_parameter("weight")[~mask] == 0).all()


def test_filters_are_connected_where_their_clusters_share_a_label():
    of_inputs = np.array([[1, 1, 0], [0, 0, 0]], bool)
    of_outputs = np.array([[0, 1, 0], [0, 0, 1], [1, 1, 1]], bool)
    assert afcc.shared_label(of_inputs, of_outputs).tolist() == [[True, False], [False, False], [True, False]]


def test_as_many_random_labels_as_each_filter_holds():
    draw = np.random.default_rng(0)
    before, after = draw.random((64, 100)) < 0.05, draw.random((64, 100)) < 0.05
    chosen = afcc.as_many_labels(before, 0)
    assert (chosen.sum(1) == before.sum(1)).all()
    assert len(set(before.sum(1))) > 3  # filters hold different numbers of labels
    assert (chosen != before).any(1).mean() > 0.9
    assert np.array_equal(chosen, afcc.as_many_labels(before, 0))  # in one step an output, in the next an input
    assert not np.array_equal(chosen, afcc.as_many_labels(before, 1))
    weight = torch.randn(64, 64, 3, 3)
    kept = {name: int(afcc.layer_mask(name, (before, after), weight, 0).sum()) for name in BASELINES}
    assert len(BASELINES) == 5
    assert kept["clusters"] == kept["random weights"] == kept["largest weights"]
    assert kept["as many random labels"] == pytest.approx(kept["clusters"], rel=0.2)
    # the labels of two layers are drawn independently, also where both have as many filters
    same = np.zeros((200, 10), bool)
    same[:, 0] = True
    other = np.zeros((200, 10), bool)
    other[:, 1] = True
    meet = (afcc.as_many_labels(same, 0) & afcc.as_many_labels(other, 0)).any(1).mean()
    assert meet == pytest.approx(0.1, abs=0.08)


@pytest.mark.parametrize(
    "name", ["clusters", "as many random labels", "5 random labels", "random weights", "largest weights"]
)
def test_masks_of_a_convolution(name):
    draw = np.random.default_rng(0)
    held = draw.random((6, 10)) < 0.15, draw.random((4, 10)) < 0.15
    weight = torch.randn(4, 6, 3, 3)
    mask = afcc.layer_mask(name, held, weight, 0)
    assert mask.shape == weight.shape
    pairs = afcc.shared_label(*held)
    if name.endswith("random labels"):
        assert (mask.flatten(2).all(2) == mask.flatten(2).any(2)).all()
    else:
        assert int(mask.sum()) == int(pairs.sum()) * 9
    if name == "clusters":
        assert torch.equal(mask[:, :, 1, 2], torch.from_numpy(pairs))


def small_network():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1), nn.BatchNorm2d(5),
        nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 1),
    )  # fmt: skip


def test_the_last_convolution_before_a_tap():
    images = torch.zeros(1, 3, 4, 4)
    assert afcc.last_convolution(small_network(), Tap("x", "6"), images) == "3"
    assert afcc.last_convolution(small_network(), Tap("x", "1"), images) == "0"
    with pytest.raises(Problem, match="no convolution runs before"):
        afcc.last_convolution(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1)), Tap("x", "0"), images)


def test_only_the_probe_and_one_convolution_learn():
    network = small_network()
    model = afcc.Pruned(network, Tap("x", "6"), nn.Linear(20, 3, bias=False), ["3.weight"]).train()
    assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == [
        "network.3.weight",
        "probe.weight",
    ]
    before = network[1].running_mean.clone()
    model(torch.randn(4, 3, 4, 4)).sum().backward()
    assert torch.equal(network[1].running_mean, before)
    assert network[3].weight.grad is not None
    whole = afcc.Pruned(network, Tap("x", "6"), nn.Linear(20, 3, bias=False), None).train()
    whole(torch.randn(4, 3, 4, 4))
    assert not torch.equal(network[1].running_mean, before)


def test_zeros_stay_zero_while_the_network_learns_too():
    """The supplement's training: the probe and the last convolution before it, on images."""
    torch.manual_seed(0)
    network, probe = small_network(), nn.Linear(20, 3, bias=False)
    mask = torch.rand(3, 20) < 0.4
    afcc.hold_zero(probe.weight, mask)
    model = afcc.Pruned(network, Tap("x", "6"), probe, ["3.weight"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images, labels = torch.randn(30, 3, 4, 4), torch.arange(30) % 3
    schedule = Schedule("test", 0.05, 0.9, 0.015, epochs=3, batch_size=10)
    Training("x", model, lambda index, _draws: images[index], labels, schedule, 0).run(Stopping())
    after = model.state_dict()
    assert (after["probe.weight"][~mask] == 0).all()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"network.3.weight", "probe.weight"}


def test_likeness_of_clusters():
    of_test = np.array([[0, 0, 1, -1], [-1, -1, -1, -1], [0, 0, 0, -1]])
    assert afcc.likeness(of_test, of_test) == {"identical": 1.0, "mean": 1.0, "of_filter": [1.0, 1.0, 1.0]}
    of_train = np.array([[0, 0, -1, -1], [0, -1, -1, -1], [0, 1, 1, -1]])
    # 4 of 5 elements; none of 1; 1 + 4 of 9
    found = afcc.likeness(of_test, of_train)
    assert found["of_filter"] == [0.8, 0.0, round(5 / 9, 4)]
    assert found["identical"] == 0.0


def test_costs_are_counted_and_measured():
    weight = torch.zeros(4, 6)
    weight[0, :3] = 1.5
    found = afcc.costs(weight)
    assert (found["dense_bytes"], found["sparse_bytes"]) == (96, 3 * 8 + 5 * 4)
    assert (found["dense_multiply_adds"], found["sparse_multiply_adds"]) == (24, 3)
    for kind in ("dense", "sparse"):
        assert 0 < found[f"{kind}_seconds_1"] < 1
        assert 0 < found[f"{kind}_seconds_100"] < 1


# ---- Between layers ------------------------------------------------------------------------------------------------


def between(*layers, **options):
    """The paths of the convolutions that lead from layer to layer of our VGG-16, or of timm's network."""
    made = Options(**options)
    arch = find_arch(made)
    images = torch.zeros(1, 3, arch.side, arch.side, device="meta")
    places = [arch.taps[layer] for layer in layers]
    return [afcc.connection(arch.on_meta(), before, after, images) for before, after in pairwise(places)]


def test_layers_that_follow_one_another_are_connected_by_a_convolution():
    assert between("7", "8", "9", "10") == ["features.conv8", "features.conv9", "features.conv10"]


def test_a_blocks_filters_reach_the_next_ones_first_convolution():
    taps = ("layer1", "layer2.0.conv1", "layer2.0.downsample.0")
    options = {"arch": "timm:resnet18", "taps": taps, "image_size": 32}
    assert between("layer1", "layer2.0.conv1", **options) == ["layer2.0.conv1"]
    assert between("layer1", "layer2.0.downsample.0", **options) == ["layer2.0.downsample.0"]
    with pytest.raises(Problem, match="name layers that follow one another"):
        between("layer2.0.conv1", "layer2.0.downsample.0", **options)


@pytest.mark.parametrize("layers", [("9", "11"), ("10", "9"), ("9", "9"), ("10", "13"), ("7", "10")])
def test_layers_of_as_many_filters_that_do_not_follow_one_another_are_refused(layers):
    with pytest.raises(Problem, match=f"--afcc-between {' '.join(layers)}: .* name layers that follow one another"):
        between(*layers)


def test_a_convolution_that_works_in_groups_is_refused():
    taps = ("blocks.1.0.bn1", "blocks.1.0.bn2")
    with pytest.raises(Problem, match=r"blocks\.1\.0\.conv_dw .* groups"):
        between(*taps, arch="timm:mobilenetv3_small_100", taps=taps, image_size=32)


def test_afcc_between_other_layers_than_before_is_not_there_already():
    there = {"layers": [{"name": "9"}, {"name": "10"}], "afcc_between": {"layers": ["9", "10"]}}
    taps = [Tap("9", "x"), Tap("10", "y")]
    assert not Todo.of(taps, Options(afcc_between=("9", "10")), (), (), there)
    assert Todo.of(taps, Options(afcc_between=("10", "9")), (), (), there).between
    assert Todo.of(taps, Options(afcc_between=("9", "10")), (), (), there | {"afcc_between": None}).between
