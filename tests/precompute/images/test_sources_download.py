"""A download fills the folder wholly or not at all, and the university's server is asked where the hub fails."""

import inspect
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
import torchvision

from precompute.images import data, outline
from precompute.machine.stopping import Stopped
from precompute.messages.problem import Problem
from precompute.options import Options
from tests.image_folders import NAMES, parquet_frame, tiny, write_pickles

KINDS = {"cifar10": torchvision.datasets.CIFAR10, "cifar100": torchvision.datasets.CIFAR100}
HUB = {
    "cifar10": "hf://datasets/uoft-cs/cifar10/plain_text/{}-*.parquet",
    "cifar100": "hf://datasets/uoft-cs/cifar100/cifar100/{}-*.parquet",
}


class Servers(NamedTuple):
    """Stand-ins; each entry of `fail` is raised where its part is asked for."""

    asked: list[str]
    fail: dict[str, BaseException]


@pytest.fixture(params=["cifar10", "cifar100"])
def name(request):
    return request.param


@pytest.fixture
def servers(name, tmp_path, monkeypatch):
    servers, real_read = Servers([], {}), pl.read_parquet

    def read_parquet(source, columns=None, **options):
        if not str(source).startswith("hf://"):
            return real_read(source, columns=columns, **options)
        split = next(split for split in ("train", "test") if source == HUB[name].format(split))
        servers.asked.append(f"hub's {split}")
        if split in servers.fail:
            raise servers.fail[split]
        return parquet_frame(name, *tiny(name)[split]).select(columns)

    def university(root, download):
        assert download is True
        servers.asked.append("university")
        Path(root, "archive.tar.gz").write_bytes(b"a part of it")
        if "university" in servers.fail:
            raise servers.fail["university"]
        write_pickles(Path(root), name, tiny(name))

    monkeypatch.setattr(pl, "read_parquet", read_parquet)
    monkeypatch.setattr(torchvision.datasets, KINDS[name].__name__, university)
    monkeypatch.chdir(tmp_path)
    return servers


def load(name: str) -> data.DataSet:
    return data.load(Options(arch="vgg16", data=name))


def test_the_stand_in_is_called_as_torchvision_can_be(name):
    given = inspect.signature(KINDS[name]).bind("a folder", download=True)
    assert given.arguments == {"root": "a folder", "download": True}


def test_from_the_hub_and_only_once(name, servers):
    first = load(name)
    assert first.source == "parquet"
    np.testing.assert_array_equal(first.train.images, tiny(name)["train"][0])
    np.testing.assert_array_equal(first.test.labels, tiny(name)["test"][1])
    assert servers.asked == ["hub's train", "hub's test"]
    assert load(name).train.sha256() == first.train.sha256()
    assert servers.asked == ["hub's train", "hub's test"]


HUB_FAILURES = [pl.exceptions.ComputeError("error sending request"), OSError("Connection refused")]


@pytest.mark.parametrize("failure", HUB_FAILURES, ids=["polars", "system"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_where_the_hub_fails_the_university_is_asked(name, split, failure, servers, capsys):
    servers.fail[split] = failure
    made = load(name)
    assert made.source == "torchvision's pickles"
    np.testing.assert_array_equal(made.train.images, tiny(name)["train"][0])
    assert servers.asked[-1] == "university"
    assert f"the hub does not answer ({failure}); trying torchvision's own download" in capsys.readouterr().out
    assert not list(Path("data").rglob("*.parquet"))  # the hub's half


def test_where_both_fail_the_message_names_both_and_nothing_stays(name, servers):
    servers.fail["test"] = pl.exceptions.ComputeError("no\nroute")
    servers.fail["university"] = RuntimeError("File not found or corrupted.")
    with pytest.raises(Problem) as problem:
        load(name)
    text = str(problem.value)
    assert text.startswith(
        f"{name} could not be downloaded: the hub said 'no route', the university's server 'File not"
    )
    assert text.endswith("into a folder and name it with --data-dir")
    assert [path for path in Path("data").rglob("*") if path.is_file()] == []
    servers.fail.clear()
    assert load(name).source == "parquet"  # the next start does not believe that the folder is filled


@pytest.mark.parametrize("split", ["train", "test", "university"])
def test_a_stop_in_the_middle_leaves_nothing(name, split, servers):
    if split == "university":
        servers.fail["test"] = OSError("down")
    servers.fail[split] = Stopped(15)
    with pytest.raises(Stopped):
        load(name)
    assert list((Path("data") / name).iterdir()) == []


def test_what_a_killed_download_left_does_not_count(name, servers):
    left = Path("data") / name / ".download-x7k2" / "parquet"
    left.mkdir(parents=True)
    (left / "train.parquet").write_bytes(b"PAR1")
    assert not outline.is_here(Options(arch="vgg16", data=name))
    assert load(name).source == "parquet"
    assert len(servers.asked) == 2


def test_the_folder_may_be_a_link(name, servers, tmp_path):
    (tmp_path / "large disk").mkdir()
    Path("data").mkdir()
    (Path("data") / name).symlink_to(tmp_path / "large disk")
    load(name)
    assert [path.name for path in (tmp_path / "large disk").iterdir()] == ["parquet"]


def test_a_folder_named_by_the_person_is_never_filled(name, servers, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(Problem, match="the folder is empty"):
        data.load(Options(arch="vgg16", data=name, data_dir=tmp_path / "mine"))
    assert servers.asked == []


def test_a_plan_downloads_nothing(name, servers):
    options = Options(arch="vgg16", data=name, labels=4)
    assert not outline.is_here(options)
    found = outline.outline(options)
    assert (found.sizes.train, found.source) == (4 * 50_000 // len(NAMES[name]), "still to be downloaded")
    assert servers.asked == []
