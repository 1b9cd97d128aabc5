"""Tensors that no network can take are refused by name, before anything is made of them."""

import warnings

import pytest
import torch

from precompute.messages.problem import Problem
from precompute.networks.checkpoints import values
from precompute.networks.checkpoints.choosing import candidates
from precompute.networks.checkpoints.reading import read


def checked(value, folder, prefix: str = ""):
    path = folder / "best.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch says of layouts that it calls new
        torch.save({f"{prefix}fine": torch.ones(2), f"{prefix}odd": value}, path)
        values.check(path, candidates(read(path)))


def quantized():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)


def compressed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.eye(3).to_sparse_csr()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.eye(3).to_sparse(), r"odd is sparse \(sparse_coo\); save it as a dense tensor"),
        (compressed, r"odd is sparse \(sparse_csr\)"),
        (quantized, "odd is quantized; save it as a dense tensor"),
        (lambda: torch.ones(3, device="meta"), "odd has a shape and no numbers"),
        (lambda: torch.zeros(2, dtype=torch.complex64), "odd holds complex numbers"),
        (lambda: torch.tensor([1.0, float("nan")]), "odd holds numbers that are not finite"),
        (lambda: torch.full((2,), float("inf")).bfloat16(), "odd holds numbers that are not finite"),
        (lambda: torch.zeros(1).expand(10**12), "odd says that it has 1,000,000,000,000 entries, which a file of"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_it_is_named(make, words, prefix, tmp_path):
    with pytest.raises(Problem, match=f"best.pt: {prefix}{words}"):
        checked(make(), tmp_path, prefix)


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(0), torch.tensor(3), torch.ones(3, dtype=torch.float8_e4m3fn), torch.tensor([True]),
        torch.ones(5, 5).tril()[None].expand(9, 5, 5), torch.nn.Parameter(torch.ones(2)),
    ],
)  # fmt: skip
def test_what_networks_have_is_taken(value, tmp_path):
    checked(value, tmp_path)
    assert (tmp_path / "best.pt").exists()
