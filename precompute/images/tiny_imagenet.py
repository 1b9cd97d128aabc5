"""Tiny ImageNet's validation images: val/images/*, and val/val_annotations.txt, which says what each shows.

A line is "val_0.JPEG<tab>n03444034<tab>0<tab>32<tab>44<tab>62": file, label (a folder of train/), and a box.
"""

from pathlib import Path

from precompute.images.walk import images_below
from precompute.messages.problem import Problem

ANNOTATIONS = "val_annotations.txt"


def annotated(folder: Path) -> dict[str, list[Path]]:
    """Label -> its images by name. Raises Problem, OSError."""
    place = folder / ANNOTATIONS
    images = {path.name: path for path in images_below(folder).images}
    by_label: dict[str, list[Path]] = {}
    for number, line in enumerate(place.read_text("utf-8", "replace").splitlines(), start=1):
        name, _, rest = line.partition("\t")
        label = rest.partition("\t")[0]
        if not label:
            raise Problem(f"{place}, line {number}: {line[:40]!r}; expected an image, a tab and its label")
        if name not in images:
            raise Problem(f"{place}, line {number}: names {name[:80]!r}, which is not there. Unpack the data set again")
        by_label.setdefault(label, []).append(images.pop(name))
    if images:
        raise Problem(f"{next(iter(images.values()))}: {place.name} has no line for it. Unpack the data set again")
    return {label: sorted(paths, key=lambda path: path.name) for label, paths in by_label.items()}
