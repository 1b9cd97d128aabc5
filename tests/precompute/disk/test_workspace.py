"""The folder that a run goes on from: one process at a time, and what is there is lost to nobody."""

import errno
import fcntl
import json
import os
import signal
from pathlib import Path

import pytest

from precompute.disk.workspace import NETWORK, Workspace
from precompute.machine.stopping import Stopped
from precompute.messages.problem import Problem
from precompute.options import Options
from precompute.recipes import recipe_for
from store.file.write import write_run
from tests.builders import small_run, write_small
from tests.precompute.disk.test_checkpoint import STATE, same

RECIPE = {"name": "quick", "departures": (), "options": {"seed": 0, "labels": None}}


@pytest.fixture
def work(tmp_path) -> Workspace:
    return Workspace(tmp_path / "some runs" / "run.h5", RECIPE)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_leaves_the_earlier_checkpoint(work, monkeypatch):
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    work.save_training(NETWORK, STATE)
    before = contents(work.folder)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        work.save_training(NETWORK, STATE | {"step": 13})
    assert contents(work.folder) == before
    assert work.load_training(NETWORK)["step"] == 12


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(work):
    work.save_training(NETWORK, STATE)
    other = Workspace(work.out, RECIPE | {"options": {"seed": 3, "labels": None}})
    with pytest.raises(Problem, match=r"network\.ckpt was made by another recipe \(seed 0, now 3\)"):
        other.load_training(NETWORK)
    assert same(work.load_training(NETWORK), STATE)


def result_of(work: Workspace, recipe: dict) -> None:
    run = small_run()
    run.manifest["recipe"] = recipe
    write_run(work.out, run)


def test_a_result_of_the_same_recipe_is_known_again(work):
    assert work.earlier_result() is None
    result_of(work, RECIPE)
    assert [layer.name for layer in work.earlier_result().layers] == [layer.name for layer in small_run().layers]


def test_a_recipe_of_before_there_was_a_choice_reads_as_a_random_start(tmp_path):
    options = {"seed": 0, "labels": None}
    old = RECIPE | {"options": options}
    now = {start: old | {"probe_start": start, "probe_draws": 0, "options": options | {"probe_start": start}}
           for start in ("random", "zeros")}  # fmt: skip
    work = Workspace(tmp_path / "run.h5", now["random"])
    result_of(work, old)
    assert work.earlier_result() is not None
    with pytest.raises(Problem, match=r"another recipe \(probe_start 'random', now 'zeros'\)"):
        Workspace(tmp_path / "run.h5", now["zeros"]).earlier_result()


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (RECIPE | {"options": {"seed": 0, "labels": 20}}, "labels 20, now None"),
        (RECIPE | {"departures": ["epochs 3 instead of 25"]}, "other hyper-parameters"),
        ({}, "now"),
    ],
)
def test_a_result_of_another_recipe_is_refused_and_kept(work, recipe, words):
    result_of(work, recipe)
    before = contents(work.out.parent)
    with pytest.raises(Problem) as problem, work.locked():
        work.earlier_result()
    assert "run.h5 was made by another recipe" in str(problem.value)
    assert words in str(problem.value)
    assert str(problem.value).endswith("Name another --out, or replace it with --fresh")
    assert contents(work.out.parent) == before


def test_a_damaged_result_is_refused_and_kept(work):
    result_of(work, RECIPE)
    work.out.write_bytes(work.out.read_bytes()[:-100])
    before = contents(work.out.parent)
    with pytest.raises(Problem, match=r"run\.h5: .*damaged.*Name another --out, or replace it with --fresh"):
        work.earlier_result()
    assert contents(work.out.parent) == before


def test_one_process_at_a_time(work):
    with work.locked():
        with pytest.raises(Problem, match="is being made by another process"), Workspace(work.out, RECIPE).locked():
            pass
        with pytest.raises(Problem), Workspace(work.out, RECIPE).locked():  # the first refusal took no lock away
            pass
    with Workspace(work.out, RECIPE).locked():
        pass


def test_a_lock_that_was_removed_while_it_was_waited_for_does_not_count(work, monkeypatch):
    real = fcntl.flock

    def after_the_other_ended(file, how):
        (work.folder / "lock").unlink()
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", after_the_other_ended)
    with pytest.raises(Problem, match="is being made by another process"), work.locked():
        pass


def test_a_stop_while_the_lock_is_taken_leaves_nothing(work, monkeypatch):
    def stopped(file, how):
        monkeypatch.undo()
        raise Stopped(signal.SIGINT)

    monkeypatch.setattr(fcntl, "flock", stopped)
    with pytest.raises(Stopped), work.locked():
        pass
    assert not work.folder.exists()


def test_a_disk_that_takes_nothing_any_more_hides_no_error(work, monkeypatch):
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="the checkpoint"), work.locked():
        patch.setattr(Path, "unlink", read_only)
        raise OSError(errno.EROFS, "Read-only file system", "the checkpoint")
    with work.locked():  # what stayed of the lock is in nobody's way
        pass


def test_nothing_stays_where_nothing_was_done(work):
    with work.locked():
        assert work.folder.is_dir()
    assert not work.folder.exists()
    with work.locked():
        work.save_training(NETWORK, STATE)
    assert list(contents(work.folder)) == ["network.ckpt"]


