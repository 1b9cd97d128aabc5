"""What a run answers, in words."""

import polars as pl
import pytest

from explorer.frames import answer
from explorer.frames import layer as frames
from store.file.read import Run
from store.measure.summary import Summary, summary
from tests.explorer_runs import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(make_run(tmp_path_factory.mktemp("run") / "run.h5"))


def test_the_sentences_hold_the_numbers_of_the_layer(run: Run) -> None:
    layer, before = run.layers["10"], run.layers["7"]
    here, there = summary(layer.measure(0.3)), summary(before.measure(0.3))
    one, noise, signal = answer.statements(layer, here, ("7", there), "clustered")
    assert one.number == f"{here.n_clusters:.1f} clusters of {here.cluster_size:.1f} labels"
    assert one.sentence == "A filter of layer 10 speaks for {}."
    assert f"{there.noise / here.noise:.1f} times less than in layer 7" in noise.sentence
    assert signal.number.startswith(
        f"{here.snr_external:.1f}" if here.snr_external < 20 else f"{here.snr_external:.0f}"
    )


@pytest.mark.parametrize(
    ("there", "said"), [(20.0, "2.0 times less"), (5.0, "2.0 times more"), (10.0, "as in layer 7")]
)
def test_noise_is_held_against_the_layer_before(run: Run, there: float, said: str) -> None:
    here = Summary(0.3, noise=10.0, n_clusters=2.0, cluster_size=2.0)
    found = answer.statements(run.layers["10"], here, ("7", here._replace(noise=there)), "clustered")
    assert said in found[1].sentence


def test_the_first_layer_is_held_against_none(run: Run) -> None:
    here = Summary(0.3, noise=10.0, n_clusters=2.0, cluster_size=2.0)
    assert answer.statements(run.layers["4"], here, None, "clustered")[1].sentence == "Its noise is {}."


def test_a_layer_without_clusters_says_so(run: Run) -> None:
    (only,) = answer.statements(run.layers["10"], Summary(1.0), None, "clustered")
    assert only.sentence == "No filter of layer 10 has a cluster at this threshold."


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([100, 50, 10], "n falls from 100 in layer a to 10.0 in layer c."),
        ([100, 10, 50], "n falls from 100 in layer a to 10.0 in layer b, and is 50 again in layer c."),
        ([100, 200, 10], "n comes down, not at every step, from 100 in layer a to 10.0 in layer c."),
        ([10, 50, 100], "n is lowest, 10.0, in the first layer, and 100 in layer c."),
        ([10], ""),
    ],
)
def test_the_caption_of_the_depth_chart_says_what_is_in_it(values: list[float], said: str) -> None:
    frame = pl.DataFrame({"layer": list("abc")[: len(values)], "quantity": "n", "source": "this run", "value": values})
    assert answer.with_depth(frame) == said


def test_what_it_rests_on(run: Run) -> None:
    said = answer.rests_on(run, run.layers["10"], 0.3, "clustered")
    assert "one network, seed 0" in said and "2,000 test images of 20 labels" in said and "72.0%" in said
    assert frames.depth(run, {"10": run.layers["10"].measure(0.3)}, "clustered").height
