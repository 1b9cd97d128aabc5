"""Files that a run goes on from, and the folder that they lie in."""

import pickle
from pathlib import Path

import pytest
import torch

from precompute.disk import checkpoint
from precompute.messages.problem import Problem

STATE = {
    "model": {"weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(7)},
    "history": {"loss": [0.5, 0.25]},
    "step": 12,
    "random": torch.get_rng_state(),
}


def same(one: object, other: object) -> bool:
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return one == other


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint.save(tmp_path / "a.ckpt", STATE)
    assert same(checkpoint.load(tmp_path / "a.ckpt"), STATE)
    assert checkpoint.load(tmp_path / "none.ckpt") is None


def test_every_kind_of_damage_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, STATE)
    content = path.read_bytes()
    places = [*range(0, 80), *range(80, len(content), 97)]
    flipped = [content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] for place in places]
    shorter = [content[:length] for length in (0, 10, 25, 40, 57, 58, len(content) // 2, len(content) - 1)]
    for damaged in (*flipped, *shorter, content + b"\0", b"\x80\x02}."):
        path.write_bytes(damaged)
        with pytest.raises(Problem, match=r"a\.ckpt: the checkpoint is damaged .* start anew with --fresh"):
            checkpoint.load(path)


class Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_never_runs_anything(tmp_path):
    path, trace = tmp_path / "a.ckpt", tmp_path / "it ran"
    checkpoint.save(path, {"model": Runs(trace)})
    with pytest.raises(Problem, match=r"a\.ckpt: not a checkpoint of this program"):
        checkpoint.load(path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Runs(trace)))  # it would have: the test can fail
    assert trace.exists()
