"""What happens around the steps of a training: stops, the loss, epochs, saves, and what a person sees.

Each hook is asked once after every step, in the order in which `hooks_of` has them; a stop takes effect after all have
been asked, where nothing is half done.
"""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor, nn

from precompute.images.augment import Draws
from precompute.machine.distributed import World
from precompute.machine.stopping import Stopping
from precompute.messages.problem import Problem
from precompute.messages.progress import Progress
from precompute.messages.wording import counted
from precompute.recipes import Schedule
from store.file.format import HISTORY

_CHECK_EVERY = 100  # steps between looks at the loss on a GPU, where each look waits for the device
_SAVE_EVERY = 15.0  # seconds between saves on a GPU, where one can take as long as two epochs

Save = Callable[[dict[str, Any]], None]
Keep = Callable[[int, dict[str, Any]], None]  # epoch, weights


class Training(Protocol):
    """What hooks know of a training (`loop.Training`)."""

    name: str
    model: nn.Module
    schedule: Schedule
    evaluate: Callable[[], float] | None
    evaluations: int
    world: World
    device: torch.device
    optimizer: torch.optim.SGD
    history: dict[str, list[float]]
    batch_size: int
    steps_an_epoch: int
    steps: int
    step: int  # how many are done
    sums: Tensor  # of this epoch: loss, and inputs that were answered right

    def fields(self, model: nn.Module, index: Tensor, draws: Draws) -> Tensor: ...

    def state(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Moment:
    """Just after a step."""

    epoch: int
    batch: int  # of the epoch
    draws: Draws  # of the epoch
    ends_epoch: bool
    looks: bool  # whether the device is waited for


def moment(training: Training, epoch: int, batch: int, draws: Draws) -> Moment:
    ends_epoch = batch + 1 == training.steps_an_epoch
    looks = ends_epoch or training.device.type == "cpu" or batch % _CHECK_EVERY == 0
    return Moment(epoch, batch, draws, ends_epoch, looks)


class Hook(Protocol):
    def after_step(self, now: Moment) -> None: ...


class Stops:
    """Whether a person, or the system, asked for the end: agreed on among processes, since a signal reaches each at
    another step, and only where they wait for each other anyway."""

    def __init__(self, training: Training, stopping: Stopping) -> None:
        self._world, self._stopping = training.world, stopping
        self.asked = False

    def after_step(self, now: Moment) -> None:
        self.asked = self._stopping.agreed(self._world) if now.looks or not self._world.several else False

    def check(self) -> None:
        """Raises Stopped where all have agreed to stop."""
        if self.asked:
            self._stopping.check()


class LossCheck:
    """A loss that is not finite ends the training. Raises Problem."""

    def __init__(self, training: Training, stops: Stops) -> None:
        self._training, self._stops = training, stops

    def after_step(self, now: Moment) -> None:
        training = self._training
        if (now.looks or self._stops.asked) and training.world.any(not math.isfinite(training.sums[0].item())):
            diverged(training, "the loss is", now.epoch)


class Epochs:
    """The history: learning rate, loss and accuracies at the end of each epoch."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def after_step(self, now: Moment) -> None:
        if not now.ends_epoch:
            return
        training = self._training
        loss, right = training.world.total(training.sums).tolist()
        values = (
            training.schedule.rate(training.step - 1, training.steps_an_epoch),
            loss / training.steps_an_epoch,
            right / (training.steps_an_epoch * training.batch_size),
            self._test_accuracy(now.epoch),
        )
        for column, value in zip(HISTORY, values, strict=True):
            training.history[column].append(value)
        training.sums.zero_()

    def _test_accuracy(self, epoch: int) -> float:
        """NaN where it is not taken after this epoch."""
        training = self._training
        every = max(1, training.schedule.epochs // training.evaluations)
        if training.evaluate is None or (training.schedule.epochs - 1 - epoch) % every:
            return math.nan
        training.model.eval()
        accuracy = training.evaluate()
        training.model.train()
        return accuracy


class Snapshots:
    """The model's weights after chosen epochs, for who looks at it as it forms. The training does not notice.

    epochs: counted from 1, the first that is done. keep: gets the epoch and the weights.
    """

    def __init__(
        self, training: Training, epochs: Collection[int], keep: Callable[[int, dict[str, Any]], None]
    ) -> None:
        self._training, self._epochs, self._keep = training, epochs, keep

    def after_step(self, now: Moment) -> None:
        if now.ends_epoch and now.epoch + 1 in self._epochs and self._training.world.is_first:
            self._keep(now.epoch + 1, self._training.model.state_dict())


class Saves:
    """The state after each epoch, on a GPU now and then, and in the middle of one when the person stops."""

    def __init__(self, training: Training, stops: Stops, save: Save) -> None:
        self._training, self._stops, self._save = training, stops, save
        self._saved = -math.inf

    def after_step(self, now: Moment) -> None:
        training = self._training
        is_due = training.device.type != "cuda" or time.monotonic() - self._saved > _SAVE_EVERY
        if not (self._stops.asked or (now.ends_epoch and (is_due or training.step == training.steps))):
            return
        self._check_weights(now)
        state = training.state()
        if training.world.is_first:
            self._save(state)
        training.world.barrier()  # torchrun ends those that are left as soon as one has gone
        self._saved = time.monotonic()

    @torch.no_grad()
    def _check_weights(self, now: Moment) -> None:
        """What the weights make of a batch: the loss of the last step was taken before it changed them."""
        training = self._training
        training.model.eval()
        mine = now.draws.order[: training.batch_size][training.world.share(training.batch_size)]
        fields = training.fields(training.model, mine, now.draws)
        training.model.train()
        if training.world.any(not bool(fields.isfinite().all())):
            diverged(training, "what the model answers is", now.epoch)


class Shown:
    """Progress, of the first process."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self.progress = Progress(training.name, training.steps, training.step, shown=training.world.is_first)

    def after_step(self, now: Moment) -> None:
        self.progress.step(self._training.step, f"epoch {now.epoch + 1} of {self._training.schedule.epochs}")

    def finish(self) -> None:
        last = {column: values[-1] for column, values in self._training.history.items()}
        text = f"loss {last['loss']:.3f}, train accuracy {last['train_accuracy']:.3f}"
        text += "" if math.isnan(last["test_accuracy"]) else f", test accuracy {last['test_accuracy']:.3f}"
        self.progress.finish(f"{counted(self._training.schedule.epochs, 'epoch')}, {text}")


def diverged(training: Training, what: str, epoch: int) -> NoReturn:
    raise Problem(
        f"{training.name}: {what} not finite any more in epoch {epoch + 1} (learning rate "
        f"{training.optimizer.param_groups[0]['lr']:.3g}). The last good checkpoint is kept; the recipe does not suit "
        "this data, try --recipe quick or another batch size with --fresh"
    )
