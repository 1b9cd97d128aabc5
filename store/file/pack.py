"""The smallest file with the same results, to hand to somebody else; and the other way, for other programs to read."""

from dataclasses import replace
from typing import Any

from store.file.format import FormatError
from store.file.write import LayerContent, RunContent, stores_fields
from store.measure.layer import fields_from_factors

_NO_INPUTS: dict[str, Any] = {"label_of_test_input": None, "thumbnails": None, "thumbnail_inputs": None}
_MOST_BYTES = 4 << 30  # of restored matrices: a small file must not ask for any amount of memory


def packed(run: RunContent) -> RunContent:
    """Each layer as its matrices, or class means and probe weights, whichever is less. Test features and images go,
    and with these which of them drive a filter.

    So do class means of one half, which would be half as much again; how alike the halves' clusters are stays in the
    layer's record.

    Either gives the same fields, to the bit. Class means and weights are what tells a filter's positions apart, and
    what masks of single weights need; where the matrices are less, a packed file has those no more.
    """
    epochs = [replace(at, layers=[_packed(layer) for layer in at.layers]) for at in run.epochs]
    return replace(run, layers=[_packed(layer) for layer in run.layers], epochs=epochs, **_NO_INPUTS)


def is_packed(run: RunContent) -> bool:
    """Whether `packed` would leave it as it is."""
    extra = run.label_of_test_input is not None or run.thumbnails is not None
    layers = [*run.layers, *(layer for at in run.epochs for layer in at.layers)]
    pairs = [(layer, _packed(layer)) for layer in layers]
    return not extra and all(
        layer.test_features is None
        and layer.top_inputs is None
        and small.fields is layer.fields
        and small.class_means is layer.class_means
        for layer, small in pairs
    )


def unpacked(run: RunContent) -> RunContent:
    """Each layer with its matrices beside class means and weights, up to the size to which a run stores them.

    So h5py and viewers find every field without a product to make. What a packed file has no more (test features, one
    half's class means, and all of them of a layer packed as its matrices) does not come back. Raises FormatError where
    the matrices would take more than 4 GiB.
    """
    wanted = [_lacks_fields(layer) for layer in run.layers]
    size = sum(
        layer.class_means.shape[0] * layer.class_means.shape[1] ** 2 * 4
        for layer, wants in zip(run.layers, wanted, strict=True)
        if wants and layer.class_means is not None
    )
    if size > _MOST_BYTES:
        raise FormatError(f"unpacked, the matrices would take {size / 1e9:.1f} GB; at most {_MOST_BYTES / 1e9:.1f} GB")
    layers = [_unpacked(layer) if wants else layer for layer, wants in zip(run.layers, wanted, strict=True)]
    return replace(run, layers=layers)


def _packed(layer: LayerContent) -> LayerContent:
    layer = replace(layer, test_features=None, class_means_half=None, top_inputs=None)
    means, weights = layer.class_means, layer.probe_weights
    if means is None or weights is None:
        return layer
    _, n_labels, positions = means.shape
    if n_labels < 2 * positions:
        fields = fields_from_factors(means, weights) if layer.fields is None else layer.fields
        record = layer.record | {"positions": positions}
        return replace(layer, class_means=None, probe_weights=None, fields=fields, record=record)
    return replace(layer, fields=None)


def _lacks_fields(layer: LayerContent) -> bool:
    means = layer.class_means
    return layer.fields is None and means is not None and stores_fields(means.shape[0], means.shape[1])


def _unpacked(layer: LayerContent) -> LayerContent:
    assert layer.class_means is not None and layer.probe_weights is not None
    return replace(layer, fields=fields_from_factors(layer.class_means, layer.probe_weights))
