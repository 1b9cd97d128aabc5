"""The frozen network as a function of pixels: by torch, or on a CPU in float32 by ONNX Runtime, which is faster.

ONNX Runtime folds batch norms into convolutions and lays arrays out for the processor. It is taken where a first batch
shows that every tapped layer is as torch has it; what cannot be exported goes through torch.
"""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from precompute.machine.device import Device
from precompute.messages.problem import Problem, one_line
from precompute.networks.taps import Tap, watch

Forward = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]  # pixels -> fields of the outputs, layer -> what it gave

TOLERANCE = 1e-4  # of a layer's largest activation
_WORTH_EXPORTING = 4000  # images: an export takes 2 to 20 s


@dataclass(frozen=True)
class FrozenPass:
    """How images pass through the frozen network, and what a file says of it."""

    forward: Forward
    by: str
    why: str = ""  # not by ONNX Runtime
    differences: dict[str, float] = field(default_factory=dict)  # layer -> largest, of its largest activation

    def said(self, layer: str) -> dict[str, Any]:
        """The layer's entry in a manifest."""
        return {"by": self.by} | ({"why": self.why} if self.why else {"difference": self.differences[layer]})


def by_torch(network: nn.Module, taps: list[Tap], device: Device) -> Forward:
    network.eval()

    @torch.no_grad()
    def forward(pixels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with (
            watch(network, taps) as seen,
            torch.autocast(device.target.type, device.autocast, enabled=device.autocast is not None),
        ):
            outputs = network(pixels)
        return outputs, seen

    return forward


def choose_pass(
    network: nn.Module, taps: list[Tap], device: Device, wanted: str, n_images: int, first: Callable[[], Tensor]
) -> FrozenPass:
    """wanted: "auto", "torch" or "onnxruntime". n_images: that will pass; first: a batch of them, (batch, channels,
    side, side). Raises Problem where ONNX Runtime is wanted and cannot be had."""
    torch_pass = by_torch(network, taps, device)
    why = _why_not(device, wanted, n_images)
    if not why:
        try:
            return _by_onnxruntime(network, taps, by_torch(network, taps, replace(device, autocast=None)), first())
        except _NotAsTorchError as error:
            why = str(error)
        except Exception as error:  # there is nothing that a network, or its export, may not raise
            why = f"the network cannot be exported: {one_line(error)}"
    if wanted == "onnxruntime":
        raise Problem(f"--frozen-pass onnxruntime: {why}; leave it out to pass images by torch")
    return FrozenPass(torch_pass, f"torch {torch.__version__}", why)


class _NotAsTorchError(Exception):
    """What ONNX Runtime gives is not what torch gives."""


def _why_not(device: Device, wanted: str, n_images: int) -> str:
    """Why ONNX Runtime is not even tried; "" where it is."""
    if wanted == "torch":
        return "asked for"
    if device.target.type != "cpu":
        return f"the network is on {device.target.type}"
    if wanted == "auto" and device.autocast is not None:
        return "bfloat16 is as fast on this processor"
    if wanted == "auto" and n_images < _WORTH_EXPORTING:
        return "too few images to be worth an export"
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed"
    return ""


def _by_onnxruntime(network: nn.Module, taps: list[Tap], in_float32: Forward, first: Tensor) -> FrozenPass:
    """Raises whatever the export raises, and _NotAsTorchError."""
    import onnxruntime

    forward = _exported(network, taps, first[:2])
    outputs, seen = in_float32(first)
    expected = {**seen, "outputs": outputs}
    outputs, seen = forward(first)
    there = {**seen, "outputs": outputs}
    differences = {name: _difference(there[name], value) for name, value in expected.items()}
    layer = max(differences, key=lambda name: differences[name])
    if not differences[layer] <= TOLERANCE:
        raise _NotAsTorchError(
            f"layer {layer} differs from torch's by {differences[layer]:.1e} of its largest activation"
        )
    one = forward(first[:1])[1]  # a graph may hold the size of the batch that it was made with
    if any(_difference(value, expected[name][:1]) > TOLERANCE for name, value in one.items()):
        raise _NotAsTorchError("an image alone gives something else than in a batch")
    return FrozenPass(forward, f"onnxruntime {onnxruntime.__version__}", differences=differences)


def _difference(value: Tensor, expected: Tensor) -> float:
    if value.shape != expected.shape:
        raise _NotAsTorchError(f"shape {tuple(value.shape)} where torch has {tuple(expected.shape)}")
    scale = expected.abs().max().float()
    return float((value - expected).abs().max() / scale.clamp(min=torch.finfo(torch.float32).tiny))


class _Tapped(nn.Module):
    """A network whose outputs are its own and what its taps see."""

    def __init__(self, network: nn.Module, taps: list[Tap]) -> None:
        super().__init__()
        self.network, self.taps = network, taps

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        with watch(self.network, self.taps) as seen:
            outputs = self.network(pixels)
        return outputs, *(seen[tap.layer] for tap in self.taps)


def _exported(network: nn.Module, taps: list[Tap], pixels: Tensor) -> Forward:
    """The network as an ONNX graph for batches of any size. pixels: two images."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors; a graph that cannot be optimised in some place is none
    with tempfile.TemporaryDirectory() as folder, _quiet(), torch.no_grad():
        file = Path(folder) / "network.onnx"
        torch.onnx.export(
            _Tapped(network, taps).eval(),
            (pixels.contiguous(),),
            file,
            input_names=["pixels"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            dynamo=True,
            verbose=False,
        )
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def forward(pixels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        outputs, *seen = map(torch.from_numpy, session.run(None, {"pixels": pixels.contiguous().numpy()}))
        return outputs, {tap.layer: value for tap, value in zip(taps, seen, strict=True)}

    return forward


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports its steps, and warns of what does not concern a network that is only run."""
    before = logging.root.manager.disable
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
