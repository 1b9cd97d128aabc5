"""Several processes, as torchrun starts them, make what one makes."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from precompute.disk import checkpoint
from precompute.job import prepare
from precompute.machine.device import choose_device
from precompute.machine.distributed import World
from precompute.machine.stopping import Stopping
from precompute.messages.problem import Problem
from precompute.messages.wording import counted
from precompute.options import parse
from store.file.read import Run
from tests import ROOT
from tests.commands import ENVIRONMENT, run_here
from tests.image_folders import png, tiny, write_image_folder
from tests.precompute.machine import distributed_program as program

N = 3
LAYER = "layer4"
QUICK = f"--arch timm:test_resnet --weights none --image-size 32 --layers {LAYER} --device cpu"


def torchrun(n: int, module: str, arguments: list[str], folder: Path, **more: str) -> subprocess.Popen[str]:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n), "-m", module]
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)} | more
    pipe = subprocess.PIPE
    return subprocess.Popen([*start, *arguments], stdout=pipe, stderr=pipe, text=True, cwd=folder, env=environment)


def own_words(errors: str) -> list[str]:
    """What the run itself says of its end, without torchrun's report."""
    return re.findall(r"^(?:error|stopped).*", errors, re.MULTILINE)


# Parts


@pytest.mark.parametrize("n_inputs", [0, 1, 2, 7, 50, 501])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_every_input_belongs_to_one_process(n_inputs, size):
    worlds = [World(rank, size) for rank in range(size)]
    shares = [world.share(n_inputs) for world in worlds]
    for parts in (shares, worlds[0].shards(n_inputs, 5)):
        assert [row for part in parts for row in range(n_inputs)[part]] == list(range(n_inputs))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert all(world.shards(n_inputs, 5) == worlds[0].shards(n_inputs, 5) for world in worlds)
    batches = [-(-(shard.stop - shard.start) // 5) for shard in worlds[0].shards(n_inputs, 5)]
    assert batches == sorted(batches, reverse=True)  # the first process collects, so it must have the most
    assert max(batches) - min(batches) <= 1
    assert all(shard.start % 5 == 0 or shard.start == n_inputs for shard in worlds[0].shards(n_inputs, 5))


def test_alone_without_torchrun(monkeypatch):
    world = World.of_environment()
    assert (world.rank, world.size, world.is_first, world.several) == (0, 1, True, False)
    with world.connected("cpu"), world.in_turn(True), world.last_word() as is_mine:
        assert is_mine
        assert world.from_first(3) == 3
        assert world.any(True) and not world.any(False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # a cluster's scheduler sets it too
    assert not World.of_environment().several
    for name, value in (("RANK", "5"), ("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "2"), ("MASTER_ADDR", "localhost")):
        monkeypatch.setenv(name, value)
    world = World.of_environment()
    assert (world.rank, world.size, world.local_rank, world.local_size) == (5, 4, 1, 2)
    assert " ".join(world.command) == "torchrun --nnodes 2 --nproc-per-node 2 -m precompute"


def test_devices_of_several_processes():
    device = choose_device("cpu", World(1, 4, 1, 4))
    assert device.target == torch.device("cpu")
    assert device.description.startswith("4 processes, each on ")
    with pytest.raises(Problem, match="--device mps: is for one process"):
        choose_device("mps", World(1, 4, 1, 4))


def test_fewer_inputs_in_a_batch_than_processes(monkeypatch):
    command = "--arch vgg16 --data digits --batch-size 3 --device cpu"
    monkeypatch.setattr(World, "from_first", lambda world, value: value)
    prepare(parse(command.split()), Stopping(), World(0, 3))
    with pytest.raises(Problem, match="a batch of 3 for 4 processes: each needs one input at least; start fewer"):
        prepare(parse(command.split()), Stopping(), World(0, 4))


# What three processes compute


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for number in range(40):
        (folder / f"{number:02}.png").write_bytes(png(random.integers(0, 256, (20, 24, 3), dtype=np.uint8)))
    return folder


@pytest.fixture(scope="module")
def together(images: Path) -> list[dict]:
    """What each process has made."""
    errors = program.together(N, images)
    assert not [word for word in ("Traceback", "Warning", "exit status") if word in errors], errors
    return [torch.load(images / f"{rank} of {N}.pt") for rank in range(N)]


@pytest.fixture(scope="module")
def alone(images: Path, together: list[dict]) -> Iterator[dict]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield program.everything(World(), images)
    torch.set_num_threads(threads)


def assert_close(state: dict, other: dict) -> None:
    assert state["model"].keys() == other["model"].keys()
    for name, value in state["model"].items():
        torch.testing.assert_close(value, other["model"][name], rtol=1e-4, atol=1e-5, msg=partial("{}{}".format, name))
    for column, values in state["history"].items():
        assert values == pytest.approx(other["history"][column], rel=1e-4, nan_ok=True), column


def test_a_training_takes_the_same_steps(together, alone):
    """Convolutions, batch normalization of every kind, 16 or 17 inputs of a batch for each process."""
    assert alone["whole"]["step"] == 6
    for of_process in together:
        assert_close(of_process["whole"], alone["whole"])
    for name, value in together[0]["whole"]["model"].items():
        for other in together[1:]:
            assert torch.equal(value, other["whole"]["model"][name]), name


def test_the_trained_network_is_an_ordinary_one(together, alone):
    for made in together:
        for name, value in alone["used alone"].items():
            torch.testing.assert_close(made["used alone"][name], value, rtol=1e-3, atol=1e-4)


def test_the_comparison_can_fail(together, alone):
    """Had each process normalized its part of a batch by the part's own statistics, it would have been seen."""
    assert_close(alone["not synchronized"], alone["whole"])
    with pytest.raises(AssertionError):
        assert_close(together[0]["not synchronized"], alone["whole"])


def test_a_signal_to_one_process_stops_all_at_one_step_and_one_alone_goes_on(together, alone):
    assert [made["stopped"]["status"] for made in (alone, *together)] == [143] * (N + 1)
    assert [made["stopped"]["step"] for made in (alone, *together)] == [3] * (N + 1)
    assert [len(made["stopped"]["saved"]) for made in together] == [2, 0, 0]  # after the epoch, and when stopped
    gone_on = program.training(World())
    gone_on.restore(together[0]["stopped"]["saved"][-1])
    gone_on.run(Stopping())
    assert_close(gone_on.state(), alone["whole"])


def test_a_loss_that_is_not_finite_in_one_process_ends_all(together, alone):
    for made in (alone, *together):
        assert made["diverged"]["step"] == 3
        assert re.search("the loss is not finite any more in epoch 2", made["diverged"]["message"])


def test_a_pass_sees_every_input_once_and_gives_the_same_bits(together, alone):
    pairs = [*zip(together[0]["arrays"], alone["arrays"], strict=True)]
    for made, expected in (*pairs, (together[0]["files"]["passed"], alone["files"]["passed"])):
        assert made.keys() == expected.keys() == {"a", "b", "answers"}
        for name, value in expected.items():
            assert not value.isnan().any()
            assert torch.equal(made[name], value)
    assert [len(made["answers"]) for made, _ in pairs] == list(program.SIZES)
    for made in together:
        assert torch.equal(made["files"]["decoded"], alone["files"]["decoded"])


def test_what_is_agreed_on(together):
    assert {made["from first"] for made in together} == {"of 0"}
    assert [made["any"] for made in together] == [[True, True, False]] * N


@pytest.mark.skipif(sys.platform != "linux", reason="the threads of a process are read from /proc")
def test_nothing_of_the_group_is_left_when_they_part(together):
    """A thread that still lets go of a tensor while Python ends takes the process down (SIGABRT)."""
    for made in together:
        assert made["threads"]
        assert not made["threads left"]


# `torchrun ... -m precompute`


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path / "run.work", ignore_errors=True)


@pytest.mark.processes
def test_two_processes_make_the_file_that_one_makes(place, capfd):
    command = [*QUICK.split(), "--data", "digits", "--labels", "4", "--epochs", "0", "--out"]
    process = torchrun(2, "precompute", [*command, "two.h5"], place)
    out, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert out.count("in all about") == 1
    assert "(2 processes, each on " in out
    assert len(re.findall("^activations of the train images: ", errors, re.MULTILINE)) == 1
    assert run_here([*command, "one.h5"], capfd)[0] == 0
    with Run(place / "two.h5") as two, Run(place / "one.h5") as one:
        assert two.test_inputs.tolist() == one.test_inputs.tolist()
        assert np.array_equal(two.layers[LAYER].class_means, one.layers[LAYER].class_means)
        assert two.content_sha256 == one.content_sha256


@pytest.mark.processes
def test_two_processes_train_the_network_that_one_trains(place, capfd, monkeypatch):
    """But for rounding: what a batch is divided into, and the order of the sums.

    In float32 and few steps: this network's normalization makes a difference of 1e-7 one of 1e-2 in ten.
    """
    monkeypatch.setattr("precompute.machine.device._has_fast_bfloat16", lambda: False)
    command = [*QUICK.split(), "--data", "digits", "--labels", "4", "--epochs", "1", "--batch-size", "280", "--out"]
    process = torchrun(2, "precompute", [*command, "two.h5"], place, ONEDNN_MAX_CPU_ISA="AVX2")  # has no bfloat16
    out, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    if ", float32; " not in out:
        pytest.skip("this processor computes in bfloat16 in any case")
    assert run_here([*command, "one.h5"], capfd)[0] == 0

    with Run(place / "two.h5") as two, Run(place / "one.h5") as one:
        ours, theirs = two.layers[LAYER], one.layers[LAYER]
        for column, values in one.history(None).items():
            # An input or two in between.
            rounding: dict[str, Any] = {"abs": 0.01} if column.endswith("accuracy") else {"rel": 2e-3}
            assert two.history(None)[column] == pytest.approx(values, **rounding), column
        for made, alone in ((ours.class_means, theirs.class_means), (ours.probe_weights, theirs.probe_weights)):
            assert np.abs(made - alone).max() < 0.015 * np.abs(alone).max()  # 0.006; by each part's own statistics 0.03
        assert ours.record["test_accuracy"] == pytest.approx(theirs.record["test_accuracy"], abs=0.03)


@pytest.mark.processes
def test_two_processes_train_are_stopped_and_one_goes_on(place, capfd):
    write_image_folder(place / "images", "cifar10", tiny("cifar10", 4, 2))
    recipe = "--data cifar10 --data-dir images --epochs 60 --batch-size 9 --out run.h5"
    command = [*QUICK.split(), *recipe.split()]
    process = torchrun(2, "precompute", command, place)
    until = time.monotonic() + 600
    while not (place / "run.work" / "network.ckpt").exists():
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    assert process.returncode != 0
    assert own_words(errors) == ["stopped (SIGTERM). What is done is kept; the same command goes on:"]
    torchruns = next(line for line in errors.splitlines() if line.startswith("  torchrun "))
    assert shlex.split(torchruns) == ["torchrun", "--nproc-per-node", "2", "-m", "precompute", *command]
    saved = checkpoint.load(place / "run.work" / "network.ckpt")["training"]
    assert not any(name.startswith("module.") for name in saved["model"])
    assert 4 <= saved["step"] < 60 * 4
    status, printed, _ = run_here([*command, "--resume"], capfd)
    assert status == 0
    epochs, steps = divmod(saved["step"], 4)
    assert (
        f"going on with the network's training after {counted(epochs, 'epoch')} and {counted(steps, 'step')}" in printed
    )


@pytest.mark.processes
def test_a_problem_of_one_process_is_said_once_and_ends_all(place):
    folder = write_image_folder(place / "images", "cifar10", tiny("cifar10", 2, 1))
    last = sorted((folder / "train").rglob("*.png"))[-1]
    last.write_bytes(last.read_bytes()[:40])
    command = [*QUICK.split(), "--data", "folder", "--data-dir", "images", "--epochs", "1", "--out", "run.h5"]
    process = torchrun(2, "precompute", command, place)
    _, errors = process.communicate(timeout=600)
    assert process.returncode != 0
    assert [words[:30] for words in own_words(errors)] == [f"error: {last.relative_to(place)}"[:30]]
    assert not list(place.rglob("*.h5"))
