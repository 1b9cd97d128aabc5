"""In the middle of a run its disk (a small tmpfs) is filled to the last byte, or its result folder, its checkpoint's
folder or its data set vanishes, or becomes read-only (a bind mount: permissions do not bind a privileged user). What
was there at that moment is copied first. The run must then say in one line what is wrong and where, and end with a
status other than 0; every file that was there must be there, byte for byte, with nothing half-written beside it; and
once the trouble is over the same command must end with the bits of a run that nobody disturbed. What a run can do
without, such as images that it has read, or a folder that it can make anew, need not stop it: then it must end with the
same bits at once."""

import functools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.image_folders import tiny, write_image_folder
from tests.trust.finding import Finding
from tests.trust.program import ARCH, LAYERS, Moment, Place, command, content_of

FULL = "no space is left on that disk. Free some; the same command then goes on"
READ_ONLY = "Read-only file system"
Act = Callable[[Path], None]  # takes the folder that is troubled


class Trouble(NamedTuple):
    """What happens to a run, when, and what it has to say; None where it can do without."""

    what: str
    moment: Moment
    troubled: str  # "disk", or a folder: "result", "checkpoint", "images"
    act: Act
    undo: Act
    says: str | None
    from_files: bool = False  # whether the run decodes image files on its way, and trains no network
    in_short: bool = False


def findings(full: bool, folder: Path) -> list[Finding]:
    """All troubles (three of them)."""
    with _disk(folder / "disk") as reason:
        if reason:
            return [
                Finding("a full, read-only or vanished disk", "nothing is harmed", f"not measured: {reason}", not full)
            ]
        scene = Scene(folder)
        return [scene.finding(number, trouble) for number, trouble in enumerate(TROUBLES) if full or trouble.in_short]


class Scene:
    """Data sets, what undisturbed runs made of them, and a disk for the others."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.images = folder, {False: folder / "images", True: folder / "image files"}
        write_image_folder(self.images[True], "cifar10", tiny("cifar10", 5, 2))
        of_files = f"--arch {ARCH} --untrained --image-size 32 --data folder --device cpu --recipe quick"
        self.arguments = {
            False: command(self.images[False]),
            True: [*of_files.split(), "--layers", *LAYERS, "--data-dir", str(self.images[True])],
        }
        self.unharmed: dict[bool, str] = {}

    def finding(self, number: int, trouble: Trouble) -> Finding:
        if trouble.from_files not in self.unharmed:
            unharmed = Place(self.folder / f"unharmed {trouble.from_files}", self.arguments[trouble.from_files])
            unharmed.finish()
            self.unharmed[trouble.from_files] = content_of(unharmed.out)
        place = Place(
            self.folder / "disk" / str(number), self.arguments[trouble.from_files], self.folder / f"printed {number}"
        )
        troubled = {
            "disk": self.folder / "disk",
            "result": place.folder,
            "checkpoint": place.network.parent,
            "images": self.images[trouble.from_files],
        }[trouble.troubled]
        copy = self.folder / f"copy {number}"
        process = place.start(trouble.moment, functools.partial(_disturb, place.folder, copy, trouble.act, troubled))
        status = process.wait()
        harmed = [] if trouble.says is None else _harmed(copy, place.folder)
        kept = sum(path.is_file() for path in copy.rglob("*"))
        trouble.undo(troubled)
        if trouble.says is None:
            wrong = [] if status == 0 else [f"exit status {status}: {process.printed.splitlines()[-1]}"]
            measured, wanted = "it ends well", "it ends well, with the same bits"
        else:
            wrong = _not_said(trouble.says, troubled, place, status, process.printed)
            wrong += [f"harmed: {', '.join(harmed)}"] if harmed else []
            measured, wanted = (
                f"it stops and says so, {kept} file{'' if kept == 1 else 's'} unharmed",
                "stops, says where, no harm, goes on",
            )
            process = place.start()
            status = process.wait()
            wrong += [f"does not go on: {process.printed.splitlines()[-1]}"] if status else []
        same = not status and content_of(place.out) == self.unharmed[trouble.from_files]
        wrong += [] if same else ["not the same bits"]
        shutil.rmtree(place.folder)
        measured += f"{'' if trouble.says is None else ', goes on'}, with the same bits"
        return Finding(trouble.what, wanted, "; ".join(wrong) or measured, not wrong, "; ".join(wrong))


def _not_said(says: str, troubled: Path, place: Place, status: int, printed: str) -> list[str]:
    """What is missing in how it ended: a status other than 0, and one line that names the trouble and the place."""
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    wrong = [] if status == 1 else [f"exit status {status}"]
    wrong += [] if len(errors) == 1 and "Traceback" not in printed else [f"{len(errors)} errors"]
    named = any(str(path) in line for line in errors for path in (troubled, place.folder))
    return wrong + ([] if named and all(says in line for line in errors) else [f"says {errors}"])


def _harmed(copy: Path, folder: Path) -> list[str]:
    """Files that were there and are gone or changed, and those that are half-written."""
    were = {path.relative_to(copy): path for path in copy.rglob("*") if path.is_file()}
    found = [str(name) for name, path in were.items() if not _same(folder / name, path)]
    return found + [path.name for path in folder.rglob("*.tmp")]


def _same(path: Path, other: Path) -> bool:
    return path.is_file() and path.read_bytes() == other.read_bytes()


@contextmanager
def _disk(place: Path, size: str = "32m") -> Iterator[str]:
    """A small disk; gives the reason where there can be none. Whatever is mounted in it goes with it."""
    place.mkdir(parents=True)
    reason = _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield reason
    finally:
        if not reason:
            subprocess.run(["umount", "--recursive", str(place)], check=True)


def _mount(*arguments: str) -> str:
    """-> why not, "" where it is mounted."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return "there is no command 'mount'"
    return done.stderr.strip().splitlines()[0] if done.returncode else ""


