"""The "Rests on" table: what it says of a file that has everything, and of one that has little."""

import doctest
import sys
from pathlib import Path

import numpy as np
import pytest

import store.tables.rests_on
from store.__main__ import main
from store.file.pack import packed
from store.file.read import Run
from store.file.sample_results import to_record
from store.file.write import LayerContent, write_run
from store.measure.bootstrap import bootstrap, columns_of
from store.measure.fields import Fields
from store.measure.halves import Alike, halves_alike, in_first_half
from store.measure.layer import fields_from_factors, measure_layer
from store.tables.layers import table
from store.tables.rests_on import RestsOn, changed_in_gauge, rests_on, rests_on_table
from tests.builders import small_history, small_run, write_small
from tests.store.measure.test_bootstrap import drawn_layer


def sampled_file(path: Path, **record: object) -> tuple[Path, LayerContent]:
    """A file of one layer with its sample: 6 labels, 5 filters of 2 positions."""
    features, labels, weights = drawn_layer(3)
    first = in_first_half(labels)
    of_labels = [labels == label for label in range(6)]
    means, half = (
        np.stack([features[of & chosen].mean(axis=0, dtype=np.float64) for of in of_labels], axis=1).astype(np.float32)
        for chosen in (np.ones(len(labels), bool), first)
    )
    counts = np.bincount(labels)
    found = bootstrap(columns_of(features), labels, weights)
    content = small_run({}, n_labels=6, features=False)
    content.test_inputs = counts
    content.manifest["data"]["test_inputs"] = int(counts.sum())
    sample = to_record(found, 0, halves_alike(means, half, weights, counts))
    layer = LayerContent("10", means, weights, small_history(2), {"sample": sample, **record}, class_means_half=half)
    content.layers.append(layer)
    write_run(path, content)
    return path, layer


def test_a_file_with_its_sample_fills_every_column(tmp_path: Path) -> None:
    path, layer = sampled_file(tmp_path / "run.h5", start_share=0.3)
    with Run(path) as run:
        found = rests_on(run, run.layers["10"])
        clusters = run.layers["10"].measure(0.3)
        text, info = rests_on_table(run), table(run)
    sample = layer.record["sample"]
    at = sample["thresholds"].index(0.3)
    assert [error for _, error in found.numbers] == [sample["errors"][name][at] for name in ("n", "N_c", "C_s")]
    shares = np.array(sample["clusters"]["share"].split(), int)
    assert found.sample == np.mean(shares >= 50) and len(shares) == clusters.cluster_sizes.size
    assert found.n_sure == np.sum(shares >= 50) / np.sum(clusters.n_clusters > 0)
    assert found.halves is not None and round(found.halves.jaccard, 4) == sample["halves"]["jaccard"]
    assert found.start == 0.3 and found.unknown == [] and "random start (30% of its weights)" in found.verdict
    assert found.shuffled is not None and found.rotated is not None
    assert "+-" in text and "30%" in text
    errors = next(line for line in info.splitlines() if line.strip().startswith("+-"))
    assert f"{sample['errors']['n'][at]:.2g}" in errors


def test_a_packed_file_still_knows_its_halves_and_another_threshold_does_not(tmp_path: Path) -> None:
    path, _ = sampled_file(tmp_path / "run.h5")
    with Run(path) as run:
        whole = rests_on(run, run.layers["10"])
        write_run(tmp_path / "packed.h5", packed(run.content()))
    with Run(tmp_path / "packed.h5") as run:
        found, other = (rests_on(run, run.layers["10"], threshold) for threshold in (0.3, 0.5))
    assert found.halves is not None and whole.halves is not None
    assert found.halves.jaccard == pytest.approx(whole.halves.jaccard, abs=1e-4)
    assert other.halves is None and other.sample is None and other.numbers[0][1] is not None


def test_a_file_without_its_sample_says_what_was_not_tested(tmp_path: Path) -> None:
    content = small_run(features=False)
    content.layers[0].class_means = content.layers[0].probe_weights = None
    content.layers[0].record["positions"] = 4
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        found, text = rests_on(run, run.layers["10"]), rests_on_table(run)
    assert found.unknown == ["start", "halves", "sample", "rotated"] and found.n_sure is None
    assert "not tested: start, halves, sample, rotated" in text and "rotated -: not possible for this file" in text


def test_the_verdict_names_what_else_the_numbers_rest_on() -> None:
    firm = RestsOn("10", ((1.0, 0.1),) * 3, (False,) * 3, 2.0, 0.0, 0.0, Alike(0.9, 0.95), 0.9, 0, 0)
    assert firm.verdict == "on the network, in every column"
    loose = firm._replace(start=0.3, gauge=0.25, sample=0.2, shuffled=1, rotated=5)
    assert [doubt.split(" (")[0] for doubt in loose.doubts] == [
        "the probe's random start", "the gauge", "the sample", "chance", "any basis",
    ]  # fmt: skip
    assert firm._replace(sample=None, halves=Alike(0.1, 0.4)).doubts == ["the sample (the halves share 40%)"]


def test_the_gauge_is_that_of_the_definition() -> None:
    random = np.random.default_rng(0)
    means, weights = (random.standard_normal((30, 6, 2)).astype(np.float32) for _ in range(2))
    weights += np.float32(0.7)  # a part common to all outputs
    fields = fields_from_factors(means, weights)
    zero_sum = (fields - fields.mean(axis=2, dtype=np.float64, keepdims=True)).astype(np.float32)
    differ = (measure_layer(zero_sum).cluster_of != measure_layer(fields).cluster_of).any(axis=1)
    assert changed_in_gauge(Fields(fields), measure_layer(fields)) == differ.mean() > 0


def test_it_is_printed_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["store", "info", "--rests-on", str(write_small(tmp_path / "run.h5"))])
    assert main() == 0
    assert "what the numbers rest on" in capsys.readouterr().out


def test_the_example_in_the_documentation() -> None:
    result = doctest.testmod(store.tables.rests_on)
    assert result.attempted > 0 and result.failed == 0
