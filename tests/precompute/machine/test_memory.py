"""What is free, where what a run keeps lies, and that the plan counts all of it."""

import doctest
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from precompute import plan
from precompute.images.augment import Images
from precompute.job import Todo, prepare
from precompute.machine import memory
from precompute.machine.memory import free_memory, is_lack_of_memory, places
from precompute.machine.stopping import Stopping
from precompute.messages import wording
from precompute.options import parse
from precompute.stages import DataOnDevice
from tests.image_folders import tiny, write_image_folder

GB = 1 << 30
MEMINFO = f"MemTotal: 99999999 kB\nMemAvailable: {8 * GB // 1024} kB\n"


@pytest.mark.parametrize("module", [memory, wording])
def test_the_examples_hold(module):
    assert doctest.testmod(module) == (0, doctest.testmod(module).attempted)
    assert doctest.testmod(module).attempted > 0


def machine(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def group(path: str, most: object, used: int, inactive: int = 0) -> dict[str, str]:
    where = f"sys/fs/cgroup/{path}"
    stat = f"anon 5\ninactive_file {inactive}\n"
    return {f"{where}/memory.max": f"{most}\n", f"{where}/memory.current": f"{used}\n", f"{where}/memory.stat": stat}


def old_group(path: str, most: int, used: int, inactive: int = 0) -> dict[str, str]:
    where = f"sys/fs/cgroup/memory/{path}"
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    stat = {f"{where}/memory.stat": f"total_inactive_file {inactive}\n"}
    return {f"{where}/{name}": f"{value}\n" for name, value in zip(names, (most, used), strict=True)} | stat


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("", {}, 8 * GB),
        ("0::/\n", {}, 8 * GB),
        ("0::/job/step\n", group("job/step", "max", 9 * GB), 8 * GB),
        ("0::/job/step\n", group("job/step", 4 * GB, GB), 3 * GB),
        ("0::/job/step\n", group("job/step", 4 * GB, 3 * GB, inactive=2 * GB), 3 * GB),
        ("0::/job/step\n", group("job/step", "max", GB) | group("job", 2 * GB, GB), GB),  # a group around it
        ("0::/job/step\n", group("job/step", 2 * GB, 3 * GB), 0),
        ("0::/on/the/machine\n", group("", 4 * GB, GB), 3 * GB),  # a container sees its own group only
        ("0::/job\n", group("unified/job", 4 * GB, GB), 3 * GB),  # beside version 1
        ("0::/a:b\n", group("a:b", 4 * GB, GB), 3 * GB),
        ("0::/job\n", group("other", 4 * GB, GB), 8 * GB),
        ("0::/job\n", {"sys/fs/cgroup/job/memory.max": "nonsense"}, 8 * GB),
        ("5:cpu,memory:/slurm/job\n0::/\n", old_group("slurm/job", 4 * GB, GB, GB // 2), 3 * GB + GB // 2),
        ("4:memory:/slurm/job\n", old_group("slurm/job", (1 << 63) - 4096, GB) | old_group("slurm", 2 * GB, GB), GB),
        ("4:memory:/docker/1\n", old_group("", 4 * GB, GB), 3 * GB),
        ("4:cpu:/job\n", old_group("job", 4 * GB, GB), 8 * GB),
        ("nonsense\n", group("", 4 * GB, GB) | old_group("", 4 * GB, GB), 8 * GB),
    ],
)
def test_a_control_groups_limit_is_a_limit(cgroup, files, expected, tmp_path):
    assert free_memory(machine(tmp_path, cgroup, files)) == expected


def test_without_proc_and_on_this_machine(tmp_path):
    assert free_memory(tmp_path) > 0
    assert 0 < free_memory() < 1 << 50


def test_one_half_of_what_is_free_serves_all():
    needs: Any = {name: {"device": 40, "memory": 40, "disk": 0} for name in ("train", "test", "activations")}
    for on_device, in_memory, expected in [
        (240, 0, ["device"] * 3),
        (239, 0, ["device", "device", "disk"]),
        (239, 80, ["device", "device", "memory"]),
        (79, 160, ["memory", "memory", "disk"]),
        (0, 0, ["disk"] * 3),
    ]:
        assert list(places(needs, {"device": on_device, "memory": in_memory}).values()) == expected
    assert places({"train": {"device": 40, "memory": 0}}, {"device": 70, "memory": 0}) == {"train": "memory"}


def test_what_counts_as_a_lack_of_memory():
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 58)
    for error in (refused.value, MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")):
        assert is_lack_of_memory(error)
    for other in (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), OSError("out of memory"), ValueError()):
        assert not is_lack_of_memory(other)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """20 training and 10 test images, as files."""
    monkeypatch.chdir(tmp_path)
    return write_image_folder(tmp_path / "images", "cifar10", tiny("cifar10", 2, 1))


