"""What each of the paper's claims is held to. Plain records in, outcomes out.

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
                  the mean over filters (Jaccard), in every layer for which the run has both. At one threshold. The two
                  halves of the test inputs are the ceiling: nothing but the sample tells these apart.
    order         n, N_c and C_s of every layer change by at most AVERAGES in the reversed and a random scan order.
    order, each   No more than FEW of the filters of any layer have other clusters in these orders.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from store.measure.scaling import KINDS, Fit, fit
from store.measure.summary import Summary
from store.paper.records import RunRecord

CERTAIN = 2.0  # standard errors of the difference of two accuracies: one pair in twenty is further apart by chance
HARDLY = 0.3  # power of K: Tables 1, 2, 4 and 5 have at most 0.27 (C_s of EfficientNet-B0); in proportion would be 1
LINEAR = 0.97  # of the variance: lines have 0.989 to 0.992 of the paper's Figures 3-5, logarithms of K 0.93 to 0.95
SAME = 0.9  # of the elements: clusters of means over 100 inputs a label cannot be the same to the last one
AVERAGES = 0.025  # half the last digit of C_s = 2.0, which is how finely the paper prints the averages
FEW = 0.05  # of the filters: "a negligible number"

Verdict = Literal["holds", "fails", "not enough runs"]


class Outcome(NamedTuple):
    verdict: Verdict
    numbers: str
    missing: str = ""  # what there is not enough of


def _accuracy(run: RunRecord, threshold: float) -> Outcome:
    layers = [(layer.name, layer.accuracy) for layer in run.layers if layer.accuracy is not None]
    known = [(name, accuracy) for name, accuracy in layers if accuracy is not None]
    if len(known) < 2 or run.saturated not in dict(known) or not run.test_inputs:
        return Outcome("not enough runs", "", "accuracies of two layers")
    numbers = f"accuracy {', '.join(f'{accuracy:.3f} (layer {name})' for name, accuracy in known)}"
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
    numbers = f"n {', '.join(f'{noise:,.1f} (layer {name})' for name, noise in known)}"
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
        f"layer {run.saturated}: smallest SNR_I {_ratio(at.least_snr_internal)}, "
        f"SNR_E {_ratio(at.least_snr_external)}; {at.labels_near} of {run.n_labels} labels are not far above"
    )
    return Outcome("fails" if at.labels_near else "holds", numbers)


def _train(run: RunRecord, threshold: float) -> Outcome:
    known = [(layer.name, layer.train) for layer in run.layers if layer.train]
    ceilings = {layer.name: layer.halves for layer in run.layers if layer.halves is not None}
    if not known:
        return Outcome("not enough runs", "", "clusters of training inputs, which --afcc makes")
    numbers = "; ".join(
        f"layer {name}: {train.alike:.1%} of elements, {train.identical:.1%} of filters identical "
        f"(threshold {train.threshold:g})"
        + (f"; two halves of the test inputs have {ceilings[name]:.1%} in common" if name in ceilings else "")
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
    found: dict[int, list[Summary]] = {}
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


OF_ONE_RUN: dict[str, Callable[[RunRecord, float], Outcome]] = {
    "accuracy": _accuracy, "noise": _noise, "snr": _snr, "train": _train, "order": _order, "order, each": _order_each,
}  # fmt: skip
OF_SEVERAL: dict[str, Callable[[Sequence[RunRecord], float], Outcome]] = {"scaling": _scaling, "linear": _linear}


def _spread(a: float, b: float, n_inputs: int) -> float:
    return CERTAIN * math.sqrt((a * (1 - a) + b * (1 - b)) / n_inputs)


def _ratio(value: float) -> str:
    return "without limit" if math.isinf(value) else f"{value:.1f}"


def _the_labels(found: Mapping[int, object]) -> str:
    listed = ", ".join(map(str, sorted(found)))
    return f"K = {listed}" + (" alone" if len(found) == 1 else "") if found else ""
