"""What is written is what is read: to the bit, and no sooner than it is asked for."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file import format as fmt
from store.file.format import FormatError
from store.file.pack import packed
from store.file.read import Run
from store.file.write import LayerContent, RunContent, file_image, write_run
from tests import DATA
from tests.builders import assert_holds, small_image, small_run, write_small

NAMES = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60)
SIZES = st.dictionaries(
    st.from_regex(fmt.LAYER_NAME, fullmatch=True), st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=3
)


# ---- round trip


@given(SIZES, st.lists(NAMES, min_size=2, max_size=6), st.integers(1, 4), st.integers(0, 99))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: dict[str, tuple[int, int]],
    names: list[str],
    epochs: int,
    seed: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.h5"
    content = small_run(sizes, label_names=names, epochs=epochs, seed=seed)
    write_run(path, content)
    with Run(path) as run:
        assert_holds(run, content)


def test_special_values_survive(tmp_path: Path) -> None:
    content = small_run({"1": (2, 2)}, n_labels=2)
    layer = content.layers[0]
    layer.fields[0] = [[1e-45, 3.4e38], [-3.4e38, -0.0]]
    layer.class_means[0, 0] = [1e-45, 3e38]
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        assert run.layers["1"].fields().matrices().tobytes() == layer.fields.tobytes()
        assert run.layers["1"].class_means.tobytes() == layer.class_means.tobytes()


@pytest.mark.parametrize("name", ["fields", "class_means", "probe_weights"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_neither_written_nor_read(name: str, value: float, tmp_path: Path) -> None:
    content = small_run({"1": (2, 2)}, n_labels=2)
    getattr(content.layers[0], name)[1, 1, 0] = value
    with pytest.raises(fmt.FormatError, match=f"layers/1/{name}: {fmt.NOT_FINITE}"):
        write_run(tmp_path / "run.h5", content)
    assert list(tmp_path.iterdir()) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fmt, "is_finite", lambda place, values: True)  # a stranger's writer
        write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        for read in (run.read, lambda place: run.read_entry(place, 0)):
            with pytest.raises(fmt.FormatError, match=f"run.h5: layers/1/{name}: {fmt.NOT_FINITE}"):
                read(f"layers/1/{name}")


def test_datasets_of_many_chunks_survive(tmp_path: Path) -> None:
    content = small_run({"1": (300, 16)}, n_labels=60, epochs=2)  # 3,840 bytes an entry: 68 filters a chunk
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        assert_holds(run, content)
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["layers/1/class_means"].id.get_num_chunks() == 5
        assert file["layers/1/fields"].chunks == (1, 60, 60)


def confused(content: RunContent) -> np.ndarray:
    """Some confusion matrix (K, K) that counts every test input once."""
    random = np.random.default_rng(0)
    return np.stack([random.multinomial(count, [1 / 4] * 4) for count in content.test_inputs]).astype(np.int32)


def half_of(layer: LayerContent) -> np.ndarray:
    return (layer.class_means * np.float32(0.75)).astype(np.float32)


def test_class_means_of_one_half_are_kept_and_are_not_packed(tmp_path: Path) -> None:
    content = small_run()
    content.layers[0].class_means_half = half_of(content.layers[0])
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        assert run.layers["13"].class_means_half is None
        assert_holds(run, content)
        assert np.array_equal(run.layers["10"].class_means_half, content.layers[0].class_means_half)
        assert file_image(run.content()) == (tmp_path / "run.h5").read_bytes()
        write_run(tmp_path / "packed.h5", packed(run.content()))
    with Run(tmp_path / "packed.h5") as run:
        assert run.layers["10"].class_means_half is None
    content.layers[0].class_means_half[0, 0, 0] = np.inf
    with pytest.raises(FormatError, match="layers/10/class_means_half: holds values that are infinite"):
        write_run(tmp_path / "run.h5", content)


def test_a_confusion_matrix_is_kept(tmp_path: Path) -> None:
    content = small_run()
    content.layers[1].confusion = confused(content)
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        assert_holds(run, content)
        assert file_image(run.content()) == (tmp_path / "run.h5").read_bytes()
    with Run(write_small(tmp_path / "other.h5")) as run:
        assert run.layers["10"].confusion is None


def content_of_version(version: int) -> RunContent:
    """What tests/data/format-VERSION.h5 was written from, by the first program that knew the version."""
    content = small_run()
    if version == 3:
        content.layers[0].class_means_half = half_of(content.layers[0])
    if version == 2:
        content.layers[1].confusion = confused(content)
        content.manifest["network"]["epochs"] = 0
        content.history = {column: [] for column in fmt.HISTORY}
    return content


@pytest.mark.parametrize("name", ["1", "2", "3", "3-unnamed"])
def test_files_of_every_version_are_read_and_written_as_the_last(name: str, tmp_path: Path) -> None:
    """3-unnamed is from before the axes had names."""
    version = int(name[0])
    with Run(DATA / f"format-{name}.h5") as run:
        assert run.manifest["version"] == version and run.is_current == (name == "3")
        run.verify()
        assert_holds(run, content_of_version(version))
        write_run(tmp_path / "run.h5", run.content())
    with Run(tmp_path / "run.h5") as again, Run(DATA / f"format-{name}.h5") as run:
        assert again.manifest["version"] == fmt.VERSION and again.is_current
        again.verify()
        assert_holds(again, content_of_version(version))
        assert again.content_sha256 == run.content_sha256


def test_every_version_has_its_file() -> None:
    versions = {path.stem.split("-")[1] for path in DATA.glob("format-*.h5")}
    assert versions == {str(version) for version in range(1, fmt.VERSION + 1)}


def test_a_network_probed_as_it_is_has_no_history(tmp_path: Path) -> None:
    content = small_run()
    content.manifest["network"]["epochs"] = 0
    content.history = {column: [] for column in fmt.HISTORY}
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        assert_holds(run, content)


@pytest.mark.parametrize("spoil", ["sum", "sign"])
def test_a_confusion_matrix_that_miscounts_is_neither_written_nor_believed(
    spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = small_run()
    content.layers[1].confusion = confused(content)
    content.layers[1].confusion[2, 0] += 1 if spoil == "sum" else 9
    content.layers[1].confusion[2, 1] -= 0 if spoil == "sum" else 9
    with pytest.raises(FormatError, match="layers/13/confusion: its rows do not add up"):
        write_run(tmp_path / "run.h5", content)
    with monkeypatch.context() as patched:  # as a stranger would write it
        patched.setattr(fmt, "check_confusion", lambda *_: None)
        write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        for access in (run.verify, lambda: run.layers["13"].confusion):
            with pytest.raises(FormatError, match=r"run\.h5: layers/13/confusion: its rows do not add up"):
                access()


def test_labels_of_test_inputs_that_are_no_labels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = small_run()
    content.label_of_test_input[3] = 4
    with pytest.raises(FormatError, match="labels/of_test_input: found 0 to 4"):
        write_run(tmp_path / "run.h5", content)
    with monkeypatch.context() as patched:  # as a stranger would write it
        patched.setattr(fmt, "check_labels", lambda *_: None)
        write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        for access in (run.verify, lambda: run.label_of_test_input):
            with pytest.raises(FormatError, match=r"labels/of_test_input: found 0 to 4, expected labels from 0 to 3"):
                access()


def test_the_same_content_gives_the_same_bytes() -> None:
    first = small_image()
    time.sleep(1.1)  # a time stamp, in seconds, would differ
    assert small_image() == first
    assert small_image(seed=1) != first


def test_content_checksum_is_of_the_data_alone(tmp_path: Path) -> None:
    sums = []
    changes: list[dict[str, Any]] = [{}, {"manifest": {"durations": {"train": 7}}}, {"seed": 1}]
    for number, options in enumerate(changes):
        with Run(write_small(tmp_path / f"{number}.h5", **options)) as run:
            sums.append(run.content_sha256)
    assert sums[0] == sums[1] != sums[2]


def test_h5py_alone_opens_it(result_file: Path) -> None:
    content = small_run()
    with h5py.File(result_file) as file:
        assert np.array_equal(file["layers/10/fields"], content.layers[0].fields)
        assert file["labels/name"].asstr()[0] == "label 0"
        default = file[file.attrs["default"].decode()]  # what a NeXus viewer follows
        layer = default[default.attrs["default"].decode()]
        assert layer.attrs["NX_class"] == b"NXdata" and layer.attrs["signal"].decode() in layer


def test_a_run_without_layers_yet_is_whole(tmp_path: Path) -> None:
    with Run(write_small(tmp_path / "run.h5", layers={}, planned_layers=["2", "4"])) as run:
        run.verify()
        assert (dict(run.layers), run.unfinished) == ({}, ["2", "4"])


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/a", "-x", ".x", "a b", "é", "a\n", "x" * 65, "a\x00b"])
def test_layer_names_that_are_no_names_are_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="layer name"):
        write_small(tmp_path / "run.h5", layers={name: (2, 2)})
    assert not list(tmp_path.iterdir())


def wrong_shape(content: RunContent) -> None:
    content.layers[0].probe_weights = content.layers[0].probe_weights[:, :3]


def wrong_type(content: RunContent) -> None:
    content.layers[0].class_means = content.layers[0].class_means.astype(np.float64)


def long_name(content: RunContent) -> None:
    content.label_names[0] = "é" * 129  # 258 bytes


def zero_byte_at_the_end(content: RunContent) -> None:
    content.label_names[0] = "a\x00"


def surrogate(content: RunContent) -> None:
    content.label_names[0] = os.fsdecode(b"caf\xe9")  # a folder name that is not UTF-8


def short_history(content: RunContent) -> None:
    content.layers[0].history["loss"] = [0.5]  # type: ignore[index]


def missing_name(content: RunContent) -> None:
    del content.label_names[0]


def two_of_one_name(content: RunContent) -> None:
    content.layers[1].name = "10"


@pytest.mark.parametrize(
    "spoil",
    [wrong_shape, wrong_type, long_name, zero_byte_at_the_end, surrogate, short_history, missing_name, two_of_one_name],
)
def test_content_that_could_not_be_read_back_is_not_written(spoil, tmp_path: Path) -> None:
    content = small_run()
    spoil(content)
    with pytest.raises(FormatError):
        write_run(tmp_path / "run.h5", content)
    assert not list(tmp_path.iterdir())


# ---- lazy, and checked


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the datasets that are read from now on, a mention for each read."""
    paths: list[str] = []
    real = h5py.Dataset.__getitem__

    def noted(dataset: h5py.Dataset, *arguments: object, **options: object) -> object:
        paths.append(dataset.name.lstrip("/"))
        return real(dataset, *arguments, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", noted)
    return paths


def test_opening_reads_no_matrix(result_file: Path, reads: list[str]) -> None:
    with Run(result_file) as run:
        assert sorted(reads) == ["labels/name", "labels/superclass", "labels/test_inputs", "manifest"]
        reads.clear()
        assert run.layers["10"].has_fields and not run.layers["13"].has_fields
        assert not reads
        run.history()
        assert set(reads) == {f"history/{column}" for column in fmt.HISTORY}
        reads.clear()
        run.layers["10"].field(2)
        run.layers["10"].measure()
        assert set(reads) == {"layers/10/fields"}
        reads.clear()
        run.layers["10"].field(3)
        assert reads == ["layers/10/fields"]  # checked before: this reads one matrix alone
        reads.clear()
        run.layers["13"].measure()
        assert sorted(reads) == ["layers/13/class_means", "layers/13/probe_weights"]


@pytest.mark.parametrize("access", ["field", "fields", "measure", "verify_fields", "verify"])
def test_data_that_is_not_what_was_written_is_refused_when_first_read(access: str, result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        file["layers/10/fields"][0, 0, 0] += 1  # with a checksum of HDF5's that fits
    with Run(result_file) as run:
        assert run.layers["13"].measure().n_above.any()  # the other layer is none the worse
        reads: dict[str, Callable[[], object]] = {
            "field": lambda: run.layers["10"].field(5),
            "fields": run.layers["10"].fields,
            "measure": run.layers["10"].measure,
            "verify_fields": run.layers["10"].verify_fields,
            "verify": run.verify,
        }
        with pytest.raises(FormatError, match=r"run\.h5: layers/10/fields: .*sha256"):
            reads[access]()


def test_fields_that_are_not_the_product_are_refused_by_verify(tmp_path: Path) -> None:
    content = small_run()
    content.layers[0].fields[1, 2, 3] = np.nextafter(content.layers[0].fields[1, 2, 3], np.float32(9))
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run, pytest.raises(FormatError, match="layers/10: fields are not class means x"):
        run.verify()


def test_filters_and_places_that_are_not_there_are_named(result_file: Path) -> None:
    with Run(result_file) as run:
        for index in (-1, 6):
            with pytest.raises(IndexError, match="layer 10 has filters 0 to 5"):
                run.layers["10"].field(index)
        with pytest.raises(KeyError, match="layers/13/fields"):
            run.read("layers/13/fields")


def test_what_was_read_as_a_whole_is_written_as_the_same_bytes(result_file: Path) -> None:
    assert result_file.read_bytes() == file_image(small_run())
    with Run(result_file) as run:
        assert file_image(run.content()) == file_image(small_run())
