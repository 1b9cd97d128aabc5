"""Layers of earlier epochs in a file: written, read when they are asked for, packed, refused where they are wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from store import guard
from store.file.format import FormatError
from store.file.pack import is_packed, packed, unpacked
from store.file.read import Run
from store.file.write import write_run
from tests.builders import edit_manifest, refusal, small_run, with_epochs, write_small

LAYERS = {"4": (6, 16), "10": (6, 1)}  # of 4 labels: matrices are less than class means and weights of 16 positions


@pytest.fixture
def forming(tmp_path: Path) -> Path:
    path = tmp_path / "forming.h5"
    write_run(path, with_epochs(small_run(LAYERS), (0, 2)))
    return path


def test_what_was_written_is_read(forming: Path) -> None:
    content = with_epochs(small_run(LAYERS), (0, 2))
    guard.check(forming)
    with Run(forming) as run:
        run.verify()
        assert run.epochs == (0, 2, 3)
        for written in content.epochs:
            at = run.at_epoch(written.epoch)
            assert (at.epoch, at.test_accuracy) == (written.epoch, written.record["test_accuracy"])
            assert list(at.layers) == list(LAYERS)
            for layer in written.layers:
                read = at.layers[layer.name]
                assert layer.class_means is not None and layer.probe_weights is not None
                assert read.class_means.tobytes() == layer.class_means.tobytes()
                assert read.probe_weights.tobytes() == layer.probe_weights.tobytes()
                assert read.record["test_accuracy"] == layer.record["test_accuracy"]
                assert read.record["filter_size"] == run.layers[layer.name].record["filter_size"]
                assert not read.is_final and read.confusion is None and read.bootstrap() is None
        assert run.at_epoch(3).layers == run.layers
        with pytest.raises(KeyError, match="no layers of epoch 1; it has those of 0, 2, 3"):
            run.at_epoch(1)


def test_a_file_without_them_has_the_trained_network_alone(result_file: Path) -> None:
    with Run(result_file) as run:
        assert run.epochs == (3,)
        assert run.at_epoch(3).test_accuracy == 0.75


def test_the_trained_network_is_the_same_file_beside_them(forming: Path, tmp_path: Path) -> None:
    plain = write_small(tmp_path / "plain.h5", layers=LAYERS)
    with Run(plain) as without, Run(forming) as run:
        assert without.manifest["sha256"].items() <= run.manifest["sha256"].items()
        assert without.measurement_sha256 == run.measurement_sha256
        again = tmp_path / "again.h5"
        write_run(again, run.content())
    assert again.read_bytes() == forming.read_bytes()


def test_none_of_it_is_read_before_it_is_asked_for(forming: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = Run.read
    monkeypatch.setattr(Run, "read", lambda run, place: [read.append(place), real(run, place)][1])
    with Run(forming) as run:
        at = run.at_epoch(2)
        run.layers["10"].measure()
        assert not [place for place in read if place.startswith("epochs")]
        at.layers["10"].measure()
        assert {place for place in read if place.startswith("epochs")} == {
            "epochs/2/layers/10/class_means",
            "epochs/2/layers/10/probe_weights",
        }


def test_packed_gives_the_same_results(forming: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.h5"
    with Run(forming) as run:
        assert not is_packed(run.content())
        write_run(small, packed(run.content()))
        with Run(small) as other:
            other.verify()
            assert is_packed(other.content())
            assert [layer.has_fields for layer in other.at_epoch(2).layers.values()] == [True, False]
            for epoch in run.epochs:
                for name, layer in run.at_epoch(epoch).layers.items():
                    twin = other.at_epoch(epoch).layers[name].measure()
                    assert np.array_equal(layer.measure().cluster_of, twin.cluster_of)
            large = tmp_path / "large.h5"
            write_run(large, unpacked(other.content()))
    with Run(large) as run:
        run.verify()
        assert run.epochs == (0, 2, 3)
    assert small.stat().st_size < forming.stat().st_size


def test_damage_in_an_earlier_epoch_is_found(forming: Path) -> None:
    with h5py.File(forming, "r+") as file:
        file["epochs/2/layers/10/probe_weights"][0, 0, 0] += 1
    with Run(forming) as run, pytest.raises(FormatError, match=r"epochs/2/layers/10/probe_weights: .*sha256 differs"):
        run.verify()
    with h5py.File(forming, "r+") as file:
        del file["epochs/0/layers/4/class_means"]
    assert "epochs/0/layers/4/class_means: missing" in refusal(forming)
    with pytest.raises(FormatError, match="epochs/0/layers/4/class_means: missing"):
        guard.check(forming)


def _epochs(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["epochs"][1].update(changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest.update(epochs={}), None),  # as good as none
        (lambda manifest: manifest.update(epochs=5), "'epochs' must list objects"),
        (lambda manifest: manifest.update(epochs=[1]), "'epochs' must list objects"),
        (lambda manifest: manifest.update(version=2), "'epochs' in a file of version 2"),
        (lambda manifest: manifest["epochs"].reverse(), "'epoch' must be an integer from 3 to 2"),
        (_epochs(epoch=3), "'epoch' must be an integer from 1 to 2, found '3'"),
        (_epochs(epoch=True), "'epoch' must be an integer"),
        (_epochs(layers=None), "'layers' must be lists"),
        (_epochs(layers=[{}] * 3000), "of at most 2048 in all"),
        (_epochs(layers=["10"]), "'name' is missing"),
        (lambda manifest: manifest["epochs"][1]["layers"][0].update(name="7"), "not one of the trained network's"),
        (lambda manifest: manifest["epochs"][1]["layers"][0].update(positions=4), "or another size"),
        (lambda manifest: manifest["epochs"][1]["layers"][0].update(name="../x"), "is not of the form"),
        (
            lambda manifest: manifest["epochs"][1]["layers"][0].update(datasets=["fields", "test_features"]),
            "class means with probe weights, or fields; not both",
        ),
        (
            lambda manifest: manifest["epochs"][1]["layers"].append(manifest["epochs"][1]["layers"][0]),
            "two layers of one name",
        ),
    ],
)
def test_what_a_stranger_may_have_written(change: Callable[[dict[str, Any]], object], said: str | None, forming: Path):
    with Run(forming) as run:
        manifest = run.manifest
    change(manifest)
    edit_manifest(forming, **{key: manifest[key] for key in ("epochs", "version")})
    if said is None:
        with Run(forming) as run:
            assert run.epochs == (3,)
    else:
        assert re.search(re.escape(said), refusal(forming))
