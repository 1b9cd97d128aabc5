"""What viewers draw first, and what of the manifest they show."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from store.file.pack import packed
from store.file.write import RunContent, write_run
from tests.builders import small_run


def default_of(file: h5py.File) -> tuple[h5py.Group, h5py.Dataset]:
    """The group and the dataset that NeXus's `default` and `signal` lead to."""
    group: Any = file
    while b"NXdata" not in group.attrs["NX_class"]:
        group = group[group.attrs["default"].decode()]
    return group, group[group.attrs["signal"].decode()]


@pytest.mark.parametrize(
    ("content", "layer", "signal"),
    [
        (small_run(), "10", "fields"),
        (packed(small_run()), "10", "fields"),  # which are less than class means and weights
        (packed(small_run({"2": (5, 1), "13": (5, 1)}, n_labels=20)), "2", "mean_matrix"),
    ],
    ids=["whole", "packed, matrices", "packed, factors"],
)
def test_the_picture_is_a_matrix_of_the_first_layer(
    content: RunContent, layer: str, signal: str, tmp_path: Path
) -> None:
    write_run(tmp_path / "run.h5", content)
    n_labels = len(content.label_names)
    with h5py.File(tmp_path / "run.h5") as file:
        group, dataset = default_of(file)
        assert group.name == f"/layers/{layer}" and dataset.name == f"{group.name}/{signal}"
        assert dataset.shape[-2:] == (n_labels, n_labels) and dataset.attrs["interpretation"] == b"image"
        axes = [group[name.decode()] for name in group.attrs["axes"]]  # H5Web takes numbers of the same group alone
        assert tuple(len(axis) for axis in axes) == dataset.shape
        assert all(axis.dtype.kind == "i" for axis in axes)
        assert [axis.attrs["long_name"] for axis in axes[-2:]] == [b"input label", b"output label"]


def test_without_a_picture_there_is_still_a_default(tmp_path: Path) -> None:
    content = small_run({"2": (5, 1)}, features=False)
    content.layers[0].fields = None
    content.layers[0].class_means[:] = 0  # all silent
    write_run(tmp_path / "run.h5", content)
    with h5py.File(tmp_path / "run.h5") as file:
        assert default_of(file)[1].name == "/layers/2/class_means"


def test_a_run_without_a_layer_has_no_default(tmp_path: Path) -> None:
    write_run(tmp_path / "run.h5", small_run({}))
    with h5py.File(tmp_path / "run.h5") as file:
        assert "default" not in file["layers"].attrs


def test_the_manifests_main_entries_can_be_read_as_attributes(tmp_path: Path) -> None:
    strange = {
        "created": "2026\x00 näher",
        "device": {"not": "text"},
        "generator": "x" * 10_000,
        "recipe": {"name": [7], "seed": [], "is_paper": {}},
    }
    write_run(tmp_path / "run.h5", small_run(manifest=strange))
    with h5py.File(tmp_path / "run.h5") as file:
        about = dict(file["about"].attrs)
        assert about["arch"] == b"vgg16" and about["data"] == b"digits"
        assert about["version"] == 3 and about["test_accuracy"] == 0.75
        assert not {"device", "recipe", "seed", "is_paper"} & set(about) and len(about["generator"]) == 500
        assert np.char.startswith(np.bytes_(about["created"]), b"2026")
