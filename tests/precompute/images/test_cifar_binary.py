"""CIFAR's binary version, as the university's archives have it: the images and labels of the other versions."""

import numpy as np
import pytest

from precompute.messages.problem import Problem
from tests.image_folders import NAMES, read_folder, tiny

PLACES = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
NAME_FILES = {"cifar10": "batches.meta.txt", "cifar100": "fine_label_names.txt"}


def write(folder, name: str, order=None):
    """order: our label -> the number that the file gives it."""
    place = folder / PLACES[name]
    place.mkdir(parents=True)
    order = np.arange(len(NAMES[name])) if order is None else order
    for split, (images, labels) in tiny(name).items():
        rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)  # all red values, all green, all blue
        labels_there = order[labels].astype(np.uint8)
        columns = [labels_there[:, None]] if name == "cifar10" else [(labels // 5)[:, None], labels_there[:, None]]
        records = np.concatenate([*columns, rows], axis=1).astype(np.uint8)
        stems = {"cifar100": [split], "cifar10": [f"data_batch_{k}" for k in range(1, 6)]}[name]
        for stem, part in zip(
            *(
                [["test_batch"], [records]]
                if (name, split) == ("cifar10", "test")
                else [stems, np.array_split(records, len(stems))]
            ),
            strict=True,
        ):
            (place / f"{stem}.bin").write_bytes(part.tobytes())
    names = [label for _, label in sorted(zip(order.tolist(), NAMES[name], strict=True))]
    (place / NAME_FILES[name]).write_text("\n".join(names) + "\n\n")
    return folder


@pytest.mark.parametrize("name", PLACES)
def test_it_holds_what_the_other_versions_hold(name, tmp_path):
    for folder in (write(tmp_path, name), tmp_path / PLACES[name]):
        found = read_folder(folder, name)
        assert found.form == "CIFAR's binary version"
        for split, (images, labels) in tiny(name).items():
            np.testing.assert_array_equal(getattr(found, split)[0], images)
            np.testing.assert_array_equal(getattr(found, split)[1], labels)


@pytest.mark.parametrize("name", PLACES)
def test_names_beside_it_in_another_order_win(name, tmp_path):
    order = np.random.default_rng(1).permutation(len(NAMES[name]))
    found = read_folder(write(tmp_path, name, order), name)
    np.testing.assert_array_equal(found.test[1], tiny(name)["test"][1])


def test_without_names_the_numbers_are_ours(tmp_path):
    folder = write(tmp_path, "cifar100")
    (folder / "cifar-100-binary" / "fine_label_names.txt").unlink()
    np.testing.assert_array_equal(read_folder(folder, "cifar100").test[1], tiny("cifar100")["test"][1])


def test_what_is_not_whole_is_refused(tmp_path):
    folder = write(tmp_path, "cifar100")
    path = folder / "cifar-100-binary" / "test.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Problem, match=r"test.bin: 614799 bytes, no multiple of the 3074 of an image of cifar100's"):
        read_folder(folder, "cifar100")
    path.unlink()
    with pytest.raises(Problem, match=r"cifar-100-binary: no test\*.bin. Unpack or download it again"):
        read_folder(folder, "cifar100")
    (folder / "cifar-100-binary" / "train.bin").write_bytes(b"")
    with pytest.raises(Problem, match=r"train\.bin: 0 bytes"):
        read_folder(folder, "cifar100")
