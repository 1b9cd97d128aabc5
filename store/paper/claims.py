"""The paper's claims, judged on the runs at hand: at a threshold and at others, for each seed, and beside chance. Plain
records in, findings out: no file, frame or widget. What each claim is held to is in `store.paper.criteria`.

A claim about one run holds of several where it holds of each, and the numbers are those of the first of which it fails,
or of the first. Against chance the same test is made of the same runs with their layers replaced (`null_sample`): a
claim that holds of these as well says nothing about the network.

>>> from store.measure.summary import Summary
>>> from store.paper.records import LayerRecord, RunRecord
>>> layers = [
...     LayerRecord(name, accuracy, {0.3: Summary(0.3, noise, clusters, size)})
...     for name, accuracy, noise, clusters, size in [("2", 0.352, 987.8, 5.8, 3.2), ("10", 0.752, 16.3, 2.6, 2.0)]
... ]
>>> for finding in judge([RunRecord("Table 1", 100, 0, 10_000, "10", layers)], 0.3)[:3]:
...     print(finding.verdict, "|", finding.numbers)
holds | accuracy 0.352 (layer 2), 0.752 (layer 10)
holds | n 987.8 (layer 2), 16.3 (layer 10)
not enough runs | K = 100 alone
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from store.measure.summary import FAR_ABOVE, Summary
from store.paper.criteria import (
    AVERAGES,
    CERTAIN,
    FEW,
    HARDLY,
    LINEAR,
    OF_ONE_RUN,
    OF_SEVERAL,
    SAME,
    Outcome,
    Verdict,
)  # fmt: skip
from store.paper.records import CLAIM_NULLS, ClaimNull, LayerRecord, RunRecord

DRAWS = 5  # of each null


class Claim(NamedTuple):
    key: str
    sentence: str
    place: str  # in the paper
    criterion: str


CLAIMS = (
    Claim(
        "accuracy", "Accuracy rises with depth until it saturates", "Results A, Tables 1-6",
        f"no layer is less accurate than one before it by more than {CERTAIN:g} standard errors, and the "
        "saturated layer is more accurate than the first by more",
    ),
    Claim(
        "noise", "The noise per filter n falls with depth until the accuracy saturates", "Results A, Tables 1-6",
        "n falls at every step from the first layer to the saturated one",
    ),
    Claim(
        "scaling", "N_c and C_s at the saturated layer hardly depend on K", "abstract; Results C and D, Tables 1-6",
        f"both go with K to a power from -{HARDLY:g} to {HARDLY:g}; 2 different K at least",
    ),
    Claim(
        "snr", "Signal is far above either noise for every label", "Results A, Figure 2",
        f"at the saturated layer signal is more than {FAR_ABOVE:g} x noise_I and {FAR_ABOVE:g} x noise_E of each label",
    ),
    Claim(
        "linear", "The error is linear in K", "abstract; Results D and E, Figures 3-5",
        f"a line has at least {LINEAR:.0%} of the variance of the means, the slope's 95% interval is above zero; "
        "3 different K at least",
    ),
    Claim(
        "train", "Training and test inputs give the same clusters", "Discussion, AFCC",
        f"they have at least {SAME:.0%} of their elements in common, as the mean over filters",
    ),
    Claim(
        "order", "The scan order leaves the averages as they are", "supplement, Figure 1",
        f"n, N_c and C_s of each layer change by at most {AVERAGES:.1%}, reversed and at random",
    ),
    Claim(
        "order, each", "The scan order changes a negligible number of filters", "supplement, Figure 1",
        f"at most {FEW:.0%} of a layer's filters have other clusters, reversed and at random",
    ),
)  # fmt: skip


class Count(NamedTuple):
    """Of so many that could be tested, those that hold."""

    holds: int
    of: int


@dataclass(frozen=True)
class Finding:
    """A claim, and what the runs say of it."""

    claim: Claim
    verdict: Verdict
    numbers: str
    missing: str
    seeds: Count
    tried: tuple[float, ...]  # thresholds at which there was enough to say; none where the claim has no threshold
    holds_at: tuple[float, ...]
    chance: Mapping[str, Count]  # by null; of 0 where it was asked for and a layer that the claim needs cannot be drawn

    @property
    def intervals(self) -> list[tuple[float, float]]:
        """Neighbours among the thresholds that were tried, all of which hold: first and last of each."""
        found: list[tuple[float, float]] = []
        before = None
        for threshold in self.tried:
            if threshold not in self.holds_at:
                before = None
                continue
            found = [*found[:-1], (found[-1][0], threshold)] if before is not None else [*found, (threshold, threshold)]
            before = threshold
        return found


def judge(
    runs: Sequence[RunRecord],
    threshold: float,
    thresholds: Sequence[float] = (),
    null_samples: Mapping[str, Sequence[Sequence[RunRecord]]] | None = None,
) -> list[Finding]:
    """Each claim on runs of one network, data set and recipe, which may differ in K and seed.

    thresholds: at which the records were measured as well. null_samples: by name, the draws of a null, each in place of
    all the runs.
    """
    return [_finding(claim, runs, threshold, thresholds, null_samples or {}) for claim in CLAIMS]


def verdicts_that_differ(found: Sequence[Finding], others: Sequence[Finding]) -> list[Finding]:
    """Those of `found` whose verdict is another among `others`: the same claims on the same runs in the other gauge."""
    return [one for one, other in zip(found, others, strict=True) if one.verdict != other.verdict]


def _finding(
    claim: Claim,
    runs: Sequence[RunRecord],
    threshold: float,
    thresholds: Sequence[float],
    null_samples: Mapping[str, Sequence[Sequence[RunRecord]]],
) -> Finding:
    said = _outcome(claim, runs, threshold)
    tried = []
    if claim.key not in _WITHOUT_THRESHOLD:
        tried = [(at, _outcome(claim, runs, at).verdict) for at in sorted(thresholds)]
    return Finding(
        claim,
        said.verdict,
        said.numbers,
        said.missing,
        _count([_outcome(claim, samples, threshold) for samples in _samples(claim, runs)]),
        tuple(at for at, verdict in tried if verdict != "not enough runs"),
        tuple(at for at, verdict in tried if verdict == "holds"),
        {
            name: counted
            for name, draws in null_samples.items()
            if (counted := _by_chance(claim, runs, draws, threshold)).of or (draws and claim.key in ABOUT_CHANCE)
        },
    )


def _by_chance(
    claim: Claim, runs: Sequence[RunRecord], draws: Sequence[Sequence[RunRecord]], threshold: float
) -> Count:
    return _count([_outcome(claim, draw, threshold) for draw in draws if _has_layers(claim, runs, draw)])


def _has_layers(claim: Claim, runs: Sequence[RunRecord], draw: Sequence[RunRecord]) -> bool:
    """Whether a draw has the layers that the claim needs of the runs: the saturated one, or all up to it."""
    if claim.key not in ABOUT_CHANCE or len(draw) != len(runs):  # an untrained network stands for all runs
        return True
    for one, run in zip(draw, runs, strict=True):
        needed = run.until_saturated if claim.key == "noise" else [run.last] if run.last else []
        if not {layer.name for layer in needed} <= {layer.name for layer in one.layers}:
            return False
    return True


def _count(outcomes: Sequence[Outcome]) -> Count:
    enough = [outcome for outcome in outcomes if outcome.verdict != "not enough runs"]
    return Count(sum(outcome.verdict == "holds" for outcome in enough), len(enough))


def _samples(claim: Claim, runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """What is one sample: a run, or where a claim is about several K, the runs of one seed."""
    if claim.key in OF_ONE_RUN:
        return [[run] for run in runs]
    return [[run for run in runs if run.seed == seed] for seed in dict.fromkeys(run.seed for run in runs)]


def _outcome(claim: Claim, runs: Sequence[RunRecord], threshold: float) -> Outcome:
    if claim.key not in OF_ONE_RUN:
        return OF_SEVERAL[claim.key](runs, threshold)
    each = [(run.name, OF_ONE_RUN[claim.key](run, threshold)) for run in runs]
    enough = [(name, outcome) for name, outcome in each if outcome.verdict != "not enough runs"]
    if not enough:
        return each[0][1] if each else Outcome("not enough runs", "", "a run")
    name, shown = next((pair for pair in enough if pair[1].verdict == "fails"), enough[0])
    return shown if len(runs) == 1 else Outcome(shown.verdict, f"{name}: {shown.numbers}")


ABOUT_CHANCE = {"noise", "scaling", "snr"}  # whose numbers every null has: it has no accuracy or order of its own
OVER_TIME = ("accuracy", "noise", "snr")  # what is known of a layer at an earlier epoch of the training
_WITHOUT_THRESHOLD = {"accuracy", "linear", "train"}


def without_accuracy(run: RunRecord, layers: Sequence[LayerRecord]) -> RunRecord:
    """The run with stand-ins for its layers: they have no accuracy, other orders or training inputs of their own."""
    return replace(run, layers=[LayerRecord(layer.name, None, layer.at) for layer in layers])


def null_samples(
    runs: Sequence[RunRecord],
    draw: Callable[[int, str, ClaimNull, int], Summary | None],
    threshold: float,
    draws: int = DRAWS,
) -> dict[str, list[list[RunRecord]]]:
    """By the name of each null, its draws: each in place of all the runs.

    draw(number of the run, name of its layer, null, seed) gives a layer's stand-in (`records.null_sample`); None where
    the layer cannot be drawn: it is missing in that draw, and a claim that needs it is not tested.
    """

    def in_place_of(number: int, null: ClaimNull, seed: int) -> RunRecord:
        drawn = [(layer.name, draw(number, layer.name, null, seed)) for layer in runs[number].layers]
        layers = [LayerRecord(name, None, {threshold: at}) for name, at in drawn if at is not None]
        return without_accuracy(runs[number], layers)

    return {
        null: [[in_place_of(number, null, seed) for number in range(len(runs))] for seed in range(draws)]
        for null in CLAIM_NULLS
    }
