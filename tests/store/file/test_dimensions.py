"""Names of axes: which dataset has which, and that they say the same as the rest of the file."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from store.file import dimensions
from store.file import format as fmt
from store.file.read import Run
from store.file.write import RunContent, file_image, write_run
from store.measure.top_inputs import TopInputs
from tests.builders import small_run


def everything(pictures: int | None = None) -> RunContent:
    """A run that has every dataset of the format, in a layer that has matrices and in one that has none."""
    content = small_run()
    total = int(content.test_inputs.sum())
    for layer in content.layers:
        n_filters = len(layer.class_means)
        layer.confusion = np.diag(content.test_inputs).astype(np.int32)
        layer.class_means_half = layer.class_means * np.float32(0.5)
        numbers, values = np.zeros((n_filters, 2, total), np.int32), np.zeros((n_filters, 2, total), np.float32)
        layer.top_inputs = TopInputs(numbers, numbers, values)
    content.thumbnails = np.zeros((pictures or total, 3, 5, 3), np.uint8)
    content.thumbnail_inputs = None if pictures is None else np.arange(pictures)
    return content


def names_of_axes(file: h5py.File, place: str) -> tuple[str, ...]:
    return tuple(axis[0].name for axis in file[place].dims if len(axis) == 1)


@pytest.mark.parametrize("pictures", [None, 4])
def test_every_axis_of_every_dataset_has_a_name_and_its_size(pictures: int | None, tmp_path: Path) -> None:
    write_run(tmp_path / "run.h5", everything(pictures))
    with Run(tmp_path / "run.h5") as run, h5py.File(tmp_path / "run.h5", locking=False) as file:
        run.verify()
        for place in ("manifest", *fmt.expected(run.manifest)):
            if h5py.h5ds.is_scale(file[place].id):
                assert file[place].ndim == 1
                continue
            names = names_of_axes(file, place)
            assert len(names) == file[place].ndim, place
            assert tuple(file[name].shape[0] for name in names) == file[place].shape
        assert names_of_axes(file, "layers/10/fields") == ("/layers/10/filter", "/input_label", "/output_label")
        assert names_of_axes(file, "layers/13/mean_matrix") == ("/input_label", "/output_label")
        assert names_of_axes(file, "layers/13/probe_weights")[1] == "/output_label"
        assert names_of_axes(file, "thumbnails")[0] == ("/thumbnail" if pictures else "/test_input")
        assert [name.decode() for name in file["input_label"][:]] == list(run.label_names)
        assert list(file["layers/10/filter"][:]) == list(range(6))
        assert file["test_input"].id.get_storage_size() == 0  # a size alone


def test_the_same_run_gives_the_same_bytes() -> None:
    assert file_image(everything()) == file_image(everything())


def test_layers_are_listed_in_depth_order(tmp_path: Path) -> None:
    write_run(tmp_path / "run.h5", small_run({"2": (2, 1), "10": (2, 1), "3": (2, 1)}))
    with h5py.File(tmp_path / "run.h5") as file:
        assert list(file["layers"]) == ["2", "10", "3"]
        assert [layer.attrs["index"] for layer in file["layers"].values()] == [0, 1, 2]


@pytest.mark.parametrize(
    "place", ["input_label", "output_label", "layers/10/filter", "layers/13/position", "layers/13/output"]
)
def test_an_axis_that_says_something_else_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dimensions.scales

    def other(*arguments: Any) -> dict[str, np.ndarray]:
        arrays = real(*arguments)
        return arrays | {place: np.roll(arrays[place] if arrays[place].size > 1 else arrays[place] + 1, 1)}

    with monkeypatch.context() as patched:  # as a stranger would write it
        patched.setattr("store.file.write.scales", other)
        write_run(tmp_path / "run.h5", small_run())
    with Run(tmp_path / "run.h5") as run, pytest.raises(fmt.FormatError, match=f"{place}: not what the file says"):
        run.verify()


def test_a_picture_of_other_matrices_is_refused(tmp_path: Path) -> None:
    content = small_run()
    other = content.layers[1].mean_matrix + np.float32(0.25)
    content.layers[1].__dict__["mean_matrix"] = other  # as a stranger would write it
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run, pytest.raises(fmt.FormatError, match="layers/13/mean_matrix: not the mean"):
        run.verify()


def test_a_file_of_many_layers_names_the_axes_of_all(tmp_path: Path) -> None:
    """Each scale lists what it is attached to: of 512 layers more than one attribute's 64 KB."""
    write_run(tmp_path / "run.h5", small_run({str(k): (2, 1) for k in range(512)}, features=False))
    with Run(tmp_path / "run.h5") as run, h5py.File(tmp_path / "run.h5", locking=False) as file:
        run.verify()
        assert names_of_axes(file, "layers/511/class_means") == (
            "/layers/511/filter",
            "/input_label",
            "/layers/511/position",
        )
