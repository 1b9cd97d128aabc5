"""The pages Claims and Scaling, run without a browser: they show what claims and scaling (`store`) say."""

from pathlib import Path

import pytest

from store.file.read import Run
from store.measure.scaling import fit_linear
from store.measure.summary import THRESHOLDS
from store.paper.claims import CLAIMS, DRAWS, judge
from store.paper.published import published
from store.paper.records import run_record
from tests.explorer_runs import cifar100_labels, make_run, with_summaries

pytest.importorskip("streamlit.testing.v1", reason="Streamlit is in the extra [explore]")
from explorer.data import claims as records
from explorer.frames import claims as frames_claims
from explorer.frames import runs as collection
from tests.explorer.views.test_pages import HOSTILE, address, open_app, press, shown, table, unfold, unharmed  # noqa: F401

PAGES = ["scaling", "claims"]
LAYERS = {"2": (8, 2), "10": (16, 1)}
LABELS = (10, 20, 40)
RECIPE = {"name": "quick", "is_paper": False, "departures": [], "options": {"recipe": "quick", "arch": "vgg16"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """K = 10, 20 and 40 with two seeds each, and an untrained network of K = 10; `k10-0.h5` is the newest."""
    folder = tmp_path_factory.mktemp("runs")
    untrained = {"arch": "vgg16", "epochs": 0, "weights": {"from": "none"}}
    make_run(folder / "untrained.h5", LAYERS, cifar100_labels()[:10], seed=7, network=untrained)
    for n_labels in reversed(LABELS):
        for seed in (1, 0):
            path, labels = folder / f"k{n_labels}-{seed}.h5", cifar100_labels()[:n_labels]
            make_run(path, LAYERS, labels, seed=seed, features=("10",), afcc=("10",), recipe=RECIPE | {"seed": seed})
    return folder


def verdicts_of(folder: Path, *names: str, threshold: float = 0.3) -> dict[str, str]:
    found = []
    for name in names:
        with Run(folder / name) as run:
            found.append(run_record(run, [threshold]))
    findings = judge(found, threshold)
    return {finding.claim.sentence: frames_claims.WORDS[finding.verdict] for finding in findings}


@pytest.mark.parametrize("page", PAGES)
def test_they_open_on_a_folder_and_on_a_file(open_app, folder: Path, page: str) -> None:  # noqa: F811
    at = open_app("--store", folder, page=page)
    unharmed(at)
    assert address(at)["store"] == "k10-0.h5" and "from store" not in shown(at)
    unharmed(open_app("--store", folder / "k20-1.h5", page=page))


def test_the_ledger_of_a_file_is_what_the_claims_say(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="claims")
    ledger = table(at, "verdict")
    assert dict(zip(ledger["claim"], ledger["verdict"], strict=True)) == verdicts_of(folder, "k10-0.h5")
    assert ledger["holds at thresholds"].isna().all() and ledger["holds by chance"].isna().all()
    for claim in CLAIMS:
        assert claim.sentence in shown(at) and claim.place in shown(at)
    assert "nan" not in shown(at).lower()


def test_another_threshold_judges_again(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="claims")
    before = table(at, "verdict")["numbers"].tolist()
    at.slider(key="choose_threshold").set_value(0.6).run()
    unharmed(at)
    ledger = table(at, "verdict")
    assert ledger["numbers"].tolist() != before
    assert dict(zip(ledger["claim"], ledger["verdict"], strict=True)) == verdicts_of(folder, "k10-0.h5", threshold=0.6)


def test_thresholds_and_chance_are_measured_when_asked_for(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="claims")
    press(at, "Measure thresholds")
    with Run(folder / "k10-0.h5") as run:
        findings = judge([run_record(run, [0.3, *THRESHOLDS])], 0.3, THRESHOLDS)
    shown_at = table(at, "verdict")["holds at thresholds"].fillna("").tolist()
    assert shown_at == [frames_claims.intervals(finding) for finding in findings]
    assert any(" to " in cell for cell in shown_at)
    press(at, "Test chance")
    by_claim = table(at, "verdict").set_index("claim")["holds by chance"]
    noise, accuracy = by_claim[CLAIMS[1].sentence], by_claim[CLAIMS[0].sentence]
    assert noise.startswith("labels shuffled ") and f" of {DRAWS}, rotated filters " in noise
    assert noise.split(", ")[-1].startswith("untrained network ")
    assert accuracy.startswith("untrained network")  # a shuffled layer has no accuracy of its own


def test_runs_of_one_kind_stand_together(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="claims")
    at.segmented_control(key="choose_scope").set_value("folder").run()
    unharmed(at)
    ledger = table(at, "runs")
    names = ledger["runs"].unique().tolist()
    assert len(names) == 2 and any("untrained" in name for name in names)
    trained = ledger[~ledger["runs"].str.contains("untrained")]
    files = [f"k{n_labels}-{seed}.h5" for n_labels in LABELS for seed in (0, 1)]
    assert dict(zip(trained["claim"], trained["verdict"], strict=True)) == verdicts_of(folder, *files)
    seeds = dict(zip(trained["claim"], trained["seeds"], strict=True))
    assert seeds[CLAIMS[1].sentence].endswith("of 6") and seeds[CLAIMS[2].sentence].endswith("of 2")


def test_the_address_holds_the_runs_and_their_kind(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="claims", store="k10-0.h5", scope="folder", kind="untrained.h5")
    chosen = at.selectbox(key="choose_kind")
    assert chosen.value == "untrained.h5"
    other = next(value for value in ("k10-0.h5", "k10-1.h5") if value != chosen.value)
    chosen.set_value(other).run()
    unharmed(at)
    assert address(at)["scope"] == "folder" and address(at)["kind"] == other
    at = open_app("--store", folder, page="scaling", store="k10-0.h5", kind="untrained.h5")
    assert at.selectbox(key="choose_kind").value == "untrained.h5"
    at = open_app("--store", folder, page="scaling", store="k10-0.h5", kind="no-such.h5")
    assert at.selectbox(key="choose_kind").value != "untrained.h5"


def test_what_is_missing_is_shown_with_its_command(open_app, folder: Path, tmp_path: Path) -> None:  # noqa: F811
    make_run(tmp_path / "alone.h5", LAYERS, recipe=RECIPE)
    for page in PAGES:
        at = open_app("--store", tmp_path, page=page)
        commands = [block.value for block in at.code]
        sweep = "python -m precompute.sweep runs --arch vgg16 --data cifar100 --labels 10,20,40,60,100 --recipe quick"
        assert f"{sweep} --out-dir {tmp_path}" in "\n".join(commands)
    assert any("--afcc 10" in command for command in commands)


def test_the_scaling_table_holds_means_spreads_and_the_papers(open_app, folder: Path) -> None:  # noqa: F811
    at = open_app("--store", folder, page="scaling")
    rows, damaged = collection.collect(folder)
    assert not damaged
    last = rows.filter((rows["layer"] == "10") & ~rows["untrained"] & (rows["K"] == 20))
    found = table(at, "error, paper")
    row = found[~found["runs"].str.contains("untrained") & (found["K"] == 20)].iloc[0]
    assert (row["samples"], row["layer"]) == (2, "10")
    assert row["error"] == pytest.approx(last["error"].mean()) and row["N_c, sd"] == pytest.approx(last["N_c"].std())
    paper = published("vgg16", "cifar100", 20, "10")
    assert paper and row["error, paper"] == 1 - paper.accuracy and row["C_s, paper"] == paper.cluster_size
    fits = table(at, "formula").set_index(["of", "curve"])
    all_of_layer = rows.filter((rows["layer"] == "10") & ~rows["untrained"])
    line = fit_linear(all_of_layer["K"].to_numpy(), all_of_layer["error"].to_numpy())
    assert fits.loc[("these runs", "linear"), "slope or power"] == pytest.approx(line.slope)
    assert line.slope_interval and fits.loc[("these runs", "linear"), "from"] == pytest.approx(line.slope_interval[0])
    assert fits.loc[("paper", "linear"), "points"] == 5  # Figure 3


def test_a_damaged_file_is_named_and_the_rest_is_shown(open_app, folder: Path, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "good.h5").write_bytes((folder / "k10-0.h5").read_bytes())
    (tmp_path / "bad.h5").write_bytes(b"no file at all")
    for page in PAGES:
        at = open_app("--store", tmp_path, page=page, store="good.h5")
        if page == "claims":
            at.segmented_control(key="choose_scope").set_value("folder").run()
        unharmed(at)
        assert at.warning and "bad.h5" in shown(at) and at.dataframe


def test_large_runs_wait(open_app, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(records, "_QUICK", 10)
    at = open_app("--store", folder, page="scaling")
    assert not at.dataframe
    press(at, "Measure them")
    assert at.dataframe


def test_large_runs_that_say_what_they_are_do_not(open_app, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    for n_labels in (10, 20):
        with_summaries(make_run(tmp_path / f"k{n_labels}.h5", LAYERS, cifar100_labels()[:n_labels], recipe=RECIPE))
    monkeypatch.setattr(records, "_QUICK", 10)
    at = open_app("--store", tmp_path, page="scaling")
    assert [10, 20] in [table.value["K"].to_list() for table in at.dataframe if "K" in table.value]
    at = open_app("--store", tmp_path, page="scaling", threshold="0.31")  # of which they say nothing
    assert not at.dataframe


@pytest.mark.parametrize("page", PAGES)
def test_the_python_text_runs(open_app, folder: Path, page: str, capsys) -> None:  # noqa: F811
    at = open_app("--store", folder, page=page, threshold="0.45")
    unfold(at, "python")
    (code,) = [block.value for block in at.code if "import" in block.value]
    assert "0.45" in code
    exec(code, {})
    out = capsys.readouterr().out
    assert CLAIMS[0].sentence in out if page == "claims" else "linear" in out


@pytest.mark.parametrize("page", PAGES)
def test_names_from_files_are_never_markdown(open_app, tmp_path: Path, page: str) -> None:  # noqa: F811
    network, recipe = {"arch": HOSTILE[1], "epochs": 3}, {"name": HOSTILE[0], "departures": [HOSTILE[2]]}
    data = {"name": HOSTILE[3], "n_labels": 8, "test_inputs": 800, "train_inputs": 8}
    labels = [(name, name) for name in HOSTILE]
    make_run(tmp_path / "a.h5", {"4": (6, 1)}, labels, network=network, recipe=recipe, data=data)
    at = open_app("--store", tmp_path, page=page)
    if page == "claims":
        at.segmented_control(key="choose_scope").set_value("folder").run()
    unharmed(at)
    for kind in ("markdown", "caption", "subheader", "error", "info", "warning", "success"):
        assert not [element for element in at.get(kind) if "evil" in str(element.value)], kind
    for element in at.get("html"):
        assert element.proto.unsafe_allow_javascript or "<img" not in element.proto.body


@pytest.mark.parametrize("page", PAGES)
def test_one_layer_two_labels_and_a_bare_manifest_are_enough(open_app, tmp_path: Path, page: str) -> None:  # noqa: F811
    network = {"arch": "net", "epochs": 30}
    make_run(tmp_path / "bare.h5", {"only": (1, 1)}, [("a", ""), ("b", "")], network=network, recipe=None)
    at = open_app("--store", tmp_path, page=page, threshold="1.0")
    unharmed(at)
    assert at.session_state["view"].layer == "only"
    if page == "claims":
        press(at, "Measure thresholds")
        press(at, "Test chance")
        at.segmented_control(key="choose_scope").set_value("folder").run()
        unharmed(at)
