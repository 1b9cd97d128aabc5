"""python -m explorer.report: the paper's tables and figures from made-up runs."""

import csv
import re
import shutil
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.file.read import Run
from store.file.write import write_run
from store.measure.gauge import GAUGES, Gauge, other_gauge
from store.paper.claims import judge, null_samples
from store.paper.published import layers, published, settings
from store.paper.records import null_sample, run_record
from tests.browser import CHROMIUM, chromium, patient
from tests.explorer_runs import SMALL, cifar100_labels, make_run

pl = pytest.importorskip("polars", reason="polars is in the extra [explore]")
pytest.importorskip("altair", reason="altair is in the extra [explore]")

from explorer.frames.claims import WORDS, chance
from explorer.frames.runs import collect
from explorer.report import __main__ as report
from explorer.report import pictures as report_pictures
from explorer.report.figures import SCALING, figures, scaling_figure
from explorer.report.tables import chosen, latex, tables, tex

drawn = pytest.mark.skipif(not report_pictures.can_draw(), reason="vl-convert is in the extra [report]")
HOSTILE = "</text></svg><script>alert(1)</script><img src=http://x.example onerror=alert(2)>"


def labels(n: int) -> list[tuple[str, str]]:
    return cifar100_labels()[::5][:n] if n <= 20 else cifar100_labels()[:n]


def run(path: Path, n: int, seed: int = 0, name: str = "quick", paper: bool = False, **more: Any) -> Path:
    """VGG-16 on n labels of CIFAR-100, layers 4, 7 and 10 of it; the more labels, the larger the error."""
    recipe = {"name": name, "is_paper": paper, "seed": seed, "departures": [], "options": {}}
    data = {"name": "cifar100", "n_labels": n, "label_seed": seed, "test_inputs": n * 100}
    make_run(path, labels=labels(n), seed=1000 * seed + n, **({"recipe": recipe, "data": data} | more))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run(folder / "k10.h5", 10)
    run(folder / "k20.h5", 20)
    run(folder / "k20-seed1.h5", 20, seed=1)
    run(folder / "k40.h5", 40)
    untrained = {"arch": "vgg16", "epochs": 0, "test_accuracy": 0.05}
    run(folder / "k20-untrained.h5", 20, seed=2, network=untrained)
    run(folder / "other.h5", 10, seed=3, data={"name": HOSTILE, "n_labels": 10, "test_inputs": 1000})
    (folder / "damaged.h5").write_bytes((folder / "k10.h5").read_bytes()[:-2000])
    return folder


def command(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["report", *arguments])
    return report.main()