def test_what_a_killed_process_left_half_written_is_removed(work, monkeypatch):
    result_of(work, RECIPE)
    work.save_training(NETWORK, STATE)
    before = contents(work.out.parent)
    with monkeypatch.context() as killed:
        killed.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        killed.setattr(Path, "unlink", lambda *_, **__: None)  # nothing tidies up after SIGKILL
        for save in (lambda: work.save_training(NETWORK, STATE), lambda: result_of(work, RECIPE)):
            with pytest.raises(KeyboardInterrupt):
                save()
    other = work.out.with_name(".another.h5.x7k2.tmp")
    other.write_bytes(b"another run's, which may be at work")
    assert len(contents(work.out.parent)) == len(before) + 3
    with work.locked():
        pass
    assert contents(work.out.parent) == before | {other.name: other.read_bytes()}


def test_fresh_keeps_what_was_there_until_the_end_and_touches_nothing_else(work):
    result_of(work, RECIPE)
    work.save_training(NETWORK, STATE)
    before = [work.out.read_bytes(), (work.folder / "network.ckpt").read_bytes()]
    other = Workspace(work.out.with_name("other.h5"), RECIPE)
    result_of(other, RECIPE)
    other.save_training(NETWORK, STATE)
    with work.locked():
        assert not work.is_empty()
        work.activation_file("train", "10").write_bytes(b"large")
        work.set_aside()
        kept = contents(work.folder)
        assert [kept["replaced.h5"], kept["replaced.ckpt"]] == before
        assert sorted(kept) == ["lock", "replaced.ckpt", "replaced.h5"]
        assert not work.has_network() and work.earlier_result() is None
        work.set_aside()  # once more, when there is nothing: what is kept stays
        assert sorted(contents(work.folder)) == ["lock", "replaced.ckpt", "replaced.h5"]
        work.save_training(NETWORK, STATE)
        work.close()
    assert set(contents(work.out.parent)) == {"other.h5", "other.work/network.ckpt", f"{work.folder.name}/network.ckpt"}


def test_a_place_where_nothing_was_made_is_empty(work):
    assert work.is_empty()
    with work.locked():
        assert work.is_empty()
        work.save_training(NETWORK, STATE)
        assert not work.is_empty()


def test_the_trained_network_stays_after_the_end(work):
    with work.locked():
        work.save_training(NETWORK, STATE)
        work.activation_file("train", "10").write_bytes(b"large")
        work.close()
    assert list(contents(work.folder)) == ["network.ckpt"]
    assert work.has_network()


def test_a_recipe_is_the_same_in_memory_in_a_checkpoint_and_in_a_result(work):
    work.save_training(NETWORK, STATE)
    assert same(work.load_training(NETWORK), STATE)
    assert work.recipe == json.loads(json.dumps(RECIPE))


def test_what_was_made_from_other_images_is_refused(work: Workspace) -> None:
    first, second = ({"train_sha256": name, "test_sha256": "same"} for name in ("first", "second"))
    Workspace(work.out, RECIPE, first).save_training(NETWORK, {"step": 3})
    assert Workspace(work.out, RECIPE, first).load_training(NETWORK) == {"step": 3}
    with pytest.raises(Problem, match=r"network\.ckpt was made from other images.*--fresh"):
        Workspace(work.out, RECIPE, second).load_training(NETWORK)


def test_what_was_made_from_other_weights_is_refused(work: Workspace) -> None:
    """A checkpoint that a person trains on keeps its name; layers of both would stand in one file."""
    Workspace(work.out, RECIPE, weights="first").save_training(NETWORK, {"step": 3})
    assert Workspace(work.out, RECIPE, weights="first").load_training(NETWORK) == {"step": 3}
    other = Workspace(work.out, RECIPE, weights="second")
    with pytest.raises(Problem, match=r"network\.ckpt was made from other weights.*--fresh"):
        other.load_training(NETWORK)
    write_small(work.out, manifest={"recipe": work.recipe} | _weights("first"))
    assert Workspace(work.out, RECIPE, weights="first").earlier_result() is not None
    with pytest.raises(Problem, match="was made from other weights"):
        other.earlier_result()


def _weights(checksum: str) -> dict[str, object]:
    origin = {"from": "checkpoint", "name": "best.pt", "sha256": checksum}
    return {"network": {"arch": "vgg16", "epochs": 3, "weights": origin}}


def test_what_an_earlier_version_made_can_go_on(work: Workspace) -> None:
    """It could not ask for what is new, which is then as it is by default."""
    options = Options(arch="vgg16", data="cifar10")
    recipe = recipe_for(options, "none", 10).record(options)
    earlier = json.loads(json.dumps(recipe))
    for name in ("weights", "checkpoint", "unit", "image_size"):
        del earlier["options"][name]
    del earlier["network"]["stage_rates"], earlier["probe"]["stage_rates"]
    Workspace(work.out, earlier).save_training(NETWORK, STATE)
    assert same(Workspace(work.out, recipe).load_training(NETWORK), STATE)
    changed = Options(arch="vgg16", data="cifar10", weights="none", image_size=32)
    with pytest.raises(Problem, match="another recipe"):
        Workspace(work.out, recipe_for(changed, "none", 10).record(changed)).load_training(NETWORK)
