"""A run's place on disk: the file it makes, and the folder beside it that it goes on from."""

import contextlib
import glob
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from precompute.disk import checkpoint
from precompute.messages.problem import BUSY, Problem
from precompute.options import Options
from store.file.format import FormatError
from store.file.read import Run
from store.file.write import RunContent

NETWORK = "network"  # the training that outlives the run
_REPLACED = "replaced"
_BEFORE_THERE_WAS_A_CHOICE = {"probe_start": "random", "probe_draws": 0}  # of a recipe, and of its options
_WAY_OUT = "Name another --out, or replace it with --fresh"


class Workspace:
    """runs/NAME.h5 and runs/NAME.work/ of one recipe on one data set.

    What is there of another is never overwritten unasked.
    images: the checksums of the images that are used, as a result's manifest has them in `data`.
    weights: the checksum of the file that the network starts from, if it does.
    label_names: of the network's outputs, for who probes the trained network elsewhere.
    """

    def __init__(
        self,
        out: Path,
        recipe: dict[str, Any],
        images: dict[str, str] | None = None,
        weights: str | None = None,
        label_names: list[str] | None = None,
    ) -> None:
        self.out = out
        self.folder = out.with_suffix(".work")
        self.recipe = json.loads(json.dumps(recipe))  # as a result holds it, so that the two can be compared
        self.images = images or {}
        self.weights = weights
        self.label_names = label_names or []

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second process from making the same file. Leaves nothing where nothing was done.

        Raises Problem, OSError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as file:
            try:  # from here on, since a stop may come at any moment
                if not _is_mine(file, self._lock):
                    raise Problem(f"{self.out} {BUSY}; wait for it, or name another --out")
                self._sweep()
                yield
            finally:
                # Not empty: there is something to go on from. Not to be written to any more: that has been said.
                with contextlib.suppress(OSError):
                    if _is_mine(file, self._lock):
                        self._lock.unlink(missing_ok=True)
                        self.folder.rmdir()

    def is_empty(self) -> bool:
        """Whether there is nothing that --fresh would replace."""
        return not self.out.exists() and all(path == self._lock for path in self.folder.glob("*"))

    def set_aside(self) -> None:
        """Make room, for --fresh. The result and the network that were there stay in the folder until `close`."""
        for path in (self.out, self._network):
            if path.exists():
                path.replace(self.folder / f"{_REPLACED}{path.suffix}")
        for path in self.folder.glob("*"):
            if path != self._lock and path.stem != _REPLACED:
                path.unlink()

    def close(self) -> None:
        """The run is finished: only the trained network stays in the folder."""
        for path in self.folder.glob("*"):
            if path not in (self._network, self._lock):
                path.unlink()

    def earlier_result(self) -> RunContent | None:
        """What stands at the output's place, None where there is nothing.

        Raises Problem where it is another recipe's or damaged, OSError where it cannot be read.
        """
        if not self.out.exists():
            return None
        try:
            with Run(self.out) as run:
                self.refuse_other(run)
                return run.content()
        except FormatError as error:
            raise Problem(f"{error}. {_WAY_OUT}") from error

    def refuse_other(self, run: Run) -> None:
        """Raises Problem where the run at the output's place is another recipe's, or of other images."""
        origin = run.manifest["network"].get("weights")
        weights = origin.get("sha256") if isinstance(origin, dict) else None
        self._refuse_other(self.out, run.manifest.get("recipe"), run.manifest["data"], weights)

    def has_network(self) -> bool:
        """Whether a training of the network can go on, or is done."""
        return self._network.exists()

    def load_training(self, name: str) -> dict[str, Any] | None:
        """A training's state, None where there is none. Raises Problem where it is another recipe's or damaged."""
        path = self._checkpoint(name)
        saved = checkpoint.load(path)
        if saved is None:
            return None
        self._refuse_other(path, saved["recipe"], saved.get("images", {}), saved.get("weights"))
        state: dict[str, Any] = saved["training"]
        return state

    def save_training(self, name: str, state: dict[str, Any]) -> None:
        made_from = {"recipe": self.recipe, "images": self.images, "weights": self.weights}
        made_from |= {"label_names": self.label_names} if self.label_names else {}
        checkpoint.save(self._checkpoint(name), made_from | {"training": state})

    def save_snapshot(self, epoch: int, weights: dict[str, Any]) -> None:
        """The network as it is after an epoch, kept until the run is finished."""
        self.save_training(_snapshot(epoch), {"model": weights})

    def load_snapshot(self, epoch: int) -> dict[str, Any]:
        """The network's weights after an epoch. Raises Problem where they are damaged, or not there any more."""
        state = self.load_training(_snapshot(epoch))
        if state is None:
            raise Problem(f"{self._checkpoint(_snapshot(epoch))} is gone; --fresh trains the network again")
        weights: dict[str, Any] = state["model"]
        return weights

    def has_snapshot(self, epoch: int) -> bool:
        return self._checkpoint(_snapshot(epoch)).exists()

    def pixel_file(self, split: str) -> Path:
        return self.folder / f"{split}.pixels"

    def activation_file(self, split: str, layer: str) -> Path:
        return self.folder / f"{split}-{layer}.activations"

    def _checkpoint(self, name: str) -> Path:
        return self.folder / f"{name}.ckpt"

    @property
    def _network(self) -> Path:
        return self._checkpoint(NETWORK)

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    def _sweep(self) -> None:
        """Remove what a process that was killed left half-written (see `store.file.write.replace_file`)."""
        for partial in (*self.out.parent.glob(f".{glob.escape(self.out.name)}.*.tmp"), *self.folder.glob(".*.tmp")):
            partial.unlink()

    def _refuse_other(self, path: Path, made_with: Any, made_from: dict[str, Any], weights: str | None) -> None:
        made_with = _completed(made_with, self.recipe)
        if made_with == self.recipe:
            if any(made_from.get(split, checksum) != checksum for split, checksum in self.images.items()):
                raise Problem(f"{path} was made from other images. {_WAY_OUT}")
            if self.weights is not None and weights not in (None, self.weights):
                raise Problem(f"{path} was made from other weights, in a file of the same name. {_WAY_OUT}")
            return
        before = made_with.get("options", {}) if isinstance(made_with, dict) else {}
        now = self.recipe["options"]
        changes = [f"{key} {before.get(key)!r}, now {now[key]!r}" for key in now if before.get(key) != now[key]]
        raise Problem(
            f"{path} was made by another recipe ({'; '.join(changes[:4]) or 'other hyper-parameters'}). {_WAY_OUT}"
        )


