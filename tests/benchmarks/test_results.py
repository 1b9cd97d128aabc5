"""The numbers that the README shows are those of the file that they are said to be of."""

import re
import shlex
import statistics

import numpy as np
import pytest

from benchmarks.results import KINDS, ROOT, command, how, main, section, with_blocks
from explorer.frames.claims import WORDS, chance, in_other_gauge
from precompute.fields import by_filter
from precompute.networks.models import find_arch
from precompute.options import parse
from precompute.probe import initial_probe
from store.file.read import Run
from store.measure.fields import Fields
from store.measure.gauge import GAUGES, common_part, shifted
from store.measure.layer import measure_factored
from store.measure.semantics import superclass_sharing, together
from store.paper.claims import judge, null_samples
from store.paper.records import null_sample, run_record
from store.tables.chance import chance_table
from store.tables.rests_on import DRAWS, cells, rests_on, rests_on_table
from tests.explorer_runs import make_run

EXAMPLE = ROOT / "explorer" / "example.h5"


@pytest.mark.parametrize(
    ("page", "blocks"), [("README.md", 2), ("docs/afcc.md", 2), ("docs/gauge.md", 1), ("docs/rests-on.md", 2)]
)
def test_a_page_shows_the_example_as_it_is(tmp_path, page, blocks):
    (tmp_path / "explorer").mkdir()
    (tmp_path / "explorer" / "example.h5").symlink_to(EXAMPLE)  # alone: what else lies in runs/ here says nothing
    text = (ROOT / page).read_text("utf-8")
    with Run(EXAMPLE) as run:
        run.verify()
    assert len(re.findall("<!-- make results: .* explorer/example.h5 -->", text)) == blocks
    assert with_blocks(text, tmp_path) == text, "make results"


def test_the_page_on_emergence_shows_its_file_as_it_is(tmp_path):
    forming = ROOT / "explorer" / "emergence.h5"
    (tmp_path / "explorer").mkdir()
    (tmp_path / "explorer" / "emergence.h5").symlink_to(forming)
    text = (ROOT / "docs" / "emergence.md").read_text("utf-8")
    with Run(forming) as run:
        run.verify()
        assert len(run.epochs) >= 5 and list(run.at_epoch(run.epochs[0]).layers) == list(run.layers)
    assert forming.stat().st_size < 15e6
    assert text.count("<!-- make results: emergence explorer/emergence.h5 -->") == 1
    assert with_blocks(text, tmp_path) == text, "make results"


def test_the_program_in_the_docs_prints_what_stands_below_it(monkeypatch, capsys):
    """Two digits of each number: how a matrix product rounds is the processor's."""
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs" / "afcc.md").read_text("utf-8")
    (found,) = re.finditer(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.DOTALL)
    exec(found[1], {})
    printed, shown = capsys.readouterr().out, found[2]
    number = r"[0-9]+\.[0-9]+"
    assert re.split(number, printed) == re.split(number, shown)
    values = [[float(value) for value in re.findall(number, lines)] for lines in (printed, shown)]
    assert values[0] == pytest.approx(values[1], rel=0.01) and len(values[0]) == 24


def test_the_example_is_a_whole_result_of_all_of_cifar100():
    assert EXAMPLE.stat().st_size < 16e6
    with Run(EXAMPLE) as run:
        assert not run.unfinished
        assert list(run.layers) == ["2", "4", "7", "10", "13"]
        assert (run.n_labels, run.test_inputs.tolist()) == (100, [100] * 100)
        assert [layer.n_filters for layer in run.layers.values()] == [64, 128, 256, 512, 512]
        accuracies = [layer.record["test_accuracy"] for layer in run.layers.values()]
        assert run.manifest["recipe"]["is_paper"]
        assert accuracies[3] > 0.75 and accuracies[0] < accuracies[1] < accuracies[2] < accuracies[3]


@pytest.mark.parametrize("key", ["resumed_at_epoch", "went_on_after"])  # the second is its name in earlier files
def test_a_run_that_was_resumed_says_so_whatever_its_file_calls_it(key, tmp_path):
    network = {"arch": "vgg16", "epochs": 30, "test_accuracy": 0.5}
    durations = {"train_network": 120.0}
    make_run(tmp_path / "whole.h5", network=network, durations=durations)
    make_run(tmp_path / "resumed.h5", network=network | {key: 12.5}, durations=durations)
    with Run(tmp_path / "whole.h5") as whole, Run(tmp_path / "resumed.h5") as resumed:
        assert "the network 2 min" in how(whole)
        assert "the network after its first 12.5 epochs 2 min" in how(resumed)


