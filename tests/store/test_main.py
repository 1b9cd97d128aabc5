"""`python -m store info | check`; for `info --nulls` see test_store_nulls.py, for pack and unpack test_pack.py."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest

import store.tables.printable
from store.__main__ import main
from store.file.pack import packed
from store.file.read import Run
from store.file.write import write_run
from store.measure.gauge import GAUGES, common_part, shifted
from store.tables.printable import printable
from tests.builders import edit_manifest, small_run, write_small


def store_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "store", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def run_main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The same in this process, which is quicker: -> exit status, output, errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["store", *map(str, arguments)])
        status = main()
        return status, *capsys.readouterr()

    return call


def row(text: str, layer: str) -> dict[str, str]:
    """A layer's row of the printed table, by column."""
    lines = [line.split() for line in text.splitlines()]
    head = next(line for line in lines if line[:2] == ["layer", "N_f"])
    cells = next(line for line in lines[lines.index(head) :] if line[:1] == [layer])
    return dict(zip(head, cells, strict=True))


def test_info_prints_the_table_of_the_file(result_file: Path) -> None:
    done = store_command("info", result_file)
    assert (done.returncode, done.stderr) == (0, "")
    with Run(result_file) as run:
        layer, checksum = run.layers["10"].measure(0.3), run.content_sha256
    assert row(done.stdout, "10") == {
        "layer": "10",
        "N_f": "6",
        "F_s": "1x4",
        "FC_s": "24",
        "accuracy": "0.500",
        "n": f"{layer.mean_noise:.2f}",
        "N_c": f"{layer.mean_clusters:.2f}",
        "C_s": f"{layer.mean_cluster_size:.2f}",
        "silent": str(layer.silent.sum()),
        "signal": f"{layer.signal.mean():.1f}",
        "noise_I": f"{layer.noise_internal.mean():.2f}",
        "noise_E": f"{layer.noise_external.mean():.2f}",
    }
    assert done.stdout.index(" 13 ") < done.stdout.index(" 10 ")  # deepest first, as in the paper
    for text in (str(result_file), checksum, "vgg16 on digits, 4 labels", "quick (not the paper's)", "format 3"):
        assert text in done.stdout
    assert "paper " not in done.stdout and "unfinished" not in done.stdout  # the paper has no digits


def test_info_measures_at_the_threshold_asked_for(result_file: Path, run_main) -> None:
    with Run(result_file) as run:
        wanted = [run.layers["10"].measure(threshold).mean_noise for threshold in (0.1, 0.3)]
    assert wanted[0] > wanted[1]
    status, text, _ = run_main("info", result_file, "--threshold", "0.1")
    assert (status, row(text, "10")["n"]) == (0, f"{wanted[0]:.2f}")


def test_info_measures_in_the_gauge_asked_for_and_says_how_much_is_common(tmp_path: Path, run_main) -> None:
    content = small_run({"10": (20, 2), "13": (20, 1)}, n_labels=8)
    moved = content.layers[1]
    moved.probe_weights[:] = shifted(moved.probe_weights, 0.5)
    moved.fields = None
    write_run(tmp_path / "run.h5", content)
    with Run(tmp_path / "run.h5") as run:
        of_gauge = [run.layers["13"].measure(gauge=gauge).mean_noise for gauge in GAUGES]
        common = [common_part(run.layers[name].probe_weights) for name in ("13", "10")]
    assert of_gauge[0] != of_gauge[1] and common[0] > 0.3
    said = f"the same to all outputs: 13 {common[0]:.2%}, 10 {common[1]:.2%}\n"
    status, text, _ = run_main("info", tmp_path / "run.h5", "--gauge", "zero-sum")
    assert status == 0 and "threshold 0.3, in the zero-sum gauge; signal" in text and said in text
    assert float(row(text, "13")["n"]) == pytest.approx(of_gauge[1], abs=0.06)
    status, text, _ = run_main("info", tmp_path / "run.h5")
    assert status == 0 and "gauge" not in text and said in text
    assert float(row(text, "13")["n"]) == pytest.approx(of_gauge[0], abs=0.06)


