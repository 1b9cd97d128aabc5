"""Files of weights by what their bytes are: intact files of other formats are called by their names."""

import gzip
import io
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from precompute.messages.problem import Problem
from precompute.networks.checkpoints import reading

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["dense/kernel"] = np.zeros(3)


def torchscript(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is not what one makes today
        torch.jit.script(torch.nn.Linear(2, 3)).save(str(path))


def exported(path: Path) -> None:
    torch.export.save(torch.export.export(torch.nn.Linear(2, 3), (torch.zeros(1, 2),)), path)


def keras(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")


def npz(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, a=np.zeros(2))


def npy(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.zeros(2))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("best.pt", "weights")


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("best.pt"), io.BytesIO())


def onnx(path: Path) -> None:
    path.write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x052.5.0" + bytes(range(256)))


OTHERS = {  # a format -> what writes it, and what the message calls it
    "HDF5": (hdf5, "it is HDF5, as Keras saves weights"),
    "TorchScript": (torchscript, r"it is TorchScript \(torch.jit.save\)"),
    "torch.export": (exported, "it is a program of torch.export"),
    "npz": (npz, "it is an archive of NumPy arrays"),
    "npy": (npy, "it is a NumPy array"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps(STATE)), "it is a pickle that is not torch.save's"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(bytes(9))), "it is packed with gzip; unpack it first"),
    "zip": (zipped, r"it is a zip archive \(of best.pt\); unpack it first"),
    "empty zip": (lambda path: zipfile.ZipFile(path, "w").close(), "it is an empty zip archive"),
    "tar": (tarred, "it is a tar archive; unpack it first"),
    "Keras": (keras, "it is a Keras model"),
    "ONNX": (onnx, "it is an ONNX model"),
    "TFLite": (lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(99)), "it is a TensorFlow Lite model"),
    "GGUF": (lambda path: path.write_bytes(b"GGUF\x03\0\0\0" + bytes(99)), "it is GGUF"),
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".pth.tar"])
@pytest.mark.parametrize("form", OTHERS)
def test_another_format_is_called_by_its_name_under_any_suffix(form, suffix, tmp_path):
    write, words = OTHERS[form]
    path = tmp_path / f"best{suffix}"
    write(path)
    with pytest.raises(Problem, match=words) as problem:
        reading.read(path)
    assert "damaged" not in str(problem.value)
    assert "torch.save(network.state_dict(), PATH)" in str(problem.value)


def old_torch(state, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".bin", ".pth.tar", ""])
@pytest.mark.parametrize("write", [save_file, torch.save, old_torch])
def test_what_torch_and_safetensors_write_is_read_under_any_suffix(write, suffix, tmp_path):
    path = tmp_path / f"best{suffix}"
    write(STATE, path)
    read = reading.read(path)
    assert read.keys() == STATE.keys()
    assert all(torch.equal(read[name], STATE[name]) for name in STATE)
