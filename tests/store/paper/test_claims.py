"""The claims as tests: on the paper's own tables, and on layers made so that each holds or fails."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from store.file.read import Run
from store.file.write import write_run
from store.measure.fields import Fields
from store.measure.gauge import GAUGES, shifted
from store.measure.layer import measure_layer
from store.measure.summary import THRESHOLDS, Summary, summary
from store.paper.claims import CLAIMS, Count, Finding, judge, verdicts_that_differ, without_accuracy
from store.paper.criteria import HARDLY
from store.paper.published import published, settings
from store.paper.records import (
    LayerRecord,
    RunRecord,
    Scan,
    TrainClusters,
    null_sample,
    run_record,
    saturated_layer,
    scan,
    the_papers,
)
from tests.builders import small_run
from tests.explorer_runs import SMALL, make_run

INPUTS = {"cifar10": 1000, "cifar100": 100, "imagenet": 10}  # test inputs a label
LAYERS = {"vgg16": ("2", "4", "7", "10", "13"), "efficientnet_b0": ("1", "3", "4", "5", "7", "9")}


def paper(*tables: int) -> list[RunRecord]:
    """The paper's rows as runs; what it does not print is left out."""
    runs = []
    for arch, data, n_labels in (setting for table in tables for setting in settings(table)):
        layers = []
        for name in LAYERS[arch]:
            row = published(arch, data, n_labels, name)
            assert row
            at = Summary(0.3, row.noise, row.n_clusters, row.cluster_size)
            layers.append(LayerRecord(name, row.accuracy, {0.3: at}))
        saturated = saturated_layer(arch, {layer.name: layer.accuracy for layer in layers})
        runs.append(RunRecord(f"{arch} {n_labels}", n_labels, 0, n_labels * INPUTS[data], saturated, layers))
    return runs


def verdicts(found: Sequence[Finding]) -> dict[str, str]:
    return {finding.claim.key: finding.verdict for finding in found}


def of(found: Sequence[Finding], key: str) -> Finding:
    return next(finding for finding in found if finding.claim.key == key)


@pytest.mark.parametrize(
    ("tables", "fails"),
    [
        ((1, 4), set()),
        ((2, 5), set()),
        ((3,), {"noise"}),  # stage 3, "the exception"
        ((6,), {"scaling"}),  # N_c goes from 1.5 at K = 3 to 3.2 at K = 10
    ],
)
def test_the_papers_own_tables(tables: tuple[int, ...], fails: set[str]) -> None:
    found = judge(paper(*tables), 0.3)
    assert {key for key, verdict in verdicts(found).items() if verdict == "fails"} == fails
    several = len(tables) > 1 or tables == (6,)
    enough = {"accuracy", "noise", "snr"} | ({"scaling", "linear"} if several else set())
    assert {key for key, verdict in verdicts(found).items() if verdict != "not enough runs"} == enough


def test_the_tolerance_of_a_power_is_just_above_the_papers() -> None:
    numbers = of(judge(paper(2, 5), 0.3), "scaling").numbers
    assert "power +0.27" in numbers and HARDLY == 0.3


def layer(name: str, accuracy: float, noise: float, n_clusters: float = 2.0, size: float = 2.0) -> LayerRecord:
    return LayerRecord(name, accuracy, {t: Summary(t, noise, n_clusters, size) for t in (0.3, *THRESHOLDS)})


def run(*layers: LayerRecord, n_labels: int = 10, seed: int = 0, saturated: str = "10") -> RunRecord:
    return RunRecord(f"{n_labels}-{seed}", n_labels, seed, 1000, saturated, layers)


def test_an_accuracy_that_falls_fails_and_says_where() -> None:
    found = judge([run(layer("2", 0.6, 5), layer("7", 0.8, 4), layer("10", 0.7, 3), layer("13", 0.9, 3))], 0.3)
    assert of(found, "accuracy").verdict == "fails"
    assert "layer 10 is below layer 7" in of(found, "accuracy").numbers


def test_a_fall_within_the_spread_of_few_inputs_is_none() -> None:
    layers = [layer("2", 0.6, 5), layer("10", 0.80, 4), layer("13", 0.78, 3)]
    assert verdicts(judge([run(*layers)], 0.3))["accuracy"] == "holds"
    assert verdicts(judge([replace(run(*layers), test_inputs=100_000)], 0.3))["accuracy"] == "fails"


def test_an_accuracy_that_stays_where_it_is_fails() -> None:
    assert verdicts(judge([run(layer("2", 0.80, 5), layer("10", 0.81, 4))], 0.3))["accuracy"] == "fails"


