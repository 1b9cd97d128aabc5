"""Activations that somebody else has made: the same file, the same numbers, and refusals that name the argument."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from precompute import ProbeOptions, measure_activations, measuring, one_layer
from precompute.messages.problem import Problem
from store.file.read import Run
from store.measure.layer import fields_from_factors
from store.tables.layers import table
from tests import ROOT

K, TRAIN, TEST = 4, 120, 60
QUICK = ProbeOptions(epochs=5, batch_size=20)


def drawn(shape: tuple[int, ...], seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Activations that tell the labels apart, of both splits."""
    random = np.random.default_rng(seed)
    centres = random.random((K, *shape)) * 2
    return tuple(
        np.maximum(centres[labels] + random.normal(0, 0.3, (len(labels), *shape)), 0).astype(np.float32)
        for labels in (LABELS["train_labels"], LABELS["test_labels"])
    )  # type: ignore[return-value]


LABELS: dict[str, Any] = {"train_labels": np.arange(TRAIN) % K, "test_labels": np.arange(TEST) % K}


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    return {"early": drawn((6, 3, 2), 0), "late": drawn((9,), 1)}


def test_the_file_is_a_runs(given: dict[str, Any], tmp_path: Path) -> None:
    names = ["cat", "dog", "cow", "hen"]
    run = measure_activations(
        given, **LABELS, out=tmp_path / "brain", label_names=names, superclasses=["m", "m", "m", "b"], name="V4",
        features=["late"], probe=QUICK,
    )  # fmt: skip
    with run:
        run.verify()
        assert run.path == tmp_path / "brain.h5" and run.label_names == tuple(names) and not run.is_untrained
        assert run.test_inputs.tolist() == [TEST // K] * K and run.unfinished == []
        early, late = run.layers["early"], run.layers["late"]
        assert (early.n_filters, early.positions, early.record["filter_size"]) == (6, 6, [3, 2])
        assert (late.n_filters, late.positions, late.record["filter_size"]) == (9, 1, [1, 1])
        test = given["early"][1].reshape(TEST, 6, 6)
        means = np.stack([test[LABELS["test_labels"] == label].mean(0, dtype=np.float64) for label in range(K)], axis=1)
        assert np.array_equal(early.class_means, means.astype(np.float32))
        fields = fields_from_factors(early.class_means, early.probe_weights)
        assert np.array_equal(early.fields().arrays[0], fields)
        logits = np.einsum("nfs,fjs->nj", test, early.probe_weights, dtype=np.float64)
        accuracy = (logits.argmax(1) == LABELS["test_labels"]).mean()
        assert early.record["test_accuracy"] == accuracy > 0.9
        assert late.has_test_features and not early.has_test_features and late.bootstrap(0.3, resamples=5) is not None
        assert table(run).startswith("V4 on arrays, 4 labels; recipe probes alone (not the paper's), 0 epochs")


def test_torch_and_memory_maps_give_the_same(given: dict[str, Any], tmp_path: Path) -> None:
    contents = set()
    for kind in ("numpy", "torch", "mapped"):
        layers = {}
        for name, pair in given.items():
            for split, array in zip(("train", "test"), pair, strict=True):
                np.save(tmp_path / f"{name}-{split}.npy", array)
            mapped = [np.load(tmp_path / f"{name}-{split}.npy", mmap_mode="r") for split in ("train", "test")]
            layers[name] = {"numpy": pair, "torch": tuple(map(torch.from_numpy, pair)), "mapped": mapped}[kind]
        with measure_activations(layers, **LABELS, out=tmp_path / f"{kind}.h5", probe=QUICK) as run:
            contents.add(run.measurement_sha256)
    assert len(contents) == 1


def test_a_second_call_goes_on(given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run.h5"
    whole = measure_activations(given, **LABELS, out=tmp_path / "whole.h5", probe=QUICK).content_sha256
    trained: list[str] = []

    def stop_at_the_second(layer: Any, *more: Any) -> Any:
        if trained:
            raise KeyboardInterrupt
        trained.append(layer.name)
        return genuine(layer, *more)

    genuine = one_layer.train_probe
    monkeypatch.setattr(measuring, "train_probe", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        measure_activations(given, **LABELS, out=out, probe=QUICK)
    with Run(out) as run:
        assert list(run.layers) == ["early"] and run.unfinished == ["late"]
    trained.clear()
    with measure_activations(given, **LABELS, out=out, probe=QUICK) as run:
        assert trained == ["late"] and run.content_sha256 == whole
    trained.clear()
    measure_activations(given, **LABELS, out=out, probe=QUICK).close()
    assert trained == []


def test_what_stands_there_of_something_else_is_kept(given: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run.h5"
    measure_activations(given, **LABELS, out=out, probe=QUICK).close()
    before = out.read_bytes()
    other = {name: (train + 1, test) for name, (train, test) in given.items()}
    turned = LABELS | {"train_labels": LABELS["train_labels"][::-1]}
    for layers, labels, probe, said in [
        (other, LABELS, QUICK, "other activations of layer early, late"),
        (given, turned, QUICK, "other labels"),
        (given, LABELS, ProbeOptions(epochs=6, batch_size=20), "another recipe"),
    ]:
        with pytest.raises(Problem, match=said):
            measure_activations(layers, **labels, out=out, probe=probe)
        assert out.read_bytes() == before
    with measure_activations(other, **LABELS, out=out, probe=QUICK, fresh=True) as run:
        assert run.layers["late"].class_means.tolist() != []
    assert out.read_bytes() != before


INFINITE = tuple(np.where(array > 1, np.float32("inf"), array) for array in drawn((3,), 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"train_labels": np.zeros(TRAIN)}, "train_labels: float64 of shape"),
        ({"test_labels": np.zeros(TEST, int)}, "test_labels: label 1 of 0 to 3 has no input"),
        ({"label_names": ["a", "b"]}, "train_labels: label 3, but there are 2 names"),
        ({"superclasses": ["a"]}, "superclasses: 1, for 4 labels"),
        ({"features": ["later"]}, "features: there is no layer later; there are early, late"),
        ({"activations": {}}, "activations: there is no layer"),
        ({"activations": {"a/b": drawn((3,), 0)}}, "'a/b' is no name of a layer"),
        ({"activations": {"a": (drawn((3,), 0)[0], drawn((4,), 0)[1])}}, "a: .* a training input, .* a test input"),
        ({"activations": {"a": drawn((3,), 0)[::-1]}}, r"a, train: shape \(60, 3\); expected \(120, units\)"),
        ({"activations": {"a": tuple(x.astype(int) for x in drawn((3,), 0))}}, "a, train: int64; expected floating"),
        (
            {"activations": {"a": INFINITE}},
            "a, train: values that are not finite",
        ),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], tmp_path: Path, change: dict[str, Any], said: str) -> None:
    arguments: dict[str, Any] = {"activations": given, **LABELS} | change
    with pytest.raises(Problem, match=said):
        measure_activations(**arguments, out=tmp_path / "run.h5", probe=QUICK)
    assert not list(tmp_path.iterdir())


def test_the_program_in_the_docs_prints_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "activations.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    printed = []
    for program in programs:
        exec(program, {})
        printed.append(capsys.readouterr().out)
    in_memory, recording = printed
    assert in_memory.startswith("Sequential on images, 3 labels; recipe probes alone")
    assert ["3", "16", "8x8", "1024"] in [line.split()[:4] for line in in_memory.splitlines()]
    assert recording.startswith("recording on arrays, 4 labels")
    assert ["V4", "30", "1x5", "150"] in [line.split()[:4] for line in recording.splitlines()]
