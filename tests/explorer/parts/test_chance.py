"""Numbers beside chance, run without a browser: the pages show what nulls and semantics (`store.measure`) say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.file.read import Run
from store.measure.nulls import chance
from store.measure.semantics import confusion_agreement, superclass_sharing, together
from tests.explorer_runs import make_run

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.charts import chance as charts_chance
from explorer.data.chance import band, samples
from store.file.manifest import defined
from tests import ROOT
from tests.explorer.views.test_pages import PAGES, address, open_app, press, shown, table, unfold, unharmed  # noqa: F401

LAYERS = {"4": (6, 2), "10": (12, 1)}
NULLS = ["labels shuffled", "rotated filters", "random order", "reversed order"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`run.h5` is the newer; `none.h5` is of a network that has learned nothing."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "none.h5", LAYERS, seed=3, network={"arch": "vgg16", "epochs": 0, "weights": {"from": "none"}})
    make_run(folder / "run.h5", LAYERS, features=("10",))
    return folder


def heads(at: Any) -> list[str]:
    return [head.value for head in at.subheader]


@pytest.mark.parametrize("null", NULLS)
def test_a_layer_stands_beside_the_null_of_the_sidebar(open_app, folder: Path, null: str) -> None:  # noqa: F811
    at = open_app("--store", folder, page="layer", layer="4", threshold="0.4", order="reversed")
    assert "Beside chance" not in heads(at)
    at.selectbox(key="choose_null").set_value(null).run()
    unharmed(at)
    assert address(at)["null"] == null
    samples = 1 if null == "reversed order" else 20
    with Run(folder / "run.h5") as run:
        layer = run.layers["4"]
        order = np.arange(20)[::-1]
        expected = chance(null, layer.fields(), threshold=0.4, samples=samples, seed=0, order=order)  # type: ignore[arg-type]
    rows = table(at, "by chance").set_index("quantity")
    for name, symbol in (("noise", "n"), ("cluster_size", "C_s"), ("snr_external", "SNR_E")):
        against = expected.of(name)
        assert rows.loc[symbol, "measured"] == against.observed and rows.loc[symbol, "by chance"] == against.mean
        assert rows.loc[symbol, "z"] == against.z or (against.z is None and np.isnan(rows.loc[symbol, "z"]))
    assert f"{samples} draw" in shown(at) and "seed 0" in shown(at)


def test_the_filter_page_draws_when_it_is_unfolded(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="filter", layer="4", null="labels shuffled")
    assert not [frame for frame in at.dataframe if "by chance" in frame.value]
    unfold(at, "chance")
    with Run(folder / "run.h5") as run:
        expected = chance("labels shuffled", run.layers["4"].fields(), samples=20, seed=0)
    assert table(at, "by chance").set_index("quantity").loc["n", "by chance"] == expected.of("noise").mean


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_a_null_in_its_address(open_app, folder: Path, page: str) -> None:  # noqa: F811
    at = open_app("--store", folder, page=page, null="labels shuffled")
    unharmed(at)
    assert at.selectbox(key="choose_null").value == "labels shuffled"


@pytest.mark.parametrize(("page", "rows"), [("overview", ["10", "4"]), ("compare", ["A", "B"])])
def test_several_layers_are_drawn_when_asked_for(open_app, folder: Path, page: str, rows: list[str]) -> None:  # noqa: F811
    at = open_app("--store", folder, page=page, layer="4", null="labels shuffled")
    assert not [frame for frame in at.dataframe if "n, z" in frame.value]
    press(at, "Draw")
    found = table(at, "n, z")
    assert found["layer"].tolist() == rows
    with Run(folder / "run.h5") as run:
        layer = run.layers["4"]
        expected = chance("labels shuffled", layer.fields(), samples=20, seed=0)
    four = found.iloc[1 if page == "overview" else 0]
    assert four["n, by chance"] == expected.of("noise").mean and four["N_c, z"] == expected.of("n_clusters").z


@pytest.mark.parametrize("null", NULLS)
def test_with_depth_the_numbers_stand_over_the_bands_of_chance(open_app, folder: Path, monkeypatch, null: str) -> None:  # noqa: F811
    drawn = []
    under = charts_chance.under_depth

    def seen(picture: Any, bands: Any, quantities: Any, log: bool) -> Any:
        drawn.append((quantities, bands))
        banded = under(picture, bands, quantities, log)
        bars, lines = banded.to_dict()["layer"]
        for mark in (bars, *lines["layer"]):
            assert mark["encoding"]["x"]["sort"] == ["4", "10"]  # else the whole chart has the alphabet's order
        return banded

    monkeypatch.setattr("explorer.charts.chance.under_depth", seen)
    at = open_app("--store", folder, page="overview", null=null)
    assert not drawn
    press(at, "Draw")
    unharmed(at)
    if null == "reversed order":
        assert not drawn  # one draw has no band
        return
    assert [quantities for quantities, _ in drawn] == [["n"], ["N_c"], ["C_s"], ["SNR_I", "SNR_E"]]
    bands = drawn[0][1]
    assert bands["layer"].unique(maintain_order=True).to_list() == ["4", "10"]  # from input to output
    if null != "labels shuffled":
        return
    with Run(folder / "run.h5") as run:
        expected = chance("labels shuffled", run.layers["4"].fields(), samples=20, seed=0).of("noise")
    row = bands.filter(layer="4", quantity="n")
    assert (row["low"].item(), row["high"].item()) == (expected.low, expected.high)


def test_layers_that_cannot_be_rotated_do_not_keep_the_others_back(open_app) -> None:  # noqa: F811
    at = open_app("--store", ROOT / "explorer" / "example.h5", page="overview", null="rotated filters")
    press(at, "Draw")
    unharmed(at)
    with Run(ROOT / "explorer" / "example.h5") as run:
        rotated = [name for name, layer in run.layers.items() if layer.has_factors]
        alone = [name for name, layer in run.layers.items() if not layer.has_factors]
    assert rotated and alone
    assert table(at, "n, z")["layer"].tolist() == rotated[::-1]
    assert f"No rotated filters of {', '.join(alone[::-1])}: fields alone cannot be rotated" in shown(at)
    assert "the file that it was packed from has both" in shown(at)


def test_fields_alone_cannot_be_rotated(open_app) -> None:  # noqa: F811
    at = open_app("--store", ROOT / "explorer" / "example.h5", page="layer", layer="2", null="rotated filters")
    unharmed(at)
    assert "No rotated filters: fields alone cannot be rotated" in shown(at)


def test_a_large_layer_waits_to_be_asked(open_app, folder: Path, monkeypatch) -> None:  # noqa: F811
    monkeypatch.setattr("explorer.data.load.Loaded.is_quick", False)
    at = open_app("--store", folder, page="layer", layer="10", null="random order")
    assert not [frame for frame in at.dataframe if "by chance" in frame.value]
    press(at, "Draw")
    assert "5 draws" in shown(at) and len(table(at, "by chance")) == 8


def test_the_sweep_has_the_band_of_chance(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="layer", layer="10", null="labels shuffled")
    press(at, "Add the band of chance")
    assert "Grey: where the draws lie" in shown(at)


@pytest.mark.parametrize("average", ["clustered", "all"])
def test_the_band_has_the_average_of_the_line(open_app, folder: Path, monkeypatch, average: Any) -> None:  # noqa: F811
    bands = []
    draw = band
    monkeypatch.setattr("explorer.data.chance.band", lambda *given: bands.append(draw(*given)) or bands[-1])
    at = open_app("--store", folder, page="layer", layer="10", null="random order", average=average)
    press(at, "Add the band of chance")
    over = "all filters" if average == "all" else "filters with clusters"
    assert f"Grey: where the draws lie, n and N_c as means over {over}" in shown(at)
    with Run(folder / "run.h5") as run:
        measured = run.layers["10"].measure(0.95)
        drawn = chance("random order", run.layers["10"].fields(), threshold=0.95, samples=5, average=average)
    assert measured.mean_clusters > measured.mean_clusters_all
    rows = bands[-1].filter((bands[-1]["threshold"] == 0.95) & (bands[-1]["quantity"] == "n"))
    assert (rows["low"].item(), rows["high"].item()) == (drawn.of("noise").low, drawn.of("noise").high)
    line = measured.mean_noise_all if average == "all" else measured.mean_noise
    assert drawn.of("noise").observed == line
    beside = next(frame.value for frame in at.dataframe if "by chance" in frame.value).set_index("quantity")
    at_view = run_n(folder, average)
    assert beside.loc["n", "measured"] == at_view
    assert f"Means of n and N_c are over {over}." in shown(at)


def run_n(folder: Path, average: str) -> float:
    with Run(folder / "run.h5") as run:
        measured = run.layers["10"].measure(0.3)
    return measured.mean_noise_all if average == "all" else measured.mean_noise


def test_ranks_are_told_and_what_they_mean(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="layer", layer="10")
    assert "algebra" not in shown(at)
    unfold(at, "ranks")
    assert "at most 1" in shown(at) and "algebra" in shown(at)
    at.selectbox(key="choose_layer").set_value("4").run()
    unharmed(at)
    assert "at most 4" in shown(at) and "algebra" not in shown(at)
    with Run(folder / "run.h5") as run:
        assert run.layers["4"].fields().ranks().max() <= 4


def test_what_clusters_mean(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="labels", layer="10")
    unfold(at, "meaning")
    with Run(folder / "run.h5") as run:
        layer = run.layers["10"]
        pairs = together(layer.measure(0.3).cluster_of)
        sharing = superclass_sharing(pairs, run.superclasses)
        agreement = confusion_agreement(pairs, layer.confusion)
    found = {metric.label: metric.value for metric in at.metric}
    assert found["pairs"] == str(sharing.pairs) and found["% sharing"] == f"{100 * sharing.share:.1f}"
    assert found["rank correlation"] == f"{agreement.correlation:.3f}"
    at.selectbox(key="choose_layer").set_value("4").run()
    assert "no confusion matrix" in shown(at)


def test_labels_without_super_classes_say_so(open_app, tmp_path: Path) -> None:  # noqa: F811
    make_run(tmp_path / "plain.h5", {"4": (6, 1)}, labels=[(f"label {k}", "") for k in range(5)])
    at = open_app("--store", tmp_path, page="labels")
    unfold(at, "meaning")
    assert "no super-classes" in shown(at)


def test_an_untrained_network_is_called_one(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="compare")
    assert not at.info
    at.selectbox(key="choose_store_b").set_value("none.h5").run()
    unharmed(at)
    assert "B is an untrained network" in at.info[0].value


def test_few_samples_where_draws_are_slow() -> None:
    assert [samples("labels shuffled", quick) for quick in (True, False)] == [20, 5]
    assert samples("reversed order", True) == 1  # there is no other


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), True, "1", None, [1]])
def test_what_is_no_finite_number_is_undefined(value: Any) -> None:
    assert defined(value) is None
