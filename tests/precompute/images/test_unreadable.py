"""--skip-unreadable: one damaged image among many is named, left out and counted, and nothing else changes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from precompute.images import data
from precompute.images.image_files import ImageFiles
from precompute.messages.problem import Problem
from precompute.options import Options
from store.file.read import Run
from tests.commands import run_here
from tests.image_trees import message, write_folder

COUNTS = {"cats": 10, "dogs": 5}


def loaded(folder: Path, skip: bool) -> data.DataSet:
    return data.load(Options(data="folder", data_dir=folder, skip_unreadable=skip), side=4)


def files(split: data.Split) -> ImageFiles:
    assert isinstance(split.images, ImageFiles)
    return split.images


def names(split: data.Split) -> list[str]:
    return [image.name for image in files(split).paths]


def test_a_damaged_image_is_left_out_and_the_others_keep_their_place(tmp_path, capsys):
    folder = write_folder(tmp_path, COUNTS)
    whole = loaded(folder, skip=True)
    assert (whole.unreadable, whole.checksums) == (0, loaded(folder, skip=False).checksums)
    capsys.readouterr()
    bad = folder / "cats" / names(whole.train)[2]
    bad.write_bytes(bad.read_bytes()[:40])
    found = loaded(folder, skip=True)
    assert found.unreadable == 1
    assert found.source == f"{whole.source}; 1 unreadable image left out"
    assert capsys.readouterr().out == f"left out, since it cannot be decoded: {bad}\n"
    assert names(found.train) == [name for name in names(whole.train) if name != bad.name]
    assert names(found.test) == names(whole.test)
    assert len(found.train.labels) == len(files(found.train).decoded()) == 11
    with pytest.raises(Problem, match=r"not a readable image .* leave it out with --skip-unreadable"):
        files(loaded(folder, skip=False).train).decoded()


def test_a_label_without_a_readable_image(tmp_path):
    folder = write_folder(tmp_path, COUNTS)
    bad = folder / "dogs" / names(loaded(folder, skip=False).test)[2]
    bad.write_bytes(b"dogs")
    with pytest.raises(Problem) as problem:
        loaded(folder, skip=True)
    assert message(problem.value) == f"{bad}, and all other images of label 'dogs' that are to test: unreadable"


def test_only_the_first_of_many_are_named(tmp_path, capsys):
    folder = write_folder(tmp_path, {"cats": 60, "dogs": 60})
    for path in sorted((folder / "cats").iterdir())[:30]:
        path.write_bytes(b"")
    assert loaded(folder, skip=True).unreadable == 30
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 10 more"


def test_a_file_that_may_not_be_read_is_no_unreadable_image(tmp_path, monkeypatch):
    folder = write_folder(tmp_path, COUNTS)

    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(PermissionError):
        loaded(folder, skip=True)


def write_bitmaps(folder: Path, version: int) -> None:
    """Two classes of bitmaps. Another version has other pixels; names and sizes stay."""
    random = np.random.default_rng(version)
    for label in ("bright", "dark"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        scale = 255 if (label == "bright") ^ (version == 1) else 80
        for number in range(10):
            pixels = (random.random((32, 32, 3)) * scale).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.bmp")


def test_the_whole_program_notices_damaged_and_changed_images(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bitmaps(Path("images"), 0)
    Path("images/dark/damaged.bmp").write_bytes(b"BM")
    options = "--arch vgg16 --data folder --data-dir images --epochs 0 --weights none --layers 13 --device cpu"
    command = options.split()
    assert run_here([*command, "--skip-unreadable", "--dry-run"], capfd)[0] == 0
    assert not Path("runs").exists()
    assert "damaged.bmp: not a readable image" in run_here(command, capfd)[2]
    status, printed, errors = run_here([*command, "--skip-unreadable"], capfd)
    assert status == 0, errors
    assert "left out, since it cannot be decoded: images/dark/damaged.bmp" in printed
    with Run("runs/vgg16-folder-images-none.h5") as run:
        assert run.manifest["data"]["unreadable_inputs"] == 1
        assert "1 unreadable image left out" in run.manifest["data"]["source"]
        assert len(run.manifest["data"]["test_content_sha256"]) == 64
    assert "it is there already" in run_here([*command, "--skip-unreadable"], capfd)[1]
    write_bitmaps(Path("images"), 1)
    status, _, errors = run_here([*command, "--skip-unreadable"], capfd)
    assert (status, "was made from other images. Name another --out, or replace it with --fresh" in errors) == (1, True)
