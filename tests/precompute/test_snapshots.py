"""`--at-epochs`: layers as they form, beside those of the trained network, which they leave as they are."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from precompute import snapshots
from precompute.options import Options
from precompute.recipes import Schedule, snapshot_epochs
from precompute.training.hooks import Snapshots
from store.file.read import Run
from tests.commands import made_in, run_here
from tests.image_folders import tiny, write_image_folder

OUT = "my run.h5"
AT = ("--at-epochs", "0", "1", "2")
pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three epochs of a network of 50,000 weights, on 40 images."""
    images = write_image_folder(tmp_path_factory.mktemp("data") / "images", "cifar10", tiny("cifar10", 4, 2))
    recipe = "--arch timm:test_efficientnet --weights none --image-size 32 --data cifar10 --epochs 3 --batch-size 10"
    options = f"--layers blocks.2 blocks.4 --probe-epochs 5 --device cpu --data-dir {images} --out".split()
    return [*recipe.split(), *options, OUT]


@pytest.fixture(scope="module")
def plain(small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run without earlier epochs."""
    folder = made_in(tmp_path_factory.mktemp("plain"), small)
    yield folder
    shutil.rmtree(folder / "my run.work")


@pytest.fixture(scope="module")
def forming(small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same run with them."""
    return made_in(tmp_path_factory.mktemp("forming"), [*small, *AT])


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_main(capfd: pytest.CaptureFixture[str]) -> Callable[[list[str]], tuple[int, str, str]]:
    return lambda arguments: run_here(arguments, capfd)


def checksums(folder: Path = Path()) -> dict[str, str]:
    with Run(folder / OUT) as run:
        run.verify()
        found: dict[str, str] = run.manifest["sha256"]
        return found


def test_the_training_does_not_notice(plain, forming):
    without, beside = checksums(plain), checksums(forming)
    assert without.items() <= beside.items()
    more = beside.keys() - without.keys()
    assert more == {
        f"epochs/{epoch}/layers/{layer}/{name}"
        for epoch in range(3)
        for layer in ("blocks.2", "blocks.4")
        for name in ("class_means", "probe_weights")
    }
    assert sorted(path.name for path in (forming / "my run.work").iterdir()) == ["network.ckpt"]


def test_before_the_first_step_stands_the_untrained_network(small, forming, place):
    epochs = small.index("--epochs")
    made_in(place, [*small[:epochs], "--epochs", "0", *small[epochs + 2 :]])
    with Run(place / OUT) as untrained, Run(forming / OUT) as run:
        start = run.at_epoch(0)
        assert start.test_accuracy == untrained.at_epoch(0).test_accuracy
        for name, layer in untrained.layers.items():
            assert np.array_equal(start.layers[name].class_means, layer.class_means)
            assert np.array_equal(start.layers[name].probe_weights, layer.probe_weights)
            assert start.layers[name].record["test_accuracy"] == layer.record["test_accuracy"]
        assert run.at_epoch(1).layers["blocks.4"].class_means.tobytes() != layer.class_means.tobytes()


def test_each_epoch_says_how_sure_it_is(forming):
    with Run(forming / OUT) as run:
        assert run.epochs == (0, 1, 2, 3)
        for epoch in run.epochs:
            for layer in run.at_epoch(epoch).layers.values():
                assert layer.record["sample"]["errors"]["n"]
                assert layer.record["filter_size"]
        assert "clusters" not in run.at_epoch(1).layers["blocks.2"].record["sample"]


def press_at(owner: object, name: str, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C just before something is done for the n-th time."""
    real, calls = getattr(owner, name), 0

    def pressed(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(owner, name, pressed)


@pytest.mark.parametrize(("owner", "name", "call"), [(Snapshots, "after_step", 6), (snapshots, "write", 3)])
def test_a_stopped_run_goes_on(owner, name, call, small, forming, run_main, monkeypatch):
    """Stopped in the second epoch of the training, and while the second earlier epoch is measured."""
    with monkeypatch.context() as patched:
        press_at(owner, name, call, patched)
        assert run_main([*small, *AT])[0] == 130
    kept = sorted(path.name for path in Path("my run.work").glob("epoch*"))
    assert kept == (["epoch-1.ckpt"] if owner is Snapshots else ["epoch-1.ckpt", "epoch-2.ckpt"])
    status, printed, _ = run_main([*small, *AT])
    assert status == 0
    assert ("as it was before the first step" in printed) == (owner is Snapshots)
    assert checksums() == checksums(forming)
    assert run_main([*small, *AT])[1].count("it is there already") == 1


def test_what_was_not_kept_is_not_made_up(small, plain, place, run_main):
    shutil.copytree(plain, place, dirs_exist_ok=True)
    status, _, errors = run_main([*small, *AT])
    assert status == 1
    assert "--at-epochs 1 2: the network was trained past that without keeping it" in errors
    assert checksums() == checksums(plain)
    status, printed, _ = run_main([*small, "--at-epochs", "0"])  # made from the seed at any time
    assert status == 0 and "as it was before the first step" in printed
    assert checksums(plain).items() <= checksums().items()


def test_the_plan_says_what_they_add(small, place, run_main):
    _, without, _ = run_main([*small, "--dry-run"])
    _, beside, _ = run_main([*small, "--dry-run", *AT])
    assert "2 and 3 again at epochs 0 1 2: about" in beside and "on disk until the run is finished" in beside
    assert "again at epochs" not in without
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("snapshots", "epochs", "found"),
    [
        (2, 25, (0,)),
        (3, 25, (0, 1)),
        (10, 25, (0, 1, 2, 3, 4, 5, 7, 11, 17)),
        (12, 300, (0, 1, 2, 3, 6, 10, 17, 31, 54, 96, 170)),
        (5, 8, (0, 1, 2, 4)),
        (12, 3, (0, 1, 2)),
        (12, 1, (0,)),
    ],
)
def test_snapshots_are_spaced_by_logarithm(snapshots, epochs, found):
    assert snapshot_epochs(Options(snapshots=snapshots), Schedule("a test", 0.1, 0.9, 0.0, epochs)) == found


def test_epochs_that_are_named_stand_in_order_once():
    asked = Options(at_epochs=(5, 0, 5, 3))
    assert snapshot_epochs(asked, Schedule("a test", 0.1, 0.9, 0.0, 5)) == (0, 3)  # after 5 it is the trained network


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at-epochs", "4"), "--at-epochs 4: the network is trained for 3 epochs"),
        (("--at-epochs", "1", "--snapshots", "3"), "give one of them"),
        (("--at-epochs", "-1"), "epochs count from 0"),
        (("--snapshots", "1"), "--snapshots 1: must be at least 2"),
        (("--at-epochs", "0", "--epochs", "0"), "this one is probed as it is"),
    ],
)
def test_epochs_that_cannot_be(options, said, small, run_main):
    status, _, errors = run_main([*small, *options])
    assert status == 1 and said in errors