def job_of(*more: str):
    command = "--arch timm:test_resnet --weights none --image-size 64 --layers layer4 --device cpu --out out/run.h5"
    return prepare(parse([*command.split(), *more]), Stopping())


IMAGE = 64 * 64 * 3


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (GB, {"train": "memory", "test": "memory", "activations": "memory"}),
        (2 * IMAGE * 20, {"train": "memory", "test": "disk", "activations": "disk"}),
        (0, {"train": "disk", "test": "disk", "activations": "disk"}),
    ],
)
def test_decoded_images_are_in_the_plan_and_where_it_says(free, expected, folder, monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda: free)
    job = job_of("--data", "folder", "--data-dir", str(folder), "--epochs", "1")
    made = plan.make_plan(job, job.todo(None))
    assert made.places == expected
    n_bytes = {"train": 20 * IMAGE, "test": 10 * IMAGE, "activations": made.activation_bytes}
    kept = {name: n_bytes[name] for name, place in expected.items() if place == "memory"}
    assert made.memory_bytes == made.peak_bytes + sum(kept.values())
    images = kept.get("train", 0) + kept.get("test", 0)
    for words, size in (("of it for images", images), ("of images on disk", 30 * IMAGE - images)):
        assert (words in made.text()) == (size > 0)
        assert not size or f"{size / 1e3:.0f} kB {words}" in made.text()
    data = DataOnDevice(job, made.places)
    files = [job.work.pixel_file(split) for split in ("train", "test")]
    assert [path.exists() for path in files] == [expected[split] == "disk" for split in ("train", "test")]
    for split, placed in ((job.data.train, data.train), (job.data.test, data.test)):
        assert isinstance(placed, Images) and isinstance(placed.pixels, torch.Tensor)
        assert (placed.pixels.numpy() == split.images.batch(slice(None))).all()


def test_files_of_a_single_pass_are_not_kept(folder):
    job = job_of("--data", "folder", "--data-dir", str(folder), "--epochs", "0")
    made = plan.make_plan(job, job.todo(None))
    assert made.places == {"activations": "memory"}
    assert made.memory_bytes == made.peak_bytes + made.activation_bytes
    assert DataOnDevice(job, made.places).train.pixels is job.data.train.images


def test_arrays_are_counted_once(folder, monkeypatch):
    """Those that have been read are in what the process has taken; those that a dry run leaves out are not yet."""
    job = job_of("--data", "digits", "--epochs", "0")
    made = plan.make_plan(job, job.todo(None))
    assert made.memory_bytes == made.peak_bytes + made.activation_bytes
    job = job_of("--data", "cifar10", "--epochs", "0", "--dry-run")
    made = plan.make_plan(job, job.todo(None))
    assert job.data is None
    assert made.memory_bytes == made.peak_bytes + made.activation_bytes + math.prod((60_000, 32, 32, 3))
    assert "184 MB of it for images" in made.text()


def test_images_of_a_gpu_share_its_memory_with_activations(folder, monkeypatch):
    """As `make_plan` has it for a GPU, of which a machine without one can say what it would do."""
    job = job_of("--data", "digits", "--epochs", "1")
    gpu = replace(job, device=replace(job.device, target=torch.device("cuda")))
    needs = plan._needs(gpu, 1000)
    images = {name: n * 32 * 32 * 3 for name, n in (("train", 1437), ("test", 360))}
    assert needs == {
        **{name: {"device": size, "memory": 0} for name, size in images.items()},
        "activations": {"device": 1000, "memory": 1000, "disk": 0},
    }
    found = places(needs, {"device": 2 * sum(images.values()), "memory": GB})
    assert found == {"train": "device", "test": "device", "activations": "memory"}
    made = plan.Plan(
        gpu,
        Todo([], [], [], [], False),
        steps_done=0,
        shapes={},
        places=found,
        train_step=1.0,
        pass_rate=1.0,
        probe_step={},
        network_bytes=0,
        peak_bytes=7,
    )
    assert made.memory_bytes == 7 + sum(images.values())
