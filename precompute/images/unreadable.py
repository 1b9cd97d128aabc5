"""--skip-unreadable: a data set without the images that cannot be decoded, which are named and counted."""

from collections.abc import Sequence

import numpy as np

from precompute.images.digests import Digests
from precompute.images.splits import FoundFiles, LabelledImages
from precompute.messages.problem import Problem
from precompute.messages.wording import counted

_NAMED = 20  # the first of them


def without_unreadable(found: FoundFiles, digests: Digests) -> tuple[FoundFiles, int]:
    """The images that can be decoded, and how many others there are. The draw of test images is as with all of them.

    Raises Problem where a label is left without images, OSError where a file cannot be read at all.
    """
    places: list[str] = []

    def readable(labelled: LabelledImages, purpose: str) -> LabelledImages:
        images, labels = labelled
        kept = digests.readable(images)
        places.extend(str(image) for image, ok in zip(images, kept, strict=True) if not ok)
        counts = np.bincount(labels[kept], minlength=len(found.label_names))
        if not counts.all():
            label = int(counts.argmin())
            first = str(images[int(np.flatnonzero(labels == label)[0])])
            name = found.label_names[label]
            raise Problem(f"{first}, and all other images of label {name!r} that are to {purpose}: unreadable")
        return [image for image, ok in zip(images, kept, strict=True) if ok], labels[kept]

    train, test = readable(found.train, "train"), readable(found.test, "test")
    tell(places)
    return found._replace(form=found.form + said(len(places)), train=train, test=test), len(places)


def tell(places: Sequence[str]) -> None:
    for place in places[:_NAMED]:
        print(f"left out, since it cannot be decoded: {place}", flush=True)
    if places[_NAMED:]:
        print(f"... and {len(places) - _NAMED} more", flush=True)


def said(count: int) -> str:
    return f"; {counted(count, 'unreadable image')} left out" if count else ""
