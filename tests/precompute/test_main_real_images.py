"""The whole program on real CIFAR-100 images, where they are beside the checkout; skipped elsewhere."""

import numpy as np
import pytest
from PIL import Image

from precompute.__main__ import measure_filters
from precompute.cli import run
from precompute.machine.distributed import ALONE
from precompute.machine.stopping import Stopping
from precompute.options import parse
from store.file.read import Run
from store.measure.layer import measure_layer
from tests import ROOT

STRIPS = ROOT.parent / "shared" / "data" / "cifar100"
TRAIN, TEST, SIDE = 24, 8, 32  # images a label that are taken

pytestmark = pytest.mark.skipif(not STRIPS.is_dir(), reason="needs real CIFAR-100 images in ../shared/data/cifar100")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The file of a short run on 10 labels, with the test features of its layers."""
    folder = tmp_path_factory.mktemp("real images")
    for split, count in (("train", TRAIN), ("test", TEST)):
        for strip in sorted((STRIPS / split).glob("*.webp")):
            label_folder = folder / "cifar100" / split / strip.name.split(".")[0]
            label_folder.mkdir(parents=True, exist_ok=True)
            images = np.asarray(Image.open(strip).convert("RGB")).reshape(-1, SIDE, SIDE, 3)
            for number, image in enumerate(images[:count]):
                Image.fromarray(image).save(label_folder / f"{number}.png", compress_level=1)
    out = folder / "run.h5"
    command = (
        "--arch vgg16 --data cifar100 --labels 10 --recipe quick --epochs 3 --batch-size 24 --layers 7 10 13 "
        "--features all --device cpu"
    )
    options = parse([*command.split(), "--data-dir", str(folder / "cifar100"), "--out", str(out)])
    with Stopping() as stopping:
        run(measure_filters, options, stopping, ALONE)
    with Run(out) as opened:
        yield opened


def test_the_file_is_whole_and_says_what_it_is(result):
    result.verify()
    assert list(result.layers) == ["7", "10", "13"]
    assert result.unfinished == []
    manifest = result.manifest
    assert (manifest["data"]["train_inputs"], manifest["data"]["test_inputs"]) == (10 * TRAIN, 10 * TEST)
    assert manifest["data"]["source"] == "image folder"
    assert manifest["recipe"]["is_paper"] is False
    fewer = f"{10 * TRAIN} + {10 * TEST} images instead of 5000 + 1000"
    assert manifest["recipe"]["departures"] == ["epochs 3 instead of 25", "batch_size 24 instead of 100", fewer]
    assert result.test_inputs.tolist() == [TEST] * 10
    assert len(set(result.superclasses)) == 10
    assert "" not in result.superclasses


def activations(layer):
    """(test inputs, N_f, S): the kept bits as float64."""
    return (layer.test_features.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


@pytest.mark.parametrize("name", ["7", "10", "13"])
def test_the_fields_of_all_filters_add_up_to_the_probes_output_on_real_activations(result, name):
    layer, labels = result.layers[name], result.read("labels/of_test_input")
    outputs = np.einsum("xfs,fjs->xj", activations(layer), layer.probe_weights.astype(np.float64))
    expected = np.stack([outputs[labels == label].mean(axis=0) for label in range(10)])  # (input_label, output_label)
    np.testing.assert_allclose(layer.fields().matrices().sum(axis=0, dtype=np.float64), expected, rtol=1e-4, atol=1e-5)
    accuracy = (outputs.argmax(axis=1) == labels).mean()
    assert layer.record["test_accuracy"] == pytest.approx(accuracy, abs=0.5 / len(labels))


@pytest.mark.parametrize("name", ["7", "10", "13"])
def test_signal_internal_and_external_elements_are_all_that_is_above_the_threshold(result, name):
    layer = result.layers[name]
    measured = measure_layer(layer.fields().matrices())
    elements = measured.signal + (measured.noise_internal + measured.noise_external) * 9
    assert elements.sum() == pytest.approx(measured.n_above.sum())
    assert (measured.n_clusters[~measured.silent] >= 0).all()
    assert measured.mean_clusters >= 1
