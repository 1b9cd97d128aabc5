"""What is shown where nothing is named: the newest file in runs/, or, where there is none, the example."""

from pathlib import Path

RUNS = Path("runs")
EXAMPLE = Path(__file__).with_name("example.h5")
