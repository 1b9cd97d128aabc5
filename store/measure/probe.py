"""The loops under `afcc`: a probe with some of its weights on blocks of inputs, compiled by numba."""

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True)
def _add_filter(f, block, shift, weights, first, last, outputs, logits, bits, values):
    """Add what filter f gives to the outputs[first:last] of a block of inputs to logits (K, inputs) float64.

    block (N_f * S, inputs) holds float32 bit patterns, or their upper halves (bfloat16) where shift is 16; bits and
    values (S, inputs) are scratch. Products are exact in float64 and added position by position, in order, so that
    neither fused multiply-add nor the number of lanes changes a bit.
    """
    n_positions, n_inputs = values.shape
    floats = bits.view(np.float32)
    for s in range(n_positions):
        for x in range(n_inputs):
            bits[s, x] = np.uint32(block[f * n_positions + s, x]) << shift
        for x in range(n_inputs):
            values[s, x] = floats[s, x]
    for place in range(first, last):
        j = outputs[place]
        s = 0
        while s + 4 <= n_positions:  # four at a time: the sums are loaded and stored a fourth as often
            w0, w1 = np.float64(weights[f, j, s]), np.float64(weights[f, j, s + 1])
            w2, w3 = np.float64(weights[f, j, s + 2]), np.float64(weights[f, j, s + 3])
            for x in range(n_inputs):
                total = logits[j, x] + w0 * values[s, x] + w1 * values[s + 1, x]
                logits[j, x] = total + w2 * values[s + 2, x] + w3 * values[s + 3, x]
            s += 4
        while s < n_positions:
            w0 = np.float64(weights[f, j, s])
            for x in range(n_inputs):
                logits[j, x] += w0 * values[s, x]
            s += 1


@nb.njit(nogil=True, cache=True)
def masked_probe(first, last, blocks, shift, weights, starts, outputs, order, stops, predicted, logits):
    """The probe on the blocks first..last-1 of inputs, adding filter after filter in the given order.

    blocks (blocks, N_f * S, inputs) as in `_add_filter`; weights (N_f, K, S); filter f gives to the outputs
    outputs[starts[f]:starts[f + 1]] alone. After stops[p] filters, writes the output with the largest logit, the first
    of equals, into predicted (P, blocks, inputs); after the last stop the logits as well: (blocks, inputs, K) float32,
    rounded once. Compared are the rounded ones.
    """
    n_labels, n_positions = weights.shape[1:]
    n_inputs = blocks.shape[2]
    totals = np.empty((n_labels, n_inputs), np.float64)
    bits = np.empty((n_positions, n_inputs), np.uint32)
    values = np.empty((n_positions, n_inputs), np.float64)
    largest = np.empty(n_inputs, np.float32)
    for block in range(first, last):
        totals[:] = 0.0
        added = 0
        for point in range(len(stops)):
            while added < stops[point]:
                f = order[added]
                if starts[f] < starts[f + 1]:
                    ends = starts[f], starts[f + 1]
                    _add_filter(f, blocks[block], shift, weights, ends[0], ends[1], outputs, totals, bits, values)
                added += 1
            answer = predicted[point, block]
            for x in range(n_inputs):
                largest[x] = np.float32(totals[0, x])
                answer[x] = 0
            for j in range(1, n_labels):
                for x in range(n_inputs):
                    logit = np.float32(totals[j, x])
                    if logit > largest[x]:
                        largest[x] = logit
                        answer[x] = j
        for x in range(n_inputs):
            for j in range(n_labels):
                logits[block, x, j] = np.float32(totals[j, x])
