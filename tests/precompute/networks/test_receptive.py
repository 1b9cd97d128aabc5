"""Where a layer's positions look: against the arithmetic of convolutions, and across a whole image."""

import torch
from torch import nn

from precompute.networks.receptive import receptive_fields
from precompute.networks.taps import Tap


class _Squeezed(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * images.mean((2, 3), keepdim=True).sigmoid()


def test_as_kernels_strides_and_padding_say():
    first, second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
    network = nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2), second, _Squeezed())
    taps = [Tap("first", "0"), Tap("pooled", "0", pool=4), Tap("second", "3"), Tap("squeezed", "4")]
    found = receptive_fields(network, taps, 16)
    assert found["first"]["rows"] == [[max(0, k - 1), min(16, k + 2)] for k in range(16)]
    assert found["pooled"]["rows"] == [[max(0, 4 * k - 1), min(16, 4 * k + 5)] for k in range(4)]
    # A cell of the second sees three of the pooled ones, each two pixels and one more on both sides.
    assert found["second"]["columns"] == [[max(0, 2 * k - 3), min(16, 2 * k + 5)] for k in range(8)]
    assert found["squeezed"]["rows"] == [[0, 16]] * 8
    assert all(field["side"] == 16 and field["rows"] == field["columns"] for field in found.values())
    assert not any(parameter.dtype == torch.float64 for parameter in network.parameters())


def test_of_large_images_bands_of_pixels_are_enough():
    found = receptive_fields(nn.Sequential(nn.Conv2d(3, 2, 8, stride=8)), [Tap("1", "0")], 130)
    assert found["1"]["rows"][:2] == [[0, 9], [6, 18]]  # bands of three pixels
    assert found["1"]["rows"][-1][1] <= 130


def test_tokens_of_a_transformer_see_the_whole_image():
    class Mixed(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            tokens = images.flatten(2).transpose(1, 2)
            return torch.softmax(tokens @ tokens.transpose(1, 2), dim=-1) @ tokens

    found = receptive_fields(nn.Sequential(Mixed()), [Tap("block", "0", unit="node", layout="tokens", prefix=0)], 4)
    assert found["block"]["rows"] == [[0, 4]] * len(found["block"]["rows"])
    assert found["block"]["columns"] == [[0, 4]] * len(found["block"]["columns"])
