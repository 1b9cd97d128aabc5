"""--arch hf:REPO: transformers' classifiers, from folders as `save_pretrained` makes them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from precompute.messages.problem import Problem
from precompute.networks import weights
from precompute.networks.models import choose_taps, find_arch
from precompute.options import Options

transformers = pytest.importorskip("transformers")


@pytest.fixture(params=["resnet", "vit"])
def folder(request, tmp_path: Path) -> Path:
    """A tiny classifier of five labels, saved."""
    if request.param == "resnet":
        config = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
        )
        network = transformers.ResNetForImageClassification(config)
    else:
        config = transformers.ViTConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            image_size=32, patch_size=8, num_labels=5,
        )  # fmt: skip
        network = transformers.ViTForImageClassification(config)
    path = tmp_path / request.param
    network.save_pretrained(path)
    seen: dict[str, Any] = {"image_mean": [0.5, 0.5, 0.4], "image_std": [0.2, 0.2, 0.2], "size": {"shortest_edge": 40}}
    seen |= {"crop_size": {"height": 32, "width": 32}, "do_center_crop": True, "image_processor_type": "None"}
    (path / "preprocessor_config.json").write_text(json.dumps(seen))
    return path


def test_a_classifier_is_tapped_and_seen_as_its_folder_says(folder):
    arch = find_arch(Options(arch=f"hf:{folder}"))
    assert arch.name == f"hf:{folder.name}", "where the folder lay is nobody's business"
    assert (arch.side, arch.crop, arch.pixel_mean) == (32, 0.8, (0.5, 0.5, 0.4))
    taps = choose_taps(arch, ())
    n_units = {"resnet": 16, "vit": 16}[folder.name]
    network: Any = arch.build(3).eval()
    assert network.get_submodule(arch.output[0]).weight.shape == (3, n_units)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 3), "the hook gives the outputs themselves"
    assert len(taps) >= 2


@pytest.mark.parametrize("n_labels", [5, 3])
def test_its_weights(folder, n_labels):
    options = Options(arch=f"hf:{folder}", epochs=0)
    arch = find_arch(options)
    saved = transformers.AutoModelForImageClassification.from_pretrained(folder).state_dict()
    network = weights.network(options, arch, n_labels, as_it_is=True)
    own = network.state_dict()
    outputs = {f"{arch.output[0]}.weight", f"{arch.output[0]}.bias"}
    assert own.keys() == saved.keys()
    differ = {name for name in own if own[name].shape != saved[name].shape or not torch.equal(own[name], saved[name])}
    assert differ == (set() if n_labels == 5 else outputs)
    assert weights.origin(options, arch) == {"from": "hub", "name": folder.name}


def test_weights_that_would_be_random_are_refused(folder):
    if folder.name != "vit":
        pytest.skip("a convolutional network takes images of any size")
    options = Options(arch=f"hf:{folder}", image_size=64)  # other positions than it has embeddings of
    with pytest.raises(Problem, match=r"position_embeddings is not in its weights, or is of another shape"):
        weights.network(options, find_arch(options), 5)


def test_what_is_no_classifier(tmp_path):
    transformers.GPT2Config(n_layer=1, n_embd=8, n_head=1).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(Problem, match="gpt2 is no image classifier"):
        find_arch(Options(arch=f"hf:{tmp_path / 'gpt2'}"))
    with pytest.raises(Problem, match="its configuration could not be had"):
        find_arch(Options(arch=f"hf:{tmp_path}"))
