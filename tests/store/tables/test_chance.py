"""`python -m store info --nulls`: what it prints is what the null models give."""

from pathlib import Path

import numpy as np
import pytest

from store.__main__ import main
from store.file.pack import packed
from store.file.read import Run
from store.file.write import RunContent, write_run
from store.measure.nulls import NULLS, STATISTICS, chance
from store.tables.chance import meaning
from tests.builders import small_run, write_small

COLUMNS = ["n", "N_c", "C_s", "signal", "noise_I", "noise_E", "SNR_I", "SNR_E"]


@pytest.fixture
def nulls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`info --nulls` in this process: -> exit status, output, errors."""

    def call(path: Path, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["store", "info", str(path), "--nulls", *map(str, arguments)])
        status = main()
        return status, *capsys.readouterr()

    return call


def layers(text: str) -> dict[str, list[str]]:
    """The lines of each layer, by its name."""
    blocks = text.split("\n\n")[1:]
    return {block.split(":")[0].removeprefix("layer "): block.splitlines() for block in blocks}


def cells(lines: list[str], row: str, after: str | None = None) -> dict[str, str]:
    """A row of a layer's table by column; `after`: the first such row below another."""
    start = 0 if after is None else next(k for k, line in enumerate(lines) if line.startswith(after))
    line = next(line for line in lines[start:] if line.startswith(row))
    found = line.removeprefix(row).replace(" +- ", "+-").split()
    return dict(zip(COLUMNS, found, strict=True))


def shown(number: float) -> str:
    return f"{number:.2f}" if abs(number) < 10 else f"{number:.1f}"


def test_each_layers_numbers_stand_beside_each_null(tmp_path: Path, nulls) -> None:
    path = write_small(tmp_path / "run.h5", layers={"10": (40, 4), "13": (30, 1)}, n_labels=8)
    status, text, errors = nulls(path, "--samples", "6", "--seed", "3", "--threshold", "0.2")
    assert (status, errors) == (0, "") and text.startswith("vgg16 on digits, 8 labels")
    found = layers(text)
    assert list(found) == ["13", "10"]  # deepest first, as in the paper
    with Run(path) as run:
        for name, lines in found.items():
            layer = run.layers[name]
            assert lines[0].startswith(f"layer {name}: threshold 0.2, 6 draws, seed 3; rank of a filter's fields ")
            assert lines[0].endswith("1.0" if name == "13" else "4.0")
            assert lines[1].split() == COLUMNS
            for null in NULLS:
                drawn = chance(null, layer.fields(), threshold=0.2, samples=6, seed=3)
                for column, statistic in zip(COLUMNS, STATISTICS, strict=True):
                    wanted = drawn.of(statistic)
                    assert cells(lines, "measured")[column] == shown(wanted.observed)
                    mean, _, std = cells(lines, null)[column].partition("+-")
                    assert mean == shown(wanted.mean)
                    if null == "reversed order":
                        assert std == ""
                        continue
                    assert float(std) == pytest.approx(wanted.std, rel=0.06, abs=1e-9)
                    z = cells(lines, "  z", after=null)[column]
                    assert z == ("-" if wanted.z is None else f"{wanted.z:+.1f}")
            assert "super-classes: shared by " in lines[-1]  # even and odd


def test_all_of_it_is_of_the_gauge(tmp_path: Path, nulls) -> None:
    path = write_small(tmp_path / "run.h5", layers={"13": (30, 1)}, n_labels=8)
    status, text, errors = nulls(path, "--samples", "4", "--gauge", "zero-sum")
    (lines,) = layers(text).values()
    assert (status, errors) == (0, "") and lines[0].startswith(
        "layer 13: threshold 0.3, in the zero-sum gauge, 4 draws"
    )
    with Run(path) as run:
        layer = run.layers["13"]
        for null in NULLS:
            drawn, trained = (
                chance(null, layer.fields(gauge=gauge), samples=4).of("noise") for gauge in ("zero-sum", "as trained")
            )
            assert cells(lines, null)["n"].partition("+-")[0] == shown(drawn.mean) and drawn.mean != trained.mean
        assert cells(lines, "measured")["n"] == shown(layer.measure(gauge="zero-sum").mean_noise)
        of_zero_sum, of_trained = (meaning(run, layer, 0.3, 0, gauge) for gauge in ("zero-sum", "as trained"))
    assert lines[-len(of_zero_sum) :] == of_zero_sum != of_trained