@pytest.fixture(scope="module")
def made(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of these runs, with figures where they can be drawn."""
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_pictures, "_SCALE", 1)  # small pictures are soon drawn
        more = [] if report_pictures.can_draw() else ["--no-figures"]
        assert command(str(runs), "--out", str(out), *more, monkeypatch=patch) == 0
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# ---- Tables ---------------------------------------------------------------------------------------------------------


def test_means_and_deviations_stand_beside_the_published_numbers(runs: Path, made: Path) -> None:
    table = {(row["K"], row["layer"]): row for row in rows(made / "table-4.csv")}
    assert len(table) == sum(len(layers(*place)) for place in settings(4))
    frame = collect(runs)[0].filter(pl.col("file").is_in(["k20.h5", "k20-seed1.h5"]), layer="10")
    row, paper = table["20", "10"], published("vgg16", "cifar100", 20, "10")
    assert paper is not None and row["samples"] == "2"
    for name, expected in (("accuracy", paper.accuracy), ("n", paper.noise), ("N_c", paper.n_clusters)):
        values = frame[name].to_list()
        assert float(row[name]) == pytest.approx(statistics.mean(values))
        assert float(row[f"{name}, sd"]) == pytest.approx(statistics.stdev(values), abs=1e-12)
        assert float(row[f"{name}, paper"]) == expected
        assert float(row[f"{name}, difference"]) == pytest.approx(statistics.mean(values) - expected)
    assert statistics.stdev(frame["n"].to_list()) > 0
    alone = table["10", "7"]
    assert alone["samples"] == "1" and alone["n"] and alone["n, sd"] == ""


def test_what_no_run_gives_is_missing_and_the_paper_still_stands_there(made: Path) -> None:
    table = {(row["K"], row["layer"]): row for row in rows(made / "table-4.csv")}
    for place in (("60", "10"), ("20", "13")):  # no such K; no such layer in the runs
        assert table[place]["samples"] == "0" and table[place]["n"] == table[place]["n, difference"] == ""
        assert float(table[place]["n, paper"]) > 0
    assert {row["samples"] for row in rows(made / "table-2.csv")} == {"0"}
    page = (made / "index.html").read_text()
    assert page.count("<tr class=missing>") == 81 - 3 * len(SMALL)


def test_every_published_row_is_in_a_table(made: Path) -> None:
    found = [row for number in range(1, 7) for row in rows(made / f"table-{number}.csv")]
    assert len(found) == 81
    for row in found:
        paper = published(row["arch"], row["data"], int(row["K"]), row["layer"])
        assert paper is not None and paper.table == int(row["table"]) and float(row["C_s, paper"]) == paper.cluster_size


def test_the_commands_make_what_is_missing_and_nothing_else(runs: Path) -> None:
    pytest.importorskip("tyro", reason="tyro is in the extra [train]")
    import shlex

    from precompute.sweep.options import parse
    from precompute.sweep.runs import expand

    for table in tables(collect(runs)[0]):
        (line,) = table.commands(runs)
        found = expand(parse(shlex.split(line)[3:]))
        asked = {(one.options.arch, one.options.data, one.options.labels) for one in found}
        whole = {"cifar100": 100, "cifar10": 10, "imagenet": None}
        missing = [one for one in table.settings if one.missing]
        wanted = {
            (one.arch, one.data, None if one.n_labels in (whole[one.data], 1000) else one.n_labels) for one in missing
        }
        assert asked == wanted and {one.out.parent for one in found} == {runs}
        assert {one.options.recipe for one in found} == {"quick" if table.number in (1, 4) else None}


def test_a_table_that_is_whole_has_no_command(tmp_path: Path) -> None:
    shape = {name: (4, 1) for name in ("2", "4", "7", "10", "13")}
    make_run(tmp_path / "a.h5", layers=shape, labels=cifar100_labels())
    (whole, *others) = tables(collect(tmp_path)[0])
    assert whole.commands(tmp_path) == [] and whole.n_there == whole.n_rows == 5
    assert all(table.commands(tmp_path) for table in others)


def test_the_papers_recipe_goes_before_more_samples_of_another(runs: Path, tmp_path: Path) -> None:
    for file in ("k20.h5", "k20-seed1.h5"):
        shutil.copy(runs / file, tmp_path)
    assert set(chosen(collect(tmp_path)[0], "vgg16", "cifar100", 20)["file"]) == {"k20.h5", "k20-seed1.h5"}
    run(tmp_path / "paper.h5", 20, seed=5, name="paper", paper=True)
    assert set(chosen(collect(tmp_path)[0], "vgg16", "cifar100", 20)["file"]) == {"paper.h5"}


def lite(path: Path, n: int, **more: Any) -> Path:
    network = {"arch": "efficientnet_lite0", "epochs": 0, "weights": {"from": "package"}}
    return run(path, n, name="frozen", network=network, layers={"5": (4, 1), "9": (6, 1)}, **more)


def test_a_kin_of_the_papers_network_takes_its_place_and_says_so(
    tmp_path: Path,
) -> None:
    for n in (10, 20):
        lite(tmp_path / f"lite{n}.h5", n)
    frame = collect(tmp_path)[0]
    table = tables(frame)[4]
    assert [one.n_labels for one in table.settings if one.runs.height] == [10, 20]
    assert table.settings[0].recipe.startswith("EfficientNet-Lite0, which is not the paper's network, recipe frozen")
    figure = scaling_figure(frame, "4", tmp_path)
    assert figure.state == "partly"
    assert "EfficientNet-Lite0, which is not the paper's network" in figure.notes[0]
    run(tmp_path / "b0.h5", 20, network={"arch": "efficientnet_b0", "epochs": 3}, layers={"9": (6, 1)})
    assert set(chosen(collect(tmp_path)[0], "efficientnet_b0", "cifar100", 20)["arch"]) == {"efficientnet_b0"}


def test_latex_has_a_cell_a_column_and_no_command_of_a_strangers(runs: Path, tmp_path: Path) -> None:
    wild = {"name": r"\input{/etc/passwd}% & $x_1^2$ #~", "is_paper": False, "seed": 0, "departures": [], "options": {}}
    run(tmp_path / "a_b.h5", 20, recipe=wild)
    text = latex(tables(collect(tmp_path)[0])[3], tmp_path)
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert len(body) == 21 and {line.count(" & ") for line in body} == {16}
    assert r"\textbackslash{}input\{/etc/passwd\}\% \& \$x\_1\textasciicircum{}2\$ \#\textasciitilde{}" in text
    assert r"\input" not in text and text.count(r"\begin{") == text.count(r"\end{") == 2
    assert all(line.startswith("%") or "%" not in line.replace(r"\%", "").rstrip("%") for line in text.splitlines())
    assert re.search(r"10 & 512 & \$2 \\times 2\$ & 2048 & 1 & \$0\.720\$ & 0\.9115 & \$-0\.19[12]\$", text)


def test_a_line_break_cannot_leave_a_comment() -> None:
    assert "\n" not in tex("a\nb") and tex("a{b}") == r"a\{b\}"


# ---- Figures --------------------------------------------------------------------------------------------------------


def test_error_against_k_has_our_points_and_the_papers_with_their_fits(runs: Path) -> None:
    frame = collect(runs)[0]
    found = scaling_figure(frame, "3", runs)
    assert found.state == "partly" and found.data is not None and found.fits is not None
    ours = found.data.filter(source="these runs")
    assert ours["K"].to_list() == [10, 20, 20, 40] and set(ours["file"]) == {
        "k10.h5",
        "k20.h5",
        "k20-seed1.h5",
        "k40.h5",
    }
    paper = found.data.filter(source="paper")
    assert paper["K"].to_list() == [10, 20, 40, 60, 100]
    assert paper["error"][4] == pytest.approx(1 - published("vgg16", "cifar100", 100, "10").accuracy)
    by = {(row["of"], row["curve"]): row for row in found.fits.iter_rows(named=True)}
    line = by["paper", "linear"]
    slope, intercept = np.polyfit(paper["K"], paper["error"], 1)
    assert (line["intercept"], line["slope or power"]) == pytest.approx((intercept, slope))
    assert line["from"] < slope < line["to"] and line["points"] == 5
    assert by["these runs", "linear"]["points"] == 4
    assert found.commands == (  # K = 60 from Table 4, K = 100 from Table 1
        f"python -m precompute.sweep tables --tables 4 --labels 60 --recipe quick --out-dir {runs}",
        f"python -m precompute.sweep tables --tables 1 --recipe quick --out-dir {runs}",
    )


def test_the_slope_of_figure_4_is_the_papers() -> None:
    """The supplement: 0.0013, and 0.0012 to 0.0013 over five subsets; Tables 2 and 5 give it to their rounding."""
    from explorer.frames.runs import empty

    found = scaling_figure(empty(), "4", Path("runs"))
    assert found.state == "missing" and found.fits is not None
    assert found.fits.filter(of="paper", curve="linear")["slope or power"][0] == pytest.approx(0.0013, abs=1e-4)
    ours = found.fits.filter(of="these runs")
    assert ours["intercept"].null_count() == 3 and all("not enough" in text for text in ours["formula"])


def test_nothing_on_a_page_or_in_a_table_is_nan(made: Path) -> None:
    for path in [*made.glob("*.csv"), *made.glob("*.tex"), made / "index.html"]:
        text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text())
        assert not re.search(r"\b(nan|NaN|None|null|inf)\b", text), path.name


def test_another_run_stands_in_for_figures_1_and_2_and_says_so(runs: Path, tmp_path: Path) -> None:
    for file in ("other.h5", "k20-untrained.h5"):
        shutil.copy(runs / file, tmp_path)
    frame = collect(tmp_path)[0]
    found = {one.key: one for one in figures(frame, {name: tmp_path / name for name in frame["file"]}, tmp_path, 0.3)}
    assert [found[key].state for key in ("1", "2a", "2b", "3", "4", "5")] == ["in its place"] * 3 + ["missing"] * 3
    assert all(any("which no run here has" in note for note in found[key].notes) for key in ("1", "2a", "2b"))
    assert all("other.h5" in found[key].notes[0] for key in ("1", "2a", "2b"))  # the untrained one is no example
    assert found["1"].commands and set(SCALING) == {"3", "4", "5"}


def test_figure_2_has_a_row_a_label_and_its_means(runs: Path, made: Path) -> None:
    found = rows(made / "figure-2a.csv")
    frame = collect(runs)[0].filter(file="k40.h5", layer="10")  # the most labels that there are
    assert len(found) == 40 and statistics.mean(float(row["signal"]) for row in found) == frame["signal"][0]


@drawn
def test_each_figure_is_a_picture_of_its_own(made: Path) -> None:
    for key in ("1", "2a", "2b", "3", "4", "5"):
        assert (made / f"figure-{key}.png").read_bytes().startswith(b"\x89PNG")
        assert ET.parse(made / f"figure-{key}.svg").getroot().tag.endswith("svg")
    assert (made / "figure-1.svg").read_text().count("data:image/png") == 4  # fields, clipped, permuted, corner


# ---- Claims and the gauge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gauge", GAUGES)
def test_everything_is_of_the_gauge_and_claims_are_judged_in_both(
    runs: Path, tmp_path: Path, gauge: Gauge, monkeypatch: Any, capsys: Any
) -> None:
    folder, out = tmp_path / "runs", tmp_path / "out"
    folder.mkdir()
    for name in ("k20.h5", "k20-untrained.h5"):
        shutil.copy(runs / name, folder)
    arguments = [str(folder), "--out", str(out), "--no-figures", "--gauge", gauge]
    assert command(*arguments, monkeypatch=monkeypatch) == 0
    page, printed = (out / "index.html").read_text(), capsys.readouterr().out
    with Run(folder / "k20.h5") as run_of_20:
        measures = {each: run_of_20.layers["10"].measure(gauge=each) for each in GAUGES}
        found = {each: judge([run_record(run_of_20, gauge=each)], 0.3) for each in GAUGES}
    assert measures["as trained"].mean_noise != measures["zero-sum"].mean_noise
    layer = next(row for row in rows(out / "runs.csv") if (row["file"], row["layer"]) == ("k20.h5", "10"))
    assert float(layer["n"]) == measures[gauge].mean_noise
    of_label = [float(row["signal"]) for row in rows(out / "figure-2a.csv")]
    assert of_label == measures[gauge].signal.tolist()
    ledger = [row for row in rows(out / "claims.csv") if "untrained" not in row["runs"]]
    other = other_gauge(gauge)
    assert [row["verdict"] for row in ledger] == [WORDS[finding.verdict] for finding in found[gauge]]
    assert [row[f"verdict, {other}"] for row in ledger] == [WORDS[finding.verdict] for finding in found[other]]
    differ = sum(row["verdict"] != row[f"verdict, {other}"] for row in ledger)
    there = "As trained," if other == "as trained" else "In the zero-sum gauge,"
    said = f"{there} {differ} of 8 verdicts differ" if differ else f"{there} all 8 verdicts are the same"
    assert said in page and said in printed
    assert ("maximum, in the zero-sum gauge." in page) == (gauge == "zero-sum")


@pytest.mark.parametrize("gauge", GAUGES)
def test_claims_are_tested_against_chance(runs: Path, tmp_path: Path, gauge: Gauge, monkeypatch: Any) -> None:
    folder, out = tmp_path / "runs", tmp_path / "out"
    folder.mkdir()
    for name in ("k20.h5", "k20-untrained.h5"):
        shutil.copy(runs / name, folder)
    arguments = [str(folder), "--out", str(out), "--no-figures", "--gauge", gauge]
    assert command(*arguments, "--draws", "3", monkeypatch=monkeypatch) == 0
    with Run(folder / "k20.h5") as trained, Run(folder / "k20-untrained.h5") as untrained:
        record = run_record(trained, gauge=gauge)
        fields = {name: layer.fields(gauge=gauge) for name, layer in trained.layers.items()}
        drawn = null_samples([record], lambda _, layer, null, seed: null_sample(null, fields[layer], 0.3, seed), 0.3, 3)
        drawn["untrained network"] = [[run_record(untrained, gauge=gauge)]]
        found = judge([record], 0.3, (), drawn)
    said = {row["claim"]: row["holds by chance"] for row in rows(out / "claims.csv") if "untrained" not in row["runs"]}
    assert said == {finding.claim.sentence: chance(finding) for finding in found}
    (noise,) = [finding for finding in found if finding.claim.key == "noise"]
    assert {name: counted.of for name, counted in noise.chance.items()} == {
        "labels shuffled": 3, "rotated filters": 3, "untrained network": 1,
    }  # fmt: skip
    page = (out / "index.html").read_text()
    assert "holds by chance" in page and "3 draws of each" in page and chance(noise) in page
    assert command(*arguments, "--draws", "0", monkeypatch=monkeypatch) == 0
    assert "holds by chance" not in (out / "index.html").read_text()
    assert {row["holds by chance"] for row in rows(out / "claims.csv")} == {""}


def test_what_cannot_be_rotated_is_said(tmp_path: Path, monkeypatch: Any) -> None:
    with Run(run(tmp_path / "whole.h5", 20)) as whole:
        content = whole.content()
    content.layers = [
        replace(layer, class_means=None, probe_weights=None, class_means_half=None) for layer in content.layers
    ]
    folder, out = tmp_path / "runs", tmp_path / "out"
    folder.mkdir()
    write_run(folder / "matrices.h5", content)
    assert command(str(folder), "--out", str(out), "--no-figures", monkeypatch=monkeypatch) == 0
    (said,) = [row["holds by chance"] for row in rows(out / "claims.csv") if row["claim"].startswith("The noise per")]
    assert re.fullmatch(r"labels shuffled \d of 5, rotated filters: not possible for this file", said)


# ---- The page -------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attributes]
        self.ids += [value or "" for name, value in attributes if name == "id"]


def test_no_text_of_a_file_becomes_part_of_the_page(runs: Path, tmp_path: Path, monkeypatch: Any) -> None:
    named = [(f"{HOSTILE} {k}", HOSTILE) for k in range(20)]
    recipe = {
        "name": HOSTILE,
        "is_paper": False,
        "seed": HOSTILE,
        "departures": [HOSTILE],
        "options": {"unit": HOSTILE},
    }
    folder = tmp_path / "runs<b>"
    folder.mkdir()
    run(folder / "<i>.h5", 20)
    make_run(folder / "names.h5", labels=named, recipe=recipe | {"options": {}})
    make_run(folder / "wild.h5", seed=2, recipe=recipe, network={"arch": HOSTILE, "epochs": 1, "test_accuracy": 1.0})
    (folder / "<u>.h5").write_text("<s>no run</s>")
    more = [] if report_pictures.can_draw() else ["--no-figures"]
    monkeypatch.setattr(report_pictures, "png", lambda drawn: b"")  # not what this is about, and slow
    assert command(str(folder), "--out", str(tmp_path / "out"), *more, monkeypatch=monkeypatch) == 0
    page = (tmp_path / "out" / "index.html").read_text()
    found = Tags()
    found.feed(page)
    assert "<script" not in page and not {"script", "img", "b", "i", "u", "s"} & found.tags
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)" in page


def test_the_page_fetches_nothing_and_links_to_what_is_there(made: Path) -> None:
    found = Tags()
    found.feed((made / "index.html").read_text())
    assert "default-src 'none'" in dict(found.attributes)["content"] or any(
        "default-src 'none'" in value for name, value in found.attributes if name == "content"
    )
    assert len(found.ids) == len(set(found.ids))
    assert set(re.findall(r"url\(#([^)]+)\)", (made / "index.html").read_text())) <= set(found.ids)
    for name, value in found.attributes:
        assert not re.match(r"(https?:)?//", value) or name.startswith("xmlns"), (name, value[:80])
        if name == "href" and not value.startswith(("#", "data:")):
            assert (made / value).is_file(), value
        if name == "href" and value.startswith("#"):
            assert value[1:] in found.ids


def note_traffic(page: Any, requests: list[str], said: list[str]) -> None:
    """What a page asks for, and what it says in its console."""
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))


@drawn
@pytest.mark.browser
def test_it_is_readable_in_light_and_dark_without_a_network(made: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is in the extra [dev]")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    grounds = []
    with chromium() as browser:
        for scheme in ("light", "dark"):
            page = patient(browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 800}))
            requests: list[str] = []
            said: list[str] = []
            note_traffic(page, requests, said)
            page.goto((made / "index.html").as_uri())
            assert said == [] and len([url for url in requests if not url.startswith("data:")]) == 1
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert page.locator("figure svg").count() == 6
            words = "getComputedStyle(document.querySelector('figure svg text')).fill"
            grounds.append((page.evaluate("getComputedStyle(document.body).backgroundColor"), page.evaluate(words)))
    (light, dark_words), (dark, light_words) = grounds
    assert light != dark and dark_words != light_words


# ---- The command ----------------------------------------------------------------------------------------------------


def refused(*arguments: str, monkeypatch: Any, capsys: Any) -> str:
    assert command(*arguments, "--no-figures", monkeypatch=monkeypatch) == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("left out: ")]
    assert captured.out == "" and len(lines) == 1 and lines[0].startswith("error: "), captured.err
    return lines[0]


def test_what_cannot_be_is_one_line(tmp_path: Path, runs: Path, monkeypatch: Any, capsys: Any) -> None:
    def error(*arguments: str) -> str:
        return refused(*arguments, monkeypatch=monkeypatch, capsys=capsys)

    assert "No such file" in error(str(tmp_path / "nowhere"), "--out", str(tmp_path / "out"))
    (tmp_path / "empty").mkdir()
    assert "*.h5" in error(str(tmp_path / "empty"), "--out", str(tmp_path / "out"))
    (tmp_path / "empty" / "a.h5").write_text("no run")
    assert "damaged" in error(str(tmp_path / "empty"), "--out", str(tmp_path / "out"))
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file") in error(str(runs), "--out", str(tmp_path / "file"))
    assert str(tmp_path / "file") in error(str(runs), "--out", str(tmp_path / "file" / "deeper"))
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_threshold_that_is_none_is_refused(runs: Path, monkeypatch: Any, capsys: Any) -> None:
    for value in ("1.5", "-0.1", "nan"):
        with pytest.raises(SystemExit) as refusal:
            command(str(runs), "--threshold", value, monkeypatch=monkeypatch)
        assert refusal.value.code == 2 and "fraction of the maximum" in capsys.readouterr().err


def test_the_threshold_is_used(runs: Path, tmp_path: Path, made: Path, monkeypatch: Any) -> None:
    out = tmp_path / "out"
    assert command(str(runs), "--out", str(out), "--threshold", "0.6", "--no-figures", monkeypatch=monkeypatch) == 0
    expected = collect(runs, 0.6)[0].filter(layer="10", file="k40.h5")["n"][0]
    high, low = (
        next(float(row["n"]) for row in rows(folder / "table-4.csv") if (row["K"], row["layer"]) == ("40", "10"))
        for folder in (out, made)
    )
    assert high == expected != low
    assert "0.6 of each" in (out / "index.html").read_text()


def test_without_vl_convert_it_names_the_extra_and_tables_alone_still_go(
    runs: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(report_pictures, "can_draw", lambda: False)
    out = tmp_path / "out"
    assert command(str(runs), "--out", str(out), monkeypatch=monkeypatch) == 1
    message = capsys.readouterr().err
    assert "[report]" in message and "--no-figures" in message and message.count("\n") == 1 and not out.exists()
    assert command(str(runs), "--out", str(out), "--no-figures", monkeypatch=monkeypatch) == 0
    page = (out / "index.html").read_text()
    assert "Not drawn." in page and (out / "table-6.tex").exists() and not list(out.glob("*.svg"))
    captured = capsys.readouterr()
    assert "Table 4: 9 of 20 rows" in captured.out and "left out:" in captured.err and "damaged.h5" in captured.err
    assert "damaged.h5" in page


def test_one_file_is_a_report_too(runs: Path, tmp_path: Path, monkeypatch: Any) -> None:
    out = tmp_path / "out"
    assert command(str(runs / "k20.h5"), "--out", str(out), "--no-figures", monkeypatch=monkeypatch) == 0
    assert len(rows(out / "runs.csv")) == len(SMALL)


def test_help_answers_without_what_is_slow_to_import() -> None:
    program = (
        "import sys\nfrom explorer.report import __main__ as report\nsys.argv = ['report', '--help']\n"
        "try: report.main()\nexcept SystemExit: print(sorted({'polars', 'altair', 'numpy', 'h5py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]") and "--threshold" in done.stdout