def is_begun(out: Path) -> bool:
    """Whether there is anything that a run of this output would go on from."""
    return out.exists() or (out.with_suffix(".work") / f"{NETWORK}.ckpt").exists()


def _snapshot(epoch: int) -> str:
    return f"epoch-{epoch}"


def _completed(made_with: Any, recipe: dict[str, Any]) -> Any:
    """An earlier version's recipe with what that version could not ask for yet, which was as it is by default."""
    if not isinstance(made_with, dict) or not isinstance(made_with.get("options"), dict):
        return made_with
    made_with, default = json.loads(json.dumps([made_with, Options().recipe_options()]))
    default |= _BEFORE_THERE_WAS_A_CHOICE
    options = {name: made_with["options"].get(name, default.get(name)) for name in recipe["options"]}
    completed: dict[str, Any] = {name: value for name, value in _BEFORE_THERE_WAS_A_CHOICE.items() if name in recipe}
    completed |= made_with | {"options": options}
    for part in ("network", "probe"):
        if isinstance(completed.get(part), dict):
            completed[part] = {"stage_rates": []} | completed[part]
    return completed


def _is_mine(file: TextIO, path: Path) -> bool:
    """Lock the file until it is closed; where the system has no such locks, believe that all is well."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    try:  # the process that had it may have ended, and removed it, since it was opened here
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
