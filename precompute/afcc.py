"""Applying Filter's Cluster Connections (AFCC): what is left of a layer's weights when only clusters keep theirs.

"All these weights which did not belong to a cluster in a specific filter were set to zero" (Discussion); "the zeroed
weights remain zero" while what is left is trained again (supplement). Masks here are 1 where a weight is kept.
"""

import statistics
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from precompute.messages.problem import Problem
from precompute.networks.taps import Tap, watch
from store.measure.afcc import afcc_mask
from store.measure.clusters import cluster_jaccard

RANDOM_LABELS = 5  # a filter: the baseline of Tzach et al. 2501.12880
AS_MANY = "as many random labels"
_REPEATS = 30


def hold_zero(parameter: Tensor, mask: Tensor) -> None:
    """Set what is masked out to zero, and let no gradient reach it: weight decay and momentum then leave it at zero."""
    with torch.no_grad():
        parameter.mul_(mask)
    parameter.register_hook(lambda gradient: gradient * mask)  # type: ignore[no-untyped-call]


# ---- Masks of a probe: (K, N_f * S), as its weights lie ------------------------------------------------------------


def probe_masks(
    of_test: NDArray[np.integer[Any]], of_train: NDArray[np.integer[Any]], weights: NDArray[np.float32], seed: int
) -> dict[str, Tensor]:
    """The clusters' mask, and others to hold it against.

    As many weights as it: random labels, random weights, the largest ones. Others: `5 random labels`; the clusters of
    training inputs, which know nothing of those that the accuracy is of; and all weights, which show what the training
    alone does. of_test, of_train: cluster_of (N_f, K) from test and from training inputs; weights (N_f, K, S).
    """
    draw = np.random.default_rng(seed)
    held = afcc_mask(of_test)
    positions = weights.shape[2]
    kept = int(held.sum()) * positions
    by_label = {
        "clusters": held,
        AS_MANY: draw.permuted(held, axis=1),
        f"{RANDOM_LABELS} random labels": random_labels(held.shape, draw),
    }
    masks = {name: np.repeat(mask[:, :, None], positions, axis=2) for name, mask in by_label.items()}
    masks["random weights"] = _largest(draw.random(weights.shape), kept)
    masks["largest weights"] = _largest(np.abs(weights), kept)
    masks["training clusters"] = np.repeat(afcc_mask(of_train)[:, :, None], positions, axis=2)
    masks["all weights"] = np.ones(weights.shape, bool)
    return {name: _as_it_lies(mask) for name, mask in masks.items()}


def random_labels(shape: tuple[int, ...], draw: np.random.Generator) -> NDArray[np.bool_]:
    """(N_f, K): RANDOM_LABELS labels of each filter."""
    few = np.arange(shape[1]) < RANDOM_LABELS
    chosen: NDArray[np.bool_] = draw.permuted(np.broadcast_to(few, shape), axis=1)
    return chosen


def _largest(values: NDArray[Any], kept: int) -> NDArray[np.bool_]:
    mask = np.zeros(values.size, bool)
    mask[np.argsort(-values, axis=None, kind="stable")[:kept]] = True
    return mask.reshape(values.shape)


def _as_it_lies(mask: NDArray[np.bool_]) -> Tensor:
    """(N_f, K, S) -> (K, N_f * S)"""
    return torch.from_numpy(np.ascontiguousarray(mask.transpose(1, 0, 2)).reshape(mask.shape[1], -1))


# ---- Masks between layers --------------------------------------------------------------------------------------------


