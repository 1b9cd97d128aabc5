"""The gauge on the pages: each measures in the one that the sidebar has chosen, and its Python text says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.file.read import Run
from store.measure.afcc import afcc_mask
from store.measure.gauge import GAUGES, Gauge
from store.measure.layer import permutation
from store.paper.claims import judge, verdicts_that_differ
from store.paper.records import run_record
from tests.explorer_runs import make_run

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.frames import claims as frames_claims
from tests.explorer.views.test_pages import PAGES, PAGES_OF_LAYERS, address, open_app, shown, table, unfold, unharmed  # noqa: F401


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "second.h5", seed=1, dense=False)
    make_run(folder / "first.h5", seed=0, features=("7",), afcc=("7",))
    with Run(folder / "first.h5") as run:  # else nothing here could tell the two apart
        for layer in run.layers.values():
            as_trained, zero_sum = (layer.measure(gauge=gauge) for gauge in GAUGES)
            assert as_trained.mean_noise != zero_sum.mean_noise
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_in_the_zero_sum_gauge(open_app, folder: Path, page: str) -> None:  # noqa: F811
    for store in ("first.h5", "second.h5"):
        at = open_app("--store", folder, page=page, store=store, gauge="zero-sum")
        unharmed(at)
        assert at.selectbox(key="choose_gauge").value == address(at)["gauge"] == "zero-sum"


def test_the_switch_is_in_the_sidebar_and_measures_everything_again(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder)
    with Run(folder / "first.h5") as run:
        layer = run.layers["10"]
        common = layer.common_part
        noise = {gauge: layer.measure(gauge=gauge).mean_noise for gauge in GAUGES}
    for gauge in ("as trained", "zero-sum", "as trained"):
        at.sidebar.selectbox(key="choose_gauge").set_value(gauge).run()
        unharmed(at)
        row = table(at, "common part").set_index("layer").loc["10"]
        assert row["n"] == noise[gauge] and row["common part"] == common
        assert address(at).get("gauge") == (None if gauge == "as trained" else gauge)


def test_a_layer_of_matrices_alone_has_no_common_part(open_app) -> None:  # noqa: F811
    at = open_app("--store", "explorer/example.h5")
    unharmed(at)
    parts = table(at, "common part").set_index("layer")["common part"]
    assert parts.round(4).dropna().to_dict() == {"13": 0.0292, "10": 0.0044, "7": 0.0048}


@pytest.mark.parametrize("page", PAGES_OF_LAYERS)
def test_the_python_text_has_the_gauge(open_app, folder: Path, page: str, capsys: Any) -> None:  # noqa: F811
    at = open_app("--store", folder, page=page, layer="7", filter="3", gauge="zero-sum")
    unfold(at, "python")
    (code,) = [block.value for block in at.code if "import" in block.value]
    names: dict[str, Any] = {}
    exec(code, names)
    with Run(folder / "first.h5") as run:
        layers = {name: layer.measure(gauge="zero-sum") for name, layer in run.layers.items()}
        if page == "compare":
            difference = layers[address(at)["layer_b"]].mean_noise - layers["7"].mean_noise
            assert capsys.readouterr().out.startswith(f"{difference} ")
            return
        assert np.array_equal(names["measured"].cluster_of, layers["7"].cluster_of)
        if page == "run":
            assert "in the zero-sum gauge" in capsys.readouterr().out
        if page == "filter":
            order = permutation(layers["7"].cluster_of[3])
            assert np.array_equal(names["permuted"], run.layers["7"].field(3, "zero-sum")[np.ix_(order, order)])
        if page == "afcc":
            assert np.array_equal(names["kept"], afcc_mask(layers["7"].cluster_of))


def test_the_mask_of_afcc_follows_the_clusters(open_app, folder: Path) -> None:  # noqa: F811
    kept = {}
    for gauge in GAUGES:
        at = open_app("--store", folder, page="afcc", layer="7", gauge=gauge)
        unharmed(at)
        kept[gauge] = next(metric.value for metric in at.metric if metric.label == "weights kept")
        assert ("follows the clusters of the zero-sum gauge" in shown(at)) == (gauge == "zero-sum")
    with Run(folder / "first.h5") as run:
        layer = run.layers["7"]
        for gauge, number in kept.items():
            assert number == f"{layer.measure(gauge=gauge).cluster_sizes.sum() * layer.positions:,}"
    assert kept["as trained"] != kept["zero-sum"]


@pytest.mark.parametrize("gauge", GAUGES)
def test_claims_are_judged_in_the_gauge_and_say_how_many_verdicts_differ(open_app, folder: Path, gauge: Gauge) -> None:  # noqa: F811
    at = open_app("--store", folder, page="claims", gauge=gauge)
    unharmed(at)
    with Run(folder / "first.h5") as run:
        found = {each: judge([run_record(run, gauge=each)], 0.3) for each in GAUGES}
    ledger = table(at, "verdict")
    wanted = [frames_claims.WORDS[finding.verdict] for finding in found[gauge]]
    assert ledger["verdict"].tolist() == wanted
    assert ledger["numbers"].fillna("").tolist() == [finding.numbers for finding in found[gauge]]
    other = next(each for each in GAUGES if each != gauge)
    assert frames_claims.in_other_gauge(found[gauge], found[other], other) in shown(at)


def test_what_is_said_of_the_other_gauge(folder: Path) -> None:
    with Run(folder / "first.h5") as run:
        found = judge([run_record(run)], 0.3)
    same = frames_claims.in_other_gauge(found, found, "zero-sum")
    assert same == f"In the zero-sum gauge, all {len(found)} verdicts are the same."
    others = judge([], 0.3)  # nothing can be tested
    differ = verdicts_that_differ(others, found)
    said = frames_claims.in_other_gauge(found, others, "as trained")
    assert said.startswith(f"As trained, {len(differ)} of {len(found)} verdicts differ: ") and len(differ) > 1
    assert said.count(": not enough runs") == len(differ)
