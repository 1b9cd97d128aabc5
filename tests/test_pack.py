"""Packing: smaller, and the same results to the bit."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from store.pack import packed
from store.read import Run
from store.write import write_run
from tests.builders import small_run

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
                assert twin.fields().tobytes() == layer.fields().tobytes()
                measured, same = layer.measure(), twin.measure()
                np.testing.assert_array_equal(measured.cluster_of, same.cluster_of)
                assert measured.noise_external_field.tobytes() == same.noise_external_field.tobytes()
            write_run(again, packed(other.content()))
    assert small.stat().st_size < whole.stat().st_size
    assert again.read_bytes() == small.read_bytes()


def test_the_command_says_what_it_wrote_and_leaves_the_source(result_file: Path) -> None:
    before = result_file.read_bytes()
    command = [sys.executable, "-m", "store", "pack", str(result_file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    target = result_file.with_name("run-packed.h5")
    assert done.stdout.startswith(f"{target}: ")
    assert result_file.read_bytes() == before
    with Run(target) as run:
        run.verify()
