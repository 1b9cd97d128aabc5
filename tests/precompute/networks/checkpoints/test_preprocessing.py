"""What images are normalised by, as files beside the weights tell it."""

import json

import pytest

from precompute.networks.checkpoints import preprocessing

THIRDS = [0.1, 0.2, 0.3]
OTHER = [0.4, 0.5, 0.6]


def beside(folder, **files):
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text)
    return preprocessing.beside(folder / "model.safetensors")


def test_transformers_and_timms_folders(tmp_path):
    assert beside(tmp_path) is None
    expected = tuple(THIRDS), tuple(OTHER)
    assert beside(tmp_path, config={"pretrained_cfg": {"mean": THIRDS, "std": OTHER}}) == expected
    assert beside(tmp_path, preprocessor_config={"image_mean": OTHER, "image_std": THIRDS}) == expected[::-1]
    unchanged = {"do_normalize": False, "image_mean": OTHER, "image_std": THIRDS}
    assert beside(tmp_path, preprocessor_config=unchanged) == ((0, 0, 0), (1, 1, 1))


def test_as_transformers_writes_it(tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.ViTImageProcessor(image_mean=THIRDS, image_std=OTHER).save_pretrained(tmp_path)
    assert preprocessing.beside(tmp_path / "model.safetensors") == (tuple(THIRDS), tuple(OTHER))


@pytest.mark.parametrize(
    "content",
    [
        "{", [], {}, {"image_mean": THIRDS}, {"image_mean": 0.5, "image_std": 0.5},
        {"image_mean": [1], "image_std": [1]},
        {"image_mean": THIRDS, "image_std": [0, 1, 1]}, {"image_mean": THIRDS, "image_std": ["a", 1, 1]},
        '{"image_mean": [NaN, 0, 0], "image_std": [1, 1, 1]}',
    ],
)  # fmt: skip
def test_what_tells_nothing(content, tmp_path):
    assert beside(tmp_path, preprocessor_config=content) is None
