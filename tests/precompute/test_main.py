"""`python -m precompute` as a person uses it: runs that end, that are stopped, and that go on.

What kills, full disks and many more stops do to a run is in `tests.trust`.
"""

import errno
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from precompute.disk import checkpoint
from precompute.machine.stopping import Stopped
from precompute.recipes import Schedule
from store.file.read import Run
from tests.commands import ENVIRONMENT, finish, made_in, processor_seconds, run_here, start
from tests.image_folders import tiny, write_image_folder
from tests.once import once

EPOCHS, STEPS_AN_EPOCH = 3, 4
GOING_ON = "going on with the network's training after"
pytestmark = pytest.mark.processes


def write_images(folder: Path) -> None:
    """40 training and 20 test images of CIFAR-10's labels, in a folder with an odd name."""
    write_image_folder(folder / "bilder größe", "cifar10", tiny("cifar10", 4, 2))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "some data", write_images)[0] / "bilder größe"


@pytest.fixture(scope="session")
def command(images: Path) -> list[str]:
    recipe = f"--arch vgg16 --data cifar10 --recipe quick --epochs {EPOCHS} --batch-size 10 --layers 10 13 --device cpu"
    return [*recipe.split(), "--data-dir", str(images), "--out", "my run.h5"]


@pytest.fixture(scope="module")
def small(images: Path) -> list[str]:
    """Of a network of 50,000 weights, where the network is not what a test is about."""
    recipe = f"--arch timm:test_efficientnet --weights none --image-size 32 --data cifar10 --epochs {EPOCHS}"
    options = "--batch-size 10 --layers blocks.2 blocks.4 --device cpu"
    return [*recipe.split(), *options.split(), "--data-dir", str(images), "--out", "my run.h5"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a test runs; the network's checkpoint is 120 MB and does not stay."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path / "my run.work", ignore_errors=True)


def content_sha256(folder: Path = Path()) -> str:
    with Run(folder / "my run.h5") as run:
        assert run.unfinished == []
        run.verify()
        return run.content_sha256


def content_of_layers() -> dict[str, bytes]:
    with Run("my run.h5") as run:
        return {name: layer.probe_weights.tobytes() for name, layer in run.layers.items()}


@pytest.fixture(scope="session")
def finished(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An undisturbed run: (its folder, what it printed)."""
    return once(tmp_path_factory, "undisturbed", lambda folder: finish(start(command, folder)))


@pytest.fixture(scope="module")
def small_finished(small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run of it."""
    return made_in(tmp_path_factory.mktemp("small"), small)


@pytest.fixture
def here(finished: tuple[Path, str], place: Path) -> Path:
    """A copy of the undisturbed run's file, and nothing beside it."""
    return Path(shutil.copy(finished[0] / "my run.h5", place / "my run.h5"))


@pytest.fixture
def run_main(capfd: pytest.CaptureFixture[str]) -> Callable[[list[str]], tuple[int, str, str]]:
    return lambda arguments: run_here(arguments, capfd)


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 600
    while not happened():
        assert process.poll() is None, f"it ended before it could be disturbed: {process.communicate()}"
        assert time.monotonic() < until
        time.sleep(0.01)


# To the end


def test_a_run_from_its_plan_to_its_table(finished):
    folder, printed = finished
    content_sha256(folder)
    assert sorted(path.name for path in folder.rglob("*")) == ["my run.h5", "my run.work", "network.ckpt"]
    for words in (
        "vgg16 on cifar10, 10 labels -> my run.h5",
        "recipe quick (epochs 3 instead of 25; batch_size 10 instead of 100; 40 + 20 images instead of 50000 + 10000), "
        "NOT THE PAPER'S",
        "1. train the network: 3 epochs of 40 images, batches of 10",
        "2. activations of 40 + 20 images, once for all layers",
        "3. a probe a layer: 40 epochs each",
        "layer 10: 512 filters of 2x2, 2048 weights an output",
        "4. field matrices of 1024 filters, 10 x 10 each",
        "network: 3 epochs, loss ",
        "recipe quick (not the paper's), 3 epochs, seed 0",
    ):
        assert words in printed
    assert re.search(r"^ *13 +512 +1x1 +512 ", printed, re.MULTILINE)
    assert "\r" not in printed  # a live line is for terminals
    with Run(folder / "my run.h5") as run:
        assert run.test_inputs.tolist() == [2] * 10
        assert run.manifest["planned_layers"] == ["10", "13"]


def test_the_file_is_as_large_as_planned(finished):
    folder, printed = finished
    number, unit = re.search(r"a file of about ([\d.]+) (MB|kB)", printed).groups()
    planned = float(number) * {"MB": 1e6, "kB": 1e3}[unit]
    assert planned == pytest.approx((folder / "my run.h5").stat().st_size, rel=0.1, abs=0.05e6)


def test_a_dry_run_says_the_same_and_makes_nothing(finished, command, place, run_main):
    status, printed, errors = run_main([*command, "--dry-run"])
    assert (status, errors) == (0, "")
    # Whose images are read already has them in what it takes as it is.
    durations = re.compile(r"about [\d.]+ (s|min|h|GB)|[\d]+ images/s|; [\d.]+ kB of it for images")
    plan = durations.sub("", printed)
    assert plan.strip().endswith("in all")
    assert len(plan.splitlines()) == 11
    assert plan in durations.sub("", finished[1])
    assert list(place.iterdir()) == []


def test_a_finished_run_is_left_alone(here, command, place, run_main):
    before = here.stat().st_mtime_ns, here.read_bytes()
    for arguments in (command, [*command, "--resume"]):
        status, printed, errors = run_main(arguments)
        assert (status, errors) == (0, "")
        assert "it is there already; --fresh makes it anew" in printed
        assert re.search(r"^ *13 +512 +1x1 +512 ", printed, re.MULTILINE)
    assert (here.stat().st_mtime_ns, here.read_bytes()) == before
    assert list(place.iterdir()) == [here]


def test_a_finished_run_takes_another_layer_and_afcc(finished, place, command, run_main):
    """What is asked for later is made from the network that was kept; what was there stays as it was."""
    shutil.copytree(finished[0], place, dirs_exist_ok=True)
    before = content_of_layers()
    more = [*command, "--layers", "9", "10", "13", "--afcc", "10", "--afcc-between", "9", "10"]
    status, printed, _ = run_main(more)
    assert status == 0
    assert "5. AFCC (layer 10, between 9 10)" in printed
    assert "1. the network is trained already (3 epochs)" in printed and "probed already: 10, 13" in printed
    assert re.findall(r"^   layer +(\w+): ", printed, re.MULTILINE) == ["9"]
    with Run("my run.h5") as run:
        assert list(run.layers) == ["9", "10", "13"]
        found = run.layers["10"].record["afcc"]
        between = run.manifest["afcc_between"]
    after = content_of_layers()
    assert {name: after[name] for name in before} == before
    clusters = found["masks"]["clusters"]
    assert 0 < clusters["kept"] < found["weights"] == 2048 * 10
    assert len(clusters["probe_trained"]) == len(clusters["network_trained"]) == 10
    assert [step["layers"] for step in between["masks"]["clusters"]] == [["9", "10"]]
    status, printed, _ = run_main(more)
    assert status == 0
    assert "it is there already" in printed


def test_a_dry_run_looks_at_what_is_there(here, command, run_main):
    status, printed, _ = run_main([*command, "--dry-run"])
    assert (status, "it is there already" in printed) == (0, True)
    status, printed, _ = run_main([*command, "--dry-run", "--fresh"])
    assert (status, "1. train the network: 3 epochs of 40 images" in printed) == (0, True)
    status, _, errors = run_main([*command, "--dry-run", "--seed", "1"])
    assert (status, "was made by another recipe (seed 0, now 1)" in errors) == (1, True)
    status, _, errors = run_main([*command, "--dry-run", "--afcc", "10"])
    assert (status, "the network that was trained for it is not" in errors) == (1, True)


def test_fresh_loses_nothing_before_there_is_something_to_lose_it_for(finished, place, command, run_main, monkeypatch):
    """Stopped while the plan is measured: all is as before, and the command that goes on is the same one."""
    shutil.copytree(finished[0], place, dirs_exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}

    def pressed(*_arguments: object) -> None:
        raise Stopped(signal.SIGINT)

    monkeypatch.setattr("precompute.plan.make_plan", pressed)
    status, _, errors = run_main([*command, "--fresh"])
    assert status == 130
    assert shlex.split(errors.splitlines()[-1]) == ["python", "-m", "precompute", *command, "--fresh"]
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()} == before


def test_fresh_that_is_stopped_in_its_training_goes_on_without_it(small_finished, place, small, run_main, monkeypatch):
    shutil.copytree(small_finished, place, dirs_exist_ok=True)
    result = Path("my run.h5").read_bytes()

    def pressed(*_arguments: object) -> None:
        raise Stopped(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr("precompute.stages.train_network", pressed)
        status, _, errors = run_main([*small, "--fresh"])
    assert status == 130
    assert shlex.split(errors.splitlines()[-1]) == ["python", "-m", "precompute", *small]
    assert Path("my run.work/replaced.h5").read_bytes() == result and not Path("my run.h5").exists()
    status, _, _ = run_main(small)
    assert status == 0
    assert content_sha256() == content_sha256(small_finished)
    assert [path.name for path in Path("my run.work").iterdir()] == ["network.ckpt"]


def test_without_its_network_a_run_takes_nothing_more(here, command, run_main):
    status, _, errors = run_main([*command, "--afcc", "10"])
    assert status == 1
    assert "the network that was trained for it is not" in errors


def test_fresh_makes_the_same_again_and_a_terminal_sees_a_live_line(finished, here, command, place):
    earlier = here.stat().st_ino
    terminal, other_end = pty.openpty()
    program = [sys.executable, "-m", "precompute", *command, "--fresh"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=other_end, cwd=place, env=ENVIRONMENT) as process:
        os.close(other_end)
        seen = b""
        while process.poll() is None or select.select([terminal], [], [], 0)[0]:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError:  # the other end is closed
                    break
        assert process.wait(300) == 0
    os.close(terminal)
    assert here.stat().st_ino != earlier
    assert content_sha256() == content_sha256(finished[0])
    assert re.search(rb"\r\x1b\[Knetwork: +\d+%, [\d.]+ \w+ left; epoch \d of 3", seen)
    assert re.search(rb"\r\x1b\[Knetwork: 3 epochs, loss", seen)


# Stopped, and on


def has_begun(place: Path) -> Callable[[], bool]:
    return (place / "my run.work" / "lock").exists


def has_checkpoint(place: Path) -> Callable[[], bool]:
    return (place / "my run.work" / "network.ckpt").exists


@pytest.mark.parametrize(
    ("number", "status", "moment"),
    [(signal.SIGTERM, 143, has_checkpoint), (signal.SIGINT, 130, has_begun)],
)
def test_a_stopped_run_says_how_to_go_on_and_does(number, status, moment, finished, command, place, run_main):
    process = start([*command, "--fresh"])
    wait_for(moment(place), process)
    asked, before = processor_seconds(process.pid), os.times()
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    after = os.times()
    whole = after.children_user + after.children_system - before.children_user - before.children_system
    assert whole - asked < 30  # seconds of the processor from the signal to the end, however busy the machine is
    assert process.returncode == status
    assert "Traceback" not in errors
    assert f"stopped ({number.name}). What is done is kept; the same command goes on:" in errors
    assert not list(place.rglob("*.tmp"))
    program, *arguments = shlex.split(errors.splitlines()[-1])
    assert (program, arguments) == ("python", ["-m", "precompute", *command])
    left = sorted(path.name for path in place.rglob("*"))
    assert left in ([], ["my run.work", "network.ckpt"])  # a busy machine notices late that it has begun
    assert left or moment is has_begun
    if left:
        status, printed, _ = run_main(arguments[2:])
        assert status == 0
        assert GOING_ON in printed
        assert content_sha256() == content_sha256(finished[0])
        with Run("my run.h5") as run:  # the duration is of the rest
            assert 0 < run.manifest["network"]["resumed_at_epoch"] <= EPOCHS
        with Run(finished[0] / "my run.h5") as run:
            assert "resumed_at_epoch" not in run.manifest["network"]


def test_two_processes_for_one_file(command, place, run_main):
    process = start(command)
    wait_for(has_begun(place), process)
    try:
        status, _, errors = run_main(command)
        assert (status, errors) == (
            1,
            "error: my run.h5 is being made by another process; wait for it, or name another --out\n",
        )
    finally:
        process.kill()
        process.communicate()


# Trouble on the way


def last_step_of_epoch(epoch: int) -> int:
    return epoch * STEPS_AN_EPOCH - 1


@pytest.mark.parametrize(
    "bad_step",
    [
        pytest.param(last_step_of_epoch(1) + 3, id="middle"),
        pytest.param(last_step_of_epoch(2), id="last"),
    ],
)
def test_what_is_not_finite_keeps_the_last_good_checkpoint(bad_step, small_finished, small, run_main, monkeypatch):
    """The learning rate explodes for one step. Where an epoch ends with it, the loss was still finite."""
    rate = Schedule.rate

    def explodes(schedule: Schedule, step: int, steps_an_epoch: int) -> float:
        return 1e30 if step == bad_step and schedule.epochs == EPOCHS else rate(schedule, step, steps_an_epoch)

    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "rate", explodes)
        status, _, errors = run_main(small)
    assert status == 1
    assert re.search("error: network: .* not finite any more in epoch 2", errors)
    assert not Path("my run.h5").exists()
    saved = checkpoint.load(Path("my run.work/network.ckpt"))["training"]
    assert saved["step"] == STEPS_AN_EPOCH
    assert all(torch.isfinite(tensor).all() for tensor in saved["model"].values())
    assert run_main(small)[0] == 0
    assert content_sha256() == content_sha256(small_finished)


def test_a_full_disk_keeps_the_last_checkpoint_and_the_same_command_goes_on(
    small_finished, small, run_main, monkeypatch
):
    real, calls = os.fsync, []

    def full_from_the_second_checkpoint_on(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 2:  # a file and its folder were written
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_from_the_second_checkpoint_on)
        status, _, errors = run_main(small)
    assert status == 1
    words = (
        "error: cannot write or read my run.work/network.ckpt: No space left on device: no space is left on that disk."
    )
    assert words in errors
    assert sorted(path.name for path in Path().rglob("*")) == ["my run.work", "network.ckpt"]
    assert f"{GOING_ON} 1 epoch and 0 steps" in run_main([*small, "--resume"])[1]
    assert content_sha256() == content_sha256(small_finished)