def test_untrained_networks_are_a_null_of_their_own(tmp_path: Path, nulls) -> None:
    path = write_small(tmp_path / "run.h5", layers={"10": (40, 4), "13": (30, 1)}, n_labels=8)
    random = {"arch": "vgg16", "epochs": 0, "weights": {"from": "none"}}
    others = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for seed, other in enumerate(others, 5):
        made = small_run(layers={"10": (40, 4)}, n_labels=8, seed=seed)
        made.manifest["network"], made.history = random, {column: [] for column in made.history}
        write_run(other, made)
    status, text, errors = nulls(path, "--samples", "2", "--untrained", others[0], "--untrained", others[1])
    assert (status, errors) == (0, "")
    found = layers(text)
    assert not any(line.startswith("untrained") for line in found["13"])  # the others have no such layer
    with Run(others[0]) as a, Run(others[1]) as b:
        noise = [run.layers["10"].measure().mean_noise for run in (a, b)]
    row = cells(found["10"], "untrained network")
    assert row["n"].startswith(f"{shown(float(np.mean(noise)))}+-") and noise[0] != noise[1]
    assert any(line.startswith("  z") for line in found["10"][-2:])
    status, text, errors = nulls(path, "--untrained", path)
    assert status == 1 and "not an untrained network of 8 labels" in errors


def test_one_layer_can_be_asked_for(result_file: Path, nulls) -> None:
    status, text, _ = nulls(result_file, "--layer", "10", "--samples", "2")
    assert status == 0 and list(layers(text)) == ["10"]
    status, text, errors = nulls(result_file, "--layer", "\x1b11", "--samples", "2")
    assert (status, text) == (1, "")
    assert errors == f"error: {result_file}: no layer '\\x1b11'; it has 10, 13\n"


def test_matrices_alone_are_not_rotated(tmp_path: Path, nulls) -> None:
    content = packed(small_run({"4": (6, 16)}))
    assert content.layers[0].class_means is None
    write_run(tmp_path / "run.h5", content)
    status, text, errors = nulls(tmp_path / "run.h5", "--samples", "2")
    lines = layers(text)["4"]
    assert (status, errors) == (0, "")
    assert "no rotated filters: fields alone cannot be rotated; class means and weights can" in lines
    assert not any(line.startswith("rotated filters ") for line in lines) and cells(lines, "random order")["n"]
    assert lines[0].endswith("rank of a filter's fields 4.0")  # of 4 labels


def test_what_is_undefined_is_no_number(tmp_path: Path, nulls) -> None:
    content = small_run({"13": (3, 1)}, features=False)
    content.layers[0].class_means[:] = 0
    content.layers[0].fields[:] = 0
    write_run(tmp_path / "run.h5", content)
    status, text, _ = nulls(tmp_path / "run.h5", "--samples", "2")
    lines = layers(text)["13"]
    assert status == 0
    for row in ("measured", "labels shuffled", "rotated filters", "random order", "reversed order"):
        of = cells(lines, row)
        assert [of[column] for column in ("n", "N_c", "C_s", "SNR_I", "SNR_E")] == ["-"] * 5
    assert "super-classes: no two labels that have one are in one cluster" in lines


def with_confusion(content: RunContent) -> None:
    n_labels = len(content.label_names)
    random = np.random.default_rng(0)
    content.layers[0].confusion = np.stack(
        [random.multinomial(count, [1 / n_labels] * n_labels) for count in content.test_inputs]
    ).astype(np.int32)


def test_super_classes_and_confusions_are_told_where_the_file_has_them(tmp_path: Path, nulls) -> None:
    content = small_run({"10": (30, 4), "13": (30, 1)}, n_labels=8)
    with_confusion(content)
    write_run(tmp_path / "run.h5", content)
    _, text, _ = nulls(tmp_path / "run.h5", "--samples", "2")
    ten, thirteen = layers(text)["10"], layers(text)["13"]
    assert ten[-1].startswith("confusion: rank correlation with clusters shared ") and ", p " in ten[-1]
    assert ten[-2].startswith("super-classes: shared by ") and "by chance 42.9%" in ten[-2]  # 3 of 7 others
    assert not any(line.startswith("confusion") for line in thirteen)
    for superclasses, wanted in ((list("abcdefgh"), "no two of the labels share one"), ([""] * 8, None)):
        content.superclasses = superclasses
        write_run(tmp_path / "run.h5", content)
        _, text, _ = nulls(tmp_path / "run.h5", "--samples", "2")
        told = [line for line in text.splitlines() if line.startswith("super-classes")]
        assert told == ([] if wanted is None else [f"super-classes: {wanted}"] * 2)
