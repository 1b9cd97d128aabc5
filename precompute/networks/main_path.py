"""The main path of a network: the places where it can be tapped, as a pass through it shows them.

A *place* is a module's output with a grid of positions. The places of the main path are those of the outermost modules
that keep the grid's size, or bring it down once, as a stage does: what happens inside of them, such as windows,
squeezing or an expansion, is no place of the network's.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from precompute.networks.calls import IMAGES, Call
from precompute.networks.layout import Grid, grid_of

BLOCK = 2  # layers that mix units, at least: a convolution with its norm is none


@dataclass(frozen=True)
class Place:
    """An output of a module on the network's main path."""

    call: Call
    grid: Grid
    part: int = 0  # which of its tensors
    number: int = 0  # among the places of the call

    @property
    def is_block(self) -> bool:
        return self.call.n_mixing >= BLOCK


class Looked:
    """A pass through a network, as where to tap it needs it."""

    def __init__(self, network: nn.Module, root: Call, outputs: tuple[str, ...]) -> None:
        self.network, self.root, self.outputs, self.batch = network, root, outputs, IMAGES
        self._calls = {call.path: call for call in root.walk() if call.path}
        self._holder = {call: holder for holder in root.walk() for call in holder.inside}
        self.main = list(self._main_path(root))
        self.places = [place for call in self.main for place in self.places_of(call)]

    def call_of(self, path: str) -> Call | None:
        """The last call of a module; None where the pass does not go through it."""
        return self._calls.get(path)

    def ran(self, path: str) -> Call:
        """The last call of a module that is known to run."""
        return self._calls[path]

    def grid(self, shape: tuple[int, ...]) -> Grid | None:
        return grid_of(shape, self.network, self.batch)

    def first_part(self, call: Call) -> int | None:
        """The first of a call's tensors that is a batch of units with positions; None where it gives none such."""
        return next((part for part, tensor in enumerate(call.outputs) if self.grid(tuple(tensor.shape))), None)

    def places_of(self, call: Call) -> list[Place]:
        """The places of a call: the first, and, of a module that works on several grids at once, the others.

        What it hands through is none of its own.
        """
        found: list[Place] = []
        given = [tuple(tensor.shape) for tensor in call.inputs]
        for part, tensor in enumerate(call.outputs):
            shape = tuple(tensor.shape)
            grid = self.grid(shape)
            if grid is None or grid.side < 2:
                continue
            if len(call.outputs) > 1 and any(tensor is one for one in call.inputs):
                continue
            if not found or (shape in given and len(given) > 1):
                found.append(Place(call, grid, part, len(found)))
        return found

    def _sides(self, call: Call) -> tuple[int, int]:
        """The smallest grid that a call is given, and that it gives; 0 where none has positions."""
        given, gives = (
            [grid.side for one in tensors if (grid := self.grid(tuple(one.shape))) and grid.side > 1]
            for tensors in (call.inputs, call.outputs)
        )
        first = self.first_part(call)
        if len(given) < 2 and first is not None and gives:  # several outputs of one input: the first is the path
            grid = self.grid(tuple(call.outputs[first].shape))
            return min(given, default=0), grid.side if grid else 0
        return min(given, default=0), min(gives, default=0)

    def _main_path(self, call: Call) -> Iterator[Call]:
        before, after = self._sides(call)
        if not call.inside or before <= after:
            yield call
            return
        inside = [one for kid in call.inside for one in self._main_path(kid)]
        sides = {place.grid.side for one in inside for place in self.places_of(one)}
        falls = {side for side in sides if after <= side < before}
        if call is not self.root and len(falls) < 2 and not self._falls_after_a_block(call, before):
            yield call
        else:
            yield from inside

    def _falls_after_a_block(self, call: Call, before: int) -> bool:
        """Whether a module brings the size down after a block of its own: then a stage ends in it, not with it.

        Not so in a block with a shortcut, which is given after the fall what was there before it.
        """
        ahead = list(itertools.takewhile(lambda one: self.least_side(one) >= before, call.inside))
        early = [*call.inputs, *(tensor for one in ahead for tensor in (*one.inputs, *one.outputs))]
        later = call.inside[len(ahead) + 1 :]
        has_shortcut = any(given is one for after in later for given in after.inputs for one in early)
        return not has_shortcut and any(one.n_mixing >= BLOCK for one in ahead)

    def least_side(self, call: Call) -> float:
        return min((place.grid.side for place in self.places_of(call)), default=float("inf"))

    def followers(self, call: Call) -> Iterator[Call]:
        """The calls that come after this one, each fed by the one before it, out of the containers that it ends."""
        while (holder := self._holder.get(call)) is not None:
            for after in holder.inside[holder.inside.index(call) + 1 :]:
                if not any(given is gave for given in after.inputs for gave in call.outputs):
                    return
                yield after
                call = after
            if not any(gives is gave for gives in holder.outputs for gave in call.outputs):
                return
            call = holder

    def ends_in_mixing(self, call: Call) -> bool:
        """Whether what a call gives is what a convolution or linear layer gives, without a norm or a sum after it."""
        if not call.outputs:
            return False
        givers = [one for one in call.walk() if not one.inside and any(x is call.outputs[0] for x in one.outputs)]
        return bool(givers) and bool(max(givers, key=lambda one: one.end).n_mixing)

    def pooling_after(self, place: Place) -> Place | None:
        """The pooling of what a place gives, to a smaller grid; None where there is none."""
        for after in self.followers(place.call):
            pooled = next(iter(self.places_of(after)), None)
            if after.n_mixing or pooled is None:
                return None
            if pooled.grid.side < place.grid.side:
                return pooled
        return None

    def mixes_after(self, call: Call) -> bool:
        """Whether anything between a call and the classifiers mixes units."""
        return any(one.mixes for one in self._after(call))

    def learns_after(self, call: Call) -> bool:
        """Whether anything with weights comes between a call and the classifiers."""
        return any(next(one.module.parameters(recurse=False), None) is not None for one in self._after(call))

    def _after(self, call: Call) -> Iterator[Call]:
        """The calls that end after this one, but for those that hold it, and the classifiers'."""
        around = set(self._around(call))
        return (
            one for one in self.root.walk() if one.end > call.end and one not in around and one.path not in self.outputs
        )

    def _around(self, call: Call) -> Iterator[Call]:
        while (holder := self._holder.get(call)) is not None:
            yield holder
            call = holder