def test_noise_counts_only_until_the_accuracy_saturates() -> None:
    layers = [layer("2", 0.5, 50), layer("10", 0.8, 10), layer("13", 0.8, 277)]
    assert verdicts(judge([run(*layers)], 0.3))["noise"] == "holds"
    assert verdicts(judge([run(*layers, saturated="13")], 0.3))["noise"] == "fails"
    assert verdicts(judge([run(*layers, saturated="2")], 0.3))["noise"] == "fails"


def test_a_claim_about_one_run_holds_of_several_where_it_holds_of_each() -> None:
    good = [layer("2", 0.5, 50), layer("10", 0.8, 10)]
    bad = [layer("2", 0.5, 10), layer("10", 0.8, 50)]
    found = of(judge([run(*good), run(*bad, seed=1), run(*good, seed=2)], 0.3), "noise")
    assert (found.verdict, found.seeds) == ("fails", Count(2, 3))
    assert found.numbers == "10-1: n 10.0 (layer 2), 50.0 (layer 10): it rises from layer 2 to 10"


@pytest.mark.parametrize(("size", "verdict"), [(2.2, "holds"), (4.0, "fails"), (1.0, "fails")])
def test_a_power_of_the_number_of_labels(size: float, verdict: str) -> None:
    runs = [
        run(layer("2", 0.1, 9), layer("10", 0.9, 1, size=c_s), n_labels=n_labels, seed=seed)
        for n_labels, c_s in ((10, 2.0), (40, size))
        for seed in (0, 1)
    ]
    found = of(judge(runs, 0.3), "scaling")
    assert (found.verdict, found.seeds) == (verdict, Count(2 if verdict == "holds" else 0, 2))
    assert verdicts(judge(runs[:2], 0.3))["scaling"] == "not enough runs"


def errors(of_labels: Mapping[int, float]) -> Finding:
    return of(judge([run(layer("10", 1 - e, 1), n_labels=k) for k, e in of_labels.items()], 0.3), "linear")


def test_a_line_and_what_is_none() -> None:
    assert errors({10: 0.05, 20: 0.1, 40: 0.2, 100: 0.5}).verdict == "holds"
    assert errors({10: 0.2, 20: 0.26, 40: 0.32, 100: 0.40}).verdict == "fails"  # a logarithm
    assert "least logarithmic" in errors({10: 0.2, 20: 0.26, 40: 0.32, 100: 0.40}).numbers
    assert errors({10: 0.5, 20: 0.4, 40: 0.2}).verdict == "fails"  # it falls
    assert errors({10: 0.05, 20: 0.1}).missing == "3 different K"
    assert "interval" in errors({10: 0.05, 20: 0.12, 40: 0.2}).missing  # one degree of freedom
    assert errors({10: 0.3, 20: 0.3, 40: 0.3}).verdict == "fails"


def test_signal_must_be_far_above_noise_for_every_label() -> None:
    fields = np.zeros((8, 4, 4), np.float32)
    for f in range(8):
        fields[f, f % 4, f % 4] = 1.0
    clean = summary(measure_layer(fields, 0.3))
    assert (clean.least_snr_internal, clean.least_snr_external, clean.labels_near) == (np.inf, np.inf, 0)
    fields[:, 3, 0] = 0.9  # input label 3 raises output 0 everywhere: 8 / 3 against a signal of 2
    noisy = summary(measure_layer(fields, 0.3))
    assert noisy.labels_near == 1 and noisy.least_snr_external == pytest.approx(2 / (8 / 3))
    fields[:, 3, 3] = 0
    assert summary(measure_layer(fields, 0.3)).least_snr_internal == 0  # a label in no cluster
    for at, verdict in ((clean, "holds"), (noisy, "fails")):
        assert verdicts(judge([run(LayerRecord("10", 0.9, {0.3: at}), n_labels=4)], 0.3))["snr"] == verdict


def test_training_clusters() -> None:
    for alike, verdict in ((0.95, "holds"), (0.85, "fails")):
        record = replace(layer("10", 0.9, 1), train=TrainClusters(0.3, 0.7, alike))
        assert verdicts(judge([run(record)], 0.3))["train"] == verdict


