"""Where the stages of a network end, found by looking at a pass: no module need have a certain name or kind.

A stage ends with the last place of its size that is a block's, or, where there is no block, with the last layer's,
after its norm and activation.
"""

import itertools
from dataclasses import dataclass

from torch import nn

from precompute.networks.calls import Call
from precompute.networks.main_path import BLOCK, Looked, Place


@dataclass(frozen=True)
class End:
    """A place that is tapped, and why."""

    place: Place
    kind: str  # "stage end", "block", "before pooling", "after pooling"
    why: str


def stage_ends(looked: Looked, hints: tuple[str, ...]) -> list[End]:
    """Where to tap, from input to output; hints: modules that somebody says stages end with, which are checked."""
    blocks = [place for place in looked.places if place.is_block]
    if not blocks:
        return _of_plain_layers(looked)
    found: list[End] = []
    steady = _steady_blocks(looked, blocks)
    hinted = [place for path in hints for place in _hinted(looked, path)]
    named = {place.grid.side for place in hinted} if all(map(looked.call_of, hints)) else set()
    sides = list(dict.fromkeys(place.grid.side for place in looked.places))
    if named.intersection(sides) and not steady:  # what comes before the first that is named is a stem
        sides = list(itertools.dropwhile(lambda side: side not in named, sides))
    for side in sides:
        here = [place for place in looked.places if place.grid.side == side]
        said = _checked(looked, [place for place in hinted if place.grid.side == side], here)
        if said:
            found += [End(place, "block" if steady else _kind(looked, place), _said(looked, said)) for place in said]
        elif steady:
            repeated = [place for place in steady if place.grid.side == side]
            found += [End(place, "block", f"one of the blocks, all of {side}x{side} positions") for place in repeated]
        elif (last := _last(looked, here)).is_block or side in named or not named:
            found.append(End(last, _kind(looked, last), _reason(looked, last, side, hinted)))
    return sorted(found, key=lambda end: (end.place.call.end, end.place.part))


def _kind(looked: Looked, place: Place) -> str:
    pooling = looked.pooling_after(place)
    return "stage end" if pooling is None else "before pooling"


def _said(looked: Looked, said: list[Place]) -> str:
    last = said[-1]
    size, what = f"{last.grid.side}x{last.grid.side} positions", "stage" if last.is_block else "layer"
    if len(said) == 1:
        return f"the last {what} of {size}, as timm says"
    return f"one of {len(said)} of {size} that timm names, to the last of that size"


def _reason(looked: Looked, last: Place, side: int, hinted: list[Place]) -> str:
    names = ", ".join(place.call.path for place in hinted if place.grid.side == side)
    what = "block" if last.is_block else "layer"
    return f"the last {what} of {side}x{side} positions" + (f"; timm names {names}" if names else "")


def _last(looked: Looked, here: list[Place]) -> Place:
    """The last place of a size that is a block's, or where there is none, of all; after its norm and activation."""
    last = next((place for place in reversed(here) if place.is_block), here[-1])
    return _normed(looked, last)


def _normed(looked: Looked, place: Place) -> Place:
    """Where a layer's norm and activation follow as modules of their own, after these; after a sum, the activation.

    (A norm after the last block's sum belongs to what the classifier reads.)
    """
    call, bare = place.call, looked.ends_in_mixing(place.call)
    for after in looked.followers(place.call):
        if isinstance(after.module, nn.Identity | nn.Dropout):
            continue
        if after.n_mixing or not after.outputs or after.outputs[0].shape != call.outputs[0].shape:
            break
        if not bare and next(after.module.parameters(), None) is not None:
            break
        call = after
    return place if call is place.call else looked.places_of(call)[0]


# ---- Hints -----------------------------------------------------------------------------------------------------------


def _hinted(looked: Looked, path: str) -> list[Place]:
    call = looked.call_of(path)
    return [] if call is None else looked.places_of(call)[:1]


def _checked(looked: Looked, said: list[Place], here: list[Place]) -> list[Place]:
    """The places that a hint names of one size, or none where it is wrong of any of them.

    Each must be an end on the main path, after its norm and activation, and of its size no block may follow but
    one that the classifier reads.
    """
    if not said or any(_normed(looked, place) is not place for place in said):
        return []
    last = said[-1]
    if not all(_is_end(looked, place.call, place is last) for place in said):
        return []
    later = [place for place in here if place.is_block and place.call.end > last.call.end]
    later = [place for place in later if last.call not in place.call.walk()]  # what holds it ends with it
    later = [place for place in later if place.grid.prefix == last.grid.prefix]  # else a class token reads it
    return [] if len(later) > 1 or any(looked.mixes_after(place.call) for place in later) else said


def _is_end(looked: Looked, call: Call, is_last: bool) -> bool:
    """Whether a call is on the main path, or in one there the last that mixes units; or a block in its chain."""
    for one in looked.main:
        if call is one or one in call.walk():
            return True
        if call in one.walk():
            if looked.least_side(call) != looked.least_side(one):
                return False
            later = [other for other in one.walk() if other.n_mixing and other.end > call.end]
            return all(call in other.walk() for other in later) or (not is_last and call in _chain(looked, one))
    return False


# ---- Networks of one size, and of plain layers -----------------------------------------------------------------------


def _steady_blocks(looked: Looked, blocks: list[Place]) -> list[Place]:
    """The blocks of a network in which all have the same sizes, as a vision transformer's; none of others."""
    of_call: dict[Call, list[int]] = {}
    for place in blocks:
        of_call.setdefault(place.call, []).append(place.grid.side)
    if len({tuple(sides) for sides in of_call.values()}) != 1:
        return []
    chain = [one for call in of_call for one in _chain(looked, call)]
    return [place for call in chain for place in looked.places_of(call)]


def _chain(looked: Looked, call: Call) -> list[Call]:
    """The blocks in a row of blocks, which a container holds; the call itself where it is a block."""
    kids = [kid for kid in call.inside if kid.n_mixing >= BLOCK and looked.places_of(kid)]
    alike = [kid for kid in kids if type(kid.module) is type(kids[0].module)]
    fed = all(any(x is y for x in after.inputs for y in before.outputs) for before, after in itertools.pairwise(kids))
    return [one for kid in kids for one in _chain(looked, kid)] if len(alike) > 1 and fed else [call]


def _of_plain_layers(looked: Looked) -> list[End]:
    """A chain of layers: a pooling belongs to the layer before it, as in the paper's VGG-16."""
    found: list[End] = []
    for side in dict.fromkeys(place.grid.side for place in looked.places):
        last = _last(looked, [place for place in looked.places if place.grid.side == side])
        pooled = looked.pooling_after(last)
        if pooled is not None:
            why = f"pools the last layer of {side}x{side} positions, as in the paper's VGG-16"
            found.append(End(pooled, "after pooling", why))
        elif not found or found[-1].place.call is not last.call:
            found.append(End(last, "stage end", f"the last layer of {side}x{side} positions"))
    return found
