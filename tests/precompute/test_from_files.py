"""`--activations TRAIN.npz TEST.npz`: files that NumPy saves, as anybody's program does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precompute.from_files import measure_files
from precompute.messages.problem import Problem
from precompute.options import parse
from store.file.read import Run
from tests.commands import run_here
from tests.precompute.test_measuring import LABELS, drawn

QUICK = ["--probe-epochs", "5", "--batch-size", "20"]
NAMES = np.array(["cat", "dog", "cow", "hen"])


def saved(folder: Path, *, test: dict[str, Any] | None = None, **more: Any) -> list[str]:
    """The options that name two files of two layers."""
    pairs = {"early": drawn((6, 3, 2), 0), "late": drawn((9,), 1)}
    for k, split in enumerate(("train", "test")):
        arrays = {name: pair[k] for name, pair in pairs.items()} | {"labels": LABELS[f"{split}_labels"]} | more
        arrays |= (test or {}) if split == "test" else {}
        np.savez(folder / f"{split}.npz", **{name: array for name, array in arrays.items() if array is not None})
    return ["--activations", str(folder / "train.npz"), str(folder / "test.npz"), "--out", str(folder / "out.h5")]


def test_the_command_makes_a_file_and_prints_its_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = [*saved(tmp_path, label_names=NAMES), "--features", "late", *QUICK]
    status, printed, errors = run_here(arguments, capfd)
    assert status == 0, errors
    assert "activations on test, 4 labels; recipe probes alone (not the paper's)" in printed
    with Run(tmp_path / "out.h5") as run:
        assert run.label_names == tuple(NAMES) and list(run.layers) == ["early", "late"]
        assert run.layers["late"].has_test_features
        assert "no network was seen" in run.manifest["data"]["source"]


def test_layers_can_be_chosen(tmp_path: Path) -> None:
    with measure_files(parse([*saved(tmp_path), "--layers", "late", *QUICK])) as run:
        assert list(run.layers) == ["late"] and run.label_names == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ({"labels": None}, [], "train.npz: no array `labels`; it holds early, late"),
        ({"test": {"late": None}}, [], "test.npz: lacks late, which .*train.npz has"),
        ({"label_names": np.arange(4)}, [], "label_names: expected texts"),
        ({"label_names": NAMES, "test": {"label_names": NAMES[::-1]}}, [], "label_names: .* have other ones"),
        ({"label_names": NAMES.astype(object)}, [], "Python objects, which reading could run code of"),
        ({}, ["--arch", "timm:resnet18"], "--arch: --activations has neither network nor images; leave it out"),
        ({}, ["--layers", "later"], "--layers later: .*train.npz has early, late"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, more: dict[str, Any], options: list[str], said: str) -> None:
    arguments = [*saved(tmp_path, **more), *options, *QUICK]
    with pytest.raises(Problem, match=said):
        measure_files(parse(arguments))
    assert not (tmp_path / "out.h5").exists()
