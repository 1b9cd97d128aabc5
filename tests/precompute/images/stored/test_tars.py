"""WebDataset's shards: read where they lie. What they hold beside images and labels is not looked at."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from precompute.images.stored import tars
from precompute.messages.problem import Problem
from tests.image_folders import png
from tests.stored_images import TWO, colours, library, write_shards


def shard(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path.parent


def read(folder: Path, texts: bool = True):
    return tars.read(folder, tars.files_in(folder), texts)


IMAGE = png(np.zeros((8, 8, 3), np.uint8))


def test_images_are_read_from_their_place_in_the_tar(tmp_path):
    _, labels = colours(TWO)["train"]
    folder = write_shards(tmp_path / "shards", colours(TWO))
    part = read(folder).parts["train"]
    with tarfile.open(folder / "train-000000.tar") as tar:
        for image in part.images:
            content = tar.extractfile(image.name)
            assert content is not None and image.read_bytes() == content.read()
    assert part.labels.tolist() == labels.tolist()
    assert sorted(path.name for path in folder.iterdir()) == ["test-000000.tar", "train-000000.tar"], "nothing unpacked"


def test_labels_in_json_by_number_or_by_name(tmp_path):
    folder = tmp_path / "shards"
    with library("webdataset").TarWriter(str(folder.with_suffix(".tar"))) as writer:
        for number, label in enumerate((3, 1)):
            writer.write({"__key__": f"{number}", "jpg": np.zeros((8, 8, 3), np.uint8), "json": {"label": label}})
    (found,) = tars.read(tmp_path, [folder.with_suffix(".tar")], True).parts.values()
    assert list(found.labels) == [3, 1]
    named = {"a.png": IMAGE, "a.json": json.dumps({"class_name": "cat"}).encode(), "b.png": IMAGE, "b.cls": b"ant\n"}
    found = read(shard(tmp_path / "named" / "train.tar", named))
    assert found.parts["train"].labels == ["cat", "ant"]
    with pytest.raises(Problem, match="labels of its shards are names; expected numbers"):
        read(tmp_path / "named", texts=False)


def test_keys_are_what_comes_before_the_first_dot(tmp_path):
    members = {"x/a.b/0.input.png": IMAGE, "x/a.b/0.cls": b"2", "x/a.b/0.json": b'{"label": 9}', "x/1.cls": b"1"}
    members |= {"x/1.webp": IMAGE, "x/1.txt": b"a caption", "x/1.pyd": b"cos\nsystem\n"}
    part = read(shard(tmp_path / "shards" / "train.tar", members)).parts["train"]
    assert [image.name for image in part.images] == ["x/a.b/0.input.png", "x/1.webp"]
    assert part.labels.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.png": IMAGE}, r"holds no label of 'a'; expected KEY.png .* Unpack a tar of folders"),
        ({"train/cat/0.png": IMAGE, "train/dog/0.png": IMAGE}, "no label of 'train/cat/0'"),
        ({"a.cls": b"1", "a.npy": b""}, "holds no images"),
        ({"a.png": IMAGE, "a.jpg": IMAGE, "a.cls": b"1"}, "several images of 'a'"),
        ({"a.png": IMAGE, "a.cls": b"\xff"}, "no label of 'a'"),
        ({"a.png": IMAGE, "a.json": b"[1]"}, "no label of 'a'"),
        ({"a.png": IMAGE, "a.json": b'{"label": true}'}, "no label of 'a'"),
        ({"a.png": IMAGE, "a.cls": b"1", "b.png": IMAGE, "b.cls": b"cat"}, "labels are numbers here and names there"),
    ],
)
def test_what_is_no_data_set_is_refused(members, words, tmp_path):
    folder = shard(tmp_path / "shards" / "train.tar", members)
    with pytest.raises(Problem, match=words) as problem:
        read(folder)
    assert str(problem.value).startswith(str(folder / "train.tar"))


def test_a_tar_that_was_cut_off_or_packed(tmp_path):
    folder = write_shards(tmp_path / "shards", colours(TWO))
    path = folder / "train-000000.tar"
    whole = path.read_bytes()
    start = read(folder).parts["train"].images[-1].start + 10  # type: ignore[attr-defined]
    path.write_bytes(whole[:start])
    with pytest.raises(Problem, match=r"train-000000.tar: .*cut off"):
        read(folder)
    path.write_bytes(gzip.compress(whole))
    with pytest.raises(Problem, match=r"train-000000\.tar: packed; unpack it to a plain \.tar"):
        read(folder)
    path.write_bytes(b"nothing" * 300)
    with pytest.raises(Problem, match="cut off or damaged"):
        read(folder)


def test_links_in_a_tar_are_not_followed(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(IMAGE)
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "train.tar", "w") as tar:
        for name, kind in (("a.png", tarfile.SYMTYPE), ("b.png", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(secret)
            tar.addfile(entry)
    with pytest.raises(Problem, match="holds no images"):
        read(tmp_path / "shards")
