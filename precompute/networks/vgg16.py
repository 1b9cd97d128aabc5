"""VGG-16 as the paper has it, and its layers."""

from dataclasses import replace

from torch import Tensor, nn

from precompute.networks.taps import HEAD, Tap

# Filters of the 13 convolutional layers, in the blocks that end with 2x2 max-pooling.
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
PAPER_LAYERS = ("2", "4", "7", "10", "13")
SIDE = 32  # of its images


class VGG16(nn.Module):
    """VGG-16 for 32x32 images: 13 convolutional layers with batch norm, then three fully connected ones.

    The last one has no bias: "to assure that each filter's effect on the output fields ... will not be overshadowed
    by the much larger biases" (supplement). On 32x32 images one 1x1 position is left of each of the last 512 filters;
    the hidden layers have 512 units accordingly.
    """

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        self.features = nn.Sequential()
        channels, layer = 3, 0
        for block in _BLOCKS:
            for filters in block:
                layer += 1
                conv = nn.Conv2d(channels, filters, kernel_size=3, padding=1, bias=False)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                self.features.add_module(f"conv{layer}", conv)
                self.features.add_module(f"norm{layer}", nn.BatchNorm2d(filters))
                self.features.add_module(f"relu{layer}", nn.ReLU(inplace=True))
                channels = filters
            self.features.add_module(f"pool{layer}", nn.MaxPool2d(2))
        self.classifier = nn.Sequential(
            nn.Linear(512, 512), nn.ReLU(inplace=True), nn.Linear(512, 512), nn.ReLU(inplace=True)
        )
        self.output = nn.Linear(512, n_labels, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (batch, 3, 32, 32) -> fields of the output units (batch, labels)."""
        fields: Tensor = self.output(self.classifier(self.features(images).flatten(1)))
        return fields


def taps() -> dict[str, Tap]:
    """All 13 layers, after the max-pooling where there is one, else after the ReLU; and what the last one reads."""
    found, layer = {}, 0
    for block in _BLOCKS:
        for place in range(1, len(block) + 1):
            layer += 1
            ends = place == len(block)
            module = f"features.{'pool' if ends else 'relu'}{layer}"
            kind = "after pooling" if ends else "layer"
            found[str(layer)] = Tap(str(layer), module, kind=kind, why=f"the paper's layer {layer}")
    head = Tap(HEAD, "output", "node", "filters last", classifiers=("output",))
    return found | {HEAD: replace(head, kind="classifier's input", why="what output reads")}
