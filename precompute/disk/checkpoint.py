"""Files of our own that a run goes on from: a checksum, then what torch.save wrote."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from precompute.messages.problem import Problem, named_in_errors
from store.file.write import replace_file

MAGIC = b"filterscope checkpoint 1\n"


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace the file atomically. Raises OSError, which names it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    with named_in_errors(path):
        replace_file(path, b"".join([MAGIC, hashlib.sha256(payload).digest(), payload]))


def load(path: Path) -> dict[str, Any] | None:
    """What was saved, None where there is none; raises Problem where the file is damaged. Runs no code from it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    start = len(MAGIC) + 32
    digest, payload = content[len(MAGIC) : start], memoryview(content)[start:]
    if not content.startswith(MAGIC) or hashlib.sha256(payload).digest() != digest:
        raise Problem(
            f"{path}: the checkpoint is damaged (its checksum does not fit). Put back a good copy, or start anew "
            "with --fresh"
        )
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:  # its checksum fits: not by accident
        raise Problem(f"{path}: not a checkpoint of this program; start anew with --fresh") from error
    return state
