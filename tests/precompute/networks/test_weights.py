"""Where weights come from: nothing falls back to random ones, and nothing of a file is run."""

import argparse
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from precompute.disk import checkpoint
from precompute.job import prepare
from precompute.machine.stopping import Stopping
from precompute.messages.problem import Problem
from precompute.networks import weights
from precompute.networks.checkpoints import reading
from precompute.networks.models import find_arch
from precompute.options import Options, parse

VGG: dict[str, Any] = {"arch": "vgg16", "data": "cifar10"}
RESNET: dict[str, Any] = {"arch": "timm:resnet18", "data": "cifar10", "image_size": 32}


def start(n_labels=5, as_it_is=False, **options):
    made = Options(**options)
    return weights.network(made, find_arch(made), n_labels, as_it_is)


def same(one, other, but=()):
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours if not name.startswith(but or "-"))


@pytest.fixture
def trained():
    """A resnet18 of 5 labels, of other weights than seed 0's."""
    return find_arch(Options(**RESNET)).build(5, seed=9)


def saved_in(form: str, network, folder: Path) -> Path:
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    path = folder / f"best.{form}"
    if form == "safetensors":
        save_file(state, path)
    elif form == "ckpt":
        checkpoint.save(path, {"recipe": {}, "training": {"model": state, "step": 3}})
    elif form == "timm.pt":  # as its training script saves
        torch.save({"epoch": 3, "arch": "resnet18", "state_dict": state, "args": argparse.Namespace(lr=0.1)}, path)
    elif form == "lightning.ckpt":
        torch.save({"epoch": 3, "state_dict": {f"model.{name}": value for name, value in state.items()}}, path)
    elif form == "ddp.pt":
        torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 3}, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("form", ["safetensors", "pt", "ddp.pt", "timm.pt", "lightning.ckpt", "ckpt"])
def test_a_checkpoint_is_the_network_that_was_saved(form, trained, tmp_path):
    path = saved_in(form, trained, tmp_path)
    assert same(start(**RESNET, checkpoint=path), trained)


def test_a_checkpoint_keeps_its_outputs_and_their_biases(tmp_path):
    import timm

    theirs = timm.create_model("resnet18", num_classes=7)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    network = start(**RESNET, checkpoint=tmp_path / "theirs.pt")
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images), theirs.eval()(images))


def test_transfer_takes_all_weights_but_outputs_of_another_number(trained, tmp_path):
    path = str(saved_in("safetensors", trained, tmp_path))
    network = start(n_labels=11, **RESNET, weights=path)
    assert same(network, trained, but=("fc.",))
    assert network.fc.weight.shape == (11, 512)
    assert network.fc.bias is None


@pytest.mark.parametrize("name", ["levit_128s", "repvit_m0_9"])
def test_what_goes_with_the_outputs_of_a_head_starts_anew_with_them(name, tmp_path):
    import timm

    theirs = timm.create_model(name).state_dict()  # two heads, each with a batch normalization before its outputs
    torch.save(theirs, tmp_path / "best.pt")
    ours = start(7, arch=f"timm:{name}", data="cifar10", weights=str(tmp_path / "best.pt")).state_dict()
    other = {name for name in theirs if name not in ours or not torch.equal(ours[name], theirs[name])}
    assert other and all(name.startswith(("head", "classifier")) for name in other)


def test_what_holds_an_object_is_refused_with_its_name(tmp_path):
    torch.save({"state_dict": {"x": torch.zeros(1)}, "folder": Path("x")}, tmp_path / "best.pt")
    with pytest.raises(Problem, match=r"holds an object of pathlib\.\S+, which could run code; .* save the state dict"):
        reading.read(tmp_path / "best.pt")


def resnet_state(**changed):
    import timm

    return timm.create_model("resnet18", num_classes=7).state_dict() | changed


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({0: torch.zeros(2)}, "holds no state dict"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "a holds complex numbers"),
        (resnet_state(conv1=torch.tensor([1.0, float("nan")])), "conv1 holds numbers that are not finite"),
        (resnet_state(conv1=torch.full((2,), float("inf")).half()), "conv1 holds numbers that are not finite"),
        (resnet_state(**{"fc.weight": torch.tensor(1.0)}), "do not fit"),
        (resnet_state(**{"fc.bias": torch.zeros(8)}), "do not fit"),
        (resnet_state(**{"fc.bias": torch.zeros(7, 1)}), "do not fit"),
    ],
)
def test_weights_that_cannot_be_are_refused_in_a_line(state, words, tmp_path):
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(Problem, match=words) as problem:
        start(**RESNET, checkpoint=tmp_path / "odd.pt")
    assert str(problem.value).startswith(f"{tmp_path / 'odd.pt'}: ")