def test_a_file_of_matrices_alone_has_no_weights_to_have_a_common_part(tmp_path: Path, run_main) -> None:
    content = small_run({"10": (3, 9)})
    write_run(tmp_path / "run.h5", packed(content))
    status, text, _ = run_main("info", tmp_path / "run.h5", "--gauge", "zero-sum")
    assert status == 0 and "the same to all outputs: 10 -\n" in text


def test_info_prints_the_published_row_under_the_layers_own(tmp_path: Path, run_main) -> None:
    path = write_small(tmp_path / "run.h5", layers={"10": (3, 1), "11": (3, 1)}, n_labels=20, data="cifar100")
    status, text, _ = run_main("info", path)
    lines = [line.split() for line in text.splitlines()]
    ours = next(number for number, line in enumerate(lines) if line[:1] == ["10"])
    assert status == 0
    assert lines[ours + 1][:4] == ["paper", "512", "2x2", "2048"] and lines[ours + 1][5] == "13.6"
    assert sum(line[:1] == ["paper"] for line in lines) == 1  # the paper has no layer 11


def test_info_of_a_run_whose_filters_are_all_silent_has_no_numbers_to_show(tmp_path: Path, run_main) -> None:
    content = small_run({"13": (3, 1)})
    content.layers[0].class_means[:] = 0
    content.layers[0].fields[:] = 0
    write_run(tmp_path / "run.h5", content)
    status, text, _ = run_main("info", tmp_path / "run.h5")
    cells = row(text, "13")
    assert status == 0
    assert [cells[column] for column in ("n", "N_c", "C_s", "silent", "signal")] == ["-", "-", "-", "3", "0.0"]


@pytest.mark.parametrize("command", ["info", "check"])
def test_an_unfinished_run_is_whole_and_says_what_is_missing(command: str, tmp_path: Path, run_main) -> None:
    path = write_small(tmp_path / "run.h5", layers={"2": (3, 1)}, planned_layers=["2", "4", "7"])
    status, text, errors = run_main(command, path)
    assert (status, errors) == (0, "")
    assert "unfinished" in text and "4, 7" in text


def test_check_reads_everything(result_file: Path, run_main) -> None:
    status, text, _ = run_main("check", result_file)
    assert (status, text) == (0, f"{result_file}: whole; layers 10, 13\n")
    content = bytearray(result_file.read_bytes())
    with Run(result_file) as run:
        weights = run.layers["13"].probe_weights.tobytes()
    content[content.index(weights) + 5] ^= 4
    result_file.write_bytes(content)
    status, text, errors = run_main("check", result_file)
    assert (status, text) == (1, "")
    assert errors.startswith(f"error: {result_file}: layers/13/probe_weights: damaged")


def test_check_of_a_file_cut_off(result_file: Path, run_main) -> None:
    result_file.write_bytes(result_file.read_bytes()[:-1])
    status, text, errors = run_main("check", result_file)
    assert (status, text) == (1, "") and str(result_file) in errors and "cut off" in errors


HOSTILE = "\x1b[2J\x1b]0;gone\x07\r\n13: whole \u202egnp\u2028\ud800\x9b"


@pytest.mark.parametrize("arguments", [["info"], ["check"], ["info", "--nulls", "--samples", "2"]])
def test_text_of_a_file_commands_no_terminal(arguments: list[str], tmp_path: Path, run_main) -> None:
    path = write_small(tmp_path / "run.h5", planned_layers=["10", "13", HOSTILE], label_names=["\x1b[31m", "b", "c"])
    edit_manifest(
        path,
        network__arch=HOSTILE,
        data__name=HOSTILE,
        data__licence=HOSTILE,
        recipe__name=HOSTILE,
        recipe__seed=HOSTILE,
        created={HOSTILE: HOSTILE},
        device=HOSTILE,
        generator=HOSTILE * 10_000,
    )
    status, text, errors = run_main(arguments[0], path, *arguments[1:])
    assert (status, errors) == (0, "")
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"\x1b[2J" in text and r"\u202e" in text and len(text) < 10_000


