"""The one training loop, for networks and for probes: stochastic gradient descent with Nesterov momentum.

What happens in an epoch is drawn from (seed, epoch) alone and the learning rate follows from the step, so a training
that goes on from a checkpoint takes the same steps as one that never stopped; on a CPU, to the bit.

Several processes take each step together, a part of its batch each: the same step but for rounding and for layers that
draw, such as dropout, so a training may go on with another number of them.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from precompute.images.augment import Draws
from precompute.machine.distributed import ALONE, World
from precompute.machine.stopping import Stopping
from precompute.recipes import Schedule
from precompute.training.graph import GraphedSteps, compiled
from precompute.training.hooks import Epochs, Hook, LossCheck, Save, Saves, Shown, Stops, moment
from store.file.format import HISTORY

_EVALUATIONS = 5  # test accuracy is taken about so often in a training: on a CPU each time costs part of an epoch
_WORTH_COMPILING = 50_000  # steps: half a minute of compiling against 0.4 ms a step on an H200, more on slower GPUs


@dataclass
class Training:
    """One model, its data, and how far its training has come."""

    name: str  # for messages
    model: nn.Module  # inputs -> fields of the output units (batch, labels)
    inputs: Callable[[Tensor, Draws], Tensor]  # (index of the batch, draws of the epoch) -> the model's inputs
    labels: Tensor  # (inputs,) int64, on the model's device
    schedule: Schedule
    seed: int
    autocast: torch.dtype | None = None  # lower precision for what allows it; weights stay float32
    evaluate: Callable[[], float] | None = None  # test accuracy now
    evaluations: int = _EVALUATIONS
    world: World = ALONE
    on_device: bool = False  # whether `inputs` reads from the model's device alone: a GPU's steps are then captured
    history: dict[str, list[float]] = field(default_factory=lambda: {column: [] for column in HISTORY})
    step: int = 0

    def __post_init__(self) -> None:
        fused = self.labels.device.type in ("cpu", "cuda")
        self.device = self.labels.device
        self.optimizer = torch.optim.SGD(
            self._groups(),
            lr=self.schedule.learning_rate,
            momentum=self.schedule.momentum,
            weight_decay=self.schedule.weight_decay,
            nesterov=True,
            fused=fused,
        )
        self.batch_size = min(self.schedule.batch_size, len(self.labels))
        self.steps_an_epoch = len(self.labels) // self.batch_size  # what is left over joins in other epochs
        self.steps = self.steps_an_epoch * self.schedule.epochs
        self.sums = torch.zeros(2, dtype=torch.float64, device=self._sum_device())  # of this epoch: loss, right ones
        self._rate: float | None = None  # that the optimizer has
        self._graphed: GraphedSteps | None = None
        if self.device.type == "cuda" and self.on_device and not self.world.several:
            self._graphed = GraphedSteps(self._compute, len(self.labels), self.batch_size, self.device)
            self._rates_on_device()
        self._trained = self._over_all_processes() if self.world.several else self.model

    def run(
        self, stopping: Stopping, save: Save | None = None, more_hooks: Sequence[Hook] = ()
    ) -> dict[str, list[float]]:
        """Train to the end; returns the history, one value an epoch.

        more_hooks: are asked before what is done is saved, so that after a kill nothing of theirs is missing.
        `save` gets the state now and then, and when the person stops (see `hooks.Saves`). Raises Stopped, and Problem
        at a loss that is not finite: the state saved last is then still the good one.
        """
        stops, shown = Stops(self, stopping), Shown(self)
        hooks: list[Hook] = [stops, LossCheck(self, stops), Epochs(self), *more_hooks]
        hooks += [Saves(self, stops, save)] if save is not None else []
        self._begin(shown)
        draws = None
        with stopping.held() if self.world.several else nullcontext():  # who leaves before all agree is waited for
            while self.step < self.steps:
                epoch, batch = divmod(self.step, self.steps_an_epoch)
                if draws is None or batch == 0:
                    draws = Draws.of_epoch(len(self.labels), self.seed, epoch, self.device)
                with stopping.held():
                    self.take_step(draws, batch)
                    now = moment(self, epoch, batch, draws)
                    for hook in hooks:
                        hook.after_step(now)
                stops.check()
                shown.after_step(now)
        self.model.eval()
        shown.finish()
        return self.history

    def _begin(self, shown: Shown) -> None:
        if self._graphed is not None and self.steps - self.step >= _WORTH_COMPILING:
            self.compile()
            shown.progress.note("its kernels are compiled first, which can take a minute")
        self.model.train()
        if not self.world.is_first:
            torch.manual_seed(self.seed + (self.world.rank << 32) + self.step)  # other dropouts for other inputs

    def compile(self) -> None:
        """Let torch's compiler join what follows one another in the network. Takes its time at the first step."""
        self._trained = compiled(self.model)

    def take_step(self, draws: Draws, batch: int) -> None:
        """One step on the given batch of the epoch."""
        index = draws.order[batch * self.batch_size : (batch + 1) * self.batch_size]
        self._set_rates(self.schedule.rate(self.step, self.steps_an_epoch))
        if self._graphed is not None:
            self._graphed.take(index, draws)
        else:
            self._compute(index, draws)
        self.step += 1

    def _compute(self, index: Tensor, draws: Draws) -> None:
        """All that the device does in a step."""
        mine = index[self.world.share(len(index))]
        labels = self.labels[mine]
        fields = self.fields(self._trained, mine, draws)
        loss = cross_entropy(fields, labels) * (len(mine) / len(index))  # the parts add up to the batch's mean
        self.optimizer.zero_grad(set_to_none=True)
        (loss * self.world.size).backward()  # type: ignore[no-untyped-call]  # since gradients will be averaged
        self.optimizer.step()
        right = (fields.detach().argmax(1) == labels).sum()
        self.sums += torch.stack([loss.detach(), right]).to(self.sums)

    def _set_rates(self, rate: float) -> None:
        if rate == self._rate:
            return
        self._rate = rate
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):  # whose address a graph knows
                group["lr"].fill_(rate * group["factor"])
            else:
                group["lr"] = rate * group["factor"]

    def _rates_on_device(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = torch.zeros((), device=self.device)
        self._rate = None

    def state(self) -> dict[str, Any]:
        """All that the training goes on from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "step": self.step,
            "sums": self.world.total(self.sums),
            "random": torch.get_rng_state(),  # for layers that draw, such as dropout
            "device_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        factors = [group["factor"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, factor in zip(self.optimizer.param_groups, factors, strict=True):
            group["factor"] = factor  # which checkpoints of version 0.1 do not hold
            group["lr"] = 0.0
        self._rate = None
        if self._graphed is not None:
            self._rates_on_device()
        self.history = state["history"]
        self.step = state["step"]
        self.sums = state["sums"].to(self._sum_device()) * self.world.is_first  # the first process's are everybody's
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state.get("device_random") is not None:
            torch.cuda.set_rng_state(state["device_random"], self.device)

    def _groups(self) -> list[dict[str, Any]]:
        """The parameters by the factor of their learning rate."""
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                factors = (factor for start, factor in self.schedule.stage_rates if name.startswith(start))
                groups.setdefault(next(factors, 1.0), []).append(parameter)
        return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]

    def _over_all_processes(self) -> nn.Module:
        """The model, seeing one part of a batch as if it saw the whole; its weights are the model's own."""
        from precompute.training.batch_norm import synchronize

        synchronize(self.model, self.device)
        return nn.parallel.DistributedDataParallel(self.model)

    def fields(self, model: nn.Module, index: Tensor, draws: Draws) -> Tensor:
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            fields: Tensor = model(self.inputs(index, draws))
        return fields.float()

    def _sum_device(self) -> torch.device:
        """MPS has no float64."""
        return self.device if self.device.type != "mps" else torch.device("cpu")
