"""The sample of a layer from its activations, as the third stage records it."""

import numpy as np
import torch

from precompute.bootstrap import sample
from precompute.fields import by_filter, class_means
from store.file.sample_results import of_layer
from store.measure.bootstrap import bootstrap, columns_of
from store.measure.halves import in_first_half
from tests.store.measure.test_bootstrap import drawn_layer


def test_the_record_is_of_the_features_at_hand() -> None:
    features, labels, weights = drawn_layer(1)
    at_hand = torch.from_numpy(features.reshape(len(features), -1)).bfloat16()  # integers of at most 8 bits: exact
    of_input = torch.from_numpy(labels)
    means = class_means(at_hand, of_input, 6, 5)
    record, half = sample(at_hand, of_input, means, weights, seed=2)
    found, wanted = of_layer({"sample": record}), bootstrap(columns_of(features), labels, weights, seed=2)
    assert found is not None and found.resamples == 200 and found.clusters is not None and found.halves is not None
    assert np.allclose(found.clusters.share, wanted.share, atol=0.01)
    first = in_first_half(labels)
    of_label = [features[first & (labels == label)].reshape(-1, 10).mean(axis=0) for label in range(6)]
    assert half is not None and np.allclose(half, by_filter(np.stack(of_label), 5), rtol=1e-6)


def test_a_label_with_a_single_input_has_no_halves() -> None:
    features = torch.rand(3, 4)
    labels = torch.tensor([0, 0, 1])
    record, half = sample(features, labels, class_means(features, labels, 2, 2), np.ones((2, 2, 2), np.float32), 0)
    assert half is None and "halves" not in record
