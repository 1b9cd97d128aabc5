"""ImageNet's validation images are the same data set in each of the three layouts; what is missing is named."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precompute.images import data, imagenet
from precompute.images.data import DataSet
from precompute.images.image_files import ImageFiles
from precompute.images.outline import Sizes
from precompute.messages.problem import Problem
from precompute.options import Options
from tests.image_trees import (
    ABOVE,
    LAYOUTS,
    SYNSETS,
    file_name,
    message,
    mixed,
    save,
    write_class_folders,
    write_kaggle,
    write_meta,
    write_official,
)


def loaded(folder: Path, **options: Any) -> DataSet:
    return data.load(Options(data="imagenet", data_dir=folder, **options), side=8, crop=0.875)


def numbers(split: data.Split) -> list[int]:
    """Which images these are, by their pixels."""
    assert isinstance(split.images, ImageFiles)
    pixels = split.images.decoded().astype(int)
    assert (pixels == pixels[:, :1, :1]).all()
    return (pixels[:, 0, 0, 0] + 256 * pixels[:, 0, 0, 1]).tolist()


def refusal(folder: Path) -> str:
    with pytest.raises(Problem) as problem:
        loaded(folder)
    return message(problem.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_each_image_its_label(layout, tmp_path):
    images = mixed()
    found = loaded(LAYOUTS[layout](tmp_path, images))
    assert found.label_names == ["tench", "crane (n02012849)", "crane (n03126707)", "banana"]
    assert found.label_indices == [0, 134, 517, 954]
    assert f"as {layout}, " in found.source
    for split, a_label in ((found.train, 4), (found.test, 1)):
        assert [images[number] for number in numbers(split)] == [list(SYNSETS)[label] for label in split.labels]
        assert Counter(split.labels.tolist()) == dict.fromkeys(range(4), a_label)
        assert split.labels.dtype == np.int64
    assert sorted(numbers(found.train) + numbers(found.test)) == list(images)


def test_every_layout_gives_the_same_data_set(tmp_path):
    first, *others = [loaded(write(tmp_path / str(k), mixed())) for k, write in enumerate(LAYOUTS.values())]
    for other in others:
        assert numbers(other.train) == numbers(first.train)
        assert numbers(other.test) == numbers(first.test)
        assert other.checksums == first.checksums
        assert other.label_names == first.label_names
    assert len({first.source, *(other.source for other in others)}) == 3


def test_the_papers_protocol(tmp_path):
    """ "10,000 images, 10 images per label, were selected out of the validation set" (supplement)."""
    images = mixed(50, tuple(SYNSETS)[:2])
    found = loaded(write_class_folders(tmp_path, images))
    assert Counter(found.train.labels.tolist()) == {0: 40, 1: 40}
    assert Counter(found.test.labels.tolist()) == {0: 10, 1: 10}
    assert "A SUBSET, 2 of the 1,000 labels: 40 a label to train and 10 to test, drawn from seed 0" in found.source
    assert found.sizes == Sizes(2, 80, 20, (3, 8, 8))
    assert (found.flips, found.superclasses) == (True, ["", ""])
    assert "non-commercial research" in found.licence


def test_the_split_is_drawn_from_the_seed(tmp_path):
    folder = write_class_folders(tmp_path, mixed(50, tuple(SYNSETS)[:2]))
    tests = {seed: numbers(loaded(folder, seed=seed).test) for seed in range(4)}
    assert tests[3] == numbers(loaded(folder, seed=3).test)
    assert len({tuple(test) for test in tests.values()}) == 4
    checksums = {loaded(folder, seed=seed).checksums["test_sha256"] for seed in range(4)}
    assert len(checksums) == 4
    # The numbers stand here because results on disk depend on them.
    assert tests[0][:10] == GOLDEN


GOLDEN = [6, 24, 36, 48, 55, 56, 61, 72, 79, 85]


def test_a_label_has_the_same_split_beside_other_labels(tmp_path):
    images = mixed(50)
    few = {number: synset for number, synset in images.items() if synset in ("n02012849", "n07753592")}
    many, fewer = loaded(write_class_folders(tmp_path / "a", images)), loaded(write_class_folders(tmp_path / "b", few))
    for split in ("train", "test"):
        chosen = [n for n in numbers(getattr(many, split)) if n in few]
        assert chosen == numbers(getattr(fewer, split))


def test_k_labels_are_nested_and_keep_their_place_among_the_thousand(tmp_path):
    folder = write_class_folders(tmp_path, mixed())
    whole, three, two = (loaded(folder, labels=k) for k in (None, 3, 2))
    assert set(two.label_names) < set(three.label_names) < set(whole.label_names)
    place = dict(zip(whole.label_names, whole.label_indices, strict=True))
    for subset in (three, two):
        assert subset.label_indices == [place[name] for name in subset.label_names]
        of_label = zip(numbers(subset.test), subset.test.labels, strict=True)
        assert [list(SYNSETS)[whole.label_names.index(subset.label_names[label])] for _, label in of_label] == [
            mixed()[number] for number in numbers(subset.test)
        ]
        assert len(subset.train) == 4 * len(subset.label_names)
    assert len({str(found.checksums) for found in (whole, three, two)}) == 3
    with pytest.raises(Problem, match="--labels 5: imagenet has 4 labels"):
        loaded(folder, labels=5)


def test_names_are_the_first_words_and_differ():
    synsets = imagenet.synsets()
    assert [synset.index for synset in synsets.values()] == list(range(1000))
    assert list(synsets) == sorted(synsets)
    names = [synset.name for synset in synsets.values()]
    assert len(set(names)) == 1000
    assert names[:3] == ["tench", "goldfish", "great white shark"]
    assert [name for name in names if "(" in name] == [
        "crane (n02012849)",
        "crane (n03126707)",
        "maillot (n03710637)",
        "maillot (n03710721)",
    ]


@pytest.mark.parametrize("inside", ["val", "", "ILSVRC/Data/CLS-LOC/val", "ILSVRC2012_img_val"])
def test_where_the_images_may_lie(inside, tmp_path):
    expected = loaded(write_class_folders(tmp_path / "expected", mixed())).checksums
    assert loaded(write_class_folders(tmp_path / "a", mixed(), inside)).checksums == expected
    assert loaded(write_official(tmp_path / "b", mixed(), inside)).checksums == expected


def test_where_the_truth_may_lie(tmp_path):
    folder = write_official(tmp_path / "a", mixed())
    expected = loaded(folder).checksums
    devkit = folder / "ILSVRC2012_devkit_t12"
    (devkit / "data").rename(folder / "data")
    assert loaded(folder).checksums == expected
    for path in (folder / "data").iterdir():
        path.rename(folder / path.name)
    assert loaded(folder).checksums == expected
    kaggle = write_kaggle(tmp_path / "b", mixed())
    (kaggle / "ILSVRC" / "Data" / "CLS-LOC" / "val").rename(kaggle / "val")
    assert loaded(kaggle).checksums == expected
    (kaggle / "LOC_val_solution.csv").rename(kaggle / "val" / "LOC_val_solution.csv")
    assert loaded(kaggle).checksums == expected


def test_training_images_beside_them_are_left_alone(tmp_path):
    folder = write_class_folders(tmp_path, mixed())
    expected = loaded(folder).checksums
    save(folder / "train" / "n02084071" / "n02084071_1.JPEG", 1)
    assert loaded(folder).checksums == expected


def test_what_is_no_image_is_counted(tmp_path):
    folder = write_class_folders(tmp_path, mixed())
    assert "ignored" not in loaded(folder).source
    (folder / "val" / "n01440764" / "notes.txt").touch()
    (folder / "val" / "n01440764" / ".hidden.JPEG").touch()
    assert loaded(folder).source.endswith("; 1 file that is no image ignored")
    flat = write_kaggle(tmp_path / "flat", mixed())
    save(flat / "ILSVRC/Data/CLS-LOC/val/cat.jpg", 1)
    (flat / "ILSVRC/Data/CLS-LOC/val/notes.txt").touch()
    assert loaded(flat).source.endswith("; 1 image of another name ignored; 1 file that is no image ignored")


# What is missing


def test_no_folder(tmp_path):
    with pytest.raises(Problem, match="--data imagenet needs --data-dir, a folder with the validation images as val/"):
        data.load(Options(data="imagenet"))
    assert refusal(tmp_path / "none") == f"--data-dir {tmp_path / 'none'}: no such folder"
    assert refusal(tmp_path).startswith(f"--data-dir {tmp_path}: the folder is empty. Expected the validation images")
    (tmp_path / "ILSVRC2012_img_val.tar").touch()
    assert refusal(tmp_path).startswith(f"--data-dir {tmp_path}: holds no validation images of ImageNet. Expected")
    (tmp_path / "cat").mkdir()
    assert "holds no validation images" in refusal(tmp_path)


def test_flat_files_without_their_labels(tmp_path):
    folder = write_official(tmp_path, mixed())
    truth = folder / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt"
    meta = truth.with_name("meta.mat")
    meta.unlink()
    assert refusal(folder).startswith(f"{meta}: missing; without it nobody knows what the numbers in")
    truth.unlink()
    text = refusal(folder)
    assert text.startswith(f"{folder / 'val'}: images without labels. Unpack ILSVRC2012_devkit_t12.tar.gz so that")
    assert str(truth) in text
    assert text.endswith(f"or put Kaggle's LOC_val_solution.csv at {folder / 'LOC_val_solution.csv'}")


def test_an_image_that_the_truth_does_not_know(tmp_path):
    for name, write in (("official ground truth", write_official), ("LOC_val_solution.csv", write_kaggle)):
        folder = write(tmp_path / write.__name__, mixed())
        stray = next(folder.rglob("*.JPEG")).with_name(file_name(21))
        save(stray, 21)
        text = refusal(folder)
        assert text.startswith(f"{stray}: flat files with ")
        assert f"{name} has no label for it" in text


def test_damaged_truth(tmp_path):
    folder = write_official(tmp_path, mixed())
    truth = folder / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt"
    good = truth.read_text()
    for bad in ("tench", "-1", "0", "3", str(ABOVE["n02084071"]), "1e3", "²"):
        truth.write_text(good.replace("\n", f"\n{bad}\n", 1))
        assert refusal(folder) == f"{truth}, line 2: {bad!r}, expected the number of a label; damaged"


@pytest.mark.parametrize("damage", ["empty", "cut off", "other", "without children", "a matrix"])
def test_damaged_meta(damage, tmp_path):
    from scipy.io import savemat

    folder = write_official(tmp_path, mixed())
    meta = folder / "ILSVRC2012_devkit_t12" / "data" / "meta.mat"
    content = meta.read_bytes()
    if damage == "other":
        savemat(meta, {"labels": [1]})
    elif damage == "without children":
        savemat(meta, {"synsets": {"WNID": "n01440764", "ILSVRC2012_ID": 1}})
    elif damage == "a matrix":
        savemat(meta, {"synsets": np.eye(3)})
    else:
        meta.write_bytes(content[: 0 if damage == "empty" else 300])
    assert refusal(folder).startswith(f"{meta}: damaged, or not ILSVRC2012's (")


def test_the_numbers_of_synsets_above_the_labels_are_not_taken(tmp_path):
    write_meta(tmp_path / "meta.mat", SYNSETS, ABOVE)
    assert imagenet._read_meta(tmp_path / "meta.mat") == {number: synset for synset, number in SYNSETS.items()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "ILSVRC2012_val_00000001,tench 1 2 3 4",
            "line 22: 'ILSVRC2012_val_00000001', 'tench 1 2 3 4'; expected ImageId",
        ),
        ("ILSVRC2012_val_00000001", "line 22: 'ILSVRC2012_val_00000001', None; expected"),
        (",n01440764 1 2 3 4", "line 22: '', 'n01440764 1 2 3 4'; expected"),
    ],
)
def test_a_damaged_csv(line, words, tmp_path):
    folder = write_kaggle(tmp_path, mixed())
    path = folder / "LOC_val_solution.csv"
    good = path.read_text()
    path.write_text(good + line + "\n")
    assert refusal(folder).startswith(f"{path}, {words}")
    path.write_text(good.replace("ImageId", "Id"))
    assert refusal(folder).startswith(f"{path}, line 2: None, ")
    path.write_text("\ufeff" + good)  # a spreadsheet has saved it
    loaded(folder)


def test_half_sorted(tmp_path):
    folder = write_class_folders(tmp_path, mixed())
    save(folder / "val" / file_name(77), 77)
    text = refusal(folder)
    assert text.startswith(f"{folder / 'val'}: holds class folders and 1 images outside them; half-sorted: ")
    assert file_name(77) in text


def test_an_empty_class_folder(tmp_path):
    folder = write_class_folders(tmp_path, mixed())
    (folder / "val" / "n01443537").mkdir()
    assert refusal(folder).startswith(f"{folder / 'val' / 'n01443537'}: no images; half-filled")


def test_another_imagenet(tmp_path):
    folder = write_class_folders(tmp_path, mixed() | {99: "n00004475"})
    assert "n00004475 is none of ImageNet's 1,000 labels" in refusal(folder)
    assert refusal(folder).endswith("are read by --data folder")


def test_one_label_or_one_image_of_a_label(tmp_path):
    folder = write_class_folders(tmp_path, mixed() | {99: "n01443537"})
    assert f"{file_name(99)}: the only image of 'n01443537'" in refusal(folder)
    for synset in list(SYNSETS)[1:]:
        shutil.rmtree(folder / "val" / synset)
    shutil.rmtree(folder / "val" / "n01443537")
    assert "images of one label, n01440764; at least 2 are needed" in refusal(folder)


def test_a_thousand_labels_have_fifty_images_each(tmp_path, monkeypatch):
    monkeypatch.setattr(imagenet, "N_LABELS", 4)
    images = mixed(50)
    folder = write_class_folders(tmp_path, images)
    assert loaded(folder).source.startswith("validation images as class folders, 40 a label to train and 10 to test")
    number, synset = next(iter(images.items()))
    path = folder / "val" / synset / file_name(number)
    path.unlink()
    assert refusal(folder).startswith(f"{path.parent}: 49 images of {synset}, expected 50: half-filled, or not the")
    save(path, number)
    save(path.with_name(file_name(201)), 201)
    assert refusal(folder).startswith(f"{path.parent}: 51 images of {synset}, expected 50")


def test_a_subset_may_have_other_numbers_and_says_so(tmp_path):
    images = mixed(7)
    first = next(iter(images))
    del images[first]
    assert "A SUBSET, 4 of the 1,000 labels: 6 to 7 a label, of which a fifth tests, drawn from seed 0" in (
        loaded(write_class_folders(tmp_path, images)).source
    )
