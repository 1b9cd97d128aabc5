"""Parts by the names of files, and labels by number or by name: what does not go together is refused."""

from pathlib import Path

import numpy as np
import pytest

from precompute.images.encoded import Encoded
from precompute.images.stored.found import WHOLE, Part, StoredSet, as_labelled, by_part, join, part_of
from precompute.messages.problem import Problem
from tests.image_trees import message

HERE = Path("here")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train-00000-of-00002.parquet", "train"),
        ("data/test-00000-of-00001.parquet", "test"),
        ("default/validation/0000.parquet", "validation"),
        ("my train [1].parquet", "train"),
        ("training_set.npz", "train"),
        ("imagenet-val-000123.tar", "val"),
        ("cifar_Test.npz", "test"),
        ("traindata.npz", "train"),
        ("shard-000000.tar", WHOLE),
        ("contest.npz", "test"),  # nothing else in it tells
        ("test/train-0.tar", "train"),  # the file's own name comes first
    ],
)
def test_which_part_a_file_holds(name, part):
    assert part_of(HERE / name, HERE) == part


def test_a_file_that_says_nothing_beside_others_that_do():
    files = [HERE / name for name in ("a.tar", "b.tar")]
    assert by_part(files, HERE) == {WHOLE: files}
    with pytest.raises(Problem, match=r"here/a.tar: says in its name neither train nor test, .*\(test, train\)"):
        by_part([*files, HERE / "train.tar", HERE / "test.tar"], HERE)


def part(labels, first: int = 0) -> Part:
    images: list[Encoded] = [HERE / f"{first + row}.png" for row in range(len(labels))]
    return Part(images, labels if labels and isinstance(labels[0], str) else np.array(labels, np.int64))


def found(names=None, **parts) -> StoredSet:
    made = {name: part(labels, 100 * k) for k, (name, labels) in enumerate(parts.items())}
    return StoredSet("a form", made, names)


def numbers(labelled) -> list[tuple[str, int]]:
    images, labels = labelled
    return [(image.name, label) for image, label in zip(images, labels.tolist(), strict=True)]


def test_images_come_label_by_label_in_the_order_of_the_files_names():
    read = as_labelled(found(["b", "a"], train=[1, 0, 1], test=[1, 0]), HERE, 0)
    assert read.label_names == ["b", "a"]
    assert numbers(read.train) == [("1.png", 0), ("0.png", 1), ("2.png", 1)]
    assert numbers(read.test) == [("101.png", 0), ("100.png", 1)]


def test_numbers_without_names_are_named_by_themselves_in_their_order():
    read = as_labelled(found(train=[10, 2, 7], test=[7, 10, 2]), HERE, 0)
    assert read.label_names == ["2", "7", "10"]


def test_names_in_place_of_numbers_come_by_letter():
    read = as_labelled(found(train=["cat", "ant"], test=["ant", "cat"]), HERE, 0)
    assert read.label_names == ["ant", "cat"]
    assert numbers(read.train) == [("1.png", 0), ("0.png", 1)]


def test_a_part_whose_inputs_have_no_labels_does_not_test():
    """As the test images of a contest."""
    read = as_labelled(found(train=[0, 1], test=[-1, -1], validation=[0, 1]), HERE, 0)
    assert read.form == "a form, train and validation; not used: test with 2 images"


def test_names_of_labels_without_any_image_are_left_out_and_counted():
    read = as_labelled(found(["a", "b", "c"], train=[0, 2], test=[2, 0]), HERE, 0)
    assert read.label_names == ["a", "c"]
    assert read.form == "a form, train and test; 1 label without images left out"


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (found(["a", "b"], train=[0, 1], test=[0, 0]), "its part test has no images of label b"),
        (found(train=[0, 1], test=[0, 1, 2]), "its part train has no images of label 2"),
        (found(train=[0, 0]), "images of 1 label; expected 2 to"),
        (found(train=[0, -1], test=[0, 1]), "here/1.png: has the label -1, which means that it has none"),
        (found(["a", "b"], train=[0, 1, 2]), r"has a label 2, and names of 2 only \(a, b\)"),
        (found(test=[0, 1], val=[0, 1]), "a form of test, val, and none of train"),
        (found(["a", ""], train=[0, 0, 1, 1]), "the label's name is the label's; rename"),
        (found(train=[0, 1]), "the only image of '0'"),
    ],
)
def test_what_is_no_data_set_is_refused(read, words):
    with pytest.raises(Problem, match=words) as problem:
        as_labelled(read, HERE, 0)
    assert message(problem.value).startswith("here")


def test_files_with_numbers_and_files_with_names_are_not_mixed():
    assert list(join([part([1]), part([0, 2])]).labels) == [1, 0, 2]
    assert join([part(["a"]), part(["b"])]).labels == ["a", "b"]
    with pytest.raises(Problem, match="labels are names in some files of the data set and numbers in others"):
        join([part([1]), part(["b"])])
