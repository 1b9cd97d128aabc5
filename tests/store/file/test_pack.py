"""Packing and unpacking: smaller or larger, and the same results to the bit."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from store.__main__ import main
from store.file import format as fmt
from store.file import pack, write
from store.file.format import FormatError
from store.file.pack import is_packed, packed, unpacked
from store.file.read import Run
from store.file.write import file_image, write_run
from store.measure.layer import fields_from_factors
from tests import DATA
from tests.builders import assert_same, small_run, write_small

# 4 labels: class means and weights of 16 positions are more than the matrix, of 1 position less.
LAYERS = {"4": (6, 16), "10": (6, 4), "13": (5, 1)}


def test_packed_gives_the_same_results_from_fewer_bytes(tmp_path: Path) -> None:
    whole, small = tmp_path / "whole.h5", tmp_path / "small.h5"
    write_run(whole, small_run(LAYERS, n_labels=20))
    with Run(whole) as run:
        content = run.content()
        write_run(small, packed(content))
        again = tmp_path / "again.h5"
        with Run(small) as other:
            other.verify()
            assert other.label_names == run.label_names
            for name, layer in run.layers.items():
                twin = other.layers[name]
                assert twin.has_fields != twin.has_factors
                assert twin.test_features is None
                assert (twin.n_filters, twin.positions) == (layer.n_filters, layer.positions)
                assert twin.fields().matrices().tobytes() == layer.fields().matrices().tobytes()
                measured, same = layer.measure(), twin.measure()
                np.testing.assert_array_equal(measured.cluster_of, same.cluster_of)
                assert measured.noise_external_field.tobytes() == same.noise_external_field.tobytes()
            write_run(again, packed(other.content()))
    assert small.stat().st_size < whole.stat().st_size
    assert again.read_bytes() == small.read_bytes()


def test_unpacked_has_every_matrix_and_packs_to_the_same_bytes(tmp_path: Path) -> None:
    content = small_run(LAYERS, n_labels=20)
    content.layers[2].confusion = np.diag(content.test_inputs).astype(np.int32)
    small = packed(content)
    write_run(tmp_path / "large.h5", unpacked(small))
    write_run(tmp_path / "small.h5", small)
    with Run(tmp_path / "large.h5") as large, Run(tmp_path / "small.h5") as other:
        large.verify()
        for name, layer in large.layers.items():
            twin = other.layers[name]
            assert layer.has_fields and layer.has_factors == twin.has_factors
            assert layer.fields().matrices().tobytes() == twin.fields().matrices().tobytes()
            for threshold in (0.1, 0.3):
                assert_same(layer.measure(threshold), twin.measure(threshold))
        assert np.array_equal(large.layers["13"].confusion, content.layers[2].confusion)
        assert large.content_sha256 != other.content_sha256  # it has more
        pictures = {f"layers/{name}/mean_matrix" for name in large.layers}  # of layers without matrices
        assert large.manifest["sha256"].items() >= {
            (place, checksum) for place, checksum in other.manifest["sha256"].items() if place not in pictures
        }
        assert file_image(packed(large.content())) == (tmp_path / "small.h5").read_bytes()


def test_a_file_without_features_and_with_few_positions_comes_back_as_it_was(tmp_path: Path) -> None:
    content = small_run({"10": (6, 4), "13": (5, 1)}, n_labels=20, features=False)
    for layer in content.layers:  # as a run stores them
        layer.fields = fields_from_factors(layer.class_means, layer.probe_weights)
    path = tmp_path / "run.h5"
    write_run(path, content)
    with Run(path) as run:
        there = packed(run.content())
        assert [layer.fields for layer in there.layers] == [None, None]
        assert file_image(unpacked(there)) == path.read_bytes()


def test_matrices_are_packed_where_they_are_less_also_if_the_file_had_none(tmp_path: Path) -> None:
    content = small_run(LAYERS, n_labels=20)
    kept, content.layers[0].fields = content.layers[0].fields, None
    assert packed(content).layers[0].fields.tobytes() == kept.tobytes()
    assert packed(content).layers[0].class_means is None


def test_layers_too_large_to_store_stay_class_means_and_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed(small_run(LAYERS, n_labels=20))
    monkeypatch.setattr(write, "_DENSE_BYTES", 5 * 20 * 20 * 4)  # layer 13 and no more
    assert [layer.fields is not None for layer in content.layers] == [True, False, False]
    assert [layer.fields is not None for layer in unpacked(content).layers] == [True, False, True]


def test_a_small_file_does_not_ask_for_any_amount_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed(small_run(LAYERS, n_labels=20))
    monkeypatch.setattr(pack, "_MOST_BYTES", 11 * 20 * 20 * 4 - 1)  # what the layers 10 and 13 take, but a byte
    with pytest.raises(FormatError, match="unpacked, the matrices would take"):
        unpacked(content)
    monkeypatch.setattr(pack, "_MOST_BYTES", 11 * 20 * 20 * 4)
    assert all(layer.fields is not None for layer in unpacked(content).layers)


# ---- the commands


@pytest.fixture
def run_main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`python -m store` in this process: -> exit status, output, errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["store", *map(str, arguments)])
        status = main()
        return status, *capsys.readouterr()

    return call


@pytest.mark.parametrize(("command", "target"), [("pack", "run-packed.h5"), ("unpack", "run-unpacked.h5")])
def test_the_commands_say_what_they_wrote_and_leave_the_source(command: str, target: str, result_file: Path) -> None:
    before = result_file.read_bytes()
    words = [sys.executable, "-m", "store", command, str(result_file)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    written = result_file.with_name(target)
    sizes = [f"{path.stat().st_size / 1e6:.1f} MB" for path in (written, result_file)]
    assert done.stdout.splitlines()[0] == f"{written}: {sizes[0]}, from {sizes[1]}"
    assert result_file.read_bytes() == before
    with Run(written) as run:
        run.verify()


def test_pack_and_unpack_there_and_back(tmp_path: Path, run_main) -> None:
    path = write_small(tmp_path / "run.h5", layers=LAYERS, features=False)
    assert run_main("pack", path)[0] == 0
    path.rename(tmp_path / "kept.h5")
    status, text, errors = run_main("unpack", tmp_path / "run-packed.h5")
    assert (status, errors) == (0, "") and text.startswith(f"{path}: ")
    assert "layers 4, 10: the matrices alone; their class means and weights are not in the file\n" in text
    with Run(path) as there, Run(tmp_path / "kept.h5") as kept:
        for name in LAYERS:
            assert_same(there.layers[name].measure(), kept.layers[name].measure())
    assert run_main("pack", path, "--out", tmp_path / "again.h5")[0] == 0
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "run-packed.h5").read_bytes()


def test_unpack_says_which_layers_stay_class_means_and_weights(
    result_file: Path, run_main, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_DENSE_BYTES", 0)
    status, text, _ = run_main("unpack", result_file)
    assert status == 0
    assert "layers 13: class means and weights alone; matrices of more than 64 MiB are not stored\n" in text


def test_unpack_replaces_no_file(result_file: Path, run_main) -> None:
    """Least of all the one that was packed, whose test features a packed file has no more."""
    assert run_main("pack", result_file)[0] == 0
    before = result_file.read_bytes()
    small = result_file.with_name("run-packed.h5")
    for arguments in ([], ["--out", result_file], ["--out", small]):
        status, text, errors = run_main("unpack", small, *arguments)
        there = arguments[-1] if arguments else result_file
        assert (status, text) == (1, "")
        assert errors == f"error: {there}: is there already and is not replaced; name another with --out\n"
    assert result_file.read_bytes() == before
    assert run_main("unpack", small, "--out", result_file.with_name("other.h5"))[0] == 0


def test_pack_does_not_replace_its_source(result_file: Path, run_main) -> None:
    before = result_file.read_bytes()
    link = result_file.with_name("link.h5")
    link.symlink_to(result_file)
    for target in (result_file, link):
        status, text, errors = run_main("pack", result_file, "--out", target)
        assert (status, text) == (1, "") and errors.startswith(f"error: {target}: the file to pack itself")
    assert result_file.read_bytes() == before
    assert [run_main("pack", result_file)[0] for _ in range(2)] == [0, 0]  # an earlier packed file may be replaced


@pytest.mark.parametrize("command", ["pack", "unpack"])
def test_a_full_disk_leaves_no_part_of_a_file(
    command: str, result_file: Path, run_main, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    status, text, errors = run_main(command, result_file)
    assert (status, text, errors) == (1, "", f"error: {result_file}: No space left on device\n")
    assert [path.name for path in result_file.parent.iterdir()] == [result_file.name]


@pytest.mark.parametrize("command", ["pack", "unpack"])
def test_a_damaged_file_is_neither_packed_nor_unpacked(command: str, result_file: Path, run_main) -> None:
    with Run(result_file) as run:
        weights = run.layers["13"].probe_weights.tobytes()
    content = bytearray(result_file.read_bytes())
    content[content.index(weights) + 5] ^= 4
    result_file.write_bytes(content)
    status, text, errors = run_main(command, result_file)
    assert (status, text) == (1, "") and errors.startswith(f"error: {result_file}: layers/13/probe_weights: damaged")
    assert [path.name for path in result_file.parent.iterdir()] == [result_file.name]


def test_a_packed_file_is_said_to_be_packed_and_nothing_is_written(tmp_path: Path, run_main) -> None:
    source = tmp_path / "run.h5"
    write_run(source, packed(small_run()))
    status, output, _ = run_main("pack", source)
    assert status == 0 and "packed already" in output and "nothing was written" in output
    assert list(tmp_path.iterdir()) == [source]


def test_what_packing_would_change_is_not_packed() -> None:
    assert is_packed(packed(small_run()))
    assert not is_packed(small_run())
    assert not is_packed(replace(packed(small_run()), thumbnails=np.zeros((1, 2, 2, 3), np.uint8)))


@pytest.mark.parametrize("name", ["format-1.h5", "format-2.h5", "format-3-unnamed.h5"])
def test_the_command_brings_an_old_file_to_the_last_version(name: str, tmp_path: Path, run_main) -> None:
    """Also one that is packed already, once: then there is nothing to do."""
    with Run(DATA / name) as old:
        before = {layer.name: layer.fields().matrices().tobytes() for layer in old.layers.values()}
    once, twice = tmp_path / "once.h5", tmp_path / "twice.h5"
    assert run_main("pack", DATA / name, "--out", once)[0] == 0
    assert "packed already" in run_main("pack", once, "--out", twice)[1] and not twice.exists()
    with Run(once) as run:
        run.verify()
        assert run.manifest["version"] == fmt.VERSION and run.is_current
        assert {layer.name: layer.fields().matrices().tobytes() for layer in run.layers.values()} == before


def test_a_file_that_was_packed_earlier_is_written_once_more(
    tmp_path: Path, run_main, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "scales", lambda *_: {})  # before the axes had names
    monkeypatch.setattr(write, "attach", lambda *_: None)
    monkeypatch.setattr(write, "mark", lambda *_: None)
    write_run(tmp_path / "old.h5", packed(small_run()))
    monkeypatch.undo()
    assert run_main("pack", tmp_path / "old.h5", "--out", tmp_path / "new.h5")[0] == 0
    with Run(tmp_path / "old.h5") as old, Run(tmp_path / "new.h5") as new:
        assert not old.is_current and new.is_current and new.content_sha256 == old.content_sha256
