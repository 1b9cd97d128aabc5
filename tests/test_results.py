"""The numbers that the README shows are those of the file that they are said to be of."""

import shlex

import pytest

from benchmarks.results import EXAMPLE, ROOT, block, command, main, section, with_block
from precompute.options import parse
from store.read import Run
from tests.explorer_runs import make_run


def test_the_readme_shows_the_example_as_it_is():
    text = (ROOT / "README.md").read_text("utf-8")
    with Run(EXAMPLE) as run:
        run.verify()
        assert with_block(text, block(run)) == text, "make results"


def test_the_example_is_a_whole_result_of_all_of_cifar100():
    assert EXAMPLE.stat().st_size < 16e6
    with Run(EXAMPLE) as run:
        assert not run.unfinished
        assert list(run.layers) == ["2", "4", "7", "10", "13"]
        assert (run.n_labels, run.test_inputs.tolist()) == (100, [100] * 100)
        assert [layer.n_filters for layer in run.layers.values()] == [64, 128, 256, 512, 512]
        accuracies = [layer.record["test_accuracy"] for layer in run.layers.values()]
        assert accuracies[3] > 0.6 and accuracies[0] < accuracies[1] < accuracies[2]


def test_the_command_of_a_run_is_understood_and_makes_the_same_recipe():
    with Run(EXAMPLE) as run:
        options = parse(shlex.split(command(run))[3:])
        again = options.recipe_options()
        kept = run.manifest["recipe"]["options"]
        assert {name: list(value) if isinstance(value, tuple) else value for name, value in again.items()} == kept


def test_a_section_has_the_command_the_table_and_the_time(tmp_path):
    path = make_run(tmp_path / "run.h5", {"4": (4, 1)}, afcc=("4",))
    with Run(path) as run:
        text = section(run)
    assert text.startswith("## run.h5\n\n```bash\npython -m precompute")
    assert "threshold 0.3" in text and "AFCC" in text and not any(line != line.rstrip() for line in text.splitlines())


def test_a_text_without_marks_is_left_alone():
    with pytest.raises(ValueError, match="marks"):
        with_block("# A page\n", "new\n")


def test_a_missing_file_is_an_error_and_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.results.EXAMPLE", tmp_path / "none.h5")
    assert main([]) == 1
    assert "none.h5" in capsys.readouterr().err