@pytest.mark.parametrize("name", ["cut.pt", "cut.safetensors", "noise.pt", "noise.safetensors"])
def test_a_file_that_was_cut_off_is_said_to_be(name, tmp_path):
    path = tmp_path / name
    if name.startswith("noise"):
        path.write_bytes(bytes(range(128, 256)) * 100)
    elif path.suffix == ".pt":
        torch.save(resnet_state(), path)
        path.write_bytes(path.read_bytes()[:5_000_000])
    else:
        save_file(resnet_state(), path)
        path.write_bytes(path.read_bytes()[:5_000_000])
    with pytest.raises(Problem, match=r"cut off or damaged, .* get it again$") as problem:
        reading.read(path)
    assert "weights_only" not in str(problem.value)


def test_what_is_probed_as_it_is_keeps_outputs_that_fit(tmp_path):
    """As from the hub: Table 3's network has been trained on ImageNet's labels already."""
    import timm

    theirs = timm.create_model("resnet18", num_classes=5)
    path = tmp_path / "theirs.safetensors"
    save_file(theirs.state_dict(), path)
    kept = start(n_labels=5, as_it_is=True, **RESNET, weights=str(path))
    assert same(theirs, kept)
    assert start(n_labels=4, as_it_is=True, **RESNET, weights=str(path)).fc.weight.shape == (4, 512)
    transferred = start(n_labels=5, **RESNET, weights=str(path))
    assert transferred.fc.bias is None
    assert not torch.equal(transferred.fc.weight, theirs.get_parameter("fc.weight"))


def test_a_checkpoint_of_half_precision_is_probed_in_single(tmp_path):
    import timm

    theirs = timm.create_model("resnet18", num_classes=5).half()
    torch.save(theirs.state_dict(), tmp_path / "half.pt")
    network = start(**RESNET, checkpoint=tmp_path / "half.pt").eval()
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert network(torch.zeros(1, 3, 32, 32)).isfinite().all()


def test_transfer_to_our_own_vgg(tmp_path):
    trained = find_arch(Options(**VGG)).build(5, seed=9)
    torch.save(trained.state_dict(), tmp_path / "vgg.pt")
    network = start(n_labels=3, **VGG, weights=str(tmp_path / "vgg.pt"))
    assert same(network, trained, but=("output.",))
    assert network.output.weight.shape == (3, 512)


def test_without_weights_a_seed_gives_the_network():
    assert same(start(**RESNET, weights="none", seed=3), start(**RESNET, weights="none", seed=3))
    assert not same(start(**RESNET, weights="none", seed=3), start(**RESNET, weights="none", seed=4))


def test_no_network_and_no_path_names_the_file_to_get(monkeypatch):
    """Never random weights in place of those that could not be had."""
    import huggingface_hub

    def cut(*_arguments, **_more):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(huggingface_hub.file_download, "hf_hub_download", cut)
    monkeypatch.setattr("timm.models._hub.hf_hub_download", cut)
    with pytest.raises(Problem) as problem:
        start(**RESNET)
    for word in ("timm/resnet18", "model.safetensors", "--weights PATH", "--weights none", "unreachable"):
        assert word in str(problem.value)


class Payload:
    def __reduce__(self):
        return os.mkdir, ("it-ran",)


def test_a_pickle_with_a_payload_is_refused_and_never_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Payload()}, tmp_path / "evil.pt")
    for options in ({"checkpoint": tmp_path / "evil.pt"}, {"weights": "evil.pt"}):
        with pytest.raises(Problem, match="no weights that can be read safely"):
            start(**RESNET, **options)
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100, b"\x80\x02}q\x00."])
@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
def test_a_damaged_file_is_refused_in_words(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Problem) as problem:
        start(**RESNET, checkpoint=tmp_path / name)
    assert name in str(problem.value)


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"some notes on the network\n", "it is text, which begins with 'some notes on the network'"),
        ("größe ".encode() * 40, "it is text, which begins with 'größe "),  # the end is half a letter, or not
        (b"x" + "größe ".encode() * 40, "it is text, which begins with 'xgröße "),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "'version https://git-lfs"),
        (b"", "it is empty"),
    ],
)
def test_a_text_is_said_to_be_one(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Problem) as problem:
        reading.read(tmp_path / name)
    assert f"{name}: no weights that can be read safely: " in str(problem.value)
    assert words in str(problem.value)