def test_the_command_of_the_example_is_what_makes_it():
    with Run(EXAMPLE) as run:
        example = parse(shlex.split(command(run))[3:])
    recipe = re.search("^example:.*?\n.*?-m precompute (.*)\n", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert recipe and parse(shlex.split(recipe[1])) == example


@pytest.mark.parametrize(
    "line",
    [
        "--data digits",
        "--data cifar100 --labels 20 --seed 1 --label-seed 1 --recipe quick",
        "--data digits --weights none --epochs 0",
        "--data digits --untrained",
        "--arch timm:resnet18 --data digits --weights none --image-size 32",
    ],
)
@pytest.mark.parametrize("layers", [None, ["2", "4", "7"]])
def test_the_command_of_a_run_is_understood_and_makes_the_same_recipe(tmp_path, line, layers):
    options = parse(line.split())
    kept = options.recipe_options()
    arch = find_arch(options)
    layers = layers if layers and arch.name == "vgg16" else list(arch.layers)
    path = make_run(
        tmp_path / "run.h5", dict.fromkeys(layers, (2, 1)), afcc=tuple(layers[-1:]), recipe={"options": kept}
    )
    with Run(path) as run:
        again = parse(shlex.split(command(run))[3:])
    assert again.recipe_options() == kept
    assert again.layers == (() if tuple(layers) == arch.layers else tuple(layers))
    assert again.afcc == tuple(layers[-1:])


def test_a_section_has_the_command_the_table_and_the_time(tmp_path):
    path = make_run(tmp_path / "run.h5", {"4": (4, 1)}, afcc=("4",))
    with Run(path) as run:
        text = section(run)
    assert text.startswith("## run.h5\n\n```bash\npython -m precompute")
    assert "threshold 0.3" in text and "AFCC" in text and not any(line != line.rstrip() for line in text.splitlines())


def _assert_without_start(run, shown):
    """What is left after the regression is at right angles to the start, and is what the last columns measure."""
    layer = run.layers["4"]
    start = initial_probe("4", 4, run.n_labels, run.manifest["recipe"]["seed"], "random")
    initial = by_filter(start.weight.detach().numpy(), 4)
    weights = layer.probe_weights.astype(np.float64)
    rest = weights - (initial * weights).sum() / np.square(initial, dtype=np.float64).sum() * initial
    assert abs((rest * initial).sum()) < 1e-6 * np.linalg.norm(rest) * np.linalg.norm(initial)
    found = Fields(factors=(layer.class_means, rest.astype(np.float32))).measure()
    cells = shown.splitlines()[2].split(" | ")
    assert cells[-3:] == [f"{found.mean_noise:.1f}", f"{found.mean_clusters:.2f}", f"{found.mean_cluster_size:.2f} |"]
    assert cells[3] == f"{layer.measure().mean_noise:.1f}"


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"samples"}))
def test_a_block_shows_its_files(tmp_path, kind):
    for name in ("a.h5", "b.h5"):
        make_run(tmp_path / name, {"4": (4, 1)}, afcc=("4",))
    mark, end = f"<!-- make results: {kind} a.h5 b.h5 -->\n", "<!-- until here -->\n"
    text = with_blocks(f"before\n{mark}what stood here\n{end}between\n{mark}{end}after\n", tmp_path)
    shown = text.split(mark)[1].split(end)[0]
    assert text == f"before\n{mark}{shown}{end}between\n{mark}{shown}{end}after\n"
    assert "stood here" not in shown
    with Run(tmp_path / "a.h5") as run:
        if kind == "meaning":
            sharing = superclass_sharing(together(run.layers["4"].measure().cluster_of), run.superclasses)
            assert shown.count(f"shared by {sharing.share:.1%} of the {sharing.pairs} pairs") == 2
            return
        if kind == "chance":
            assert shown.count(chance_table(run, run.layers["4"], 0.3, samples=20, seed=0)) == 2
            return
        if kind == "afcc":
            assert shown.count("AFCC at layer 4") == 2
            return
        if kind == "rests-on":
            assert shown.count("\n".join(map(str.rstrip, rests_on_table(run).splitlines()))) == 2
            return
        if kind == "rests-on-short":
            row = " | ".join(cells(rests_on(run, run.layers["4"]), DRAWS))
            assert shown.count(f"| {row.replace('+-', '±')} |") == 2
            return
        if kind == "claims":
            _assert_claims(run, shown)
            return
        if kind == "gauge":
            _assert_gauge(run, shown)
            return
        if kind == "without-start":
            _assert_without_start(run, shown)
            return
        measured = run.layers["4"].measure()
    for number in (measured.mean_clusters, measured.mean_cluster_size):
        assert shown.count(f" {number:.2f} ") == 2


