"""What is shown where nothing is named: the newest file in runs/, or, where there is none, the example.

Another comes with the program for the page Emergence: a run whose file has earlier epochs of the training.
"""

from pathlib import Path

RUNS = Path("runs")
EXAMPLE = Path(__file__).with_name("example.h5")
FORMING = Path(__file__).with_name("emergence.h5")
