"""What lies in a file of weights, read by what its bytes are, not by its suffix. No code of a file is ever run."""

import codecs
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from precompute.messages.problem import Problem, one_line
from precompute.networks.checkpoints import harmless

_BEGINNING = 512  # bytes that tell what a file is
_LEVELDB_END = bytes.fromhex("57fb808b247547db")  # of TensorFlow's .index
_OLD_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # what torch.save began with before it wrote zip archives
_TO_DO = "where it was trained, save the weights with torch.save(network.state_dict(), PATH) or as safetensors"
_STARTS = (  # what other formats begin with
    (b"\x89HDF\r\n\x1a\n", "HDF5, as Keras saves weights (.h5)"),
    (b"GGUF", "GGUF"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x1f\x8b", "packed with gzip; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "packed with 7-Zip; unpack it first"),
    (b"BZh", "packed with bzip2; unpack it first"),
    (b"PK\x05\x06", "an empty zip archive"),
)
_MEMBERS = (  # of a zip archive: what the name of a member says about the whole
    (r"(^|/)constants\.pkl$", "TorchScript (torch.jit.save); its program could run code"),
    (r"(^|/)model\.weights\.h5$", "a Keras model (.keras)"),
    (r"serialized_exported_program\.json$|(^|/)archive_format$|models/.*\.json$", "a program of torch.export (.pt2)"),
    (r"\.npy$", "an archive of NumPy arrays (.npz)"),
)


def read(path: Path) -> Any:
    """What torch.save or safetensors put into the file, or a run of ours into network.ckpt. Raises Problem, OSError."""
    from precompute.disk import checkpoint

    try:
        with path.open("rb") as stream:
            start = stream.read(_BEGINNING)
        if start.startswith(checkpoint.MAGIC):
            return checkpoint.load(path)
        if text := _text(start):  # a pointer to a large file, or a page that says why there is no download
            raise _refused(path, text)
        other = "" if _is_safetensors(start) else _other_format(path, start)
        if other:
            raise _refused(path, f"it is {other}. Expected safetensors or what torch.save writes: {_TO_DO}")
        is_torchs = start.startswith((b"PK", b"\x80\x02" + _OLD_TORCH))
        if _is_safetensors(start) or (path.suffix == ".safetensors" and not is_torchs):
            from safetensors.torch import load_file

            return load_file(path)
        with path.open("rb") as stream, harmless.allowed():  # given a path, torch goes by its suffix
            return torch.load(stream, map_location="cpu", weights_only=True)
    except (OSError, MemoryError, Problem):
        raise
    except Exception as error:  # there is nothing that a damaged file may not raise
        raise _refused(path, _reason(error)) from error


def _refused(path: Path, why: str) -> Problem:
    return Problem(f"{path}: no weights that can be read safely: {why}")


def _is_safetensors(start: bytes) -> bool:
    """The length of a JSON header, then the header."""
    return len(start) > 9 and start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < 100_000_000


def _other_format(path: Path, start: bytes) -> str:
    """The name of a format that is neither safetensors nor torch.save's; "" where it may be one of them."""
    for magic, name in _STARTS:
        if start.startswith(magic):
            return name
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if start[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05") and start[2:14] != _OLD_TORCH:
        return "a pickle that is not torch.save's (pickle.dump, joblib); reading it could run code"
    if re.search(r"\.data-\d{5}-of-\d{5}$", path.name) or _ends_with(path, _LEVELDB_END):
        return "a part of a TensorFlow checkpoint"
    if start.startswith(b"PK\x03\x04") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
        for pattern, name in _MEMBERS:
            if any(re.search(pattern, member) for member in members):
                return name
        if not any(member.endswith("data.pkl") for member in members):
            return f"a zip archive (of {', '.join(members[:3])}); unpack it first"
    if path.suffix == ".pb" or start.startswith(b"\x08\x01\x12"):
        return "a TensorFlow graph (.pb)"
    if path.suffix == ".onnx" or _is_onnx(start):
        return "an ONNX model"
    return "Flax's msgpack" if path.suffix == ".msgpack" else ""


def _is_onnx(start: bytes) -> bool:
    """A protobuf whose field 1 is a small version and whose field 2 is the producer's name, in letters."""
    if len(start) < 5 or start[0] != 0x08 or not 3 <= start[1] <= 20 or start[2] != 0x12:
        return False
    name = start[4 : 4 + start[3]]
    return 0 < len(name) < 64 and name.isascii() and name.decode("ascii").isprintable()


def _ends_with(path: Path, end: bytes) -> bool:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - len(end)))
        return stream.read() == end


def _text(start: bytes) -> str:
    """What to say of a file that begins so; "" where it may be weights, which are never text."""
    if not start:
        return "it is empty"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # the end may be half a letter
    except UnicodeDecodeError:
        return ""
    if not all(letter.isprintable() or letter.isspace() for letter in text):
        return ""
    return f"it is text, which begins with {' '.join(text.split())[:60]!r}"


def _reason(error: Exception) -> str:
    """Torch says in words what it refuses; what it stumbles over has to be said for it."""
    refused = re.search(r"GLOBAL (\S+) was not an allowed global|but got <class '(\S+)'>", str(error))
    if refused:
        return (
            f"it holds an object of {refused[1] or refused[2]}, which could run code; where it was trained, save the "
            "state dict alone: torch.save(network.state_dict(), PATH)"
        )
    if harmless.REFUSED in str(error):
        return f"it holds {harmless.REFUSED}, which could run code; save the state dict alone"
    if isinstance(error, (LookupError, AttributeError, TypeError, AssertionError)):
        return f"it is neither safetensors nor what torch.save writes ({type(error).__name__}: {one_line(error)})"
    return "it is cut off or damaged, or neither safetensors nor what torch.save writes; get it again"