def test_what_torch_stumbles_over_is_said_in_words(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"h\xf0\xff\x00\x01")  # which it takes for a pickle of this program's own memory
    with pytest.raises(Problem, match=r"neither safetensors nor what torch.save writes \(KeyError: 240\)"):
        reading.read(tmp_path / "x.pt")


def test_a_file_is_read_once(trained, tmp_path, monkeypatch):
    """When the run is prepared, which finds out whether it fits; the network is made from what was read then."""
    path = saved_in("pt", trained, tmp_path)
    command = "--arch timm:resnet18 --image-size 32 --data digits --labels 5 --device cpu --dry-run --checkpoint"
    job = prepare(parse([*command.split(), str(path)]), Stopping())
    monkeypatch.setattr(reading, "read", lambda _: pytest.fail("it was read again"))
    assert same(job.network(), trained)
    assert same(job.network(), trained)


def test_weights_of_another_network_are_refused(trained, tmp_path):
    path = saved_in("pt", trained, tmp_path)
    with pytest.raises(Problem, match="do not fit the network"):
        start(**VGG, checkpoint=path)
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(Problem, match="do not fit"):
        start(**RESNET, weights=str(tmp_path / "other.pt"))


def test_the_manifest_says_which_file_it_was_and_not_where_it_lay(trained, tmp_path):
    import hashlib

    path = saved_in("pt", trained, tmp_path)
    options = Options(**RESNET, checkpoint=path)
    said = weights.origin(options, find_arch(options))
    assert said == {"from": "checkpoint", "name": "best.pt", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(Problem, match="no such file"):
        weights.origin(Options(**RESNET, checkpoint=tmp_path / "none.pt"), find_arch(options))
    with pytest.raises(Problem, match="give one"):
        weights.wanted(Options(**RESNET, checkpoint=path, weights="hub"), find_arch(options))
    with pytest.raises(Problem, match="no pretrained weights of vgg16"):
        weights.wanted(Options(**VGG, weights="hub"), find_arch(Options(**VGG)))


def normalised(start, epochs=0, **options):
    made = Options(arch="efficientnet_b0", data="cifar10", **options)
    found = weights.scaled(made, find_arch(made), start, epochs)
    return found.pixel_mean, found.pixel_std


def test_weights_of_a_file_see_images_as_their_library_normalises_them(tmp_path):
    """The paper's EfficientNet-B0 takes the training images' own mean and std (None); what others trained does not."""
    import timm

    config: Any = timm.create_model("efficientnet_b0").pretrained_cfg
    theirs = weights.Start({}, {}, (), "")
    assert normalised(theirs) == (config["mean"], config["std"])
    assert normalised(theirs, epochs=3) == (None, None), "it is trained here, as the paper says"
    assert normalised(weights.Start({}, {}, (), "filterscope")) == (None, None), "a run of ours has trained it"
    assert normalised(None, weights="hub") == (config["mean"], config["std"]), "as the hub has it"
    assert normalised(None, weights="hub", epochs=3) == (None, None)
    assert normalised(None, weights="none") == (None, None)
    told = weights.Start({}, {}, (), "timm", ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
    assert normalised(told) == told.scaling
    asked = {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}
    for start, epochs in ((theirs, 0), (theirs, 3), (told, 0), (None, 0)):
        assert normalised(start, epochs, **asked) == (asked["mean"], asked["std"])


def test_a_config_beside_the_weights_names_the_outputs(trained, tmp_path):
    path = saved_in("safetensors", trained, tmp_path)
    (tmp_path / "config.json").write_text('{"id2label": {"0": "e", "1": "d", "2": "c", "3": "b", "4": "a"}}')
    options = Options(**RESNET, checkpoint=path)
    arch = find_arch(options)
    start = weights.of_file(options, arch)
    order = weights.head_order(options, arch, start, 0, list("abcde"), True)
    assert order is not None and order.outputs == (4, 3, 2, 1, 0)
    network = weights.network(options, arch, 5, True, start)
    weights.reorder_outputs(network, arch, order.outputs)
    assert torch.equal(network.get_parameter("fc.weight"), trained.get_parameter("fc.weight").flip(0))
