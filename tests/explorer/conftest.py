"""What the tests of several rooms look at: a run of every kind of layer."""

import pytest

from store.file.read import Run
from store.measure.layer import LayerMeasure
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(make_run(tmp_path_factory.mktemp("run") / "run.h5"))


@pytest.fixture(scope="module")
def layer_10(run: Run) -> LayerMeasure:
    return run.layers["10"].measure(0.3)
