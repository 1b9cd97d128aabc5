"""What AFCC found, as `store info` prints it, also where a stranger wrote it."""

import pytest

from store.file.read import Run
from store.file.write import write_run
from store.tables.afcc import afcc_tables
from tests.builders import small_run
from tests.explorer_runs import cifar100_labels, make_run

FOUND = {
    "threshold": 0.3,
    "weights": 20480,
    "accuracy": 0.98611,
    "train_clusters": {"n": 10.9, "N_c": 1.97, "C_s": 1.61, "alike": {"identical": 0.828, "mean": 0.939}},
    "costs": {
        "dense_multiply_adds": 20480,
        "sparse_multiply_adds": 6520,
        "dense_bytes": 81920,
        "sparse_bytes": 52204,
        "dense_seconds_1": 5.5e-6,
        "sparse_seconds_1": None,
    },
    "masks": {"clusters": {"kept": 6520, "before": 0.9139, "probe_trained": [0.96, 0.98], "network_trained": [0.97]}},
}


def tables(tmp_path, **more):
    run = small_run()
    run.layers[0].record["afcc"] = more.pop("afcc", None)
    run.manifest |= more
    write_run(tmp_path / "run.h5", run)
    with Run(tmp_path / "run.h5") as opened:
        return afcc_tables(opened)


def test_a_run_without_afcc_has_no_table(result_file):
    with Run(result_file) as run:
        assert afcc_tables(run) == ""


def test_kept_weights_and_accuracies_before_and_after(tmp_path):
    lines = tables(tmp_path, afcc=FOUND).splitlines()
    assert "of 20,480 weights" in lines[0]
    assert "0.986" in lines[0]
    assert lines[2].split() == ["clusters", "6,520", "0.914", "0.980", "0.970"]
    assert (
        lines[3] == "dense: 81,920 bytes, 20,480 multiply-adds an input, 5.5 us for a batch of 1, - for a batch of 100"
    )
    assert lines[4].startswith("sparse (CSR): 52,204 bytes, 6,520 multiply-adds an input, - for a batch of 1")
    assert "identical in 82.8% of filters" in lines[5]


def test_layers_one_after_another(tmp_path):
    step = {"layers": ["9", "10"], "weights": 100, "kept": 60, "before": 0.5, "trained": 0.75}
    text = tables(tmp_path, afcc_between={"accuracy": 0.8, "masks": {"clusters": [step, step]}})
    assert text.splitlines()[2].split() == ["clusters", "9", "to", "10", "100", "60", "0.500", "0.750"]


@pytest.mark.parametrize(
    "hostile",
    ["text", [1], {"masks": []}, {"masks": {"\x1b[2J": 3}}, {"masks": {"a": {"kept": "x", "before": [1e300]}}},
     {"costs": [], "train_clusters": 3, "masks": {"a": {"probe_trained": {}, "network_trained": [None, True]}}}],
)  # fmt: skip
def test_what_a_stranger_wrote_is_text_or_a_dash(hostile, tmp_path):
    text = tables(tmp_path, afcc=hostile, afcc_between=hostile)
    assert "\x1b" not in text
    assert "nan" not in text.lower()
    assert "inf" not in text.lower()


def test_the_papers_stands_under_ours_where_it_has_one(tmp_path):
    make_run(tmp_path / "a.h5", {"10": (6, 2)}, cifar100_labels(), afcc=("10",))
    make_run(tmp_path / "b.h5", {"10": (6, 2)}, afcc=("10",))  # of 20 labels
    with Run(tmp_path / "a.h5") as run, Run(tmp_path / "b.h5") as other:
        said = "the paper: about 10,800 of 204,800 weights kept, accuracy about 0.752 when trained again"
        assert said in afcc_tables(run).splitlines()
        assert "the paper" not in afcc_tables(other)
