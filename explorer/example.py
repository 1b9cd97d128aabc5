"""What is shown where nothing is named: the newest file in runs/, or, where there is none, the first example."""

from pathlib import Path

RUNS = Path("runs")
_HERE = Path(__file__).resolve().parent
EXAMPLE = _HERE / "example.h5"  # the paper's network and recipe
EXAMPLES = (EXAMPLE, _HERE / "example-pretrained.h5", _HERE / "example-emergence.h5")
