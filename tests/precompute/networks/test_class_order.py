"""Which output is which label's: natural order, plain order, or by name; and what tells that it is the wrong one."""

import argparse
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timm.utils.misc import natural_key as timms_key

from precompute.messages.problem import Problem
from precompute.networks import class_order
from precompute.networks.class_order import head_order

TWELVE = [str(number) for number in range(12)]
FOLDERS = sorted(TWELVE)  # as this program, and torchvision, read them: 0, 1, 10, 11, 2, ...


def outputs(asked=None, labels=FOLDERS, named=(), trainer="", folders=True):
    return head_order(asked and str(asked), labels, named, trainer, folders).outputs


def said(asked=None, labels=FOLDERS, named=(), trainer="", folders=True):
    return head_order(asked, labels, named, trainer, folders).said


def test_natural_order_gives_each_label_the_output_of_its_number():
    expected = tuple(int(label) for label in FOLDERS)
    assert outputs("natural") == outputs(trainer="timm") == expected
    assert outputs("plain") == outputs() == outputs(trainer="filterscope") == tuple(range(12))
    assert outputs("plain", trainer="timm") == tuple(range(12))


def test_what_was_taken_is_said_where_the_orders_differ_and_nothing_where_they_do_not():
    assert said(trainer="timm") == "natural, as timm's training script sorts folders"
    assert said().startswith("plain, as torchvision sorts folders; --class-order natural where")
    assert said(trainer="filterscope").startswith("plain, as this program sorts folders")
    assert said(labels=["cat", "dog"], trainer="timm") == ""
    assert said(trainer="timm", folders=False) == ""


def test_imagenets_labels_by_number_are_in_natural_order():
    labels = sorted(str(number) for number in range(1000))
    assert outputs(labels=labels) == tuple(int(label) for label in labels)


@given(st.lists(st.text("aB1029_ ", min_size=1, max_size=5), min_size=2, max_size=9, unique_by=str.lower))
def test_the_natural_order_is_timms(names):
    assert sorted(names, key=class_order.natural_key) == sorted(names, key=timms_key)


def test_the_files_own_names_win_over_guesses_and_not_over_what_is_asked_for():
    named = tuple(reversed(TWELVE))
    assert outputs(named=named, trainer="timm") == tuple(11 - int(label) for label in FOLDERS)
    assert said(named=named) == "by name: the weights' file names its outputs"
    assert outputs("natural", named=named) == tuple(int(label) for label in FOLDERS)
    with pytest.raises(
        Problem, match=r"names its outputs: 12 labels \(0, 1, .*of which a, b is none of them; --class-"
    ):
        outputs(labels=["a", "b"], named=TWELVE)


IN_ORDER = ("cat", "ant", "bee")


@pytest.mark.parametrize(
    "loaded",
    [
        {"class_to_idx": {"ant": 1, "bee": 2, "cat": 0}},
        {"label2id": {"ant": 1, "bee": 2, "cat": 0}},
        {"label_names": list(IN_ORDER)},
        {"args": argparse.Namespace(classes=IN_ORDER)},
        {"hyper_parameters": {"class_names": IN_ORDER}},
        {"config": {"id2label": {"0": "cat", "1": "ant", "2": "bee"}}},
        {"meta": {"idx_to_class": {2: "bee", 0: "cat", 1: "ant"}}},
    ],
)
def test_labels_as_a_training_checkpoint_tells_them(loaded):
    assert class_order.labels_of(loaded | {"state_dict": {}}) == IN_ORDER


@pytest.mark.parametrize(
    "loaded",
    [
        {}, [], {"classes": 12}, {"classes": ["a", 3]}, {"class_to_idx": {"a": 0, "b": 2}},
        {"class_to_idx": {"a": "x"}}, {"id2label": {"0": "a", "zero": "b"}}, {"class_to_idx": {"a": 0, "b": 0}},
        {"class_names": []},
    ],
)  # fmt: skip
def test_what_tells_no_order_gives_none(loaded):
    assert class_order.labels_of(loaded) == ()


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"id2label": {"0": "cat", "1": "ant", "2": "bee"}, "label2id": {"cat": 0, "ant": 1, "bee": 2}}, IN_ORDER),
        ({"architecture": "resnet18", "pretrained_cfg": {"label_names": list(IN_ORDER)}}, IN_ORDER),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}, ()),
        ({"architectures": ["x"]}, ()),
        ([1], ()),
    ],
)
def test_labels_as_a_config_beside_the_weights_tells_them(content, names, tmp_path):
    assert class_order.labels_beside(tmp_path / "model.safetensors") == ()
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert class_order.labels_beside(tmp_path / "model.safetensors") == names
    (tmp_path / "config.json").write_bytes(b"\xff{")
    assert class_order.labels_beside(tmp_path / "model.safetensors") == ()