def _assert_claims(run: Run, shown: str) -> None:
    """Those that one run can say something of, in both gauges; and of noise and signal, five draws of each null."""
    judged, judged_zero_sum = [judge([run_record(run, gauge=gauge)], 0.3) for gauge in GAUGES]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines() if line.startswith("| a.h5")
    ]
    enough = [pair for pair in zip(judged, judged_zero_sum, strict=True) if pair[0].verdict != "not enough runs"]
    assert [row[1] for row in rows] == [one.claim.sentence for one, _ in enough] != []
    assert [row[2:4] for row in rows] == [[WORDS[one.verdict], WORDS[other.verdict]] for one, other in enough]
    fields = run.layers["4"].fields()
    for (one, _), row in zip(enough, rows, strict=True):
        if one.claim.key == "snr":
            found = [run_record(run)]
            drawn = null_samples(found, lambda _, __, null, seed: null_sample(null, fields, 0.3, seed), 0.3)
            (again,) = [finding for finding in judge(found, 0.3, (), drawn) if finding.claim.key == "snr"]
            assert row[4] == chance(again) and " of 5" in row[4]


def _assert_gauge(run: Run, shown: str) -> None:
    """Two runs of the same content: each row twice. As trained by what was added; zero-sum, always the same."""
    layer = run.layers["4"]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines() if line.startswith("| 4 ")]
    assert [row[1] for row in rows] == ["nothing", "+1 sd", "-1 sd"] * 2
    zero_sum, one = layer.measure(gauge="zero-sum"), float(layer.probe_weights.std(dtype=np.float64))
    for (_, _, common, noise, _, size, *of_zero_sum, _), amount in zip(rows, [0, one, -one] * 2, strict=True):
        weights = shifted(layer.probe_weights, amount)
        measured = measure_factored(layer.class_means, weights)
        assert common == f"{common_part(weights):.2%}"
        assert (noise, size) == (f"{measured.mean_noise:.1f}", f"{measured.mean_cluster_size:.2f}")
        means = (zero_sum.mean_clusters, zero_sum.mean_cluster_size)
        assert of_zero_sum == [f"{zero_sum.mean_noise:.1f}", *(f"{mean:.2f}" for mean in means)]
    assert len({row[3] for row in rows}) == 3
    judged, judged_zero_sum = [judge([run_record(run, gauge=gauge)], 0.3) for gauge in GAUGES]
    holds = sum(finding.verdict == "holds" for finding in judged)
    differ = in_other_gauge(judged, judged_zero_sum, "zero-sum")
    assert shown.count(f"as trained: holds {holds}, ") == shown.count(differ) == 2


def test_samples_are_averaged_beside_the_papers_layer_10(tmp_path):
    recipe = {"name": "quick", "is_paper": False, "departures": [], "options": {}}
    for seed in (0, 1):
        make_run(tmp_path / f"{seed}.h5", {"7": (4, 1), "10": (4, 1)}, seed=seed, recipe=recipe | {"seed": seed})
    mark, end = "<!-- make results: samples 0.h5 1.h5 -->\n", "<!-- until here -->\n"
    head, _, *rows = with_blocks(mark + end, tmp_path).split(mark)[1].split(end)[0].splitlines()
    assert head == "| | layer | recipe | samples | accuracy | paper | n | paper | N_c | paper | C_s | paper |"
    with Run(tmp_path / "0.h5") as one, Run(tmp_path / "1.h5") as other:
        noise = [run.layers["10"].measure().mean_noise for run in (one, other)]
    (row,) = ([cell.strip() for cell in row.split("|")[1:-1]] for row in rows)
    assert row[:4] == ["VGG-16 on CIFAR-20/100", "10", "recipe quick, not the paper's, 30 epochs", "2"]
    mean, deviation = map(float, row[6].split(" ± "))
    assert mean == pytest.approx(statistics.mean(noise), abs=0.06)
    assert deviation == pytest.approx(statistics.stdev(noise), abs=0.06)
    assert row[7] == "13.6"


def test_a_block_without_its_files_and_a_text_without_blocks_are_left_alone(tmp_path):
    text = "# A page\n<!-- make results: table none.h5 -->\nold\n<!-- until here -->\n"
    assert with_blocks(text, tmp_path) == text


def test_a_block_of_no_known_kind_is_an_error(tmp_path):
    with pytest.raises(KeyError, match="picture"):
        with_blocks("<!-- make results: picture none.h5 -->\n<!-- until here -->\n", tmp_path)


def test_a_damaged_file_is_an_error_and_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.results.ROOT", tmp_path)
    (tmp_path / "README.md").write_text("<!-- make results: table none.h5 -->\n<!-- until here -->\n")
    (tmp_path / "none.h5").write_bytes(b"no HDF5")
    assert main([]) == 1
    assert "none.h5" in capsys.readouterr().err