def test_scan_orders() -> None:
    """Labels 0-1-2 in a chain: the clusters depend on where the scan begins, the averages may not."""
    fields = np.zeros((2, 3, 3), np.float32)
    fields[:] = np.eye(3)
    fields[0, [0, 1, 1, 2], [1, 0, 2, 1]] = 1.0
    stored, other = (measure_layer(fields, 0.3, order) for order in ([0, 1, 2], [2, 1, 0]))
    assert scan("reversed", stored, other) == Scan("reversed", 0.0, 0.5)
    assert scan("reversed", stored, stored) == Scan("reversed", 0.0, 0.0)
    record = replace(layer("10", 0.9, 1), scans={0.3: [scan("reversed", stored, other)]})
    found = verdicts(judge([run(record)], 0.3))
    assert (found["order"], found["order, each"]) == ("holds", "fails")
    record = replace(record, scans={0.3: [Scan("random", 0.03, 0.01)]})
    found = verdicts(judge([run(record)], 0.3))
    assert (found["order"], found["order, each"]) == ("fails", "holds")
    first = replace(layer("2", 0.5, 9), scans={0.3: [Scan("random", 0.01, 0.2)]})
    numbers = of(judge([run(first, record)], 0.3), "order, each").numbers
    assert numbers == "at most 20.0% of the filters (layer 2, random); layer 10: 1.0%"


def test_other_orders_that_find_the_same_clusters_change_nothing() -> None:
    fields = np.random.default_rng(0).normal(size=(40, 12, 12)).astype(np.float32)
    stored, turned = (measure_layer(fields, 0.3, order) for order in (np.arange(12), np.arange(12)[::-1]))
    same = [
        {frozenset(np.flatnonzero(row == c)) for c in set(row[row >= 0])} for row in stored.cluster_of
    ] , [{frozenset(np.flatnonzero(row == c)) for c in set(row[row >= 0])} for row in turned.cluster_of]  # fmt: skip
    assert scan("reversed", stored, turned).filters == np.mean([a != b for a, b in zip(*same, strict=True)])


def test_the_interval_of_thresholds() -> None:
    good = Summary(0.3, 1, 2, 2, least_snr_internal=9.0, least_snr_external=9.0)
    bad = Summary(0.3, 1, 2, 2, least_snr_internal=1.0, least_snr_external=1.0, labels_near=4)
    at = {t: good if t <= 0.4 or t == 0.6 else bad for t in THRESHOLDS if t != 0.2}
    found = judge([run(LayerRecord("10", 0.9, at))], 0.3, THRESHOLDS)
    assert of(found, "snr").intervals == [(0.05, 0.4), (0.6, 0.6)]
    assert 0.2 not in of(found, "snr").tried
    assert of(found, "accuracy").tried == ()


def test_stand_ins_are_tested_like_the_runs() -> None:
    good = run(layer("2", 0.5, 50), layer("10", 0.8, 10))
    shuffled = without_accuracy(good, [layer("2", 0.5, 10), layer("10", 0.8, 50)])
    found = judge([good], 0.3, (), {"labels shuffled": [[shuffled], [good]], "empty": []})
    assert of(found, "noise").chance == {"labels shuffled": Count(1, 2)}
    assert of(found, "accuracy").chance == {"labels shuffled": Count(1, 1)}  # the first has no accuracies


def test_a_claim_is_tested_by_chance_where_the_layers_that_it_needs_can_be() -> None:
    good = run(layer("2", 0.5, 50), layer("10", 0.8, 10), layer("13", 0.8, 40))
    saturated_alone = without_accuracy(good, [layer("10", 0.8, 10)])  # the others have matrices alone
    up_to_it = without_accuracy(good, [layer("2", 0.5, 50), layer("10", 0.8, 10)])
    found = judge([good], 0.3, (), {"rotated filters": [[saturated_alone], [up_to_it]]})
    assert of(found, "snr").chance["rotated filters"].of == 2
    assert of(found, "noise").chance == {"rotated filters": Count(1, 1)}
    without = judge([good], 0.3, (), {"rotated filters": [[without_accuracy(good, [layer("13", 0.8, 40)])]]})
    assert of(without, "noise").chance == of(without, "snr").chance == {"rotated filters": Count(0, 0)}
    assert of(without, "order").chance == {}  # which no null can be asked


def test_the_halves_of_the_test_inputs_are_the_ceiling_of_training_inputs() -> None:
    train = TrainClusters(0.3, 0.4, 0.77)
    record = LayerRecord("10", 0.8, {}, train=train, halves=0.7)
    assert "two halves of the test inputs have 70.0% in common" in of(judge([run(record)], 0.3), "train").numbers


