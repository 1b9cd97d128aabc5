"""Bad input ends with a non-zero status and one clear message, and changes nothing on disk."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from precompute.__main__ import main
from precompute.networks.models import find_arch
from precompute.options import Options
from store.file.write import write_run
from tests.builders import small_run
from tests.commands import ENVIRONMENT, run_here
from tests.image_folders import WRITERS, tiny, write_image_folder

BASIC = ["--arch", "vgg16", "--data", "cifar10", "--recipe", "quick", "--device", "cpu", "--out", "out/run.h5"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_folder(tmp_path_factory.mktemp("data"), "cifar10", tiny("cifar10"))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(place: Path, images: Path, capfd: pytest.CaptureFixture[str]):
    """The message that the command ends with."""

    def contents() -> dict[str, bytes]:
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in place.rglob("*")}

    def call(*arguments: object) -> str:
        given = [] if "--data-dir" in arguments else ["--data-dir", str(images)]
        before = contents()
        status, _, errors = run_here([*BASIC, *given, *map(str, arguments)], capfd)
        assert status == 1
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1
        assert contents() == before
        return errors.removeprefix("error: ").rstrip("\n")

    return call


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--arch", "vgg17"], "--arch vgg17: unknown network"),
        (["--data", "cifar1000"], "--data cifar1000: unknown data set"),
        (["--layers", "10", "14", "pool"], "--layers 14 pool: vgg16 has layers 1, 2, 3,"),
        (["--layers", "10,14"], "--layers 14: vgg16 has layers 1, 2, 3,"),
        (["--features", "9"], "--features 9: not probed in this run; its layers are 2, 4, 7, 10, 13"),
        (["--layers", "10", "--features", "13"], "--features 13: not probed in this run; its layers are 10"),
        (["--labels", "1"], "--labels 1: a network needs at least 2 labels"),
        (["--labels", "11"], "--labels 11: cifar10 has 10 labels"),
        (["--labels", "101", "--data", "cifar100", "--dry-run"], "--labels 101: cifar100 has 100 labels"),
        (["--labels", "11", "--data", "cifar10", "--dry-run"], "--labels 11: cifar10 has 10 labels"),
        (["--epochs", "-1"], "--epochs -1: must be at least 0"),
        (["--batch-size", "1"], "--batch-size 1: must be at least 2"),
        (["--resume"], "--resume: there is nothing at out/run.h5 to go on from; leave it out to start"),
        (["--resume", "--fresh"], "give one of them"),
        (["--data-dir", "none"], "--data-dir none: no such folder"),
        (["--data-dir", "none", "--dry-run"], "--data-dir none: no such folder"),
        (["--data-dir", "out"], "--data-dir out: the folder is empty"),
        (["--out", "out"], "--out out: is a folder; name a file in it"),
    ],
)
def test_options(arguments, words, refused):
    if "cifar100" in arguments:  # counted before anything is downloaded
        arguments = [*arguments, "--data-dir", write_image_folder(Path("out"), "cifar100", tiny("cifar100", 1, 1))]
    assert words in refused(*arguments)


def test_a_device_that_is_not_there(refused):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert refused("--device", "cuda").startswith("--device cuda: this machine, or this build of torch, has none")


@pytest.mark.parametrize("form", WRITERS)
def test_a_half_filled_folder(form, refused):
    folder = WRITERS[form](Path("mine"), "cifar10", tiny("cifar10"))
    last = sorted(path for path in folder.rglob("*") if path.is_file())[0]
    last.write_bytes(last.read_bytes()[:-300])
    assert str(last) in refused("--data-dir", folder)
    last.unlink()
    assert "half" in refused("--data-dir", folder)


def test_a_result_of_another_recipe(refused):
    write_run(Path("out/run.h5"), small_run())
    assert "out/run.h5 was made by another recipe" in refused()
    assert refused("--resume").endswith("Name another --out, or replace it with --fresh")


@pytest.mark.parametrize("content", [b"", b"not a result at all", None])
def test_a_damaged_result(content, refused):
    out = Path("out/run.h5")
    write_run(out, small_run())
    out.write_bytes(out.read_bytes()[:-200] if content is None else content)
    assert refused().startswith("out/run.h5: ")
    assert refused().endswith("Name another --out, or replace it with --fresh")


def test_a_damaged_checkpoint(refused, monkeypatch):
    monkeypatch.setattr("precompute.plan.make_plan", lambda *_: pytest.fail("it was measured"))
    Path("out/run.work").mkdir()
    Path("out/run.work/network.ckpt").write_bytes(b"filterscope checkpoint 1\n" + bytes(100))
    text = refused()
    assert text.startswith("out/run.work/network.ckpt: the checkpoint is damaged")
    assert text.endswith("start anew with --fresh")


def test_an_output_that_is_a_folder(refused):
    Path("out/run.h5").mkdir()
    assert refused() == "--out out/run.h5: is a folder; name a file in it"
    assert refused("--out", "out/run") == "cannot write or read out/run.h5: Is a directory"


@pytest.mark.parametrize("out", ["file/run.h5", "file/deeper/run.h5", "/proc/run.h5"])
def test_a_place_where_nothing_can_be_written(out, refused):
    if out.startswith("/proc") and not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    Path("file").touch()
    assert refused("--out", out).startswith(f"cannot write or read {out.removesuffix('/run.h5')}")


def test_a_folder_without_permission(refused):
    Path("closed").mkdir()
    Path("closed").chmod(0o500)
    if os.access("closed", os.W_OK):
        pytest.skip("this user may write everywhere")
    assert refused("--out", "closed/run.h5") == "cannot write or read closed/run.work: Permission denied"


def test_the_real_command_says_it_as_well():
    command = [sys.executable, "-m", "precompute", *BASIC, "--data-dir", "none"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: --data-dir none: no such folder\n")


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_weights_that_do_not_fit_are_found_before_anything_is_measured(more, refused, monkeypatch):
    monkeypatch.setattr("precompute.plan.make_plan", lambda *_: pytest.fail("it was measured"))
    torch.save(find_arch(Options(arch="vgg16")).build(5).state_dict(), "out/vgg.pt")
    resnet = ["--arch", "timm:test_resnet", "--image-size", "32", *more]
    assert refused(*resnet, "--checkpoint", "out/vgg.pt").startswith("out/vgg.pt: these weights do not fit")
    assert refused(*resnet, "--weights", "out/vgg.pt").startswith("out/vgg.pt: these weights do not fit")
    damaged = Path("out/damaged.pt")
    damaged.write_bytes(Path("out/vgg.pt").read_bytes()[:-500])
    assert refused("--checkpoint", damaged).startswith("out/damaged.pt: no weights that can be read safely: ")


def test_a_hub_that_is_not_reached_is_found_before_anything_is_measured(place, images, capfd, monkeypatch):
    monkeypatch.setattr("precompute.plan.make_plan", lambda *_: pytest.fail("it was measured"))

    def cut(*_arguments: object, **_more: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("timm.models._hub.hf_hub_download", cut)
    resnet = [*BASIC, "--data-dir", str(images), "--arch", "timm:resnet18", "--image-size", "32"]
    status, _, errors = run_here(resnet, capfd)
    assert status == 1
    assert "the pretrained weights of timm:resnet18 could not be had from the hub" in errors
    assert list(place.rglob("*.work")) == []


@pytest.mark.parametrize(
    ("lack", "words"),
    [
        (lambda *_: torch.empty(1 << 58), "can't allocate memory"),
        (lambda *_: np.empty(1 << 58, np.uint8), "Unable to allocate"),
        (lambda *_: bytearray(1 << 62), "memory does not suffice (MemoryError). What is done is kept."),
    ],
)
def test_too_little_memory(lack, words, refused, monkeypatch):
    """What torch and numpy say of it, and what to do."""
    monkeypatch.setattr("precompute.cli.run", lack)
    message = refused()
    for expected in ("memory does not suffice (", words, "fewer --layers", "--batch-size"):
        assert expected in message


def test_too_little_memory_of_a_gpu(refused, monkeypatch):
    def lack(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has a total of 8 GiB")

    monkeypatch.setattr("precompute.cli.run", lack)
    assert "(CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total of 8 GiB)" in refused()


def test_an_error_of_the_program_itself_is_not_dressed_up(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["precompute", *BASIC])
    monkeypatch.setattr("precompute.cli.run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main()