def test_errors_command_no_terminal_either(tmp_path: Path, run_main) -> None:
    path = tmp_path / "\x1b[2J\u202e.h5"
    status, text, errors = run_main("check", path)
    assert (status, text) == (1, "") and errors.endswith("\n") and errors[:-1].isprintable()
    assert r"\x1b[2J\u202e.h5: No such file" in errors
    write_small(path, layers={"10": (2, 2)})
    edit_manifest(path, layers__0__name=HOSTILE)
    status, text, errors = run_main("check", path)
    assert (status, text) == (1, "") and errors[:-1].isprintable() and "layer name" in errors


def test_printable() -> None:
    assert printable("café 漢字 😀") == "café 漢字 😀"
    assert printable("\x1b\t\n\x7f\u200f\u2066\ufeff") == r"\x1b\t\n\x7f\u200f\u2066\ufeff"
    assert printable("x" * 501) == "x" * 500 + "..."
    assert (printable(3), printable(["\n"]), printable(None)) == ("3", r"['\n']", "None")
    assert doctest.testmod(store.tables.printable).failed == 0 and doctest.testmod(store.tables.printable).attempted > 0


@pytest.mark.parametrize("command", ["info", "check"])
@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing.h5", "No such file"), ("folder", "directory"), ("text.h5", "not an HDF5 file"), ("empty.h5", "not an")],
)
def test_what_is_no_result_is_refused(command: str, name: str, message: str, tmp_path: Path, run_main) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.h5").write_text("no result\n")
    (tmp_path / "empty.h5").touch()
    status, text, errors = run_main(command, tmp_path / name)
    assert (status, text) == (1, "")
    assert errors.startswith(f"error: {tmp_path / name}: ") and message in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["look", "file"],
        ["info"],
        ["info", "file", "--threshold", "1.5"],
        ["info", "f", "--threshold=x"],
        ["info", "f", "--gauge", "none"],
        ["info", "f", "--samples", "3"],  # of --nulls
        ["info", "f", "--untrained", "g"],
        ["info", "f", "--layer", "10"],
        ["info", "f", "--seed", "1"],
        ["info", "f", "--nulls", "--samples", "0"],
        ["info", "f", "--nulls", "--seed", "-1"],
        ["unpack"],
    ],
)
def test_wrong_use_exits_2(arguments: list[str], run_main, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_main(*arguments)
    assert stop.value.code == 2 and "usage: python -m store" in capsys.readouterr().err


def test_exit_status_reaches_the_shell(tmp_path: Path) -> None:
    done = store_command("check", tmp_path / "nothing.h5")
    assert (done.returncode, done.stdout) == (1, "") and "Traceback" not in done.stderr


def test_help_is_quick() -> None:
    """In seconds of a processor: what a person waits on a machine that has nothing else to do."""
    taken = []
    for _ in range(5):
        before = os.times()
        done = store_command("--help")
        after = os.times()
        taken.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert done.returncode == 0 and "info" in done.stdout and "check" in done.stdout
    assert min(taken) < 0.5


def test_help_loads_nothing_heavy() -> None:
    """What the time above stands for, without a clock: slow imports come when a file is opened."""
    program = (
        "import runpy, sys\n"
        "sys.argv = ['store', '--help']\n"
        "try:\n    runpy.run_module('store', run_name='__main__')\n"
        "except SystemExit:\n    print('LOADED', *sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.partition("LOADED")[2].split())
    assert loaded and not loaded & {"numba", "h5py"}