def test_a_layer_with_its_labels_shuffled_has_lost_its_signal() -> None:
    fields = np.stack([np.eye(6, dtype=np.float32)] * 5)
    shuffled = null_sample("labels shuffled", Fields(fields), 0.3, 1)
    assert shuffled and shuffled.least_snr_internal == 0
    assert null_sample("rotated filters", Fields(fields), 0.3, 1) is None  # class means and weights are needed
    rng = np.random.default_rng(0)
    factors = tuple(rng.random((5, 6, 2), np.float32) for _ in range(2))
    assert null_sample("rotated filters", Fields(factors=(factors[0], factors[1])), 0.3, 1)
    assert null_sample("rotated filters", Fields(factors=(factors[0] * np.nan, factors[1])), 0.3, 1) is None


def test_layers_of_the_paper_and_of_others() -> None:
    assert the_papers("vgg16", ["2", "4", "7", "8", "9", "10", "13"]) == list(LAYERS["vgg16"])
    assert the_papers("timm:resnet18", ["act1", "layer1"]) == ["act1", "layer1"]
    assert saturated_layer("vgg16", {"10": 0.5, "13": 0.9}) == "10"
    assert saturated_layer("net", {"a": 0.5, "b": 0.9, "c": 0.9, "d": None}) == "c"
    assert saturated_layer("net", {"a": None}) == "a"


@pytest.mark.parametrize("runs", [[], [run()], [run(LayerRecord("10", None, {}))]])
def test_nothing_to_say_is_not_enough(runs: list[RunRecord]) -> None:
    found = judge(runs, 0.3, THRESHOLDS)
    assert {finding.verdict for finding in found} == {"not enough runs"}
    assert all(finding.missing and not finding.intervals for finding in found) and len(found) == len(CLAIMS)


def test_the_record_of_a_file(tmp_path: Path) -> None:
    with Run(make_run(tmp_path / "a.h5", seed=3, features=("10",), afcc=("10",))) as opened:
        record = run_record(opened, (0.3, 0.5))
        measured = opened.layers["10"].measure(0.5)
        alike = opened.layers["10"].record["afcc"]["train_clusters"]["alike"]
    assert (record.n_labels, record.seed, record.saturated, record.test_inputs) == (20, 3, "10", 2000)
    assert [layer.name for layer in record.layers] == list(SMALL)
    last = record.last
    assert last and last.at[0.5] == summary(measured) and last.at[0.5].noise == measured.mean_noise
    assert [each.order for each in last.scans[0.3]] == ["reversed", "random"]
    assert last.train == TrainClusters(0.3, alike["identical"], alike["mean"])
    assert verdicts(judge([record], 0.3))["train"] != "not enough runs"


def test_claims_are_judged_in_a_gauge(tmp_path: Path) -> None:
    """What is added to all outputs alike is noise as trained, and is gone in the zero-sum gauge."""
    content = small_run({"4": (12, 2), "10": (12, 2)}, n_labels=6)
    own = np.eye(6, dtype=np.float32)[np.arange(12) % 6][:, :, None]  # each filter is for a label
    for layer, means_of_others, amount in zip(content.layers, (0.5, 0.2), (0.0, 3.0), strict=True):
        layer.class_means[:] = own + np.float32(means_of_others)
        layer.probe_weights[:] = shifted(np.broadcast_to(own, layer.probe_weights.shape), amount)
        layer.fields = None
    write_run(tmp_path / "a.h5", content)
    with Run(tmp_path / "a.h5") as opened:
        records = {gauge: run_record(opened, gauge=gauge) for gauge in GAUGES}
        for gauge, record in records.items():
            assert record.last and record.last.at[0.3] == summary(opened.layers["10"].measure(gauge=gauge))
    found = {gauge: judge([record], 0.3) for gauge, record in records.items()}
    assert verdicts(found["as trained"])["noise"] == "fails" and verdicts(found["zero-sum"])["noise"] == "holds"
    differ = verdicts_that_differ(found["as trained"], found["zero-sum"])
    assert "noise" in [finding.claim.key for finding in differ]
    assert [finding.verdict for finding in differ if finding.claim.key == "noise"] == ["fails"]
    assert verdicts_that_differ(found["zero-sum"], found["zero-sum"]) == []


def test_a_manifest_of_anything_is_a_record(tmp_path: Path) -> None:
    bare = make_run(tmp_path / "a.h5", {"x": (3, 1)}, network={"arch": "net", "epochs": 1}, recipe={"seed": "x"})
    with Run(bare) as opened:
        record = run_record(opened)
    assert (record.seed, record.saturated) == (None, "x") and not record.layers[0].train