def shared_label(of_inputs: NDArray[np.bool_], of_outputs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N_in, K) and (N_out, K), the labels that filters hold -> (N_out, N_in): whether the two hold one in common."""
    common: NDArray[np.bool_] = of_outputs.astype(np.int64) @ of_inputs.T.astype(np.int64) > 0
    return common


def as_many_labels(held: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """(N_f, K): random labels, as many for each filter as it holds.

    The draw belongs to the layer: a filter keeps its labels from the step in which its weights are masked to the next,
    in which it is an input.
    """
    draw = np.random.default_rng([seed, zlib.crc32(np.ascontiguousarray(held).tobytes())])
    chosen: NDArray[np.bool_] = draw.permuted(held, axis=1)
    return chosen


def layer_mask(name: str, held: tuple[NDArray[np.bool_], NDArray[np.bool_]], weight: Tensor, seed: int) -> Tensor:
    """The mask of a convolution's weight (N_out, N_in, height, width), by the clusters or by a baseline's name.

    held: the labels of the filters of the layer before and of the layer itself. The weights' masks keep as many weights
    as the clusters; `as many random labels` leaves each filter as many labels, which connect about as many filters.
    """
    draw = np.random.default_rng(seed)
    pairs = shared_label(*held)
    if name == f"{RANDOM_LABELS} random labels":
        pairs = shared_label(random_labels(held[0].shape, draw), random_labels(held[1].shape, draw))
    if name == AS_MANY:
        pairs = shared_label(as_many_labels(held[0], seed), as_many_labels(held[1], seed))
    if name in ("clusters", AS_MANY, f"{RANDOM_LABELS} random labels"):
        return torch.from_numpy(pairs)[:, :, None, None].expand(weight.shape).to(weight.device)
    kept = int(pairs.sum()) * weight[0, 0].numel()
    values = weight.detach().abs().cpu().numpy() if name == "largest weights" else draw.random(tuple(weight.shape))
    return torch.from_numpy(_largest(values, kept)).to(weight.device)


# ---- The network up to a tap, and the masked probe on it -----------------------------------------------------------


class Pruned(nn.Module):
    """A frozen network up to a tap, and its masked probe: images -> fields of the output units.

    Of the network only `trained` parameters learn; without them, or with one layer's, its batch norm stays as it is.
    """

    def __init__(self, network: nn.Module, tap: Tap, probe: nn.Linear, trained: list[str] | None) -> None:
        super().__init__()
        self.network, self.probe, self._tap = network, probe, tap
        self._whole = trained is None
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(trained is None or name in trained)

    def forward(self, images: Tensor) -> Tensor:
        with watch(self.network, [self._tap]) as seen:
            self.network(images)
        fields: Tensor = self.probe(seen[self._tap.layer].flatten(1))
        return fields

    def train(self, mode: bool = True) -> "Pruned":
        """ "Only the FC and 10th convolution layer are trained": means and variances of the rest stay too."""
        super().train(mode)
        if not self._whole:
            self.network.eval()
        return self


def last_convolution(network: nn.Module, tap: Tap, images: Tensor) -> str:
    """The path of the last convolution that runs before the tapped module has answered. Raises Problem."""
    ran: list[str] = []
    tapped: list[int] = []
    names = {module: name for name, module in network.named_modules()}
    hooks = [
        module.register_forward_hook(lambda module, _inputs, _output: ran.append(names[module]))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    place = network.get_submodule(tap.module)
    hooks.append(place.register_forward_hook(lambda _module, _inputs, _output: tapped.append(len(ran))))
    _watched_pass(network, images, hooks)
    if not tapped or not tapped[-1]:
        raise Problem(f"--afcc: no convolution runs before {tap.module}, so none can be trained with layer {tap.layer}")
    return ran[tapped[-1] - 1]


def _watched_pass(network: nn.Module, images: Tensor, hooks: list[RemovableHandle]) -> None:
    """One pass of the frozen network with hooks on it, which are gone afterwards."""
    try:
        with torch.no_grad():
            network.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()


def connection(network: nn.Module, before: Tap, after: Tap, images: Tensor) -> str:
    """The path of the convolution that leads from the filters of one layer to those of the next.

    What it sees must be what the layer before gives, the same tensor: that the numbers of filters fit says little,
    since many layers have as many. Raises Problem where there is none.
    """
    path = last_convolution(network, after, images)
    convolution = network.get_submodule(path)
    given: list[Any] = []
    follows: list[bool] = []

    def look(_module: nn.Module, inputs: Any) -> None:
        follows.append(any(inputs[0] is output for output in given))

    hooks = [
        network.get_submodule(before.module).register_forward_hook(lambda _m, _inputs, output: given.append(output)),
        convolution.register_forward_pre_hook(look),
    ]
    _watched_pass(network, images, hooks)
    if not all(follows):
        raise Problem(
            f"--afcc-between {before.layer} {after.layer}: the last convolution before the end of layer {after.layer}, "
            f"{path}, does not see what layer {before.layer} gives; name layers that follow one another"
        )
    if getattr(convolution, "groups", 1) != 1:
        raise Problem(
            f"--afcc-between {before.layer} {after.layer}: {path} does not connect every filter with every filter "
            "(it works in groups)"
        )
    return path


# ---- What is saved ---------------------------------------------------------------------------------------------------


def costs(weight: Tensor) -> dict[str, Any]:
    """What a masked probe takes, dense and as compressed sparse rows (CSR): bytes, multiply-adds, and measured times.

    weight (K, N_f * S). Times are medians in seconds for a batch of 1 and of 100; of CSR, None where the device has
    no such product.
    """
    outputs, inputs = weight.shape
    kept = int((weight != 0).sum())
    found: dict[str, Any] = {
        "dense_bytes": outputs * inputs * 4,
        "sparse_bytes": kept * (4 + 4) + (outputs + 1) * 4,  # values float32, columns and row starts int32
        "dense_multiply_adds": outputs * inputs,
        "sparse_multiply_adds": kept,
    }
    sparse = _compressed(weight)
    for batch in (1, 100):
        features = torch.rand(inputs, batch, device=weight.device)
        found[f"dense_seconds_{batch}"] = _median(lambda x=features: weight @ x, weight.device)  # type: ignore[misc]
        found[f"sparse_seconds_{batch}"] = (
            None if sparse is None else _median(lambda x=features: sparse @ x, weight.device)  # type: ignore[misc]
        )
    return found


def _compressed(weight: Tensor) -> Tensor | None:
    import warnings

    try:
        with warnings.catch_warnings(action="ignore"):  # that CSR is in beta
            wide = weight.to_sparse_csr()  # with indices of 8 bytes
            rows, columns = wide.crow_indices().int(), wide.col_indices().int()
            sparse = torch.sparse_csr_tensor(rows, columns, wide.values(), wide.shape)
            sparse @ torch.zeros(weight.shape[1], 1, device=weight.device)
    except (RuntimeError, NotImplementedError):
        return None
    return sparse


def _median(task: Callable[[], Tensor], device: torch.device) -> float:
    durations = []
    for _ in range(_REPEATS + 3):
        start = time.perf_counter()
        task()
        if device.type == "cuda":
            torch.cuda.synchronize()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations[3:])


def likeness(of_test: NDArray[np.integer[Any]], of_train: NDArray[np.integer[Any]]) -> dict[str, Any]:
    """How alike the clusters of test and of training inputs are, as the file has it: cluster_of (N_f, K) of each."""
    jaccard = cluster_jaccard(of_test, of_train)
    return {
        "identical": float(np.mean(jaccard == 1)),
        "mean": float(np.mean(jaccard)),
        "of_filter": jaccard.round(4).tolist(),
    }
