"""What is shown where nothing is named: the newest file in runs/, or, where there is none, the first example."""

from pathlib import Path

RUNS = Path("runs")
_HERE = Path(__file__).resolve().parent
EXAMPLE = _HERE / "example.h5"  # the paper's network and recipe
PRETRAINED = _HERE / "example-pretrained.h5"  # a network that was trained on ImageNet, frozen
FORMING = _HERE / "emergence.h5"  # a network at several epochs of its training, for the page Emergence
EXAMPLES = (EXAMPLE, PRETRAINED, FORMING)
