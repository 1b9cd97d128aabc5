"""What training scripts keep beside the weights, made without running any code of the file.

torch's reader makes tensors and containers alone. Arguments of a script (argparse.Namespace), and NumPy's scalars and
arrays (an accuracy, the state of a random generator), are made here, by functions that stand in for NumPy's own and
make numbers and texts only.
"""

import argparse
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_KINDS = "biufcSUMm"  # of NumPy's types: numbers, texts and times; not objects, nor records that may hold some
_LETTERS = "?bBhHiIlLqQefdFDSUMm"
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before NumPy 2, and since
REFUSED = "a NumPy object that is neither numbers nor text"


class _Ndarray:
    """What a pickle calls numpy.ndarray. The class itself would make room for whatever shape it is given."""


class _Array(np.ndarray[Any, Any]):
    """Takes its shape, type and bytes, as pickles give them, where these are numbers or text."""

    def __setstate__(self, state: Any) -> None:
        kind = state[2] if isinstance(state, tuple) and len(state) == 5 else None
        _check(isinstance(kind, np.dtype) and kind.kind in _KINDS and isinstance(state[4], (bytes, str)))
        raw = state[4].encode("latin1") if isinstance(state[4], str) else state[4]
        super().__setstate__((*state[:4], raw))


def _reconstruct(_subtype: Any, _shape: Any, _letter: Any) -> NDArray[Any]:
    return np.ndarray.__new__(_Array, (0,), np.uint8)


def _scalar(kind: Any, content: Any) -> Any:
    _check(isinstance(kind, np.dtype) and kind.kind in _KINDS and isinstance(content, (bytes, str)))
    raw = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(raw, kind, count=1)[0]


def _check(is_harmless: bool) -> None:
    if not is_harmless:
        raise ValueError(REFUSED)


def allowed() -> AbstractContextManager[None]:
    """In it, torch.load with weights_only makes these too."""
    kinds = {type(np.dtype(letter)) for letter in _LETTERS}
    stand_ins = [
        (function, f"{module}.{name}")
        for module in _MODULES
        for function, name in ((_scalar, "scalar"), (_reconstruct, "_reconstruct"))
    ]
    made: list[Any] = [argparse.Namespace, np.dtype, (_Ndarray, "numpy.ndarray"), _Array, *kinds, *stand_ins]
    return torch.serialization.safe_globals(made)