@pytest.mark.parametrize(
    ("loaded", "trainer"),
    [
        ({"epoch": 1, "arch": "resnet18", "state_dict": {}, "args": argparse.Namespace()}, "timm"),
        ({"state_dict": {}, "state_dict_ema": {}}, "timm"),
        ({"recipe": {}, "training": {}}, "filterscope"),
        ({"model": {}, "optimizer": {}, "epoch": 1}, ""),
        ({"state_dict": {}, "epoch": 1, "pytorch-lightning_version": "2"}, ""),
        ([], ""),
    ],
)
def test_who_has_trained_it(loaded, trainer):
    assert class_order.trainer_of(loaded) == trainer


@pytest.mark.parametrize(
    "text",
    ["cat\nant\nbee\n", "\ufeffcat\r\nant\r\n\r\nbee", json.dumps(IN_ORDER), '{"cat": 0, "ant": 1, "bee": 2}',
     '{"0": "cat", "1": "ant", "2": "bee"}'],
)  # fmt: skip
def test_a_file_of_names(text, tmp_path):
    (tmp_path / "names.txt").write_text(text, "utf-8", newline="")
    assert class_order.read_names(tmp_path / "names.txt") == IN_ORDER
    assert outputs(tmp_path / "names.txt", labels=["ant", "bee", "cat"]) == (1, 2, 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"cat\n", "expected at least 2 names, each once"),
        (b"cat\ncat\n", "expected at least 2 names, each once"),
        (b'{"a": 0, "b": 5}', "expected at least 2 names"),
        (b"[1, 2", "neither names, one a line, nor JSON"),
        (b"\xff\xfe\x00", "neither names, one a line, nor JSON"),
    ],
)
def test_a_file_that_names_no_order_is_refused(content, words, tmp_path):
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(Problem, match=words):
        outputs(tmp_path / "names.txt")


def test_a_file_that_is_not_there_and_one_of_other_names(tmp_path):
    with pytest.raises(Problem, match="no such file; there are natural, plain, or a file of names"):
        outputs("reverse")
    (tmp_path / "names.txt").write_text("cat\nant\nbee\n")
    with pytest.raises(
        Problem, match=r"--class-order names.txt: 3 labels \(cat, ant, bee\), the data has 2, of which .*dog"
    ):
        outputs(tmp_path / "names.txt", labels=["cat", "dog"])


# Outputs in another order


def rolled(accuracy: float, n_labels: int = 12, n_inputs: int = 600, turn: int = 1):
    """Labels, and answers that are right so often when the outputs are turned back."""
    draw = np.random.default_rng(3)
    labels = draw.integers(0, n_labels, n_inputs)
    right = draw.random(n_inputs) < accuracy
    answers = np.where(right, labels, draw.integers(0, n_labels, n_inputs))
    return labels, (answers + turn) % n_labels


def test_outputs_that_another_order_would_lift_above_twice_their_accuracy_are_called_out(capsys):
    labels, answers = rolled(0.7)
    lifted = class_order.permuted(labels, answers, 12)["permuted_test_accuracy"]
    assert lifted == pytest.approx(np.mean(labels == (answers - 1) % 12))
    told = capsys.readouterr().out
    assert told.startswith("WARNING: the network's own test accuracy is 0.0")
    assert "--class-order natural, plain or FILE" in told


@pytest.mark.parametrize(
    "case",
    [rolled(0.7, turn=0), rolled(0.0), rolled(0.0, n_inputs=20), rolled(0.45, turn=0), rolled(1.0, n_labels=2, turn=0)],
)
def test_a_network_that_is_merely_bad_is_not(case, capsys):
    labels, answers = case
    assert class_order.permuted(labels, answers, int(labels.max()) + 1) == {}
    assert capsys.readouterr().out == ""