# In the process that is disturbed


def _disturb(folder: Path, copy: Path, act: Act, troubled: Path) -> None:
    shutil.copytree(folder, copy, ignore=lambda _, names: [name for name in names if name == "lock"])
    act(troubled)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError:
                continue


def empty(disk: Path) -> None:
    (disk / "ballast").unlink()


def make_read_only(folder: Path) -> None:
    for options in (("--bind", str(folder), str(folder)), ("-o", "remount,bind,ro", str(folder))):
        if reason := _mount(*options):
            raise RuntimeError(reason)


def make_writable(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def move_away(folder: Path) -> None:
    folder.rename(folder.with_name(f"{folder.name}, elsewhere"))


def move_back(folder: Path) -> None:
    folder.with_name(f"{folder.name}, elsewhere").rename(folder)


def leave(folder: Path) -> None:
    pass


_BEGIN, _EPOCH, _LAYER = Moment("training", 1), Moment("checkpoint", 3), Moment("writing", 2)
_PASS = Moment("activations", 1)
TROUBLES = (
    Trouble("the disk is full before the first epoch", _BEGIN, "disk", fill, empty, FULL),
    Trouble("the disk is full at the third checkpoint", _EPOCH, "disk", fill, empty, FULL, in_short=True),
    Trouble("the disk is full at the second layer", _LAYER, "disk", fill, empty, FULL),
    Trouble(
        "the checkpoint's folder becomes read-only", _EPOCH, "checkpoint", make_read_only, make_writable, READ_ONLY
    ),
    Trouble(
        "the result folder becomes read-only at a checkpoint",
        _EPOCH,
        "result",
        make_read_only,
        make_writable,
        READ_ONLY,
    ),
    Trouble(
        "the result folder becomes read-only at a layer",
        _LAYER,
        "result",
        make_read_only,
        make_writable,
        READ_ONLY,
        in_short=True,
    ),
    Trouble("the data set becomes read-only", _BEGIN, "images", make_read_only, make_writable, None),
    Trouble("image files become read-only", _PASS, "images", make_read_only, make_writable, None, from_files=True),
    Trouble("the checkpoint vanishes during the training", _EPOCH, "checkpoint", remove, leave, None),
    Trouble("the result folder vanishes at a layer", _LAYER, "result", remove, leave, None),
    Trouble("the data set, which was read, vanishes", _EPOCH, "images", move_away, move_back, None),
    Trouble(
        "image files vanish before they are read",
        _PASS,
        "images",
        move_away,
        move_back,
        "No such file or directory",
        from_files=True,
        in_short=True,
    ),
)
