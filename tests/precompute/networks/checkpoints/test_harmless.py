"""What lies beside weights: numbers and text are read; nothing runs code, or makes room by what it says."""

import argparse
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from precompute.messages.problem import Problem
from precompute.networks.checkpoints import reading


def read(content, folder: Path):
    torch.save({"weight": torch.zeros(2), "beside": content}, folder / "best.pt")
    return reading.read(folder / "best.pt")["beside"]


@pytest.mark.parametrize(
    "value",
    [np.float64(0.93), np.float32(0.5), np.int64(-3), np.bool_(True), np.str_("größe"), np.datetime64("2020-02")],
)
def test_scalars(value, tmp_path):
    found = read(value, tmp_path)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["a", "größe"]),
        np.array(2.5),
    ],
)
def test_arrays(array, tmp_path):
    np.testing.assert_array_equal(read(array, tmp_path), array)


def test_what_scripts_keep(tmp_path):
    states: dict[str, Any] = {
        "args": argparse.Namespace(lr=0.1, model="resnet18"),
        "rng": [np.random.get_state(), torch.get_rng_state()],  # noqa: NPY002
    }
    found = read(states, tmp_path)
    assert vars(found["args"]) == {"lr": 0.1, "model": "resnet18"}
    np.testing.assert_array_equal(found["rng"][0][1], states["rng"][0][1])


def test_an_array_under_the_name_that_numpy_had_before_2(tmp_path):
    """The pickle of another version differs in the name of a module alone."""
    torch.save({"beside": np.float64(0.25), "more": np.arange(3)}, tmp_path / "new.pt")
    with zipfile.ZipFile(tmp_path / "new.pt") as new, zipfile.ZipFile(tmp_path / "old.pt", "w") as old:
        for name in new.namelist():
            content = new.read(name)
            old.writestr(name, content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    found = reading.read(tmp_path / "old.pt")
    assert found["beside"] == 0.25
    assert found["more"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "content", [np.array([{"a": 1}, None], object), np.zeros(2, [("a", object)]), np.zeros(1, "i4,f8")]
)
def test_arrays_of_objects_and_records_are_refused(content, tmp_path):
    with pytest.raises(Problem, match=r"could run code; .*save the state dict"):
        read(content, tmp_path)


class Huge:
    """numpy.ndarray called with a shape, which would make room for eight terabytes."""

    def __reduce__(self):
        return np.ndarray, ((10**12,),)


class Bytes:
    """An array that says it is larger than its bytes."""

    def __reduce__(self):
        how = np.zeros(1).__reduce__()
        return how[0], how[1], (1, (10**12,), np.dtype("f8"), False, bytes(8))


@pytest.mark.parametrize("content", [Huge(), Bytes()])
def test_no_room_is_made_by_what_a_file_says(content, tmp_path):
    with pytest.raises(Problem, match="no weights that can be read safely"):
        read(content, tmp_path)
    assert pickle.dumps(content)
