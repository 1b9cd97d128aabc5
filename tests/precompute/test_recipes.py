"""The hyper-parameters are the supplement's, and what departs from them says so."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precompute.images.outline import Sizes, missing_images
from precompute.messages.problem import Problem
from precompute.options import Options, parse
from precompute.recipes import Schedule, recipe_for

SUPPLEMENT_NETWORK = {  # (data set, K) -> eta, mu, alpha, epochs, (q, dt)
    ("cifar100", 20): (0.004, 0.965, 3e-3, 300, (0.65, 20)),
    ("cifar100", 40): (0.002, 0.975, 4e-3, 300, (0.65, 20)),
    ("cifar100", 60): (0.002, 0.975, 4e-3, 300, (0.65, 20)),
    ("cifar100", 100): (0.002, 0.975, 4e-3, 300, (0.65, 20)),
    ("cifar10", 10): (0.01, 0.975, 0.0015, 200, (0.65, 20)),
    ("cifar10", 3): (0.01, 0.975, 0.0015, 200, (0.65, 20)),
}
SUPPLEMENT_PROBE = {"cifar100": (0.005, 0.975, 1.5e-5, (0.65, 20)), "cifar10": (0.02, 0.995, 1e-7, (0.6, 20))}


def recipe(n_labels: int = 10, weights: str = "none", **options):
    options = {"arch": "vgg16", "data": "cifar10", **options}
    return recipe_for(Options(**options), weights, n_labels)


def numbers(schedule: Schedule) -> tuple[float, float, float]:
    return schedule.learning_rate, schedule.momentum, schedule.weight_decay


@pytest.mark.parametrize(("data", "n_labels"), SUPPLEMENT_NETWORK)
def test_the_paper_recipe_is_the_supplements(data, n_labels):
    made = recipe(n_labels, data=data)
    *network, epochs, decay = SUPPLEMENT_NETWORK[data, n_labels]
    assert numbers(made.network) == tuple(network)
    assert (made.network.epochs, (made.network.decay, made.network.decay_epochs)) == (epochs, decay)
    *probe, decay = SUPPLEMENT_PROBE[data]
    assert numbers(made.probe) == tuple(probe)
    assert (made.probe.epochs, (made.probe.decay, made.probe.decay_epochs)) == (100, decay)
    assert made.network.batch_size == made.probe.batch_size == 100
    assert (made.name, made.is_paper, made.departures) == ("paper", True, ())
    assert "supplement" in made.network.source
    assert "supplement" in made.probe.source


@pytest.mark.parametrize(("n_labels", "taken"), [(2, 20), (10, 20), (20, 20), (21, 40), (50, 60), (61, 100)])
def test_a_k_without_a_table_takes_the_next_larger_ones(n_labels, taken):
    assert recipe(n_labels, data="cifar100").network == recipe(taken, data="cifar100").network
    assert f"{taken}" in recipe(n_labels, data="cifar100").network.source


@pytest.mark.parametrize(
    ("weights", "options", "words"),
    [
        ("checkpoint", {}, "leave out --checkpoint"),
        ("hub", {"arch": "efficientnet_b0", "data": "imagenet"}, "--recipe quick trains it"),
    ],
)
def test_what_is_probed_as_it_is_has_no_epochs(weights, options, words):
    """It has no learning rate either: epochs would only have changed its batch norm."""
    with pytest.raises(Problem, match=f"--epochs 3: this network is probed as it is.*{words}"):
        recipe(10, weights, epochs=3, **options)
    assert recipe(10, weights, epochs=0, **options).network.epochs == 0


def test_efficientnets_recipe_is_the_supplements():
    made = recipe(100, "hub", arch="efficientnet_b0", data="cifar100")
    assert numbers(made.network) == (0.01, 0.9, 0.001)
    assert (made.network.epochs, made.network.decay, made.network.decay_epochs) == (200, 0.975, 1)
    assert numbers(made.probe) == (0.005, 0.975, 1.5e-5)
    assert (made.probe.decay, made.probe.decay_epochs) == (0.975, 1)
    assert (made.is_paper, made.departures) == (True, ())
    assert recipe(20, "hub", arch="efficientnet_b0", data="cifar100").network == made.network
    random = recipe(100, "none", arch="efficientnet_b0", data="cifar100")
    assert (random.is_paper, random.departures) == (False, ("weights: none instead of hub",))


def test_efficientnet_on_imagenet_is_probed_as_it_is():
    made = recipe(1000, "hub", arch="efficientnet_b0", data="imagenet")
    assert (made.is_paper, made.network.epochs) == (True, 0)
    assert numbers(made.probe) == (0.005, 0.975, 1.5e-5)


def test_a_checkpoint_is_probed_as_it_is():
    made = recipe(10, "checkpoint")
    assert (made.is_paper, made.network.epochs) == (False, 0)
    assert made.departures == ("weights: checkpoint instead of none",)


def test_what_the_paper_has_no_recipe_for_is_quick_and_says_so():
    made = recipe(10, "hub", arch="timm:resnet18", data="cifar10")
    assert (made.name, made.is_paper) == ("quick", False)
    assert made.network.learning_rate < recipe(10, "none", arch="timm:resnet18", recipe="quick").network.learning_rate
    with pytest.raises(Problem, match="no recipe for timm:resnet18 on cifar10, but for vgg16 on cifar10"):
        recipe(10, "hub", arch="timm:resnet18", recipe="paper")


def test_the_quick_recipe_is_not_the_papers():
    made = recipe(recipe="quick")
    assert (made.name, made.is_paper) == ("quick", False)
    assert (made.network.epochs, made.network.one_cycle, made.probe.epochs) == (25, True, 40)
    assert "not the paper's" in made.network.source
    assert replace(made.probe, epochs=100) == recipe().probe


def test_digits_have_a_quick_recipe_only():
    made = recipe(data="digits")
    assert (made.name, made.network.epochs, made.network.batch_size, made.probe.epochs) == ("quick", 8, 50, 40)


def test_what_the_command_line_changes_is_on_record():
    options = Options(arch="vgg16", data="cifar100", epochs=30, batch_size=100, seed=7)
    made = recipe_for(options, "none", 100)
    assert made.departures == ("epochs 30 instead of 300",)  # a batch of 100 is the paper's
    assert (made.is_paper, made.network.epochs, made.probe.epochs) == (False, 30, 100)
    record = made.record(options)
    assert (record["is_paper"], record["seed"], record["network"]["epochs"]) == (False, 7, 30)
    assert record["options"]["epochs"] == 30
    assert json.loads(json.dumps(record))["departures"] == ["epochs 30 instead of 300"]


def test_another_batch_size_is_the_probes_as_well():
    made = recipe(batch_size=64)
    assert (made.network.batch_size, made.probe.batch_size) == (64, 64)
    assert made.departures == ("batch_size 64 instead of 100",)


def test_where_things_lie_and_what_computes_is_no_part_of_a_recipe():
    plain = Options(arch="vgg16", data="cifar10")
    moved = replace(
        plain, data_dir=Path("x"), device="cpu", layers=("10",), features=("10",), afcc=("10",), out=Path("y"),
        resume=True, fresh=True, dry_run=True,
    )  # fmt: skip
    assert recipe_for(plain, "none", 10).record(plain) == recipe_for(moved, "none", 10).record(moved)
    for change in ({"seed": 1}, {"label_seed": 1}, {"no_flip": True}, {"labels": 3}):
        assert replace(plain, **change).recipe_options() != plain.recipe_options()


@given(st.integers(1, 500), st.integers(0, 300))
def test_the_papers_rate_falls_to_065_every_20_epochs(steps_an_epoch, epoch):
    schedule = recipe(100, data="cifar100").network
    rates = {schedule.rate(epoch * steps_an_epoch + step, steps_an_epoch) for step in (0, steps_an_epoch - 1)}
    assert rates == {0.002 * 0.65 ** (epoch // 20)}


@given(st.integers(1, 40), st.integers(1, 200))
def test_one_cycle_rises_to_its_peak_and_falls_to_nothing(epochs, steps_an_epoch):
    schedule = replace(recipe(recipe="quick").network, epochs=epochs)
    steps = epochs * steps_an_epoch
    rates = [schedule.rate(step, steps_an_epoch) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 <= min(rates) <= max(rates) <= schedule.learning_rate * (1 + 1e-12)
    assert rates[-1] == pytest.approx(0, abs=1e-15)
    if steps >= 10:
        assert max(rates) > 0.9 * schedule.learning_rate
        assert abs((top + 1) / steps - 0.3) <= 1 / steps
    assert not any(math.isnan(rate) for rate in rates)


@pytest.mark.parametrize(
    ("arguments", "sizes", "lacking"),
    [
        ("--data cifar100", Sizes(100, 50_000, 10_000), ""),
        ("--data cifar100 --labels 20", Sizes(20, 10_000, 2_000), ""),
        ("--data cifar10", Sizes(10, 500, 100), "500 + 100 images instead of 50000 + 10000"),
        ("--data cifar10 --labels 3", Sizes(3, 15_000, 1_000), "15000 + 1000 images instead of 15000 + 3000"),
        ("--data digits", Sizes(10, 1437, 360), ""),
    ],
)
def test_fewer_images_than_the_papers_are_a_departure(arguments, sizes, lacking):
    options = parse(arguments.split())
    assert missing_images(options, sizes) == lacking
    recipe = recipe_for(options, "none", sizes.n_labels, lacking)
    assert recipe.departures == ((lacking,) if lacking else ())
    assert recipe.is_paper == (options.data != "digits" and not lacking)


def test_what_is_asked_of_the_probes_is_on_record_and_a_start_is_no_departure():
    paper = Options(arch="vgg16", data="cifar100")
    recipes = [recipe_for(options, "none", 100) for options in (paper, replace(paper, probe_start="random"))]
    assert [recipe.is_paper for recipe in recipes] == [True, True]
    assert [recipe.probe_start for recipe in recipes] == ["zeros", "random"]
    asked = replace(paper, probe_epochs=10, probe_decay=1e-3, probe_inputs="augmented", probe_draws=2)
    recipe = recipe_for(asked, "none", 100)
    assert (recipe.probe.epochs, recipe.probe.weight_decay, recipe.probe_draws) == (10, 1e-3, 2)
    assert recipe.departures == (
        "probe epochs 10 instead of 100",
        "probe weight_decay 0.001 instead of 1.5e-05",
        "probes on augmented images, 2 draws",
    )
    record = recipe.record(asked)
    assert record["probe_start"] == "zeros" and record["probe_draws"] == 2 and not record["is_paper"]


def test_pretrained_kin_of_the_papers_network_is_frozen_unless_asked_to_learn():
    lite = {"arch": "efficientnet_lite0", "data": "cifar100"}
    frozen, paper = recipe(10, "package", **lite), recipe(10, "hub", arch="efficientnet_b0", data="cifar100")
    assert (frozen.name, frozen.network.epochs, frozen.probe) == ("frozen", 0, paper.probe)
    assert (frozen.departures, frozen.is_paper) == ((), False)
    tuned = recipe(10, "package", **lite, recipe="paper")
    assert (tuned.network, tuned.probe) == (paper.network, paper.probe)
    assert tuned.departures == ("efficientnet_lite0 instead of efficientnet_b0",)
    assert not tuned.is_paper
    assert recipe(10, "package", **lite, epochs=3).name == "quick"
    assert recipe(10, "none", **lite).name == "quick"
    on_digits = recipe(10, "package", arch="efficientnet_lite0", data="digits")
    assert (on_digits.name, on_digits.probe) == ("frozen", paper.probe)
    assert recipe(10, "hub", arch="timm:resnet18", data="cifar100", recipe="frozen").network.epochs == 0
    with pytest.raises(Problem, match="--recipe frozen: is for pretrained weights"):
        recipe(10, "none", arch="vgg16", data="cifar100", recipe="frozen")
    with pytest.raises(Problem, match="probed as it is, without training; --recipe quick trains it"):
        recipe(10, "package", **lite, recipe="frozen", epochs=3)
