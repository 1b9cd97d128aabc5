"""Data sets: images as uint8 arrays, their labels, and where they are from.

`load` gives the whole data set, or the K labels asked for. What is read: scikit-learn's digits; CIFAR-10 and
CIFAR-100 from the Hugging Face hub or from a folder (see `sources`), as arrays; ImageNet and anybody's image folders
from files that are decoded when they are asked for (see `image_files`), which may hold many images each (see `stored`).
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from precompute.images import class_folders, imagenet, sources
from precompute.images.decoded import DecodedImages
from precompute.images.digests import Digests
from precompute.images.image_files import DECODED_AT_ONCE, ImageFiles
from precompute.images.outline import Sizes, check_labels, cifar_folder, names_of, superclasses_of
from precompute.images.splits import LabelledImages
from precompute.images.stored import reading
from precompute.images.stored.found import as_labelled
from precompute.images.subsets import label_subset
from precompute.images.unreadable import without_unreadable
from precompute.options import LAYOUTS, Options, folder_of, output_path


@dataclass(frozen=True)
class Split:
    """Images (inputs, height, width, 3) uint8 and their labels (inputs,) int64."""

    images: NDArray[np.uint8] | ImageFiles
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def of_labels(self, chosen: list[int]) -> "Split":
        """The inputs of the chosen labels, which are numbered anew in the order given."""
        new = np.full(int(self.labels.max()) + 1, -1)
        new[chosen] = np.arange(len(chosen))
        kept = new[self.labels] >= 0
        return Split(self._images(kept), new[self.labels[kept]])

    def first_of_each_label(self, most: int) -> "Split":
        """At most so many inputs of each label: those that come first, in the order that they have."""
        kept = np.zeros(len(self), bool)
        for label in np.unique(self.labels):
            kept[np.flatnonzero(self.labels == label)[:most]] = True
        return Split(self._images(kept), self.labels[kept])

    def _images(self, kept: NDArray[np.bool_]) -> NDArray[np.uint8] | ImageFiles:
        return self.images.select(kept) if isinstance(self.images, ImageFiles) else self.images[kept]

    def sha256(self) -> str:
        if isinstance(self.images, ImageFiles):
            return self.images.sha256(self.labels)
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class DataSet:
    """A data set as it is trained on."""

    name: str
    train: Split
    test: Split
    label_names: list[str]
    superclasses: list[str]  # "" where there is none
    flips: bool  # whether a mirror image keeps its label
    licence: str
    source: str  # where it was read from, in words
    label_indices: list[int]  # which labels of the whole data set
    unreadable: int = 0  # images that were left out because they cannot be decoded
    digests: Digests | None = None  # of images in files
    sorted_folders: bool = False  # whether labels are names of folders, which each program sorts its own way

    @property
    def n_labels(self) -> int:
        return len(self.label_names)

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Of images and labels of each split, as a result's manifest has them.

        Of files, `sha256` is of names and sizes, as it ever was, and `content_sha256` of what they hold.
        """
        found = {"train_sha256": self.train.sha256(), "test_sha256": self.test.sha256()}
        for name, split in (("train", self.train), ("test", self.test)):
            if self.digests is not None and isinstance(split.images, ImageFiles):
                found[f"{name}_content_sha256"] = self.digests.sha256(split.images.paths, split.labels)
        return found

    @cached_property
    def pixel_statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each colour over the training images, for pixels in [0, 1].

        Of files, over at most 2,000 of them, evenly spread.
        """
        images = self.train.images
        if isinstance(images, ImageFiles):
            images = images.select(slice(0, len(images), -(-len(images) // _FILES_FOR_STATISTICS)))
            batches = images.batches(DECODED_AT_ONCE)
        else:
            batches = (images[first : first + _COUNTED_AT_ONCE] for first in range(0, len(images), _COUNTED_AT_ONCE))
        counts = np.zeros((images.shape[-1], 256))
        for batch in batches:
            for colour, of_colour in enumerate(counts):
                of_colour += np.bincount(batch[..., colour].reshape(-1), minlength=256)
        values, means, deviations = np.arange(256) / 255, [], []
        for shares in counts / counts.sum(1, keepdims=True):
            means.append(float(shares @ values))
            deviations.append(float(np.sqrt(shares @ (values - means[-1]) ** 2)))
        return tuple(means), tuple(max(deviation, 1 / 255) for deviation in deviations)

    @property
    def sizes(self) -> Sizes:
        _, height, width, channels = self.train.images.shape
        return Sizes(self.n_labels, len(self.train), len(self.test), (channels, height, width))


_CIFAR_LICENCE = "no licence stated; cite A. Krizhevsky, Learning multiple layers of features from tiny images, 2009"
_DIGITS_LICENCE = "CC BY 4.0; E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI, 1998"
_IMAGENET_LICENCE = "for non-commercial research and education only, by the terms of access of image-net.org"
_FILES_FOR_STATISTICS = 2000
_COUNTED_AT_ONCE = 1000  # images: counting takes eight bytes a pixel
_DIGITS_SPLIT_SEED = 0  # one split for every run, so that runs can be compared


def load(options: Options, side: int = 32, crop: float = 1.0) -> DataSet:
    """Read, or download, what the options name of a data set. Raises Problem.

    Images in files are decoded to side x side pixels, from the middle `crop` of their shorter side; arrays are as
    they are.
    """
    if options.data in LAYOUTS:
        whole = _files(options, side, crop)
    else:
        whole = _digits() if options.data == "digits" else _cifar(options)
    if options.labels is not None:
        whole = _subset(whole, options.labels, options.label_seed)
    if options.per_label is None:
        return whole
    train, test = options.per_label
    return replace(whole, train=whole.train.first_of_each_label(train), test=whole.test.first_of_each_label(test))


def _subset(whole: DataSet, n_labels: int, seed: int) -> DataSet:
    check_labels(whole.name, n_labels, whole.n_labels)
    chosen = label_subset(whole.superclasses, n_labels, seed)
    return replace(
        whole,
        train=whole.train.of_labels(chosen),
        test=whole.test.of_labels(chosen),
        label_names=[whole.label_names[label] for label in chosen],
        superclasses=[whole.superclasses[label] for label in chosen],
        label_indices=[whole.label_indices[label] for label in chosen],
    )


def _digits() -> DataSet:
    """1,797 real 8x8 digits, enlarged to 32x32: the data set that needs no download. Stratified 80/20 split."""
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    small = (digits.images * (255 / 16)).round().astype(np.uint8)
    large = np.stack([np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)) for image in small])
    images = np.repeat(large[..., None], 3, axis=3)
    labels = digits.target.astype(np.int64)
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=_DIGITS_SPLIT_SEED)
    return DataSet(
        name="digits",
        train=Split(parts[0], parts[2]),
        test=Split(parts[1], parts[3]),
        label_names=names_of("digits"),
        superclasses=[""] * 10,
        flips=False,
        licence=_DIGITS_LICENCE,
        source="scikit-learn",
        label_indices=list(range(10)),
    )


def _cifar(options: Options) -> DataSet:
    name, folder = options.data, cifar_folder(options)
    if options.data_dir is None and not sources.is_filled(folder):
        sources.download(name, folder)
    names = names_of(name)
    kept = DecodedImages(output_path(options).parent, folder, keeps=not options.dry_run)
    found = sources.read(name, folder, names, kept)
    return DataSet(
        name=name,
        train=Split(*found.train),
        test=Split(*found.test),
        label_names=names,
        superclasses=superclasses_of(name, names),
        flips=True,
        licence=_CIFAR_LICENCE,
        source=found.form,
        label_indices=list(range(len(names))),
    )


def _files(options: Options, side: int, crop: float) -> DataSet:
    folder, sorted_folders = folder_of(options), False
    if options.data == "imagenet":
        found, label_indices = imagenet.read(folder, options.seed)
        licence = _IMAGENET_LICENCE
    else:
        stored = reading.read(folder) if folder.is_file() else None
        if stored is None:
            class_folders.check_folder(folder, "folder")
            stored = None if class_folders.is_here(folder) else reading.read(folder)
        if stored is None:
            found = class_folders.read(folder, options.seed)
        else:
            found = as_labelled(stored, folder, options.seed)
        sorted_folders = stored is None
        label_indices, licence = list(range(len(found.label_names))), "not stated: somebody's own images"
    digests = Digests.beside(output_path(options).parent, folder)
    unreadable = 0
    if options.skip_unreadable:
        found, unreadable = without_unreadable(found, digests)

    def split(labelled: LabelledImages) -> Split:
        images, labels = labelled
        return Split(ImageFiles(images, side, crop), labels)

    return DataSet(
        name=options.data,
        train=split(found.train),
        test=split(found.test),
        label_names=found.label_names,
        superclasses=[""] * len(found.label_names),
        flips=True,
        licence=licence,
        source=found.form,
        label_indices=label_indices,
        unreadable=unreadable,
        digests=digests,
        sorted_folders=sorted_folders,
    )
