"""The paper's claims, each as a test on the runs at hand. Plain records in, verdicts out: no file, frame or widget.

A claim holds, fails, or has not enough runs. What is tested, exactly; `saturated` is the layer where the paper's
accuracy saturates, and the layers are the paper's where it has any of the network (see `RunRecord`):

    accuracy      No layer's accuracy lies below that of a layer before it by more than the spread of their difference,
                  and the saturated layer's lies above the first's by more. The spread is CERTAIN standard errors.
    noise         n falls at every step from the first layer to the saturated one. No tolerance.
    scaling       N_c and C_s of the saturated layer, as means over the runs of each K, go with K to a power of at most
                  HARDLY, up or down (least squares on logarithms). At least 2 different K.
    snr           At the saturated layer signal > FAR_ABOVE x noise_I and signal > FAR_ABOVE x noise_E for every label,
                  counted; a label in no cluster fails.
    linear        error = 1 - accuracy of the saturated layer against K: a line through the means over the runs of each
                  K has at least LINEAR of their variance, and the 95% interval of the slope, through all runs, is
                  above zero. At least 3 different K.
    train         The clusters of training inputs share at least SAME of their elements with those of test inputs, as
                  the mean over filters (Jaccard), in every layer for which the run has both. At one threshold.
    order         n, N_c and C_s of every layer change by at most AVERAGES in the reversed and a random scan order.
    order, each   No more than FEW of the filters of any layer have other clusters in these orders.

A claim about one run holds of several where it holds of each, and the numbers are those of the first of which it fails,
or of the first. Against chance the same test is made of the same runs with their layers replaced (`stand_in`): a claim
that holds of these as well says nothing about the network.

>>> from store.claim_records import LayerAt, LayerRecord, RunRecord
>>> layers = [
...     LayerRecord(name, accuracy, {0.3: LayerAt(0.3, noise, clusters, size, 9.0, 9.0, 0)})
...     for name, accuracy, noise, clusters, size in [("2", 0.352, 987.8, 5.8, 3.2), ("10", 0.752, 16.3, 2.6, 2.0)]
... ]
>>> for finding in judge([RunRecord("Table 1", 100, 0, 10_000, "10", layers)], 0.3)[:3]:
...     print(finding.verdict, "|", finding.numbers)
holds | accuracy 0.352, 0.752
holds | n 988, 16.3
not enough runs | K = 100 alone
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from store.claim_records import FAR_ABOVE, LayerAt, LayerRecord, RunRecord
from store.scaling import KINDS, Fit, fit

CERTAIN = 2.0  # standard errors of the difference of two accuracies: one pair in twenty is further apart by chance
HARDLY = 0.3  # power of K: Tables 1, 2, 4 and 5 have at most 0.27 (C_s of EfficientNet-B0); in proportion would be 1
LINEAR = 0.97  # of the variance: lines have 0.989 to 0.992 of the paper's Figures 3-5, logarithms of K 0.93 to 0.95
SAME = 0.9  # of the elements: clusters of means over 100 inputs a label cannot be the same to the last one
AVERAGES = 0.025  # half the last digit of C_s = 2.0, which is how finely the paper prints the averages
FEW = 0.05  # of the filters: "a negligible number"
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))  # 0.05 to 0.95

Verdict = Literal["holds", "fails", "not enough runs"]


# ---- Verdicts -------------------------------------------------------------------------------------------------------


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


class Outcome(NamedTuple):
    verdict: Verdict
    numbers: str
    missing: str = ""  # what there is not enough of


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
    chance: Mapping[str, Count]

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
    stand_ins: Mapping[str, Sequence[Sequence[RunRecord]]] | None = None,
) -> list[Finding]:
    """Each claim on runs of one network, data set and recipe, which may differ in K and seed.

    thresholds: at which the records were measured as well. stand_ins: by name, the draws of a null, each in place of
    all the runs.
    """
    return [_finding(claim, runs, threshold, thresholds, stand_ins or {}) for claim in CLAIMS]


def _finding(
    claim: Claim,
    runs: Sequence[RunRecord],
    threshold: float,
    thresholds: Sequence[float],
    stand_ins: Mapping[str, Sequence[Sequence[RunRecord]]],
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
            for name, draws in stand_ins.items()
            if (counted := _count([_outcome(claim, draw, threshold) for draw in draws])).of
        },
    )


def _count(outcomes: Sequence[Outcome]) -> Count:
    enough = [outcome for outcome in outcomes if outcome.verdict != "not enough runs"]
    return Count(sum(outcome.verdict == "holds" for outcome in enough), len(enough))


def _samples(claim: Claim, runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """What is one sample: a run, or where a claim is about several K, the runs of one seed."""
    if claim.key in _OF_ONE_RUN:
        return [[run] for run in runs]
    return [[run for run in runs if run.seed == seed] for seed in dict.fromkeys(run.seed for run in runs)]


def _outcome(claim: Claim, runs: Sequence[RunRecord], threshold: float) -> Outcome:
    if claim.key not in _OF_ONE_RUN:
        return OF_SEVERAL[claim.key](runs, threshold)
    each = [(run.name, _OF_ONE_RUN[claim.key](run, threshold)) for run in runs]
    enough = [(name, outcome) for name, outcome in each if outcome.verdict != "not enough runs"]
    if not enough:
        return each[0][1] if each else Outcome("not enough runs", "", "a run")
    name, shown = next((pair for pair in enough if pair[1].verdict == "fails"), enough[0])
    return shown if len(runs) == 1 else Outcome(shown.verdict, f"{name}: {shown.numbers}")


def _accuracy(run: RunRecord, threshold: float) -> Outcome:
    layers = [(layer.name, layer.accuracy) for layer in run.layers if layer.accuracy is not None]
    known = [(name, accuracy) for name, accuracy in layers if accuracy is not None]
    if len(known) < 2 or run.saturated not in dict(known) or not run.test_inputs:
        return Outcome("not enough runs", "", "accuracies of two layers")
    numbers = f"accuracy {', '.join(f'{accuracy:.3f}' for _, accuracy in known)}"
    best = known[0]
    for name, accuracy in known[1:]:
        if best[1] - accuracy > _spread(best[1], accuracy, run.test_inputs):
            return Outcome("fails", f"{numbers}: layer {name} is below layer {best[0]}")
        best = max(best, (name, accuracy), key=lambda pair: pair[1])
    first, last = known[0][1], dict(known)[run.saturated]
    if run.saturated == known[0][0] or last - first <= _spread(first, last, run.test_inputs):
        return Outcome("fails", f"{numbers}: it does not rise")
    return Outcome("holds", numbers)


def _noise(run: RunRecord, threshold: float) -> Outcome:
    known = [(layer.name, at.noise) for layer in run.until_saturated if (at := layer.at.get(threshold))]
    known = [(name, noise) for name, noise in known if not math.isnan(noise)]
    if len(run.layers) < 2 or not known:
        return Outcome("not enough runs", "", "two layers with clusters")
    numbers = f"n {', '.join(f'{noise:.3g}' for _, noise in known)}"
    if len(known) < 2:
        return Outcome("fails", f"{numbers}: the first layer is the most accurate")
    for (before, more), (name, less) in pairwise(known):
        if not less < more:
            return Outcome("fails", f"{numbers}: it rises from layer {before} to {name}")
    return Outcome("holds", numbers)


def _snr(run: RunRecord, threshold: float) -> Outcome:
    at = run.last and run.last.at.get(threshold)
    if not at:
        return Outcome("not enough runs", "", "the saturated layer")
    numbers = (
        f"layer {run.saturated}: smallest SNR_I {_ratio(at.snr_internal)}, SNR_E {_ratio(at.snr_external)}; "
        f"{at.labels_near} of {run.n_labels} labels are not far above"
    )
    return Outcome("fails" if at.labels_near else "holds", numbers)


def _train(run: RunRecord, threshold: float) -> Outcome:
    known = [(layer.name, layer.train) for layer in run.layers if layer.train]
    if not known:
        return Outcome("not enough runs", "", "clusters of training inputs, which --afcc makes")
    numbers = "; ".join(
        f"layer {name}: {train.alike:.1%} of elements, {train.identical:.1%} of filters identical "
        f"(threshold {train.threshold:g})"
        for name, train in known
        if train
    )
    return Outcome("holds" if all(train.alike >= SAME for _, train in known if train) else "fails", numbers)


def _order(run: RunRecord, threshold: float) -> Outcome:
    return _in_orders(run, threshold, "averages", AVERAGES, "of an average")


def _order_each(run: RunRecord, threshold: float) -> Outcome:
    return _in_orders(run, threshold, "filters", FEW, "of the filters")


def _in_orders(run: RunRecord, threshold: float, name: str, most: float, what: str) -> Outcome:
    known = [(layer.name, scan) for layer in run.layers for scan in layer.scans.get(threshold, ())]
    if not known:
        return Outcome("not enough runs", "", "other scan orders")
    layer, worst = max(known, key=lambda pair: float(getattr(pair[1], name)))
    change = float(getattr(worst, name))
    numbers = f"at most {change:.1%} {what} (layer {layer}, {worst.order})"
    if layer != run.saturated and (of_last := [getattr(scan, name) for at, scan in known if at == run.saturated]):
        numbers += f"; layer {run.saturated}: {max(of_last):.1%}"
    return Outcome("holds" if change <= most else "fails", numbers)


def _scaling(runs: Sequence[RunRecord], threshold: float) -> Outcome:
    found: dict[int, list[LayerAt]] = {}
    for run in runs:
        at = run.last and run.last.at.get(threshold)
        if at and at.n_clusters > 0 and at.cluster_size > 0:  # neither is NaN
            found.setdefault(run.n_labels, []).append(at)
    if len(found) < 2:
        return Outcome("not enough runs", _the_labels(found), "2 different K")
    labels = np.array(sorted(found), np.float64)
    powers, parts = [], []
    for symbol, name in (("N_c", "n_clusters"), ("C_s", "cluster_size")):
        values = np.array([np.mean([getattr(at, name) for at in found[int(k)]]) for k in labels])
        powers.append(float(np.polyfit(np.log(labels), np.log(values), 1)[0]))
        parts.append(f"{symbol} {', '.join(f'{value:.2f}' for value in values)}: power {powers[-1]:+.2f}")
    numbers = f"{_the_labels(found)}; {'; '.join(parts)}"
    return Outcome("holds" if max(map(abs, powers)) <= HARDLY else "fails", numbers)


def _linear(runs: Sequence[RunRecord], threshold: float) -> Outcome:
    found: dict[int, list[float]] = {}
    for run in runs:
        if run.last and run.last.accuracy is not None:
            found.setdefault(run.n_labels, []).append(1 - run.last.accuracy)
    if len(found) < 3:
        return Outcome("not enough runs", _the_labels(found), "3 different K")
    labels = sorted(found)
    errors = np.array([np.mean(found[k]) for k in labels])
    line = fit("linear", [k for k in labels for _ in found[k]], [error for k in labels for error in found[k]])
    of_means = {kind: fitted for kind in KINDS if isinstance(fitted := fit(kind, labels, errors), Fit)}
    assert isinstance(line, Fit)
    variance = float(np.mean((errors - errors.mean()) ** 2))
    explained = 1 - of_means["linear"].rms ** 2 / variance if variance > 0 else 0.0
    low, high = line.slope_interval or (-math.inf, math.inf)
    least = min(of_means, key=lambda kind: of_means[kind].rms)
    left = ", ".join(f"{kind} {fitted.rms:.2g}" for kind, fitted in of_means.items())
    numbers = (
        f"{_the_labels(found)}; slope {line.slope:.2g} ({low:.2g} to {high:.2g}), {explained:.1%} of the variance; "
        f"residuals: {left}, least {least}"
    )
    if explained >= LINEAR and low <= 0 < line.slope:
        return Outcome("not enough runs", numbers, "more K or seeds: the interval of the slope holds zero")
    return Outcome("holds" if explained >= LINEAR and low > 0 else "fails", numbers)


_OF_ONE_RUN: dict[str, Callable[[RunRecord, float], Outcome]] = {
    "accuracy": _accuracy, "noise": _noise, "snr": _snr, "train": _train, "order": _order, "order, each": _order_each,
}  # fmt: skip
OF_SEVERAL: dict[str, Callable[[Sequence[RunRecord], float], Outcome]] = {"scaling": _scaling, "linear": _linear}
_WITHOUT_THRESHOLD = {"accuracy", "linear", "train"}


def without_accuracy(run: RunRecord, layers: Sequence[LayerRecord]) -> RunRecord:
    """The run with stand-ins for its layers: they have no accuracy, other orders or training inputs of their own."""
    return replace(run, layers=[LayerRecord(layer.name, None, layer.at) for layer in layers])


# ---- Small things ---------------------------------------------------------------------------------------------------


def _spread(a: float, b: float, n_inputs: int) -> float:
    return CERTAIN * math.sqrt((a * (1 - a) + b * (1 - b)) / n_inputs)


def _ratio(value: float) -> str:
    return "without limit" if math.isinf(value) else f"{value:.1f}"


def _the_labels(found: Mapping[int, object]) -> str:
    listed = ", ".join(map(str, sorted(found)))
    return f"K = {listed}" + (" alone" if len(found) == 1 else "") if found else ""
