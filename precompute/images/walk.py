"""What lies in a folder: images by their suffixes, folders, and what systems leave behind, which is passed over."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from precompute.messages.problem import Problem

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pnm")
)
_LITTER = frozenset(  # of Windows, macOS, Linux, two makers of network disks, and Python
    ("thumbs.db", "desktop.ini", "$recycle.bin", "__macosx", "lost+found", "@eadir", "#recycle", "@recycle")
)


@dataclass
class Below:
    """What lies in a folder and in all folders below it."""

    images: list[Path] = field(default_factory=list)  # those of a folder by name, then those of its folders
    deeper: int = 0  # of these, how many lie in a folder below
    others: int = 0  # files that are no images


def is_litter(path: Path) -> bool:
    """What systems leave in every folder."""
    return path.name.startswith(".") or path.name.lower() in _LITTER


def images_in(folder: Path) -> tuple[list[Path], int]:
    """The image files of a folder by name, and how many other files there are that are not hidden."""
    images, others, _ = _listed(folder)
    return images, others


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder by name, but hidden ones, and links to folders."""
    with os.scandir(folder) as entries:
        found = [folder / entry.name for entry in entries if entry.is_dir()]
    return _by_name([path for path in found if not is_litter(path)])


def images_below(folder: Path, enough: int | None = None) -> Below:
    """All images below a folder; as soon as there are `enough` of them, only those found so far.

    Links are followed, but for those to a folder that leads to them.
    """
    found = Below()
    real = Path(os.path.realpath(folder))
    _collect(folder, found, enough, (real, *real.parents))
    found.deeper = sum(path.parent != folder for path in found.images)
    return found


def _collect(folder: Path, found: Below, enough: int | None, above: tuple[Path, ...]) -> None:
    images, others, folders = _listed(folder)
    found.images += images
    found.others += others
    for place in folders:
        if enough is not None and len(found.images) >= enough:
            return
        real = Path(os.path.realpath(place))
        if real not in above:
            _collect(place, found, enough, (*above, real))


def _listed(folder: Path) -> tuple[list[Path], int, list[Path]]:
    """Image files, the number of other files, and folders; what has a name comes by name."""
    images, others, folders = [], 0, []
    with os.scandir(folder) as entries:  # which knows a file from a folder without asking the disk for each
        for entry in entries:
            path = folder / entry.name
            if is_litter(path):
                continue
            if entry.is_dir():
                folders.append(path)
            elif path.suffix.lower() not in SUFFIXES:
                others += 1
            elif entry.is_file():
                images.append(path)
            elif not path.exists():
                nowhere = os.readlink(path)
                raise Problem(f"{path}: a link to {nowhere}, where nothing is. Restore the image, or remove it")
            else:
                others += 1
    return _by_name(images), others, _by_name(folders)


def _by_name(paths: list[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.name)
