"""Manifests that make no sense, and files that are damaged: refused by name, never believed, never waited for."""

import json
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from store.__main__ import main
from store.file import format as fmt
from store.file.format import FormatError
from store.file.read import Run
from tests.builders import edit_manifest, refusal


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "not a Filterscope result"),
        ({"version": 4}, "version 4; this program reads up to 3"),
        ({"version": 10**400}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"data": None}, "data"),
        ({"data__name": 7}, "name"),
        ({"data__n_labels": 1}, "n_labels"),
        ({"data__n_labels": 5}, r"labels/name: shape \(4,\), expected \(5,\)"),
        ({"data__n_labels": 10_001}, "n_labels"),
        ({"data__n_labels": 4.0}, "n_labels"),
        ({"data__test_inputs": 0}, "test_inputs"),
        ({"network__arch": None}, "arch"),
        ({"network__epochs": 10**9}, "epochs"),
        ({"version": 1, "network__epochs": 0}, "epochs"),  # from version 2 on
        ({"version": 1, "layers__0__datasets": ["fields", "confusion"]}, "datasets"),  # from version 2 on
        ({"layers__0__datasets": ["fields", "confusion"]}, "layers/10/confusion: missing"),
        ({"version": 2, "layers__0__datasets": ["fields", "class_means_half"]}, "datasets"),  # from version 3 on
        ({"version": 3, "layers__0__datasets": ["fields", "class_means_half"]}, "one half without those of all inputs"),
        ({"layers": {}}, "layers"),
        ({"layers": [7]}, "name"),
        ({"layers": [{"name": "a"}] * 513}, "layers"),
        ({"layers__0__name": ".."}, "layer name '..'"),
        ({"layers__0__name": "../13"}, "layer name"),
        ({"layers__0__name": "13/history"}, "layer name"),
        ({"layers__0__name": "13"}, "two layers of one name"),
        ({"layers__0__name": "9"}, "layers/9/.*missing"),
        ({"layers__0__n_filters": 65_537}, "n_filters"),
        ({"layers__0__n_filters": -1}, "n_filters"),
        ({"layers__0__n_filters": 65_536}, "shape"),
        ({"layers__0__n_filters": 65_536, "layers__0__positions": 65_536}, "elements in one dataset"),
        ({"layers__0__positions": None}, "positions"),
        ({"layers__0__epochs": 0}, "epochs"),
        ({"layers__0__datasets": "fields"}, "datasets"),
        ({"layers__0__datasets": ["fields", 7]}, "datasets"),
        ({"layers__0__datasets": ["fields", "history"]}, "datasets"),
        ({"layers__0__datasets": ["class_means"]}, "neither fields nor class means"),
        ({"sha256": None}, "sha256"),
        ({"sha256": {}}, "labels/test_inputs.*sha256 differs"),
    ],
)
def test_manifests_that_make_no_sense_are_refused_by_name(
    changes: dict[str, object], message: str, result_file: Path
) -> None:
    edit_manifest(result_file, **changes)
    assert re.search(message, refusal(result_file))


@pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b"\xff", b"7", b"[]", b"null", b'{"version": ' + b"1" * 5000])
def test_manifests_that_are_no_manifest_are_refused(text: bytes, result_file: Path) -> None:
    with h5py.File(result_file, "r+") as file:
        del file["manifest"]
        values = np.frombuffer(text, np.uint8)
        file.create_dataset("manifest", data=values, chunks=values.shape, fletcher32=True)
    assert re.search("manifest|damaged, or not of this format", refusal(result_file))


@pytest.mark.parametrize(
    "changes",
    [
        {"planned_layers": None},
        {"planned_layers": 7},
        {"planned_layers": [7, "13"]},
        {"recipe": "quick"},
        {"recipe": None},
        {"layers__0__filter_size": 7},
        {"layers__0__test_accuracy": "high"},
        {"network__test_accuracy": {}},
        {"data__licence": ["none"]},
        {"created": {"year": 2025}},
        {"anything": [{"else": None}]},
    ],
    ids=str,
)
def test_what_a_manifest_may_have_is_shown_or_refused_whatever_it_is(
    changes: dict[str, object],
    result_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edit_manifest(result_file, **changes)
    monkeypatch.setattr(sys, "argv", ["store", "info", str(result_file)])
    status = main()  # no other exception than those that it reports
    printed = capsys.readouterr()
    assert (status, printed.err) == (0, "") or (status == 1 and printed.err.startswith("error: "))


# ---- damage; the trust programme's part 5 flips, zeroes and cuts at random


def test_every_byte_of_every_dataset_is_guarded(result_file: Path) -> None:
    """Without the sha256 as well: HDF5's own checksum notices a flipped bit of each dataset."""
    whole = result_file.read_bytes()
    with h5py.File(result_file) as file:
        manifest = json.loads(file["manifest"][:].tobytes())
        first = {place: file[place].id.get_chunk_info(0).byte_offset for place in ["manifest", *fmt.expected(manifest)]}
    for place, offset in first.items():
        result_file.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
        with pytest.raises(FormatError, match=place if place != "manifest" else "damaged"), Run(result_file) as run:
            run.read(place)
