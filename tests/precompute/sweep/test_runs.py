"""Which runs a sweep is: the rows of the paper's tables, samples, folders."""

import csv
import doctest
import re
import shlex
from importlib import resources
from pathlib import Path

import pytest

import precompute.sweep.runs
from precompute.messages.problem import Problem
from precompute.options import parse as parse_run
from precompute.sweep.options import parse
from precompute.sweep.runs import SweepRun, expand
from tests import ROOT


def runs_of(command: str) -> list[SweepRun]:
    return expand(parse(shlex.split(command)))


def names_of(command: str) -> list[str]:
    return [run.name for run in runs_of(command)]


@pytest.mark.parametrize("tables", ["1", "2", "4", "5", "6", "1,4,6", "2,5"])
def test_the_runs_cover_every_row_of_the_tables(tables):
    found = {
        (run.options.arch, run.options.data, run.options.labels or precompute.sweep.runs.LABELS[run.options.data])
        for run in runs_of(f"tables --tables {tables} --samples 2")
    }
    with (resources.files("store.paper") / "published.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["table"] in tables.split(",")]
    assert found == {(row["arch"], row["data"], int(row["labels"])) for row in rows}


def test_imagenet_needs_its_folder(tmp_path):
    with pytest.raises(Problem, match="--data imagenet needs --data-dir"):
        runs_of("tables --tables 3")
    (run,) = runs_of(f"tables --tables 3 --data-dir {tmp_path}")
    assert (run.options.arch, run.options.labels, run.options.data_dir) == ("efficientnet_b0", None, tmp_path)


def test_the_first_samples_come_first_and_each_has_its_own_labels():
    assert names_of("tables --tables 1,4 --samples 2 --labels 10,100 --recipe quick") == [
        "vgg16-cifar100-quick",  # all labels: named as the single run is, which has no choice of labels
        "vgg16-cifar100-10-quick",
        "vgg16-cifar100-quick-seed1",
        "vgg16-cifar100-10-quick-labels1-seed1",
    ]
    assert len(runs_of("tables --tables 1,4,6 --samples 5")) == 45
    assert names_of("runs --labels 3 --seeds 0,4 --label-seed 2") == [
        "vgg16-digits-3-labels2",
        "vgg16-digits-3-labels2-seed4",
    ]


def test_the_issues_other_form():
    named = "--arch vgg16 --data cifar100 --labels 10,20,40,60,100 --seeds 0..4"
    runs = runs_of(named)
    assert [run.name for run in runs] == names_of(f"runs {named}")
    assert len(runs) == 25
    assert {run.name for run in runs} == {run.name for run in runs_of("tables --tables 1,4 --samples 5")}


def test_a_run_is_a_command_that_makes_the_same_file():
    for run in runs_of(
        "tables --tables 4,6 --samples 2 --recipe quick --epochs 3 --layers 10 13 --afcc 10 --out-dir a/b"
    ):
        assert parse_run(list(run.arguments)) == run.options
        assert run.out == run.options.out == Path("a/b") / run.out.name
        assert (run.options.epochs, run.options.layers, run.options.afcc) == (3, ("10", "13"), ("10",))


def test_folders_of_several_data_sets():
    command = "runs --data cifar10,cifar100 --data-dir"
    runs = runs_of(f"{command} cifar10=x cifar100=y")
    assert [str(run.options.data_dir) for run in runs] == ["x", "y"]
    with pytest.raises(Problem, match="of which data set"):
        runs_of(f"{command} x")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("tables --tables 7", "Tables 1 to 6"),
        ("tables --tables one", "takes whole numbers"),
        ("tables --tables 1 --labels 20", "no row of these tables"),
        ("tables --samples 0", "must be at least 1"),
        ("tables --samples 2 --seeds 0..1", "give one of them"),
        ("runs --tables 1", "is for `python -m precompute.sweep tables`"),
        ("runs --seeds 4..0", "from the smaller to the larger"),
        ("runs --labels 11", "digits has 10 labels"),
        ("runs --arch vgg17", "unknown network"),
        ("runs --jobs 0", "must be at least 1"),
        ("runs --jobs 2 --ray local", "--cpus-per-run and --gpus-per-run"),
        ("runs --gpus-per-run 0.5", "is for --ray"),
        ("runs --ray local --gpus-per-run 1.5", "a part of one"),
        ("runs --ray local --cpus-per-run 0", "must be at least 1"),
        ("runs --ray local --retries -1", "must be at least 0"),
    ],
)
def test_what_cannot_be_meant_is_said(command, message):
    with pytest.raises(Problem, match=re.escape(message)):
        runs_of(command)


def test_the_commands_of_the_documentation_are_understood(tmp_path):
    text = (ROOT / "docs" / "cluster.md").read_text()
    commands = re.findall(r"python -m precompute\.sweep ([^`'\n]*--[^`'\n]*)", text)
    assert len(commands) == 4
    assert all(runs_of(command) for command in commands)


def test_docstrings_hold():
    assert doctest.testmod(precompute.sweep.runs) == (0, 1)
