"""The smallest file with the same results, to hand to somebody else."""

from dataclasses import replace

from store.write import LayerContent, RunContent


def packed(run: RunContent) -> RunContent:
    """Each layer as its matrices or as class means and probe weights, whichever takes less; test features go.

    Either gives the same fields, to the bit. Class means and weights are what tells a filter's positions apart, and
    what masks of single weights need; where the matrices are less, a packed file has those no more.
    """
    return replace(run, layers=[_packed(layer) for layer in run.layers], label_of_test_input=None)


def _packed(layer: LayerContent) -> LayerContent:
    means, weights, fields = layer.class_means, layer.probe_weights, layer.fields
    if means is None or weights is None:
        return replace(layer, test_features=None)
    _, n_labels, positions = means.shape
    if fields is not None and n_labels < 2 * positions:
        record = layer.record | {"positions": positions}
        return replace(layer, class_means=None, probe_weights=None, test_features=None, record=record)
    return replace(layer, fields=None, test_features=None)
